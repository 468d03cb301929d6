# SPDX-License-Identifier: Apache-2.0
"""From a click over shared memory to the stream, read back by Amazon's own client."""

import collections
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from client import wait_for
from server import BUILD, CONFIG, ROOT

DATA = pathlib.Path(os.environ.get("INTENT_TEST_DATA", os.path.join(ROOT, "../shared/data")))

BEACON = """
    intent_key $http_x_user;
    location /events { intent observe; intent_beacon; }
    location /intent/ { intent_api; }
"""
CLICKS = """
    intent_key $http_x_user;
    location /click {
        intent on;
        intent_event click experience_id=$arg_id category=food;
        return 200 "ok";
    }
    location /intent/ { intent_api; }
"""


def check_places(events):
    """(host, boot, lane, seq): each once, and dense, for nothing was dropped."""
    seqs = collections.defaultdict(set)
    for event in events:
        seqs[event["host"], event["boot"], event["lane"]].add(event["seq"])
    for place, numbers in seqs.items():
        assert numbers == set(range(len(numbers))), place
    assert len(seqs) >= 1


@pytest.mark.skipif(not (DATA / "streams").is_dir(), reason=f"no streams in {DATA}")
def test_a_real_stream_whole(chain, tmp_path):
    """Every event of a shop's ten days arrives; intentd is killed on the way; features of
    every user are those of a replay."""
    config = json.loads((DATA.parent / "vectors/intent.json").read_text())
    text = subprocess.run(["zstd", "-dc", str(DATA / "streams/taobao.jsonl.zst")], check=True,
                          capture_output=True).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    chain.start(BEACON, config, workers=2)
    client = chain.nginx.client()

    for i, row in enumerate(rows):
        reply = client.send("POST", "/events", {"X-User": row["user_id"],
                                                "Content-Type": "application/json"},
                            json.dumps(row).encode())
        assert reply.status == 204, reply
        if i in (9_000, 25_000):
            chain.intentd.kill()
        if i in (12_000, 26_000):
            chain.intentd.start()

    account = chain.intentd.delivered(len(rows), 120)
    assert account["captured"] == len(rows) and sum(account["dropped"].values()) == 0

    stored = {}
    for event in chain.stream.events():
        known = stored.setdefault(event["event_id"], event)
        assert known == event, "one id, two events"
    names = ("user_id", "event_type", "experience_id", "category", "timestamp")
    sent = collections.Counter(tuple(row.get(n) for n in names) for row in rows)
    got = collections.Counter(tuple(e.get(n) for n in names) for e in stored.values())
    assert got == sent
    check_places(stored.values())

    # The same archive by the command line, with a query for each user at its end.
    end = max(row["timestamp"] for row in rows)
    users = sorted({row["user_id"] for row in rows})
    lines = [json.dumps(row) for row in rows]
    lines += [json.dumps({"featureset": "DiscoverySignals", "entity_id": user,
                          "timestamp": end}) for user in users]
    replayed = subprocess.run(
        [os.path.join(BUILD, "intentctl"), "replay", str(DATA.parent / "vectors/intent.json"),
         "-"], input="\n".join(lines).encode(), check=True, capture_output=True).stdout
    for line in replayed.splitlines():
        want = json.loads(line)
        reply = client.send("GET", f"/intent/features?entity_id={want['entity_id']}"
                            f"&featureset=DiscoverySignals&timestamp={end}")
        assert reply.json["features"] == want["features"]


def test_killed_workers_lose_no_event_that_was_answered(chain):
    """200 kills of random workers under load: what a visitor saw counted is on the stream."""
    chain.start(CLICKS, CONFIG, workers=2)
    chain.nginx.allow("exited on signal 9")
    answered, ended = [], threading.Event()

    def load(n):
        i = 0
        while not ended.is_set():
            i += 1
            try:
                reply = chain.nginx.get(f"/click?id={n}.{i}", headers={"X-User": f"u{n}"})
                if reply.status == 200 and reply.get("Intent-Band"):
                    answered.append(f"{n}.{i}")
            except (OSError, EOFError):
                pass

    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    for i in range(200):
        workers = wait_for(chain.nginx.workers, "a worker")
        os.kill(workers[i % len(workers)], signal.SIGKILL)
        time.sleep(0.02)
    ended.set()
    for t in threads:
        t.join()

    account = chain.intentd.delivered(len(answered), 60)
    events = chain.stream.events()
    assert set(answered) <= {event["experience_id"] for event in events}
    assert sum(account["dropped"].values()) == 0
    assert len(answered) > 500


def test_intentd_away_for_a_while_is_not_noticed(chain):
    """Requests are served and counted; all of it arrives when it is back."""
    chain.start(CLICKS, CONFIG, workers=2)
    chain.intentd.kill()
    client = chain.nginx.client()
    for i in range(2000):
        reply = client.send("GET", f"/click?id={i}", {"X-User": "u"})
        assert reply.status == 200 and reply.get("Intent-Degraded") is None
    assert chain.nginx.api("status").json["delivery"]["queued"] == 2000

    chain.intentd.start()
    chain.intentd.delivered(2000, 60)
    ids = [event["experience_id"] for event in chain.stream.events()]
    assert sorted(ids, key=int) == [str(i) for i in range(2000)]
    assert chain.nginx.features("u")["n"] == 2000
