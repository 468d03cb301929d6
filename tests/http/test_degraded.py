# SPDX-License-Identifier: Apache-2.0
"""Fail-open: the popular answer and why, or the plain page; never an error of ours."""

import os
import re

import pytest

from client import wait_for

SERVER = """
intent on; intent_key $http_x_user; intent_event view experience_id=$arg_id category=$arg_c;
intent_headers band cta items signals timing;
location /intent/ { intent_api; }
location /b { intent_beacon; }
location /late { intent_budget 0; add_header X-Why "$intent_degraded" always;
                 add_header X-N "$intent_feature_n"; return 200; }
location /missing { return 404; }
location / { expires 1h; return 200 "page\\n"; }
"""


@pytest.fixture
def site(nginx):
    return nginx.start(SERVER)


def popular(response, reason):
    assert response.get("Intent-Degraded") == "popularity; reason=" + reason
    assert response.get("Intent-Band") == "low" and response.get("Intent-CTA") == "popular"
    assert response.get("Intent-Signals") is None
    assert response.get("Cache-Control") != "private, no-cache", "nothing personal in it"


def test_past_the_budget_the_answer_is_popular_and_the_event_still_counts(site):
    for _ in range(4):
        site.get("/?id=e1", headers={"X-User": "warm"})
    response = site.get("/late?id=e2", headers={"X-User": "warm"})
    popular(response, "budget")
    assert response.get("Intent-Items") == '"e1", "e2"'
    assert response.get("X-Why") == "popularity; reason=budget" and response.get("X-N") is None
    assert site.features("warm")["n"] == 5
    assert site.counter("degraded_budget") == 1


def test_without_an_id(site):
    response = site.get("/")
    popular(response, "identity")
    assert response.get("Cache-Control") == "max-age=3600"
    assert site.counter("events") == 0 and site.counter("degraded_identity") == 1


@pytest.mark.parametrize("length,kept", [(256, True), (257, False), (5000, False)])
def test_an_id_that_is_too_long_is_none(site, length, kept):
    response = site.get("/", headers={"X-User": "x" * length})
    assert response.status == 200
    if kept:
        assert response.signals["n"] == 1
    else:
        popular(response, "identity")
    assert site.counter("keys_refused") == (not kept)


@pytest.mark.parametrize("user", ["\xff\xfe", "caf\xe9", "a\x01b", '"; drop', "%00"])
def test_ids_of_any_bytes_harm_nobody(site, user):
    for _ in range(2):
        response = site.get("/", headers={"X-User": user})
        assert response.status in (200, 400)
        assert response.all("Set-Cookie") == []


def cut(site):
    """The zone file loses its memory while it is in use."""
    os.truncate(site.path("conf/zone"), 0)


def test_a_zone_that_is_cut_short_makes_pages_plain(nginx):
    nginx.start(SERVER, workers=2)
    nginx.get("/?id=e1", headers={"X-User": "a"})
    cut(nginx)
    wait_for(lambda: all(nginx.get("/", headers={"X-User": "a"}).intent == {}
                         for _ in range(20)), "the plain page")
    for path, status in (("/", 200), ("/late", 200), ("/missing", 404)):
        response = nginx.get(path, headers={"X-User": "a"})
        assert response.status == status and response.intent == {}
        assert response.get("Cache-Control") != "private, no-cache"
    done = nginx.get("/b", "POST", {"X-User": "a", "Content-Type": "text/plain"}, b"[{}, {}]")
    assert 400 <= done.status < 500 and "zone" in done.json["detail"]
    for path in ("status", "metrics", "features?entity_id=a", "popular"):
        assert nginx.api(path).status == 503
    lines = re.findall(r"\[error\].*intent: .* failed", nginx.log())
    assert 1 <= len(lines) < 20, "a line a second and worker, not one a request"


def test_a_reload_after_that_is_refused_with_the_reason(nginx):
    nginx.start(SERVER)
    cut(nginx)
    nginx.allow(r"\[emerg\].*zone")
    nginx.signal("HUP")
    wait_for(lambda: re.search(r"\[emerg\].*conf/zone", nginx.log()), "the refusal")
    assert nginx.get("/", headers={"X-User": "a"}).status == 200


def test_removing_the_file_changes_nothing_for_those_who_have_it(site):
    site.get("/", headers={"X-User": "a"})
    os.unlink(site.path("conf/zone"))
    assert site.get("/", headers={"X-User": "a"}).signals["n"] == 2
