# SPDX-License-Identifier: Apache-2.0
"""Directives: contexts, inheritance, and what bad ones are told."""

import os
import re
import subprocess

import pytest

from client import wait_for
from server import MODULE

API = "location /intent/ { intent_api; }\n"

BAD = [
    # inside server{}, and what the message has to say
    ("intent maybe;", 'invalid value "maybe"'),
    ("intent on; intent off;", '"intent" directive is duplicate'),
    ("intent;", "invalid number of arguments"),
    ("intent_gpc perhaps;", 'invalid value "perhaps"'),
    ("intent_budget soon;", '"intent_budget" directive invalid value'),
    ("intent_key;", "invalid number of arguments"),
    ("intent_key $cookie_uid plain;", '"plain" in "intent_key" is not a variable'),
    ("intent_key $nothing_like_it;", 'unknown "nothing_like_it" variable'),
    ("intent_headers band taste;", 'invalid value "taste"'),
    ("intent_headers none band;", 'cannot combine "none"'),
    ("intent_headers band; intent_headers cta;", "is duplicate"),
    ("intent_event;", "invalid number of arguments"),
    ("intent_event category=x;", "must begin with the type"),
    ("intent_event view category;", "field=value was expected"),
    ("intent_event view =x;", "field=value was expected"),
    ("intent_event view colour=red;", 'no field "colour"'),
    ("intent_event view user_id=$arg_u;", "key and timestamp are set by the server"),
    ("intent_event view category=a category=b;", 'duplicate field "category"'),
    ("intent_event view dataset=Other;", 'no dataset "Other"'),
    ("intent_event view status=1xx;", 'invalid status "1xx"'),
    ("intent_event view status=200,;", 'invalid status ""'),
    ("intent_event view status=200,2000;", 'invalid status "2000"'),
    ("intent_event view status=600;", 'invalid status "600"'),
    ("intent_event view status=;", 'invalid status ""'),
    ("intent_event view category=$nope;", 'unknown "nope" variable'),
    ("intent_cookie;", "invalid number of arguments"),
    ("intent_cookie off path=/;", 'cannot combine "off"'),
    ("intent_cookie a b;", 'invalid parameter "b"'),
    ("intent_cookie 'a b';", "invalid cookie name"),
    ("intent_cookie a;", 'needs "intent_cookie_key_file"'),
    ("intent_cookie a max_age=401d;", "between 1s and 400d"),
    ("intent_cookie a max_age=0;", "between 1s and 400d"),
    ("intent_cookie a path=x;", 'invalid parameter "path=x"'),
    ("intent_cookie a 'path=/;x';", "no cookie attribute can have"),
    ("intent_cookie a domain=;", 'invalid parameter "domain="'),
    ("intent_cookie a samesite=some;", 'invalid parameter "samesite=some"'),
    ("intent_cookie a samesite=none insecure;", '"samesite=none" needs "secure"'),
    ("intent_cookie __Host-a domain=example.org;", '"__Host-" name'),
    ("intent_cookie __Host-a path=/x;", '"__Host-" name'),
    ("intent_cookie __Host-a insecure;", '"__Host-" name'),
    ("intent_cookie __Secure-a insecure;", '"__Secure-" name'),
    ("intent_beacon;", "not allowed here"),
    ("intent_api;", "not allowed here"),
    ("intent_config intent.json;", "not allowed here"),
    ("location /b { intent_beacon on; }", "invalid number of arguments"),
    ("location /b { intent_beacon; intent_api; }", "cannot share a location"),
    ("location /b { intent_api; intent_beacon; }", "cannot share a location"),
    ("location /b { intent_api; intent_api; }", "is duplicate"),
    ("location /b { intent_api nothing; }", 'invalid parameter "nothing"'),
    ("location /b { intent_api token_file=missing; }", 'missing" failed (2: No such file'),
    ("location /b { intent_api token_file=empty; }", "is to hold one line with a token"),
    ("location /b { intent_api token_file=two; }", "is to hold one line with a token"),
    ("location ~ ^/b { intent_api; }", "needs a location given by a prefix"),
    ("location = /b { intent_api; }", "needs a location given by a prefix"),
    ("add_header X $intent_feature_nope;", 'unknown "intent_feature_nope" variable'),
    ("if ($arg_a) { intent on; }", "not allowed here"),
]


@pytest.mark.parametrize("server,message", BAD, ids=[b[0] for b in BAD])
def test_a_bad_directive_is_refused_with_the_reason_and_the_place(nginx, server, message):
    nginx.write("conf/empty", "\n")
    nginx.write("conf/two", "one\ntwo\n")
    status, err = nginx.test(server)
    assert status == 1
    assert message in err
    assert re.search(r"nginx\.conf:\d+", err) or "unknown" in err, err


def test_the_module_loads_and_does_nothing_unconfigured(nginx):
    nginx.write("html/a", "a")
    nginx.start(intent_config=False)
    response = nginx.get("/a", headers={"Intent-Band": "high"})
    assert response.status == 200 and response.intent == {}
    assert not os.path.exists(nginx.path("conf/zone"))


@pytest.mark.parametrize("server,directive", [
    ("intent on;", "intent on"), ("intent observe;", "intent observe"),
    ("location /b { intent_beacon; }", "intent_beacon"),
    ("location /b { intent_api; }", "intent_api"),
    ("intent_event view;", "intent_event"),
])
def test_what_needs_intent_config_says_so(nginx, server, directive):
    status, err = nginx.test(server, intent_config=False)
    assert status == 1 and '"%s" needs "intent_config"' % directive in err


def test_intent_config_may_stand_behind_what_uses_it(nginx):
    nginx.start("intent on; intent_key $arg_u; intent_event view category=$arg_c;"
                "location / { return 200; }" + API,
                intent_config=False, servers="intent_config intent.json;")
    assert nginx.get("/?u=a&c=food").intent["band"] == "medium"
    assert nginx.features("a")["category"] == "food"


@pytest.mark.parametrize("change,place", [
    (lambda t: t.replace('"1h"', '"1x"', 1), r"intent\.json:\d+:\d+: .*max_lateness"),
    (lambda t: t[:-5], r"intent\.json:\d+:\d+: "),
    (lambda t: t.replace('"n >= 3"', '"m >= 3"'), r"intent\.json:\d+:\d+: "),
    (lambda t: t.replace('"zone"', '"zzone"', 1), r"intent\.json:\d+:\d+: .*zzone"),
])
def test_a_bad_intent_json_is_refused_at_its_line_and_a_reload_keeps_what_runs(nginx, change,
                                                                             place):
    nginx.start("intent on; intent_key $arg_u; intent_event view; location / { return 200; }"
                + API)
    nginx.get("/?u=a")
    workers = nginx.workers()
    nginx.write("conf/intent.json", change(nginx.read("conf/intent.json")))

    status, err = nginx.test(configure=False)
    assert status == 1 and re.search(place, err), err
    nginx.allow(r"\[emerg\] .*intent\.json")
    nginx.signal("HUP")
    wait_for(lambda: re.search(r"\[emerg\].*" + place, nginx.log()), "the refusal")
    assert nginx.workers() == workers
    assert nginx.get("/?u=a").signals == {} and nginx.features("a")["n"] == 2


def test_a_missing_intent_json(nginx):
    status, err = nginx.test(intent_config="intent_config nowhere.json;")
    assert status == 1 and "nowhere.json" in err and "No such file" in err


def test_nginx_t_changes_nothing(nginx):
    status, err = nginx.test("intent on; intent_key $arg_u;" + API)
    assert status == 0, err
    assert not os.path.exists(nginx.path("conf/zone"))

    nginx.start("intent on; intent_key $arg_u; intent_event view; location / { return 200; }"
                + API)
    nginx.get("/?u=a")
    before = os.stat(nginx.path("conf/zone"))
    status, err = nginx.test(configure=False)
    assert status == 0, err
    after = os.stat(nginx.path("conf/zone"))
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (
        after.st_ino, after.st_size, after.st_mtime_ns)
    nginx.get("/?u=a")
    assert nginx.features("a")["n"] == 2


def test_signals_by_nginx_s_do_not_open_the_zone(nginx):
    nginx.start("location / { return 200; }" + API)
    done = subprocess.run(nginx.command("-s", "reopen"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_inheritance(nginx):
    nginx.start("""
        intent_headers signals; intent_event outer category=$arg_c;
        location /a { return 200; }
        location /b { intent_event inner; return 200; }
        location /c { intent_headers none; return 200; }
        location /d { intent_key $arg_other; return 200; }
        location /e { intent off; location /e/f { intent observe; return 200; } return 200; }
    """ + API, http="intent on; intent_key $arg_u; intent_headers band;")
    assert nginx.get("/a?u=x").signals["types"] == ["outer"]
    assert nginx.get("/b?u=x").signals["types"] == ["outer", "inner"]
    assert nginx.get("/c?u=x").intent == {}
    assert nginx.get("/d?u=x&other=y").signals["n"] == 1
    assert nginx.get("/e?u=z").intent == {}
    assert nginx.features("z")["n"] == 0
    assert nginx.get("/e/f?u=z").intent == {}
    assert nginx.features("z")["n"] == 1


def test_the_module_exports_three_symbols():
    out = subprocess.run(["nm", "-D", "--defined-only", MODULE], check=True,
                         capture_output=True, text=True).stdout
    assert {line.split()[2] for line in out.splitlines()} == {
        "ngx_modules", "ngx_module_names", "ngx_module_order"}
