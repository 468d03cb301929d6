# SPDX-License-Identifier: Apache-2.0
"""The vectors through nginx: events by beacon, answers by both ways out.

Intent-Signals answers as of now, so nginx runs under a clock that the test sets to each
query's own time.
"""

import json
import mmap
import os
import pathlib
import struct
import subprocess
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from server import ROOT

NAMES = ["personas", "random1", "random2", "random3", "random4", "late5", "late6"]
DATA = pathlib.Path(os.environ.get("INTENT_TEST_DATA", os.path.join(ROOT, "../shared/data")))
VECTORS = DATA.parent / "vectors"

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(),
                                reason=f"no test vectors in {VECTORS}: set INTENT_TEST_DATA")

SERVER = """
    intent_key $http_x_user;
    location /events { intent observe; intent_beacon; }
    location /intent/ { intent_api; }
    location /now { intent on; intent_headers signals; return 200 "ok"; }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    source = pathlib.Path(__file__).with_name("clock_shim.c")
    library = tmp_path_factory.mktemp("shim") / "clock_shim.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)],
                   check=True)
    return library


class Clock:
    def __init__(self, path):
        path.write_bytes(bytes(8))
        with path.open("r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 8)

    def set(self, ms):
        self.memory[:8] = struct.pack("=q", ms)


def milliseconds(timestamp):
    if isinstance(timestamp, int):
        return timestamp
    then = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return (then - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def same(have, want):
    if isinstance(want, float):
        return isinstance(have, (int, float)) and not isinstance(have, bool) \
            and abs(have - want) <= 1e-9 * max(abs(want), 1e-300)
    return type(have) is type(want) and have == want


def same_rounded(have, want):
    if isinstance(want, float):
        return abs(have - want) <= 0.0005 * (1 + 1e-9)
    return type(have) is type(want) and have == want


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_equal(nginx, shim, tmp_path, monkeypatch, name):
    clock = Clock(tmp_path / "clock")
    preload = os.environ.get("LD_PRELOAD", "")
    monkeypatch.setenv("INTENT_TEST_CLOCK", str(tmp_path / "clock"))
    monkeypatch.setenv("LD_PRELOAD", f"{preload} {shim}".strip())
    nginx.start(server=SERVER, intent=json.loads((VECTORS / "intent.json").read_text()))

    rows = [json.loads(line) for line in (VECTORS / f"{name}.jsonl").open()]
    expected = [json.loads(line) for line in (VECTORS / f"{name}.expected.jsonl").open()]
    client = nginx.client()
    answers = 0
    newest = max(milliseconds(row["timestamp"]) for row in rows)
    clock.set(newest)

    def flush(batch):
        if batch:
            reply = client.send("POST", "/events", {"X-User": batch[0]["user_id"],
                                                    "Content-Type": "application/json"},
                                json.dumps(batch).encode())
            assert reply.status == 204, reply
            batch.clear()

    batch = []
    for row in rows:
        if "featureset" not in row:
            if batch and (batch[0]["user_id"] != row["user_id"] or len(batch) == 100):
                flush(batch)
            batch.append(row)
            continue

        flush(batch)
        want = expected[answers]["features"]
        answers += 1
        user, t = row["entity_id"], row["timestamp"]

        reply = client.send("GET", f"/intent/features?entity_id={user}&timestamp={quote(str(t))}"
                            f"&featureset={row['featureset']}")
        assert reply.status == 200, reply
        have = reply.json["features"]
        assert {k: v for k, v in have.items() if not same(v, want.get(k, "missing"))} == {}
        assert set(want) <= set(have)
        assert reply.json["approx"] is False

        clock.set(milliseconds(t))
        have = client.send("GET", "/now", {"X-User": user}).signals
        clock.set(newest)
        shown = {k: v for k, v in want.items() if v is not None and k != "user_id"}
        assert set(have) == set(shown)
        assert {k: v for k, v in have.items() if not same_rounded(v, shown[k])} == {}

    assert answers == len(expected) > 0
