# SPDX-License-Identifier: Apache-2.0
"""EVENTS=file: a stream of JSON lines through the beacon, in time order.

All of it goes over one connection, whose requests nginx answers in order;
they are pipelined, so that the replay does not wait for each answer.
"""

import gzip
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from datetime import datetime, timezone

from client import Client
from stack import Problem

AHEAD = 64                          # requests without their answer yet
COLUMNS = "{:<20}{:<22}{:>6}{:>6}{:>6}{:>10}{:>8}{:>11}  {}"


def lines(path):
    """The lines of a plain, .gz or .zst file."""
    if not os.path.exists(path):
        raise Problem(f"EVENTS={path}: there is no such file")
    if path.endswith(".zst"):
        if shutil.which("zstd") is None:
            raise Problem("zstd is not installed; `make deps` installs it")
        with subprocess.Popen(["zstd", "-dcq", path],
                              stdout=subprocess.PIPE) as process:
            yield from process.stdout
        if process.returncode not in (0, -13):
            raise Problem(f"EVENTS={path}: zstd cannot read it")
    else:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            yield from file


def events(path):
    for number, line in enumerate(lines(path), 1):
        try:
            event = json.loads(line)
            if "featureset" in event:
                continue            # a query: `intentctl replay` answers it
            event["user_id"], event["timestamp"]
        except (ValueError, TypeError, KeyError) as error:
            raise Problem(f"{path}:{number}: not an event with user_id and "
                          f"timestamp: {error!r}") from error
        yield number, event


def fields(path):
    """What the events carry beyond the usual: (name, type), by the first
    thousand lines."""
    kinds = {}
    for _, event in itertools.islice(events(path), 1000):
        for name, value in event.items():
            if isinstance(value, bool):
                kinds[name] = "bool"
            elif isinstance(value, (int, float)):
                kinds[name] = "double"
            elif isinstance(value, str):
                kinds[name] = "string"
    return [(name, kind) for name, kind in kinds.items()
            if name not in ("user_id", "timestamp")]


class Pipeline:
    """POSTs ahead of their answers on one connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.answers = self.socket.makefile("rb")
        self.unsent = []
        self.waiting = []           # line numbers, oldest first

    def post(self, number, event):
        body = json.dumps(event, separators=(",", ":")).encode()
        user = str(event["user_id"])
        if not user.isprintable() or not user.isascii():
            raise Problem(f"line {number}: user_id {user!r} cannot stand in "
                          "a header")
        self.unsent.append(
            b"POST /beacon HTTP/1.1\r\nHost: demo\r\n"
            b"Content-Type: application/json\r\nX-User: " + user.encode()
            + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.waiting.append(number)
        if len(self.unsent) == AHEAD:
            self.flush()

    def flush(self):
        """Sends what is kept and reads every answer."""
        self.socket.sendall(b"".join(self.unsent))
        self.unsent.clear()
        for number in self.waiting:
            self.answer(number)
        self.waiting.clear()

    def answer(self, number):
        status = self.answers.readline().split(b" ", 2)
        length = 0
        while True:
            header = self.answers.readline()
            if header in (b"\r\n", b""):
                break
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self.answers.read(length)
        if len(status) < 2 or status[1] != b"204":
            why = b" ".join(status[1:]).decode().strip() or "closed"
            raise Problem(f"line {number}: {why} "
                          f"{body.decode(errors='replace')}")


def day(time_ms):
    moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def row(client, user, time_ms):
    """What is known of a user at that moment of the stream."""
    answer = client.api("features", entity_id=user, timestamp=time_ms,
                        featureset="DiscoverySignals")["features"]
    return COLUMNS.format(
        day(time_ms), user[:20], answer["event_count_1h"],
        answer["event_count_24h"], answer["event_count_7d"],
        f'{answer["engagement_velocity"]:.2f}',
        f'{answer["activity_trend_7d"]:.2f}',
        f'{answer["browsing_momentum"]:.2f}',
        "high" if answer["is_high_intent"] else "-")


def millis(event):
    stamp = event["timestamp"]
    if isinstance(stamp, str):
        stamp = datetime.fromisoformat(
            stamp.replace("Z", "+00:00")).timestamp() * 1000
    return int(stamp)


def run(screen, stack, path, stop):
    """Replays all of it: True. An exception of the class `stop` ends it
    before: False."""
    show = Show(screen, stack, path)
    try:
        for number, event in events(path):
            show.pipeline.post(number, event)
            show.sent(event)
        if show.count == 0:
            raise Problem(f"{path} holds no event")
        show.show()
        return True
    except stop:
        return False
    finally:
        show.end()


class Show:
    """What is on the screen: now and then, what is known of the user of the
    last event."""

    def __init__(self, screen, stack, path):
        self.screen = screen
        self.stack = stack
        self.client = Client(stack.port)
        self.pipeline = Pipeline(stack.port)
        self.began = self.shown = time.monotonic()
        self.count = 0
        self.last = None
        self.rows = []
        screen.line(f"replaying {path} through the beacon of nginx on "
                    f"127.0.0.1:{stack.port}")
        self.heading = screen.paint(COLUMNS.format(
            "time in the stream", "user", "c1h", "c24h", "c7d", "velocity",
            "trend", "momentum", "intent"), "bold")
        if not screen.live:
            screen.line(self.heading)

    def sent(self, event):
        self.count += 1
        self.last = event
        if time.monotonic() - self.shown >= (0.25 if self.screen.live else 2):
            self.show()

    def show(self):
        self.shown = time.monotonic()
        self.pipeline.flush()
        self.stack.check()
        self.rows.append(row(self.client, self.last["user_id"],
                             millis(self.last)))
        del self.rows[:-16]
        if self.screen.live:
            account = self.client.account()
            self.screen.picture([
                self.heading, *self.rows, "", self.progress(),
                "captured {captured:,}, delivered {delivered:,}".format(
                    **account)])
        else:
            self.screen.line(f"{self.rows[-1]:<96} {self.progress()}")

    def progress(self):
        took = max(time.monotonic() - self.began, 0.001)
        return f"{self.count:,} events, {self.count / took:,.0f}/s"

    def end(self):
        self.screen.keep()
        self.screen.line(f"{self.progress()} by beacon")
