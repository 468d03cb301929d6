# SPDX-License-Identifier: Apache-2.0
"""The endpoints of intent_api."""

import json
import time
from urllib.parse import quote

import pytest

from client import Client, curl, parse_metrics

SERVER = """
intent on; intent_key $http_x_user; intent_event view experience_id=$arg_id category=$arg_c;
intent_cookie visitor;
location /intent/ { intent_api; }
location /noslash { intent_api; }
location /secret/ { intent_api token_file=token; }
location /limited/ { intent_api; limit_except GET { deny all; } }
location /b { intent_beacon; }
location / { return 200; }
"""


@pytest.fixture
def site(nginx):
    nginx.write("conf/token", "s3cret-token\n")
    return nginx.start(SERVER, http="intent_cookie_key_file cookie.key;")


def click(site, user, n=1, **args):
    for _ in range(n):
        query = "&".join("%s=%s" % pair for pair in args.items())
        assert site.get("/?" + query, headers={"X-User": user}).status == 200


def problem(response, status):
    assert response.status == status, response
    assert response.get("Content-Type") == "application/problem+json"
    assert response.get("Cache-Control") == "no-store"
    assert response.json["status"] == status and response.json["detail"]
    return response.json


def test_features(site):
    click(site, "alice", 3, c="food")
    before = int(time.time() * 1000)
    response = site.api("features?entity_id=alice&featureset=Signals")
    assert response.status == 200 and response.get("Content-Type") == "application/json"
    assert response.get("Cache-Control") == "no-store"
    assert response.intent == {} and response.all("Set-Cookie") == []
    body = response.json
    assert body.pop("timestamp") in range(before, before + 5000)
    assert body == {
        "entity_id": "alice", "featureset": "Signals", "approx": False,
        "features": {"n": 3, "dwell": None, "category": "food", "types": ["view"] * 3,
                     "hot": True}} or body["features"].pop("user_id") == "alice"
    assert list(body) == ["entity_id", "featureset", "features", "approx"]


def test_an_unknown_key_is_not_an_error(site):
    features = site.features("nobody")
    assert (features["n"], features["dwell"], features["types"]) == (0, None, [])


@pytest.mark.parametrize("key", ["a b", "a/b", "a&b=c", "a+b", "caf\u00e9", "%", '"', "\\", "a#b",
                                 "x" * 256, "\U0001f600"])
def test_ids_are_percent_decoded(site, key):
    body = json.dumps([{}]).encode()
    response = site.get("/b", "POST", {"X-User": key.encode().decode("latin-1"),
                                       "Content-Type": "text/plain"}, body)
    assert response.status == 204
    for safe in ("", "/+:@"):
        got = site.api("features?entity_id=" + quote(key, safe=safe)).json
        assert got["entity_id"] == key and got["features"]["n"] == 1


@pytest.mark.parametrize("query", [
    "", "?", "?entity_id=", "?featureset=Signals", "?entity_id=" + "x" * 257])
def test_a_missing_or_bad_id(site, query):
    problem(site.api("features" + query), 400)


@pytest.mark.parametrize("key", ["%ff", "a%00b", "a+b", "%zz"])
def test_ids_are_bytes(site, key):
    response = site.api("features?entity_id=" + key)
    assert response.status == 200 and response.json["features"]["n"] == 0


def test_an_unknown_featureset(site):
    problem(site.api("features?entity_id=a&featureset=None"), 404)


def test_features_as_of_a_time(site):
    now = int(time.time() * 1000)
    events = [{"timestamp": now - 30 * 60000}, {"timestamp": now - 60000}]
    site.get("/b", "POST", {"X-User": "a", "Content-Type": "text/plain"},
             json.dumps(events).encode())

    def at(t):
        return site.api("features?entity_id=a&timestamp=" + str(t)).json

    assert at(now)["features"]["n"] == 2
    assert at(now - 60000)["features"]["n"] == 2
    assert at(now - 60001)["features"]["n"] == 1
    assert at(now - 30 * 60000 - 1)["features"]["n"] == 0
    assert at(now + 30 * 60000 + 1)["features"]["n"] == 1
    assert at(now)["timestamp"] == now
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000 - 60)) + ".999Z"
    assert at(quote(stamp))["timestamp"] == (now // 1000 - 60) * 1000 + 999
    zone = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(now // 1000 + 7200))
    assert at(zone)["timestamp"] == now // 1000 * 1000
    assert at(quote(zone))["timestamp"] == now // 1000 * 1000

    oldest = now - 60000 - 3600000
    assert at(oldest)["timestamp"] == oldest
    assert str(oldest) in problem(site.api("features?entity_id=a&timestamp=%d" % (oldest - 1)),
                                  400)["detail"]


@pytest.mark.parametrize("text", ["now", "1.5", "12e3", "2026-03-01", "2026-03-01T00:00:00",
                                  "0x10", "9" * 30, "1 ", "%201", "2026-13-01T00:00:00Z", "-"])
def test_other_times_are_refused(site, text):
    problem(site.api("features?entity_id=a&timestamp=" + text.replace(" ", "%20")), 400)


def batch(site, value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return site.api("features/batch", method="POST", body=body)


def test_batch(site):
    click(site, "a", 1)
    click(site, "b", 2)
    ids = ["b", "a", "nobody", "b", "caf\u00e9"]
    response = batch(site, {"featureset": "Signals", "entity_ids": ids})
    assert response.status == 200 and response.get("Content-Type") == "application/json"
    assert [x["entity_id"] for x in response.json] == ids
    assert [x["features"]["n"] for x in response.json] == [2, 1, 0, 2, 0]
    assert len({x["timestamp"] for x in response.json}) == 1
    assert batch(site, {"entity_ids": []}).json == []


def test_a_batch_of_a_thousand_and_one_more(site):
    ids = ["user-%d" % i for i in range(1000)]
    response = batch(site, {"featureset": "Signals", "entity_ids": ids})
    assert [x["entity_id"] for x in response.json] == ids
    problem(batch(site, {"entity_ids": ids + ["x"]}), 400)
    long_ids = [("%04d" % i) + "x" * 252 for i in range(1000)]
    assert len(batch(site, {"entity_ids": long_ids}).json) == 1000


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"1", b"{}", {"entity_ids": "a"}, {"entity_ids": [1]},
    {"entity_ids": [""]}, {"entity_ids": ["x" * 257]}, {"entity_ids": ["a"], "featureset": 1},
    {"entity_ids": ["a"], "colour": 1}, b'{"entity_ids": ["\xff"]}',
    b'{"entity_ids": [], "entity_ids": []}', b"[" * 100000], ids=lambda b: str(b)[:20])
def test_a_bad_batch(site, body):
    problem(batch(site, body), 400)


def test_a_batch_of_an_unknown_featureset(site):
    problem(batch(site, {"featureset": "None", "entity_ids": ["a"]}), 404)


def test_popular(site):
    for item, n in (("e1", 3), ("e2", 5), ("e3", 1)):
        click(site, "u", n, id=item, c="food")
    click(site, "u", 9, id="e9", c="art")
    body = site.api("popular?by=food&k=2").json
    assert body["by"] == "food" and [i["id"] for i in body["items"]] == ["e2", "e1"]
    assert body["items"][0]["score"] == pytest.approx(5, rel=0.01)
    assert [i["id"] for i in site.api("popular?k=1").json["items"]] == ["e9"]
    assert len(site.api("popular?by=food").json["items"]) == 3
    assert site.api("popular?by=nothing").json["items"] == []
    assert len(site.api("popular?by=food&k=1000").json["items"]) == 3
    for k in ("0", "-1", "x", "1001", "1.5"):
        problem(site.api("popular?k=" + k), 400)


def test_popular_escapes_ids(site):
    item = 'a"b\\c\u00e9'
    body = json.dumps({"experience_id": item, "category": item}).encode()
    site.get("/b", "POST", {"X-User": "a", "Content-Type": "text/plain"}, body)
    got = site.api("popular?by=" + quote(item)).json
    assert got["by"] == item and [i["id"] for i in got["items"]] == [item]


def test_popular_without_popularity(nginx, config):
    del config["popularity"]
    config["policy"]["ctas"] = []
    nginx.start("intent on; intent_key $arg_u; location /intent/ { intent_api; }", intent=config)
    problem(nginx.api("popular"), 404)


def test_status_and_metrics_tell_the_same(site):
    click(site, "a", 5)
    status = site.api("status").json
    metrics = site.api("metrics")
    assert metrics.get("Content-Type").startswith("text/plain; version=0.0.4")
    values = parse_metrics(metrics.text)
    assert status["counters"]["events"] == values["intent_events_total"] == 5
    assert status["counters"]["requests"] == values["intent_requests_total"] == 5
    assert values["intent_decisions_total"] == 5
    assert values["intent_busy_microseconds_total"] > 0
    for name, value in status["counters"].items():
        assert values["intent_%s_total" % name] == value


def test_head_is_get_without_the_body(site):
    for path in ("features?entity_id=a", "popular", "status", "metrics"):
        get, head = site.api(path), site.api(path, method="HEAD")
        assert head.status == 200 and head.body == b""
        assert head.get("Content-Type") == get.get("Content-Type")


@pytest.mark.parametrize("path,method,allow", [
    ("features", "POST", "GET, HEAD"), ("popular", "DELETE", "GET, HEAD"),
    ("status", "PUT", "GET, HEAD"), ("metrics", "OPTIONS", "GET, HEAD"),
    ("features/batch", "GET", "POST"), ("features/batch", "PATCH", "POST")])
def test_other_methods(site, path, method, allow):
    response = site.api(path, method=method, body=b"x")
    problem(response, 405)
    assert response.get("Allow") == allow


@pytest.mark.parametrize("path", ["", "feature", "features/", "features/batch/", "x/features",
                                  "Features", "status2"])
def test_other_paths(site, path):
    problem(site.api(path), 404)


def test_a_location_without_the_slash(site):
    assert site.get("/noslash/status").status == 200
    assert site.get("/noslashstatus").status == 200
    problem(site.get("/noslash"), 404)


def test_the_token(site):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer s3cret-tokem"},
                    {"Authorization": "Bearer"}, {"Authorization": "s3cret-token"},
                    {"Authorization": "Basic s3cret-token"},
                    {"Authorization": "Bearer s3cret-tokens"}):
        for path in ("status", "nothing", "features/batch"):
            response = site.get("/secret/" + path, headers=headers)
            problem(response, 401)
            assert response.get("WWW-Authenticate") == 'Bearer realm="intent"'
    for word in ("Bearer", "bearer"):
        response = site.get("/secret/status", headers={"Authorization": word + " s3cret-token"})
        assert response.status == 200


def test_limit_except_keeps_the_endpoints(site):
    assert site.get("/limited/status").status == 200
    assert site.get("/limited/features/batch", "POST", body=b"{}").status == 403


def test_keep_alive_over_all_of_them(site):
    c = Client(site.port)
    for _ in range(3):
        for method, path, status in (("GET", "status", 200), ("GET", "nope", 404),
                                     ("POST", "features", 405), ("POST", "features/batch", 400),
                                     ("HEAD", "metrics", 200), ("GET", "features", 400)):
            body = b"{}" if method == "POST" else None
            assert c.send(method, "/intent/" + path, body=body).status == status
    c.close()


def test_http_2(nginx):
    nginx.start(SERVER.replace("token_file=token", ""), listen="http2",
                http="intent_cookie_key_file cookie.key;")
    url = "http://127.0.0.1:%d/intent/" % nginx.port
    assert curl("--http2-prior-knowledge", url + "features?entity_id=a").json["entity_id"] == "a"
    ids = json.dumps({"entity_ids": ["a"] * 1000})
    assert len(curl("--http2-prior-knowledge", url + "features/batch", "-d", ids).json) == 1000
