# SPDX-License-Identifier: Apache-2.0
"""Variables: before the response they show the state before this event, from then on after it."""

import re

import pytest

from client import wait_for

LOG = ("log_format v '$uri|$intent_key|$intent_band|$intent_cta|$intent_score|$intent_feature_n|"
       "$intent_degraded|$intent_us|$intent_items';"
       "map $intent_band $mapped { volatile; default other; low LOW; medium MEDIUM; high HIGH; }")

SERVER = """
access_log @DIR@/access.log v;
intent on; intent_key $http_x_user; intent_event view experience_id=$arg_id category=$arg_c;
location /intent/ { access_log off; intent_api; }
location /beacon { intent_beacon; }
location /after {
    add_header X-Band $intent_band always; add_header X-N $intent_feature_n always;
    add_header X-Score $intent_score always; add_header X-Cta $intent_cta always;
    add_header X-Items $intent_items always; add_header X-Hot $intent_feature_hot always;
    add_header X-Dwell $intent_feature_dwell always; add_header X-Types $intent_feature_types;
    add_header X-Category $intent_feature_category; add_header X-Variant $intent_variant;
    add_header X-Us $intent_us always; add_header X-Key $intent_key;
    add_header X-Map $mapped; add_header X-User-Feature $intent_feature_user_id;
    return 200;
}
location /before {
    proxy_set_header X-Band $intent_band; proxy_set_header X-N $intent_feature_n;
    proxy_set_header X-Key $intent_key; proxy_set_header X-Map $mapped;
    proxy_set_header X-Visitor $intent_visitor;
    add_header X-N $intent_feature_n; add_header X-Band $intent_band;
    proxy_pass http://@BACKEND@;
}
location /sent { proxy_set_header X-N $intent_feature_n; proxy_set_header X-Band $intent_band;
                 proxy_pass http://@BACKEND@; }
location /chosen { error_page 418 =200 @plain; if ($intent_band = medium) { return 418; }
                   return 200; }
location @plain { intent off; expires 1h; return 200 plain; }
location /if { if ($intent_feature_hot) { return 200 hot; } return 200 cold; }
location /ssi { ssi on; ssi_types *; intent_headers none; }
location /observe { intent observe; return 200; }
location /observe-body { intent observe; ssi on; ssi_types *; }
location /off { intent off; add_header X-Band "[$intent_band$intent_key$intent_us]"; return 200; }
location /cached { proxy_cache c; proxy_cache_valid 200 1h; proxy_cache_key $uri$intent_band;
                   proxy_pass http://@BACKEND@; }
location /auth { auth_request /asked; proxy_pass http://@BACKEND@; }
location = /asked { internal; proxy_set_header X-N $intent_feature_n;
                    proxy_pass http://@BACKEND@; }
location /used { intent_event view category=$intent_feature_n; return 200; }
location /itself { intent_key $intent_key $intent_band $http_x_user; return 200; }
location /named { error_page 418 = @other; proxy_set_header X-N $intent_feature_n; return 418; }
location @other { add_header X-N $intent_feature_n; return 200; }
location / { return 200; }
"""


@pytest.fixture
def site(nginx, backend):
    nginx.write("html/ssi/page", '<!--# echo var="intent_band" --> '
                '<!--# echo var="intent_feature_n" --> <!--# echo var="intent_visitor" -->\n')
    nginx.write("html/observe-body/page", '<!--# echo var="intent_band" --> '
                '<!--# echo var="intent_key" -->\n')
    return nginx.start(SERVER, http=LOG + "proxy_cache_path @DIR@/cache keys_zone=c:1m;")


def ask(site, path, user="alice", **kwargs):
    return site.get(path, headers={"X-User": user}, **kwargs)


def logged(site, path):
    """The last log line of a path, as a dict."""
    names = ("uri", "key", "band", "cta", "score", "n", "degraded", "us", "items")
    def last():
        lines = [line.split("|") for line in site.read("access.log").split("\n") if line]
        return [dict(zip(names, line)) for line in lines if line[0] == path]
    return wait_for(last, "the log of " + path)[-1]


def test_add_header_sees_the_state_after_the_event(site):
    for n in range(1, 5):
        r = ask(site, "/after?id=e1&c=food")
        hot = n >= 3
        assert (r.get("X-N"), r.get("X-Band")) == (str(n), "high" if hot else "medium")
        assert r.get("X-Score") == ("0.9" if hot else "0.1")
        assert r.get("X-Hot") == ("1" if hot else "0")
        assert r.get("X-Cta") == ("book-now" if hot else "popular") == r.get("Intent-CTA")
        assert r.get("X-Items") == (None if hot else '"e1"') == r.get("Intent-Items")
        assert r.get("X-Types") == ",".join(["view"] * min(n, 3))
        assert r.get("X-Category") == "food" and r.get("X-Key") == "alice"
        assert r.get("X-Map") == ("HIGH" if hot else "MEDIUM")
        assert r.get("X-Dwell") is None and r.get("X-Variant") is None
        assert r.get("X-User-Feature") == "alice"
        assert 0 <= int(r.get("X-Us")) < 100000


def test_what_is_sent_upstream_is_the_state_before_it(site, backend):
    for n in range(1, 5):
        response = ask(site, "/before")
        asked = backend.requests[-1]
        assert asked.get("X-N") == str(n - 1) and response.get("X-N") == str(n)
        assert asked.get("X-Band") == ("low" if n == 1 else "medium" if n < 4 else "high")
        assert asked.get("X-Map") == asked.get("X-Band").upper()
        assert asked.get("X-Key") == "alice" and asked.get("X-Visitor") is None
        assert response.get("X-Band") == ("medium" if n < 3 else "high")


def test_if_sees_the_state_before(site):
    assert [ask(site, "/if").text for _ in range(5)] == ["cold"] * 3 + ["hot"] * 2


def test_a_subrequest_sees_its_main_request_s_visitor(site, backend):
    ask(site, "/after")
    ask(site, "/auth")
    assert backend.requests[0].path == "/asked" and backend.requests[0].get("X-N") == "1"
    assert site.features("alice")["n"] == 2


def test_a_cache_key_by_band_separates_bands(site, backend):
    for user, times in (("cold1", 1), ("cold2", 1), ("warm", 4), ("cold3", 1)):
        for _ in range(times):
            ask(site, "/cached", user)
    assert len(backend.requests) == 3, "low, medium, high"


def test_the_log_sees_the_state_after_even_what_was_read_before(site, backend):
    ask(site, "/sent")
    assert backend.requests[-1].get("X-N") == "0" and backend.requests[-1].get("X-Band") == "low"
    line = logged(site, "/sent")
    assert (line["key"], line["n"], line["band"], line["score"]) == ("alice", "1", "medium", "0.1")
    assert int(line["us"]) > 0
    ask(site, "/")
    assert logged(site, "/")["n"] == "2"


def test_observe_decides_for_the_log_alone(site):
    response = ask(site, "/observe")
    assert response.intent == {} and response.get("Cache-Control") is None
    line = logged(site, "/observe")
    assert (line["band"], line["n"], line["key"]) == ("medium", "1", "alice")
    body = ask(site, "/observe-body/page")
    assert body.get("Cache-Control") is None
    assert body.text.split() == ["(none)", "(none)"]


def test_a_body_can_only_say_what_caches_have_been_told(site):
    response = ask(site, "/ssi/page")
    assert response.text.split() == ["medium", "1", "(none)"]
    assert response.get("Cache-Control") == "private, no-cache"


def test_off_has_none(site):
    assert ask(site, "/off").get("X-Band") == "[]"
    assert logged(site, "/off")["key"] == "-"


def test_a_location_reached_by_name_shows_it_too(site):
    assert ask(site, "/named").get("X-N") == "1"
    assert site.features("alice")["n"] == 1


def test_a_page_that_was_chosen_by_a_variable_is_personal(site):
    ask(site, "/")
    response = ask(site, "/chosen")
    assert response.text == "plain" and response.intent == {}
    assert response.all("Cache-Control") == ["private, no-cache"]
    assert response.get("Expires") is None


def test_values_of_events_may_be_our_own(site):
    ask(site, "/used")
    ask(site, "/used")
    assert site.features("alice")["category"] == "1"


def test_a_key_made_of_itself_is_no_key(site):
    assert ask(site, "/itself").status == 200
    assert site.features("alice")["n"] == 1


def test_control_characters_do_not_reach_headers_through_variables(site):
    site.get("/beacon", "POST", {"X-User": "alice", "Content-Type": "application/json"},
             b'{"event_type": "a\\r\\nSet-Cookie: b", "category": "x\\r\\nInjected: 1\\u0007"}')
    response = ask(site, "/after")
    assert response.get("Injected") is None and response.all("Set-Cookie") == []
    assert response.get("X-Types") == "a  Set-Cookie: b,view"


def test_numbers_read_back_as_they_are(nginx, config):
    config["featuresets"]["Signals"]["features"] = {
        "a": {"expr": "0.1 + 0.2"}, "b": {"expr": "1.0e300"}, "c": {"expr": "-2.5"},
        "d": {"expr": "1.0 / 3.0"}, "e": {"expr": "100000.0"}, "f": {"expr": "1.0 / 0.0"},
        "n": {"ref": "Stats.n_1h"}}
    config["policy"] = {"featureset": "Signals", "bands": [], "ctas": []}
    nginx.start("intent on; intent_key $arg_u; location / { " + "".join(
        "add_header X-%s $intent_feature_%s; " % (n, n) for n in "abcdef") + "return 200; }",
        intent=config)
    response = nginx.get("/?u=x")
    for name, value in (("a", 0.1 + 0.2), ("b", 1e300), ("c", -2.5), ("d", 1 / 3),
                        ("e", 100000.0)):
        assert float(response.get("X-" + name)) == value
    assert response.get("X-f") is None or not re.search("inf|nan", response.get("X-f"))
