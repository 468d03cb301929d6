# SPDX-License-Identifier: Apache-2.0
"""The semantics once more, by brute force and in exact arithmetic.

Shares no code with the product: events are kept in plain lists and every
answer is computed from all of them, sums as fractions. Only what the example
configuration needs: DiscoverySignals over ClickEvent.
"""
from datetime import datetime, timedelta, timezone
from fractions import Fraction

HOUR = 3_600_000
DAY = 24 * HOUR
WINDOWS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY}


class Oracle:
    def __init__(self, max_lateness=HOUR):
        self.max_lateness = max_lateness
        self.watermark = None
        self.late = 0
        self.events = {}

    def event(self, user, time_ms, dwell):
        if self.watermark is None or time_ms > self.watermark:
            self.watermark = time_ms
        if time_ms < self.watermark - self.max_lateness:
            self.late += 1
            return
        exact = None if dwell is None else Fraction(dwell)
        self.events.setdefault(user, []).append((time_ms, exact))

    def features(self, user, t):
        count, total, mean = {}, {}, {}
        for name, width in WINDOWS.items():
            inside = [d for (e, d) in self.events.get(user, ())
                      if t - width <= e <= t]
            dwells = [d for d in inside if d is not None]
            count[name] = len(inside)
            total[name] = sum(dwells, Fraction(0))
            mean[name] = total[name] / len(dwells) if dwells else None

        c1, c24, c7 = count["1h"], count["24h"], count["7d"]
        velocity = c1 / max(Fraction(c24, 24), Fraction(1))
        trend = c24 / max(Fraction(c7, 7), Fraction(1))
        a7 = mean["7d"] if mean["7d"] is not None else Fraction(1)
        out = {"user_id": user}
        out.update({f"event_count_{w}": count[w] for w in WINDOWS})
        out.update({f"avg_dwell_sec_{w}": number(mean[w]) for w in WINDOWS})
        out["sum_dwell_sec_1h"] = number(total["1h"])
        out["sum_dwell_sec_24h"] = number(total["24h"])
        out["engagement_velocity"] = number(velocity)
        out["dwell_depth_score"] = number((mean["24h"] or Fraction(0))
                                          / max(a7, Fraction(1)))
        out["session_intensity"] = number(total["1h"] / max(c1, 1))
        out["activity_trend_7d"] = number(trend)
        out["is_high_intent"] = bool(velocity > 2 and trend > 1
                                     and (mean["1h"] or 0) >= 30)
        out["browsing_momentum"] = number(
            c1 / max(Fraction(c7, 168), Fraction(0.01)))
        return out


def milliseconds(timestamp):
    """Epoch ms of either form, RFC 3339 cut to ms."""
    if isinstance(timestamp, int):
        return timestamp
    then = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (then - epoch) // timedelta(milliseconds=1)


def number(exact):
    return None if exact is None else float(exact)


def differences(got, expected):
    """Names of the features that differ: doubles by 1e-9, the rest at all."""
    wrong = []
    for name, want in expected.items():
        have = got.get(name, "missing")
        if isinstance(want, float):
            same = (isinstance(have, (int, float))
                    and not isinstance(have, bool)
                    and abs(have - want) <= 1e-9 * max(abs(want), 1e-300))
        else:
            same = type(have) is type(want) and have == want
        if not same:
            wrong.append(f"{name}: {have!r}, expected {want!r}")
    return wrong
