# SPDX-License-Identifier: Apache-2.0
"""The beacon: what it takes, what it refuses and how it says so."""

import json
import socket
import time

import pytest

from client import Client, curl, read_response

SERVER = """
intent on; intent_key $http_x_user; intent_event view;
intent_headers band signals;
location /intent/ { intent_api; }
location /beacon { intent_beacon; }
location /visitors { intent_beacon; intent_cookie visitor; }
location /off { intent off; intent_beacon; }
location /observe { intent observe; intent_beacon; }
location /small { intent_beacon; client_body_buffer_size 1k; }
location /file { intent_beacon; client_body_in_file_only clean; }
location / { return 200; }
"""
JSON = {"Content-Type": "application/json", "X-User": "alice"}


@pytest.fixture
def site(nginx):
    return nginx.start(SERVER, http="intent_cookie_key_file cookie.key;")


def post(site, body, path="/beacon", **headers):
    if not isinstance(body, (bytes, type(None))):
        body = json.dumps(body).encode()
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return site.get(path, "POST", dict(JSON, **headers), body)


def test_one_event_and_many(site):
    assert post(site, {"event_type": "click", "category": "food"}).status == 204
    assert post(site, [{"dwell_time_sec": 10}, {"dwell_time_sec": 20.5}]).status == 204
    assert post(site, []).status == 204
    features = site.features("alice")
    assert (features["n"], features["dwell"], features["category"]) == (3, 15.25, "food")
    assert site.counter("beacons") == 3 and site.counter("beacons_refused") == 0


def test_the_answer_is_a_decision_of_the_state_after(site):
    response = post(site, [{}, {}, {}])
    assert response.get("Intent-Band") == "high" and response.signals["n"] == 3
    assert response.get("Cache-Control") == "private, no-cache"
    assert response.body == b""
    quiet = post(site, {}, "/observe")
    assert quiet.intent == {} and quiet.get("Cache-Control") == "no-store"
    assert site.features("alice")["n"] == 4


def test_intent_event_is_for_pages_not_for_beacons(site):
    post(site, {"event_type": "click"})
    assert site.features("alice")["types"] == ["click"]


@pytest.mark.parametrize("path", ["/off", "/observe", "/small", "/file"])
def test_a_beacon_works_wherever_it_stands(site, path):
    body = [{"category": "x" * 100} for _ in range(100)]
    response = post(site, body, path)
    assert response.status == 204, response
    assert site.features("alice")["n"] == 100


@pytest.mark.parametrize("kind", [
    "application/json", "text/plain", "text/plain;charset=UTF-8", "TEXT/PLAIN ; charset=utf-8",
    "application/json; charset=utf-8"])
def test_types_that_browsers_send(site, kind):
    assert post(site, {}, Content_Type=kind).status == 204


def problem(response, status):
    assert response.status == status, response
    assert response.get("Content-Type") == "application/problem+json"
    body = response.json
    assert body["status"] == status and body["title"] and body["detail"] and body["type"]
    return body


@pytest.mark.parametrize("kind", [
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html",
    "application/jsonp", "application/json+x", "", "application"])
def test_other_types_are_refused(site, kind):
    problem(post(site, {}, Content_Type=kind), 415)


def test_no_type_at_all_is_refused(site):
    problem(site.get("/beacon", "POST", {"X-User": "a"}, b"{}"), 415)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "deflate"])
def test_compressed_bodies_are_refused(site, coding):
    problem(post(site, b"\x1f\x8b\x08", Content_Encoding=coding), 415)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(site, method):
    response = site.get("/beacon", method, JSON, b"{}" if method == "PUT" else None)
    assert response.status == 405 and response.get("Allow") == "POST"
    if method != "HEAD":
        problem(response, 405)
    assert site.features("alice")["n"] == 0


GOOD = b'{"category": "a"}'

# body, the number of the first bad event, or None where the body as a whole is meant
BAD = {
    "nothing": (b"", None), "blank": (b"  ", None), "text": (b"hello", None),
    "cut": (b'{"category": "a"', None), "cut-array": (b"[" + GOOD, None),
    "two": (GOOD + GOOD, None), "nul": (b'{"category": "a\\u0000b"}', None),
    "raw-nul": (b'{"category": "a\x00b"}', None), "after": (GOOD + b"\x00", None),
    "utf8": (b'{"category": "\xff"}', None), "utf8-cut": (b'{"category": "\xc3"}', None),
    "surrogate": (b'{"category": "\\ud800"}', None),
    "overlong": (b'{"category": "\xc0\xaf"}', None),
    "twice": (b'{"category": "a", "category": "b"}', None),
    "huge-number": (b'{"dwell_time_sec": 1e999}', None),
    "nan": (b'{"dwell_time_sec": NaN}', None), "comment": (b'{} // x', None),
    "deep": (b'[{"category": ' + b"[" * 8 + b"]" * 8 + b"}]", None),
    "very-deep": (b"[" * 30000 + b"]" * 30000, None), "utf16": ("{}".encode("utf-16"), None),
    "number": (b"1", None), "null": (b"null", None), "string": (b'"a"', None),
    "type": (b'{"category": 1}', 1), "type-2": (b'{"dwell_time_sec": "1"}', 1),
    "object": (b'{"category": {"a": 1}}', 1), "list": (b'{"category": ["a"]}', 1),
    "bool": (b'{"dwell_time_sec": true}', 1),
    "long": (b'{"category": "' + b"x" * 1025 + b'"}', 1),
    "time": (b'{"timestamp": "yesterday"}', 1), "time-null": (b'{"timestamp": null}', 1),
    "time-object": (b'{"timestamp": {}}', 1), "time-far": (b'{"timestamp": 1e18}', 1),
    "third": (b"[" + GOOD + b"," + GOOD + b', {"category": 7},' + GOOD + b"]", 3),
    "nested-array": (b"[" + GOOD + b", [" + GOOD + b"]]", 2),
    "last": (b"[" + (GOOD + b",") * 99 + b"1]", 100),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies(site, name):
    body, event = BAD[name]
    for chunked in (False, True):
        if chunked:
            data = (b"POST /beacon HTTP/1.1\r\nHost: a\r\nX-User: alice\r\nContent-Type: text/plain"
                    b"\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(body), 7000):
                part = body[i:i + 7000]
                data += b"%x\r\n%s\r\n" % (len(part), part)
            response = Client(site.port).raw(data + b"0\r\n\r\n", "POST")
        else:
            response = post(site, body)
        said = problem(response, 400)
        if event:
            assert said["event"] == event, said
    assert site.features("alice")["n"] == 0, "nothing half-taken"
    assert site.counter("beacons_refused") == 2 and site.counter("events") == 0


def test_101_events(site):
    assert post(site, [{}] * 100).status == 204
    assert 400 <= post(site, [{}] * 101).status < 500
    assert site.features("alice")["n"] == 100


def test_64_kib_and_a_byte_more(site):
    def body(size):
        return b'{"category": "a"' + b" " * (size - 17) + b"}"
    assert post(site, body(65536)).status == 204
    problem(post(site, body(65537)), 413)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (65537, body(65537))
    response = Client(site.port).raw(
        b"POST /beacon HTTP/1.1\r\nHost: a\r\nX-User: alice\r\nContent-Type: text/plain\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + chunks, "POST")
    problem(response, 413)
    assert site.features("alice")["n"] == 1


def test_a_promise_of_gigabytes_is_refused_before_it_is_sent(site):
    with socket.create_connection(("127.0.0.1", site.port), 5) as s:
        s.sendall(b"POST /beacon HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
                  b"Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n")
        assert read_response(s, "POST").status == 413


def test_a_body_in_pieces(site):
    with socket.create_connection(("127.0.0.1", site.port), 5) as s:
        s.sendall(b"POST /beacon HTTP/1.1\r\nHost: a\r\nX-User: alice\r\n"
                  b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(GOOD))
        for byte in GOOD:
            s.sendall(bytes([byte]))
            time.sleep(0.005)
        assert read_response(s, "POST").status == 204
    assert site.features("alice")["n"] == 1


def test_http_2(nginx):
    nginx.start(SERVER, listen="http2", http="intent_cookie_key_file cookie.key;")
    response = curl("--http2-prior-knowledge", "-H", "X-User: a", "-H", "Content-Type: text/plain",
                    "-d", '[{}, {}]', "http://127.0.0.1:%d/beacon" % nginx.port)
    assert response.status == 204 and response.get("intent-signals").startswith("n=2")


def test_identity_never_comes_from_the_body(site):
    assert post(site, {"user_id": "mallory", "visitor_id": "mallory", "event_id": "1",
                       "host": "h", "colour": {"not": ["a", "field"]}}).status == 204
    assert site.features("alice")["n"] == 1
    assert site.features("mallory")["n"] == 0


def test_a_first_beacon_makes_a_visitor(site):
    v = site.visitor()
    response = v.post("/visitors", {"category": "food"})
    assert response.status == 204 and response.cookie("__Host-visitor")
    assert response.signals["n"] == 1
    assert v.post("/visitors", {}).signals["n"] == 2


def test_without_any_identity_it_says_so(site):
    response = site.get("/beacon", "POST", {"Content-Type": "text/plain"}, b"{}")
    assert "intent_key" in problem(response, 403)["detail"]


def test_times_of_events(site):
    now = int(time.time() * 1000)
    assert post(site, [{"timestamp": now - 59 * 60000}, {"timestamp": now - 1000},
                       {"timestamp": now + 60000}]).status == 204
    assert site.features("alice")["n"] == 2, "one lies ahead"
    assert post(site, [{"timestamp": now + 10 * 60000}, {"timestamp": now - 2 * 3600000},
                       {"timestamp": "2020-01-01T00:00:00Z"}]).status == 204
    metrics = site.metrics()
    assert metrics["intent_events_future_total"] == 1
    assert metrics["intent_events_late_total"] == 2
    assert site.features("alice")["n"] == 2


def test_several_datasets(nginx, config):
    config["datasets"]["Other"] = dict(config["datasets"]["ClickEvent"])
    config["popularity"]["dataset"] = "ClickEvent"
    nginx.start(SERVER.replace("intent_event view", "intent_event view dataset=ClickEvent"),
                intent=config, http="intent_cookie_key_file cookie.key;")
    assert post(nginx, {"dataset": "ClickEvent"}).status == 204
    assert problem(post(nginx, {}), 400)["event"] == 1
    assert problem(post(nginx, {"dataset": "None"}), 400)["event"] == 1
