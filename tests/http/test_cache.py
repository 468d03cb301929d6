# SPDX-License-Identifier: Apache-2.0
"""Cache safety, with a second nginx that caches downstream as a CDN does.

`cdn` stores whatever it may, any status, Set-Cookie or not, and revalidates.
"""

import os

import pytest

ORIGIN = """
intent on; intent_key $http_x_user; intent_event view status=2xx,3xx,404;
intent_headers band cta items signals timing;
expires 1h;
add_header Cache-Control "public, max-age=600, s-maxage=900" always;
add_header Surrogate-Control "max-age=600" always;
add_header CDN-Cache-Control "max-age=600" always;
add_header Cloudflare-CDN-Cache-Control "max-age=600" always;
add_header X-Accel-Expires 600 always;
add_header Pragma public always;
add_header X-User $http_x_user always;
location /intent/ { intent_api; }
location /return { return 200 "hi\\n"; }
location /moved { return 301 /return; }
location /temporary { return 302 /return; }
location /missing { return 404; }
location /gone { return 410; }
location /broken { return 500; }
location /static/ { }
location /page404 { error_page 404 /static/page.txt; }
location /upstream { proxy_pass http://@BACKEND@; proxy_ignore_headers X-Accel-Expires;
                     proxy_pass_header X-Accel-Expires; }
location /cached { proxy_cache own; proxy_cache_valid any 1h; proxy_pass http://@BACKEND@; }
location /cookie { intent observe; intent_key $http_x_none; intent_cookie visitor;
                   return 200; }
location /variable { intent_headers none; add_header X-Band $intent_band; return 200; }
location /visitor { intent observe; add_header X-Key $intent_key; return 200; }
location /body { intent_headers none; sub_filter_types *; sub_filter PAGE $intent_band;
                 alias @DIR@/html/static/; }
location /upstream-header { intent_headers none; proxy_set_header X-Band $intent_band;
                            proxy_pass http://@BACKEND@/upstream; }
location /off { intent off; return 200; }
location /nobody { intent_key $http_x_none; return 200; }
location /refused { intent_consent $http_x_none; return 200; }
location /observed { intent observe; return 200; }
"""

# `intent on` with nothing to show and no variable in the whole configuration
SILENT = """
location / { intent on; intent_key $http_x_user; intent_event view; intent_headers none;
             expires 1h; return 200; }
"""

CDN = """
location / {
    proxy_cache cdn; proxy_cache_valid any 10m; proxy_cache_revalidate on;
    proxy_ignore_headers Set-Cookie;
    proxy_cache_key $request_uri$http_range; proxy_set_header Range $http_range;
    proxy_pass http://127.0.0.1:%d;
    proxy_set_header X-User $http_x_user;
    add_header X-Cache $upstream_cache_status always;
}
"""

FORBIDDEN = ("Expires", "Pragma", "Surrogate-Control", "CDN-Cache-Control",
             "Cloudflare-CDN-Cache-Control", "X-Accel-Expires")


@pytest.fixture
def origin(make_nginx, backend):
    server = make_nginx()
    server.write("html/static/page.txt", "PAGE page\n")
    os.utime(server.path("html/static/page.txt"), (1772366400, 1772366400))
    backend.reply("/upstream", 200, [
        ("Cache-Control", "public, max-age=3600"), ("Cache-Control", "s-maxage=9999"),
        ("Expires", "Thu, 01 Jan 2037 00:00:00 GMT"), ("Surrogate-Control", "max-age=1"),
        ("CDN-Cache-Control", "max-age=1"), ("Vercel-CDN-Cache-Control", "max-age=1"),
        ("X-Accel-Expires", "600"), ("Pragma", "cache")])
    backend.reply("/cached", 200, [("Cache-Control", "public, max-age=3600"), ("ETag", '"tag"')])
    return server.start(
        ORIGIN, http="proxy_cache_path @DIR@/own keys_zone=own:1m;"
                     "intent_cookie_key_file cookie.key;")


@pytest.fixture
def cdn(make_nginx, origin):
    server = make_nginx()
    return server.start(CDN % origin.port, load=False, intent_config=False,
                        http="proxy_cache_path @DIR@/cdn keys_zone=cdn:1m;")


STAMP = {"If-Modified-Since": "Sun, 01 Mar 2026 12:00:00 GMT"}

PERSONAL = [
    ("/return", 200, {}), ("/moved", 301, {}), ("/temporary", 302, {}), ("/missing", 404, {}),
    ("/gone", 410, {}), ("/broken", 500, {}), ("/static/page.txt", 200, {}),
    ("/static/page.txt", 304, STAMP), ("/static/page.txt", 206, {"Range": "bytes=0-2"}),
    ("/static/page.txt", 416, {"Range": "bytes=99-"}), ("/page404", 404, {}),
    ("/upstream", 200, {}), ("/cached", 200, {}),
    ("/cached", 304, {"If-None-Match": '"tag"'}),
    ("/variable", 200, {}), ("/body/page.txt", 200, {}), ("/upstream-header", 200, {}),
    ("/visitor", 200, {}), ("/cookie", 200, {}),
]


@pytest.mark.parametrize("path,status,headers", PERSONAL,
                         ids=["%s-%d" % p[:2] for p in PERSONAL])
def test_a_personal_response_leaves_uncacheable(origin, path, status, headers):
    for _ in range(2):
        response = origin.get(path, headers=dict(headers, **{"X-User": "alice"}))
        assert response.status == status
        assert response.all("Cache-Control") == ["private, no-cache"]
        for name in FORBIDDEN + ("Vercel-CDN-Cache-Control",):
            assert response.all(name) == [], name
        assert all(len(response.all(k)) == 1 for k, _ in response.headers
                   if k.lower().startswith(("intent-", "server-", "set-cookie")))


@pytest.mark.parametrize("path,status,headers", PERSONAL,
                         ids=["%s-%d" % p[:2] for p in PERSONAL])
def test_no_visitor_gets_another_s_through_a_shared_cache(origin, cdn, path, status, headers):
    def ask(user):
        response = cdn.get(path, headers=dict(headers, **{"X-User": user}))
        # what the CDN asked for without the client's condition, it answers by itself
        assert response.status == status or (status == 304 and response.status == 200)
        assert response.get("X-Cache") in ("MISS", "EXPIRED", "BYPASS")
        return response

    for _ in range(4):
        origin.get("/return", headers={"X-User": "alice"})
    alice, bob, again = ask("alice"), ask("bob"), ask("alice")
    if "Signals" in str(alice.headers):
        assert alice.signals["n"] >= 4 and bob.signals["n"] <= 1
        assert alice.get("Intent-Band") == again.get("Intent-Band") == "high"
        assert bob.get("Intent-Band") != "high"
    for name in ("X-Band", "X-Key"):
        if alice.get(name):
            assert alice.get(name) != bob.get(name)
    if path.startswith("/body"):
        assert alice.body == b"high page\n" and bob.body == b"medium page\n"
    if path == "/cookie":
        assert len({r.cookie("__Host-visitor")[0] for r in (alice, bob, again)}) == 3


@pytest.mark.parametrize("path", ["/off", "/nobody", "/refused", "/observed"])
def test_what_carries_nothing_personal_stays_as_it_was(origin, cdn, path):
    response = origin.get(path, headers={"X-User": "alice"})
    assert sorted(response.all("Cache-Control")) == ["max-age=3600",
                                                     "public, max-age=600, s-maxage=900"]
    assert response.get("Expires") and response.get("X-Accel-Expires") == "600"
    assert response.get("Surrogate-Control") == "max-age=600"

    assert cdn.get(path, headers={"X-User": "alice"}).get("X-Cache") == "MISS"
    hit = cdn.get(path, headers={"X-User": "bob"})
    assert hit.get("X-Cache") == "HIT" and hit.get("X-User") == "alice"


def test_nothing_shown_and_no_variable_used_stays_cacheable(make_nginx):
    server = make_nginx()
    server.start(SILENT)
    response = server.get("/", headers={"X-User": "alice"})
    assert response.get("Cache-Control") == "max-age=3600" and response.intent == {}


def test_the_origin_s_own_cache_holds_nobody_s_headers(origin, backend):
    for _ in range(3):
        origin.get("/return", headers={"X-User": "alice"})
    alice = origin.get("/cached", headers={"X-User": "alice"})
    bob = origin.get("/cached", headers={"X-User": "bob"})
    assert len(backend.requests) == 1
    assert (alice.signals["n"], bob.signals["n"]) == (4, 1)
    for folder, _, names in os.walk(origin.path("own")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                assert b"Intent-" not in f.read()


def test_a_stored_response_is_revalidated_without_giving_headers_away(origin, cdn):
    """A public page becomes personal: the CDN's copy does not spread anyone's headers."""
    path = "/static/page.txt"
    for user in ("alice", "bob", "alice", "bob"):
        response = cdn.get(path, headers={"X-User": user})
        assert response.get("X-User") == user
        assert response.get("Cache-Control") == "private, no-cache"


def test_gzip_proxied_sees_the_rule(nginx):
    nginx.write("html/page.txt", "x" * 5000)
    nginx.start("intent on; intent_key $http_x_user; gzip on; gzip_types *; gzip_proxied private;"
                "add_header Cache-Control public;")
    response = nginx.get("/page.txt", headers={"X-User": "a", "Accept-Encoding": "gzip",
                                               "Via": "1.1 cdn"})
    assert response.get("Content-Encoding") == "gzip"
