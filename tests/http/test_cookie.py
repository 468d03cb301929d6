# SPDX-License-Identifier: Apache-2.0
"""The visitor cookie: issued, accepted, refused."""

import os
import time

import pytest

SERVER = """
intent on; intent_cookie visitor; intent_key $http_x_user; intent_event view;
intent_headers band signals;
location /intent/ { intent_api; }
location /observe { intent observe; return 200; }
location /off { intent off; return 200; }
location /missing { return 404; }
location /moved { return 301 /; }
location / { return 200; add_header X-Visitor $intent_visitor always; }
"""
KEYS = "intent_cookie_key_file cookie.key;"
NAME = "__Host-visitor"
YEAR = str(365 * 86400)


@pytest.fixture
def site(nginx):
    return nginx.start(SERVER, http=KEYS)


def test_a_first_visit_gets_a_cookie_and_counts_for_it(site):
    v = site.visitor()
    first = v.get("/")
    value, attributes = first.cookie(NAME)
    assert attributes == {"path": "/", "max-age": YEAR, "secure": "", "httponly": "",
                          "samesite": "Lax"}
    assert len(value) <= 128
    assert first.signals["n"] == 1 and first.get("Intent-Band") == "medium"
    ident = first.get("X-Visitor")
    assert len(ident) == 32 and site.features(ident)["n"] == 1

    second = v.get("/")
    assert second.cookie(NAME) is None
    assert second.signals["n"] == 2 and second.get("X-Visitor") == ident
    assert site.counter("cookies_new") == 1
    assert site.counter("cookies_valid") == 1
    assert site.counter("cookies_invalid") == 0


@pytest.mark.parametrize("path,status", [("/observe", 200), ("/missing", 404), ("/moved", 301)])
def test_it_is_issued_with_any_answer(site, path, status):
    response = site.get(path)
    assert response.status == status and response.cookie(NAME)
    assert response.get("Cache-Control") == "private, no-cache"


def test_not_where_the_module_is_off(site):
    assert site.get("/off").all("Set-Cookie") == []


def test_not_to_a_request_that_was_refused_before_its_cookie_was_read(site):
    response = site.get("/", headers={"A": "x" * 40000})
    assert response.status == 400 and response.all("Set-Cookie") == []


def test_a_known_user_keeps_the_user_s_state_and_gets_a_cookie_too(site):
    v = site.visitor(X_User="alice")
    assert v.get("/").cookie(NAME)
    assert v.get("/").signals["n"] == 2
    assert site.features("alice")["n"] == 2
    assert site.features(v.get("/").get("X-Visitor"))["n"] == 0


def forge(value):
    return value[:-1] + ("A" if value[-1] != "A" else "B")


def flip(value):
    return ("1" if value[0] != "1" else "2") + value[1:]


@pytest.mark.parametrize("bad", [
    lambda c: [("Cookie", "%s=%s" % (NAME, forge(c)))],
    lambda c: [("Cookie", "%s=%s" % (NAME, flip(c)))],
    lambda c: [("Cookie", "%s=%s" % (NAME, c[:-1]))],
    lambda c: [("Cookie", "%s=%s" % (NAME, c[: len(c) // 2]))],
    lambda c: [("Cookie", "%s=" % NAME)],
    lambda c: [("Cookie", "%s=%s" % (NAME, c + "A"))],
    lambda c: [("Cookie", "%s=%s" % (NAME, "A" * 8000))],
    lambda c: [("Cookie", '%s="%s"' % (NAME, c))],
    lambda c: [("Cookie", "%s=%s; %s=%s" % (NAME, c, NAME, c))],
    lambda c: [("Cookie", "%s=%s; %s=%s" % (NAME, c, NAME, forge(c)))],
    lambda c: [("Cookie", "%s=%s" % (NAME, c)), ("Cookie", "%s=%s" % (NAME, c))],
    lambda c: [("Cookie", "%s=%s" % (NAME, "\x80\xff" * 20))],
    lambda c: [("Cookie", "%s=%s" % (NAME, "..."))],
    lambda c: [("Cookie", "%s=%s" % (NAME, "." * 128))],
], ids=["forged", "flipped", "cut", "half", "empty", "longer", "8k", "quoted", "twice",
        "twice-one-forged", "two-headers", "binary", "dots", "many-dots"])
def test_a_bad_cookie_makes_a_new_visitor(site, bad):
    old, _ = site.get("/").cookie(NAME)
    response = site.get("/", headers=bad(old))
    assert response.status == 200
    new, _ = response.cookie(NAME)
    assert new != old
    assert response.signals["n"] == 1
    assert site.counter("cookies_invalid") == 1
    assert site.counter("cookies_new") == 2


@pytest.mark.parametrize("line", [
    "%s", "a=b; %s", "%s; a=b", "a=b;%s;c=d", "a; %s", "; ; %s ", "x%s; %s", "%s ;a=b",
])
def test_a_good_cookie_is_found_among_others(site, line):
    value, _ = site.get("/").cookie(NAME)
    pair = "%s=%s" % (NAME, value)
    response = site.get("/", headers={"Cookie": line.replace("%s", pair)})
    if line.startswith("%s ;"):  # a blank belongs to the value: not one of ours
        assert response.signals["n"] == 1
    else:
        assert response.signals["n"] == 2, line


def test_rotation_of_keys(site):
    v = site.visitor()
    ident = v.get("/").get("X-Visitor")
    old = site.read("conf/cookie.key")

    site.write("conf/cookie.key", "# the new one\n" + os.urandom(32).hex() + "\n" + old)
    site.reload()
    response = v.get("/")
    assert response.get("X-Visitor") == ident and response.signals["n"] == 2
    assert response.cookie(NAME), "signed by the old key: to be signed anew"
    assert v.get("/").cookie(NAME) is None

    lines = site.read("conf/cookie.key").split("\n")
    site.write("conf/cookie.key", lines[1] + "\n")
    site.reload()
    assert v.get("/").get("X-Visitor") == ident
    assert site.counter("cookies_invalid") == 0

    site.write("conf/cookie.key", os.urandom(32).hex() + "\n")
    site.reload()
    assert v.get("/").get("X-Visitor") != ident
    assert site.counter("cookies_invalid") == 1


def test_expiry_and_renewal(nginx):
    nginx.start(SERVER.replace("intent_cookie visitor;", "intent_cookie visitor max_age=4s;"),
                http=KEYS)
    v = nginx.visitor()
    ident = v.get("/").get("X-Visitor")
    assert v.get("/").cookie(NAME) is None
    stale = dict(v.cookies)
    time.sleep(2.5)
    renewed = v.get("/")
    assert renewed.get("X-Visitor") == ident and renewed.cookie(NAME)
    time.sleep(2)
    assert v.get("/").get("X-Visitor") == ident
    v.cookies = stale
    assert v.get("/").get("X-Visitor") != ident


@pytest.mark.parametrize("words,name,attributes", [
    ("", "__Host-visitor", {"path": "/", "max-age": YEAR, "secure": "", "samesite": "Lax"}),
    ("insecure", "visitor", {"path": "/", "max-age": YEAR, "samesite": "Lax"}),
    ("path=/shop", "visitor", {"path": "/shop", "max-age": YEAR, "secure": "", "samesite": "Lax"}),
    ("domain=example.org max_age=400d samesite=none", "visitor",
     {"path": "/", "domain": "example.org", "max-age": str(400 * 86400), "secure": "",
      "samesite": "None"}),
    ("samesite=strict max_age=1h secure", "__Host-visitor",
     {"path": "/", "max-age": "3600", "secure": "", "samesite": "Strict"}),
])
def test_attributes(nginx, words, name, attributes):
    nginx.start(SERVER.replace("intent_cookie visitor;", "intent_cookie visitor %s;" % words),
                http=KEYS)
    first = nginx.get("/")
    value, got = first.cookie(name)
    assert got == dict(attributes, httponly="")
    again = nginx.get("/", headers={"Cookie": "%s=%s" % (name, value)})
    assert again.signals["n"] == 2


@pytest.mark.parametrize("text", ["", "zz\n", "ab\n", "# nothing\n", "0" * 63 + "\n"])
def test_a_bad_key_file_is_refused(nginx, text):
    nginx.write("conf/cookie.key", text)
    status, err = nginx.test(SERVER, http=KEYS)
    assert status == 1 and "cookie.key" in err


def test_a_missing_key_file_is_refused(nginx):
    status, err = nginx.test(SERVER, http="intent_cookie_key_file none.key;")
    assert status == 1 and "none.key" in err and "No such file" in err


def test_many_first_visits_are_all_different(site):
    seen = {site.get("/").get("X-Visitor") for _ in range(50)}
    assert len(seen) == 50
