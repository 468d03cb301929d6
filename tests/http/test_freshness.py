# SPDX-License-Identifier: Apache-2.0
"""The response to each click carries the count that includes it."""

import threading

CLICKS, CONNECTIONS, WORKERS = 10_000, 8, 4

SERVER = """
    intent on;
    intent_key $http_x_user;
    intent_headers signals;
    intent_budget 100ms;
    location /click { intent_event click category=$arg_c dwell_time_sec=30; return 200 "ok"; }
    location /intent/ { intent off; intent_api; }
"""


def clicks(nginx, user_of):
    """Eight connections; returns what each was told, in its order."""
    told = [[] for _ in range(CONNECTIONS)]

    def run(n):
        client = nginx.client()
        for _ in range(CLICKS // CONNECTIONS):
            reply = client.send("GET", "/click?c=food", {"X-User": user_of(n)})
            told[n].append(reply.signals.get("n") if reply.status == 200 else reply.status)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return told


def test_each_response_includes_its_own_click(nginx):
    nginx.start(server=SERVER, workers=WORKERS)
    told = clicks(nginx, lambda n: f"user{n}")
    wanted = list(range(1, CLICKS // CONNECTIONS + 1))
    for n in range(CONNECTIONS):
        assert told[n] == wanted, f"connection {n}"


def test_all_workers_see_one_user(nginx):
    """Of one user clicked by all: no answer is older than what its connection was told."""
    nginx.start(server=SERVER, workers=WORKERS)
    told = clicks(nginx, lambda n: "hot")
    for n in range(CONNECTIONS):
        assert all(a < b for a, b in zip(told[n], told[n][1:])), f"connection {n}"
    assert max(max(row) for row in told) == CLICKS
    assert nginx.features("hot")["n"] == CLICKS
