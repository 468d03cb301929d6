# SPDX-License-Identifier: Apache-2.0
"""Reload, binary upgrade, restart, kill: windows stay, no request fails, no event is lost."""

import copy
import os
import signal
import threading
import time

import pytest

from client import wait_for
from server import CONFIG, gone

SERVER = """
    intent on;
    intent_key $http_x_user;
    intent_headers band signals;
    location /click { intent_event click category=food dwell_time_sec=30; return 200 "ok"; }
    location /intent/ { intent off; intent_api; }
"""

CONFIG_FORWARDING = copy.deepcopy(CONFIG)
CONFIG_FORWARDING["zone"] = {"path": "zone", "size": "256m", "lanes": 16, "lane_size": "8m"}
CONFIG_FORWARDING["forward"] = {"kinesis": {"stream": "clicks", "region": "us-east-1"}}


class Load(threading.Thread):
    """Clicks on new connections, so that none is closed under a request."""

    def __init__(self, nginx, user, pause=0.0):
        super().__init__()
        self.nginx, self.user, self.pause = nginx, user, pause
        self.ok, self.failures, self.ended = 0, [], False
        self.start()

    def run(self):
        while not self.ended:
            try:
                reply = self.nginx.get("/click", headers={"X-User": self.user})
                if reply.status == 200 and "Intent-Band" in dict(reply.headers):
                    self.ok += 1
                else:
                    self.failures.append(repr(reply))
            except (OSError, EOFError) as e:
                self.failures.append(repr(e))
            time.sleep(self.pause)

    def end(self):
        self.ended = True
        self.join()


@pytest.fixture
def served(nginx):
    """nginx with two workers and a user of seven clicks."""
    nginx.start(server=SERVER, workers=2, intent=CONFIG_FORWARDING, daemon="on")
    for _ in range(7):
        assert nginx.get("/click", headers={"X-User": "steady"}).status == 200
    assert nginx.features("steady")["n"] == 7
    return nginx


def delivery(nginx):
    return nginx.api("status").json["delivery"]


def check_account(nginx, events):
    account = delivery(nginx)
    dropped = sum(account["dropped"].values())
    assert account["captured"] == account["delivered"] + account["queued"] \
        + account["spooled"] + dropped
    assert (account["captured"], dropped) == (events, 0)


def test_fifty_reloads_under_load(served):
    loads = [Load(served, f"load{i}", 0.002) for i in range(2)]
    for _ in range(50):
        served.reload(wait=False)
        time.sleep(0.1)
    for load in loads:
        load.end()
    wait_for(lambda: len(served.workers()) == 2, "the end of old workers", 30)

    assert [load.failures for load in loads] == [[], []]
    assert all(load.ok > 100 for load in loads)
    assert served.features("steady")["n"] == 7
    for load in loads:
        assert served.features(load.user)["n"] == load.ok
    check_account(served, 7 + sum(load.ok for load in loads))


def test_binary_upgrade_and_back(served):
    load = Load(served, "load", 0.002)
    old, new = served.upgrade()

    # Old workers leave, then come back, the new ones leave: a rollback.
    served.signal("WINCH", old)
    wait_for(lambda: not served.workers(old), "the end of the old workers", 30)
    time.sleep(0.3)
    served.signal("HUP", old)
    wait_for(lambda: len(served.workers(old)) == 2, "the return of the old workers")
    served.signal("QUIT", new)
    wait_for(lambda: gone(new), "the end of the new master", 30)
    served.masters.remove(new)
    wait_for(lambda: not os.path.exists(served.path("nginx.pid.oldbin"))
             and served.read("nginx.pid").strip() == str(old), "the old pid file")

    # And for good.
    old, new = served.upgrade()
    served.signal("QUIT", old)
    wait_for(lambda: gone(old), "the end of the old master", 30)
    served.masters.remove(old)
    time.sleep(0.3)
    load.end()

    assert load.failures == []
    assert load.ok > 50
    assert served.features("steady")["n"] == 7
    assert served.features("load")["n"] == load.ok
    check_account(served, 7 + load.ok)


def test_restart(served):
    served.stop()
    served.start(configure=False)
    assert served.features("steady")["n"] == 7
    reply = served.get("/click", headers={"X-User": "steady"})
    assert reply.signals["n"] == 8
    check_account(served, 8)


def test_kill_of_everything_and_start(served):
    served.kill()
    served.start(configure=False)
    assert served.features("steady")["n"] == 7
    check_account(served, 7)


def test_two_hundred_kills_of_workers_under_load(served):
    """A killed worker takes the requests that it holds along, nothing else: every click that
    was answered is in the windows and in a lane."""
    served.allow(r"exited on signal 9")
    loads = [Load(served, f"load{i}") for i in range(2)]
    for i in range(200):
        workers = wait_for(served.workers, "a worker")
        os.kill(workers[i % len(workers)], signal.SIGKILL)
        time.sleep(0.02)
    time.sleep(0.5)
    for load in loads:
        load.end()

    account = delivery(served)
    answered = 7 + sum(load.ok for load in loads)
    in_flight = sum(len(load.failures) for load in loads)
    assert sum(account["dropped"].values()) == 0
    assert answered <= account["captured"] <= answered + in_flight
    assert account["queued"] == account["captured"]
    assert served.features("steady")["n"] == 7
    for load in loads:
        assert load.ok <= served.features(load.user)["n"] <= load.ok + len(load.failures)
    assert served.counter("records_damaged") == 0


def test_two_workers_one_hot_user(served):
    """100,000 updates each; those that met a busy lock are applied a little later."""
    served.stop()
    served.start(server=SERVER + "location /b { intent_beacon; }", workers=2,
                 intent=CONFIG_FORWARDING)
    body = b"[" + b",".join([b'{"event_type":"click","dwell_time_sec":1.5}'] * 100) + b"]"
    headers = {"X-User": "hot", "Content-Type": "application/json"}

    def post(n):
        client = served.client()
        for _ in range(n):
            assert client.send("POST", "/b", headers, body).status == 204

    threads = [threading.Thread(target=post, args=(500,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    total = 4 * 500 * 100

    wait_for(lambda: served.features("hot")["n"] == total, f"{total} events in the window", 5)
    assert served.features("hot")["dwell"] == 1.5
    assert served.counter("events_unapplied") == 0
