# SPDX-License-Identifier: Apache-2.0
"""Consent and Global Privacy Control: no id is read, set, stored or forwarded without."""

import pytest

SERVER = """
intent on; intent_cookie visitor; intent_key $http_x_user; intent_event view category=$arg_c;
intent_headers band cta items signals;
intent_consent $cookie_ok;
add_header X-Key $intent_key always; add_header X-Visitor $intent_visitor always;
location /intent/ { intent_api; }
location /beacon { intent_beacon; }
location / { return 200; }
"""
KEYS = "intent_cookie_key_file cookie.key;"
NAME = "__Host-visitor"


@pytest.fixture
def forwarding(config):
    config["forward"] = {"spool": {"path": "spool", "size": "8m"},
                         "kinesis": {"stream": "s", "region": "us-east-1",
                                     "endpoint": "http://127.0.0.1:9"}}
    return config


@pytest.fixture
def site(nginx, forwarding):
    return nginx.start(SERVER, http=KEYS, intent=forwarding)


def captured(site):
    """Events that have reached a lane, as the account has it."""
    return site.api("status").json["delivery"]["captured"]


@pytest.mark.parametrize("cookie", [None, "ok=", "ok=0", "other=1"])
def test_without_consent_nothing_is_kept(site, cookie):
    headers = {"X-User": "alice"}
    if cookie:
        headers["Cookie"] = cookie
    for path, method, body in (("/?c=food", "GET", None),
                               ("/beacon", "POST", b'{"category": "food"}')):
        sent = dict(headers, **({"Content-Type": "application/json"} if body else {}))
        response = site.get(path, method, sent, body)
        assert response.status == (204 if body else 200)
        assert response.get("Intent-Band") == "low"
        assert response.get("Intent-Degraded") == "popularity; reason=consent"
        assert response.get("Intent-Signals") is None
        assert response.get("X-Key") is None and response.get("X-Visitor") is None
        assert response.all("Set-Cookie") == []
        if not body:
            assert response.get("Cache-Control") is None, "nothing personal in it"
    assert site.features("alice")["n"] == 0
    metrics = site.metrics()
    assert metrics["intent_events_total"] == 0
    assert metrics["intent_requests_without_consent_total"] == 2
    assert metrics["intent_degraded_consent_total"] == 2
    assert captured(site) == 0


def test_consent_given_and_withdrawn(site):
    v = site.visitor(X_User="alice")
    v.cookies["ok"] = "1"
    first = v.get("/")
    assert first.signals["n"] == 1 and first.get("X-Key") == "alice"
    assert NAME in v.cookies and captured(site) == 1

    v.cookies["ok"] = "0"
    gone = v.get("/")
    value, attributes = gone.cookie(NAME)
    assert value == "" and attributes["max-age"] == "0" and attributes["path"] == "/"
    assert "secure" in attributes, "or browsers do not take it for a __Host- cookie"
    assert gone.get("Cache-Control") == "private, no-cache"
    assert NAME not in v.cookies
    assert v.get("/").all("Set-Cookie") == []
    assert site.features("alice")["n"] == 1 and captured(site) == 1


def test_a_forged_cookie_is_removed_without_being_looked_at(site):
    response = site.get("/", headers={"Cookie": NAME + "=forged"})
    assert response.cookie(NAME)[1]["max-age"] == "0"
    assert site.counter("cookies_invalid") == 0 and site.counter("cookies_new") == 0


@pytest.mark.parametrize("value", ["1", "yes", "00", "true"])
def test_anything_but_empty_and_0_is_consent(site, value):
    response = site.get("/", headers={"X-User": "a", "Cookie": "ok=" + value})
    assert response.signals["n"] == 1


GPC = SERVER.replace("intent_consent $cookie_ok;", "%s")


def test_gpc_by_default_keeps_the_visitor_here(nginx, forwarding):
    nginx.start(GPC % "", http=KEYS, intent=forwarding)
    v = nginx.visitor(Sec_GPC="1")
    assert v.get("/").signals["n"] == 1
    assert v.get("/").signals["n"] == 2
    assert v.post("/beacon", {"category": "food"}).status == 204
    assert v.get("/").signals["n"] == 4
    assert captured(nginx) == 0
    assert nginx.counter("events_not_forwarded") == 4
    assert nginx.counter("requests_gpc") == 4
    del v.headers["Sec-GPC"]
    v.get("/")
    assert captured(nginx) == 1
    assert nginx.counter("events_not_forwarded") == 4


@pytest.mark.parametrize("value", ["0", "", "2", "11", "true"])
def test_only_1_is_an_objection(nginx, forwarding, value):
    nginx.start(GPC % "intent_gpc all_off;", http=KEYS, intent=forwarding)
    response = nginx.get("/", headers={"Sec-GPC": value, "X-User": "a"})
    assert response.signals["n"] == 1 and captured(nginx) == 1


def test_gpc_all_off_is_as_without_consent(nginx, forwarding):
    nginx.start(GPC % "intent_gpc all_off;", http=KEYS, intent=forwarding)
    response = nginx.get("/", headers={"Sec-GPC": "1", "X-User": "a",
                                       "Cookie": NAME + "=x"})
    assert response.get("Intent-Degraded") == "popularity; reason=consent"
    assert response.cookie(NAME)[1]["max-age"] == "0"
    assert nginx.features("a")["n"] == 0 and captured(nginx) == 0


def test_gpc_ignore(nginx, forwarding):
    nginx.start(GPC % "intent_gpc ignore;", http=KEYS, intent=forwarding)
    assert nginx.get("/", headers={"Sec-GPC": "1", "X-User": "a"}).signals["n"] == 1
    assert captured(nginx) == 1 and nginx.counter("requests_gpc") == 0
