# SPDX-License-Identifier: Apache-2.0
"""Response headers: what they say, which are asked for, and that nothing gets in through them."""

import json
import re

import pytest

from client import Client, parse_list

SERVER = """
intent on; intent_key $http_x_user;
intent_event view experience_id=$arg_id category=$arg_c dwell_time_sec=$arg_d;
location /intent/ { intent_api; }
location /beacon { intent_beacon; }
location /all { intent_headers band cta items variant signals timing; return 200; }
location /band { intent_headers band; return 200; }
location /cta { intent_headers cta; return 200; }
location /items { intent_headers items; return 200; }
location /variant { intent_headers variant; expires 1h; return 200; }
location /signals { intent_headers signals; return 200; }
location /timing { intent_headers timing; return 200; }
location /none { intent_headers none; return 200; }
location /observe { intent observe; return 200; }
location /off { intent off; return 200; }
location /up { proxy_pass http://@BACKEND@; }
location /off/up { intent off; proxy_pass http://@BACKEND@; }
location / { return 200; }
"""


@pytest.fixture
def site(nginx, backend):
    return nginx.start(SERVER)


def test_bands_and_ctas_follow_the_click_that_is_answered(site):
    def ask():
        return site.get("/?id=e1&c=food", headers={"X-User": "alice"}).intent
    assert ask() == {"band": "medium", "cta": "popular", "items": '"e1"'}
    assert ask() == {"band": "medium", "cta": "popular", "items": '"e1"'}
    assert ask() == {"band": "high", "cta": "book-now"}


@pytest.mark.parametrize("path,names", [
    ("/", {"Intent-Band", "Intent-CTA", "Intent-Items"}),
    ("/all", {"Intent-Band", "Intent-CTA", "Intent-Items", "Intent-Signals", "Server-Timing"}),
    ("/band", {"Intent-Band"}), ("/cta", {"Intent-CTA"}), ("/items", {"Intent-Items"}),
    ("/variant", set()), ("/signals", {"Intent-Signals"}), ("/timing", {"Server-Timing"}),
    ("/none", set()), ("/observe", set()), ("/off", set()),
])
def test_intent_headers_chooses(site, path, names):
    site.get("/?id=e1", headers={"X-User": "warm"})
    response = site.get(path, headers={"X-User": "alice"})
    got = {k for k, _ in response.headers if k.startswith("Intent-") or k == "Server-Timing"}
    assert got == names
    assert (response.get("Cache-Control") == "private, no-cache") == bool(names)


def test_signals_are_a_dictionary_of_rfc_9651(site):
    first = site.get("/signals?c=food&d=30", headers={"X-User": "a"})
    assert first.get("Intent-Signals") == (
        'n=1, dwell=30.0, category="food", types=("view"), hot=?0')
    site.get("/signals?c=a%20b&d=0.12345", headers={"X-User": "a"})
    third = site.get("/signals?c=x&d=", headers={"X-User": "a"})
    assert third.get("Intent-Signals") == (
        'n=3, dwell=15.062, category="x", types=("view" "view" "view"), hot')


def test_signals_leave_out_null_and_the_key(site):
    signals = site.get("/signals", headers={"X-User": "secret-id"}).get("Intent-Signals")
    assert signals == 'n=1, types=("view"), hot=?0'


def test_timing(site):
    response = site.get("/timing", headers={"X-User": "a"})
    match = re.fullmatch(r'intent;dur=(\d+\.\d{3});desc="medium"', response.get("Server-Timing"))
    assert match and 0 < float(match[1]) < 1000


def test_the_upstream_s_server_timing_stays(site, backend):
    backend.reply("/up", 200, [("Server-Timing", "db;dur=5")])
    assert site.get("/up", headers={"X-User": "a"}).all("Server-Timing") == ["db;dur=5"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_client_s_intent_headers_never_reach_an_upstream(site, backend, method):
    sent = [("Intent-Band", "high"), ("X-User", "a"), ("INTENT-CTA", "steal"), ("A", "1"),
            ("intent-Anything", "x"), ("Intent-Band", "again"), ("B", "2"),
            ("Intent-", "short"), ("Intention", "stays"), ("Intent-Last", "y")]
    for path in ("/up", "/off/up"):
        site.get(path, method, sent)
        asked = backend.requests[-1]
        names = [k.lower() for k, _ in asked.headers]
        assert [n for n in names if n.startswith("intent-") and n != "intent-"] == []
        assert asked.get("Intention") == "stays"
        assert (asked.get("A"), asked.get("B"), asked.get("X-User")) == ("1", "2", "a")


def test_any_number_of_them_anywhere(site, backend):
    ours, others = ("Intent-Band", "x"), ("X-%d", "v%d")
    for pattern in ("i", "iii", "io", "oi", "oio", "ioiooiiio", "i" * 60, "oi" * 40, "io" * 40,
                    "o" * 25 + "i" + "o" * 25, "i" * 19 + "o", "o" * 19 + "i", "o" * 20 + "i",
                    "o" * 18 + "ii" + "o" * 20 + "i"):
        headers = [ours if c == "i" else (others[0] % n, others[1] % n)
                   for n, c in enumerate(pattern)]
        # Host is the first: also without any other header, or with ours before it
        for data in (
                "GET /up HTTP/1.1\r\nHost: a\r\n%s\r\n",
                "GET /up HTTP/1.1\r\nIntent-A: 1\r\nHost: a\r\n%s\r\n",
                "GET /up HTTP/1.0\r\n%s\r\n"):
            lines = "".join("%s: %s\r\n" % pair for pair in headers)
            c = Client(site.port)
            assert c.raw((data % lines).encode()).status == 200, pattern
            c.close()
            got = {k: v for k, v in backend.requests[-1].headers if k.startswith("X-")}
            assert got == {k: v for k, v in headers if k.startswith("X-")}, pattern
            assert not any(k.lower().startswith("intent") for k, _ in backend.requests[-1].headers)


def test_underscores_count_as_hyphens(nginx, backend):
    nginx.start(SERVER, http="underscores_in_headers on;")
    nginx.get("/up", headers={"Intent_Band": "high", "X_User": "a"})
    assert backend.requests[-1].get("Intent_Band") is None
    assert backend.requests[-1].get("X_User") == "a"


def test_they_are_no_variable_either(nginx):
    nginx.start("intent observe; location / { return 200 '[$http_intent_band]'; }")
    assert nginx.get("/", headers={"Intent-Band": "high"}).text == "[]"


def test_an_upstream_s_intent_headers_do_not_come_through(site, backend):
    backend.reply("/up", 200, [("Intent-Band", "forged"), ("intent-secret", "1"),
                               ("Intent-Items", '"x"'), ("X-Other", "stays")])
    response = site.get("/up", headers={"X-User": "a"})
    assert response.all("Intent-Band") == ["medium"]
    assert set(response.intent) == {"band", "cta"} and response.get("X-Other") == "stays"
    backend.reply("/off/up", 200, [("Intent-Band", "of another server")])
    assert site.get("/off/up").get("Intent-Band") == "of another server"


def test_add_header_of_the_operator_stays(nginx):
    nginx.start("intent on; intent_key $arg_u; location / {"
                " add_header Intent-Extra 1; return 200; }")
    assert nginx.get("/?u=a").intent["extra"] == "1"


ODD = ['quote"d', "back\\slash", "two\r\nSet-Cookie: a=b", "\x00nul", "tab\t", "caf\u00e9",
       "\U0001f600", "\x7f", "a, b", "%0d%0a", "'", "plain"]


@pytest.mark.parametrize("item", ODD)
def test_items_cannot_break_out_of_their_header(site, item):
    body = json.dumps({"event_type": "view", "experience_id": item, "category": item})
    done = site.get("/beacon", "POST", {"X-User": "x", "Content-Type": "application/json"},
                    body.encode())
    response = site.get("/all", headers={"X-User": "y"})
    assert response.status == 200 and response.all("Set-Cookie") == []
    signals = site.get("/signals", headers={"X-User": "x"})
    assert signals.all("Set-Cookie") == []
    assert all(31 < ord(c) < 127 for _, v in response.headers + signals.headers for c in v)
    if done.status == 204 and item.isprintable() and item.isascii():
        assert parse_list(response.get("Intent-Items")) == [item]
        assert signals.signals["category"] == item


@pytest.mark.parametrize("name", ["a\r\nb", "a\"b", "caf\u00e9", "a b;", "", "x" * 300])
@pytest.mark.parametrize("kind", ["bands", "ctas"])
def test_ids_of_bands_and_ctas_are_refused_or_safe(nginx, config, kind, name):
    config["policy"][kind] = [{"id": name, "when": "true"}]
    status, err = nginx.test("intent on; intent_key $arg_u; return 200;", intent=config)
    if status == 0:
        nginx.start(configure=False)
        response = nginx.get("/?u=a")
        assert response.status == 200
        assert all(31 < ord(c) < 127 for _, v in response.headers for c in v)
    else:
        assert re.search(r"intent\.json:\d+:\d+: ", err)


def test_a_policy_without_featureset_of_choice_shows_signals_alone(nginx, config):
    del config["policy"]
    nginx.start("intent on; intent_key $arg_u; intent_event view; intent_headers band signals;"
                "location / { return 200; }", intent=config)
    response = nginx.get("/?u=a")
    assert set(response.intent) == {"signals"} and response.signals["n"] == 1
    assert nginx.get("/").intent == {}


def test_several_featuresets_and_no_policy_need_a_choice(nginx, config):
    del config["policy"]
    config["featuresets"]["Other"] = config["featuresets"]["Signals"]
    status, err = nginx.test("intent on;", intent=config)
    assert status == 1 and 'needs a "policy"' in err


def test_a_range_that_nginx_refuses_has_each_header_once(nginx):
    nginx.write("html/a", "abc")
    nginx.start("intent on; intent_cookie v; intent_headers band timing;"
                "add_header X-Band $intent_band always;",
                http="intent_cookie_key_file cookie.key;")
    response = nginx.get("/a", headers={"Range": "bytes=9-"})
    assert response.status == 416
    for name in ("Set-Cookie", "Intent-Band", "Server-Timing", "Cache-Control"):
        assert len(response.all(name)) == 1, name
