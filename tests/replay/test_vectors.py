# SPDX-License-Identifier: Apache-2.0
"""Every row of the vectors, and random streams against the oracle."""
import json
import random

import pytest
from oracle import DAY, HOUR, WINDOWS, Oracle, differences, milliseconds

NAMES = ["personas", "random1", "random2", "random3", "random4", "late5",
         "late6"]
BASE = 1_773_500_000_000


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_the_vectors_is_equal(replay, vectors, name):
    expected = [json.loads(line) for line
                in (vectors / f"{name}.expected.jsonl").open()]
    got = replay(vectors / "intent.json", vectors / f"{name}.jsonl")

    assert len(got) == len(expected) > 0
    for have, want in zip(got, expected):
        assert have["entity_id"] == want["entity_id"]
        assert have["timestamp"] == want["timestamp"]
        assert differences(have["features"], want["features"]) == []


def test_the_oracle_agrees_with_the_vectors(vectors):
    """The other tests rest on the oracle, so it is measured first."""
    for name in NAMES:
        oracle = Oracle()
        expected = (vectors / f"{name}.expected.jsonl").open()
        for line in (vectors / f"{name}.jsonl").open():
            row = json.loads(line)
            time = milliseconds(row["timestamp"])
            if "featureset" in row:
                want = json.loads(next(expected))["features"]
                have = oracle.features(row["entity_id"], time)
                assert differences(have, want) == []
            else:
                oracle.event(row["user_id"], time, row.get("dwell_time_sec"))


def random_stream(rng):
    """A stream with disorder, ties, lateness and queries at window edges."""
    users = [f"u{i}" for i in range(rng.randint(1, 5))]
    dwells = rng.choice([[None, 0.0, 30.0], [1e-3, 0.1, 29.999, 30.0, None],
                         [1e9, 1e-9, 3.3], [-5.5, 5.5, None, 0.1]])
    step = rng.choice([1, 500, 60_000, HOUR // 3, HOUR * 7])
    reach = rng.choice([0, 1000, HOUR, HOUR + 5, 3 * HOUR])
    rows, seen, now = [], {u: [] for u in users}, BASE

    for _ in range(rng.randint(5, 60)):
        now += rng.randint(0, step)
        user, t = rng.choice(users), now - rng.randint(0, reach)
        row = {"user_id": user, "event_type": "view", "timestamp": t,
               "category": rng.choice(["food", "wellness"])}
        dwell = rng.choice(dwells)
        if dwell is not None or rng.random() < 0.5:
            row["dwell_time_sec"] = dwell
        rows.append(row)
        seen[user].append(t)

        while rng.random() < 0.4:
            user = rng.choice(users)
            edge = rng.choice(seen[user] or [now])
            t = edge + rng.choice([0, *WINDOWS.values()])
            t += rng.choice([-1, 0, 1])
            # Events move the watermark: an older read would be refused.
            newest = max(max(v, default=0) for v in seen.values())
            rows.append({"featureset": "DiscoverySignals", "entity_id": user,
                         "timestamp": max(t, newest - HOUR)})
    return rows


def test_random_streams_against_the_oracle(replay, vectors):
    """Streams of disjoint users and ever later times in one replay each."""
    for seed in range(20):
        rng = random.Random(seed)
        rows, answers, oracle = [], [], Oracle()
        for stream in range(100):
            offset = stream * 400 * DAY
            for row in random_stream(rng):
                row["timestamp"] += offset
                who = "entity_id" if "featureset" in row else "user_id"
                row[who] = f"{stream}.{row[who]}"
                rows.append(row)
                if "featureset" in row:
                    answers.append(oracle.features(row["entity_id"],
                                                   row["timestamp"]))
                else:
                    oracle.event(row["user_id"], row["timestamp"],
                                 row.get("dwell_time_sec"))

        got = replay(vectors / "intent.json", rows)
        assert len(got) == len(answers) > 0
        for have, want in zip(got, answers):
            wrong = differences(have["features"], want)
            assert wrong == [], f"seed {seed}, {have['entity_id']}: {wrong}"
