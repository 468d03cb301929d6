# SPDX-License-Identifier: Apache-2.0
"""make demo: real HTTP through nginx, and what each visitor is told.

Environment: DEMO_SECONDS (stop by itself), EVENTS=file.jsonl[.zst|.gz]
(replay that stream instead), VISITORS and RATE of the crowd, NO_COLOR.
"""

import os
import signal
import sys
import threading
import time

import market
import replay
from client import Client
from screen import Screen
from stack import Problem, Stack

SECONDS = float(os.environ.get("DEMO_SECONDS") or 0)
VISITORS = int(os.environ.get("VISITORS") or 1000)
RATE = float(os.environ.get("RATE") or 150)
COLUMNS = "{:<17}{:>5}{:>5}{:>10}{:>7}  {:<7} {:<9} {:<29}{:>5}"


class Stop(Exception):
    """Ctrl-C, SIGTERM, or the time is up."""


class Crowd(threading.Thread):
    """Everybody else: clicks at a steady rate, each with a cookie of their
    own, and counts what they are told."""

    def __init__(self, bazaar, port):
        super().__init__(daemon=True)
        self.bazaar = bazaar
        self.client = Client(port)
        self.stopping = threading.Event()
        self.clicks = 0
        self.bands = {"low": 0, "medium": 0, "high": 0}
        self.slowest_us = 0
        self.problem = None

    def run(self):
        try:
            began = time.monotonic()
            while not self.stopping.is_set():
                self.click()
                ahead = began + self.clicks / RATE - time.monotonic()
                if ahead > 0:
                    self.stopping.wait(ahead)
        except (OSError, Problem) as error:
            self.problem = str(error)

    def click(self):
        visitor, what, dwell = self.bazaar.step()
        reply = self.client.get(what.path(dwell), user=visitor.user,
                                cookie=visitor.cookie)
        visitor.cookie = reply.cookie or visitor.cookie
        self.clicks += 1
        if reply.band in self.bands:
            self.bands[reply.band] += 1

    def stop(self):
        self.stopping.set()
        self.join(5)


def row(screen, name, click, reply):
    """One request of a persona, as a line of the table."""
    signals = reply.signals
    items = ", ".join(reply.items) or "-"
    if len(items) > 28:
        items = items[:27] + "…"
    line = COLUMNS.format(
        name, click, signals.get("event_count_1h", "-"),
        f'{signals.get("engagement_velocity", 0):.2f}',
        f'{signals.get("activity_trend_7d", 0):.2f}',
        reply.band or "-", reply.cta or "-", items,
        "-" if reply.us is None else f"{reply.us:.0f}")
    return screen.paint(line, reply.band)


def heading(screen):
    return screen.paint(COLUMNS.format(
        "visitor", "click", "c1h", "velocity", "trend", "band", "cta",
        "items", "µs"), "bold")


def delivery(account):
    return ("captured {captured:,} = delivered {delivered:,} + queued "
            "{queued:,} + spooled {spooled:,} + dropped {dropped:,}"
            .format(**account))


class Show:
    """The picture of the marketplace run."""

    def __init__(self, screen, stack, crowd, client):
        self.screen = screen
        self.stack = stack
        self.crowd = crowd
        self.client = client
        self.rows = []
        self.began = time.monotonic()

    def add(self, text):
        self.rows.append(text)
        if not self.screen.live:
            self.screen.line(text)

    def status(self):
        crowd = self.crowd
        seconds = max(time.monotonic() - self.began, 0.001)
        told = sum(crowd.bands.values()) or 1
        bands = "  ".join(f"{name} {100 * n / told:.0f} %"
                          for name, n in crowd.bands.items())
        popular = "  ".join(
            f'{item["id"]} ({item["score"]:.0f})'
            for item in self.client.popular("food", 3))
        return [
            f"crowd      {crowd.clicks:,} clicks of {VISITORS} visitors, "
            f"{crowd.clicks / seconds:.0f}/s; told {bands}",
            f"popular    food: {popular}",
            f"delivery   {delivery(self.client.account())}",
        ]

    def draw(self):
        if not self.screen.live:
            return
        rule = self.screen.paint("─" * 100, "dim")
        port = self.stack.port
        self.screen.picture([
            heading(self.screen), *self.rows, rule, *self.status(), rule,
            f"try        {example(port)}",
            "state      "
            f"curl -s http://127.0.0.1:{port}/intent/status",
            self.screen.paint(
                f"           stops after {SECONDS:.0f} s" if SECONDS else
                "           Ctrl-C ends it and prints the account", "dim"),
        ])


def example(port):
    return (f"curl -si -H 'X-User: you' "
            f"'http://127.0.0.1:{port}/e/kayak-oslo?dwell=35' | grep Intent")


def wait(seconds, stack, crowd, draw=lambda: None):
    """Sleeps, redraws, and notices when something has died."""
    deadline = time.monotonic() + seconds
    while True:
        stack.check()
        if crowd.problem:
            raise Problem("the crowd: " + crowd.problem)
        draw()
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.25))


def tell(person, client, show, pause):
    """A persona's visit: what is known before, then click by click."""
    if person.past:
        show.add(row(show.screen, person.name, "-",
                     client.get("/me", user=person.user)))
        pause(0.5)
    for click, dwell in enumerate(person.dwells, 1):
        what = show.crowd.bazaar.pick()
        reply = client.get(what.path(dwell), user=person.user)
        show.add(row(show.screen, person.name, click, reply))
        pause(0.5)


def market_run(screen, stack):
    bazaar = market.Market(VISITORS)
    people = market.personas()
    client = Client(stack.port)
    past = bazaar.history(people, int(time.time() * 1000))
    for user, event in past:
        client.beacon(event, user)
    screen.line(f"nginx on 127.0.0.1:{stack.port} with {stack.workers} "
                f"workers; {len(past)} events of the past went in by beacon.")

    crowd = Crowd(bazaar, stack.port)
    show = Show(screen, stack, crowd, client)
    if not screen.live:
        screen.line(heading(screen))
    try:
        crowd.start()
        for person in people:
            tell(person, client, show,
                 lambda s: wait(s, stack, crowd, show.draw))
        if not screen.live:
            screen.line(f"try: {example(stack.port)}")
        while True:
            wait(60, stack, crowd, show.draw)
    except Stop:
        pass
    finally:
        crowd.stop()
    show.draw()
    screen.keep()
    if not screen.live:
        for line in show.status():
            screen.line(line)


def stay(screen, stack, until):
    """After a replay: everything runs on, for questions."""
    screen.line()
    screen.line(f"ask: curl -s 'http://127.0.0.1:{stack.port}/intent/features?"
                "featureset=DiscoverySignals&entity_id=...&timestamp=...'")
    if not SECONDS:
        screen.line("Ctrl-C ends it")
    try:
        while time.monotonic() < until:
            stack.check()
            time.sleep(0.5)
    except Stop:
        pass


def drain(screen, client):
    """Waits until all is delivered, for as long as it gets on; then returns
    the account."""
    account, moved = client.account(), time.monotonic()
    while account["queued"] + account["spooled"] > 0:
        if time.monotonic() - moved > 10:
            break
        time.sleep(0.25)
        before, account = account, client.account()
        if account["delivered"] > before["delivered"]:
            moved = time.monotonic()
        screen.picture(["waiting for delivery: " + delivery(account)])
    return account


def settle(screen, stack):
    """The account, as the product counts and as the stream has it: the exit
    status, 0 where they agree."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    account = drain(screen, Client(stack.port))
    screen.line()
    screen.line("by the counters   " + delivery(account))
    balanced = account["captured"] == sum(
        account[k] for k in ("delivered", "queued", "spooled", "dropped"))

    records, ids = 0, set()
    for event in stack.stream.events():
        records += 1
        ids.add(event["event_id"])
        if records % 5000 == 0:
            screen.picture([f"reading the stream back: {records:,}"])
    screen.erase()
    screen.line(f"in the stream     {len(ids):,} different events, "
                f"{records - len(ids):,} of them twice")
    good = balanced and len(ids) == account["delivered"] == account["captured"]
    screen.line("they agree" if good else screen.paint(
        "they do NOT agree", "red"))
    return 0 if good else 1


def interrupted(*_):
    raise Stop


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGALRM):
        signal.signal(number, interrupted)
    screen = Screen()
    events = os.environ.get("EVENTS")
    try:
        fields = replay.fields(events) if events else ()
        with Stack(fields) as stack:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            until = time.monotonic() + (SECONDS or float("inf"))
            if not events:
                market_run(screen, stack)
                return settle(screen, stack)
            done = replay.run(screen, stack, events, Stop)
            status = settle(screen, stack)
            if done:
                stay(screen, stack, until)
            return status
    except Problem as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except (Stop, KeyboardInterrupt):
        return 130


if __name__ == "__main__":
    sys.exit(main())
