# SPDX-License-Identifier: Apache-2.0
"""A request counts exactly once or, by its status, not at all."""

import os
import socket
import time

import pytest

from client import Client, curl

SERVER = """
intent on;
intent_key $http_x_user;
intent_event view experience_id=$arg_id category=$arg_c;
location /intent/ { intent_api; }

location /static/ { }
location /return { return 200 "hi\\n"; }
location /empty { return 204; }
location /redirect { return 302 /return; }
location /gone { return 410; }
location /teapot { return 503; }
location /proxied { proxy_pass http://@BACKEND@; }
location /cached {
    proxy_cache zone; proxy_cache_valid 200 1h; proxy_cache_key $uri;
    proxy_pass http://@BACKEND@;
}
location /stale {
    proxy_cache zone; proxy_cache_valid 200 1s; proxy_cache_key $uri;
    proxy_cache_use_stale updating; proxy_cache_background_update on;
    proxy_pass http://@BACKEND@;
}
location /try { try_files /nothing /static/page.txt; }
location /try-named { try_files /nothing @named; }
location @named { return 200 "named\\n"; }
location /rewritten { rewrite ^ /static/page.txt last; }
location /broken { rewrite ^ /static/page.txt break; }
location /page200 { error_page 404 =200 /static/page.txt; }
location /page404 { error_page 404 /static/page.txt; }
location /page-named { error_page 418 =200 @named; return 418; }
location /page-redirect { error_page 404 =301 http://localhost/; }
location /dir/ { index page.txt; }
location /ssi { ssi on; ssi_types *; }
location /after { add_after_body /static/page.txt; addition_types *; }
location /auth { auth_request /allowed; try_files /static/page.txt =404; }
location = /allowed { internal; return 200; }
location /denied { auth_request /forbidden; }
location = /forbidden { internal; return 403; }
location /mirror { mirror /mirrored; proxy_pass http://@BACKEND@; }
location = /mirrored { internal; proxy_pass http://@BACKEND@; }
location /accel { proxy_pass http://@BACKEND@; }
location /upgrade {
    proxy_http_version 1.1;
    proxy_set_header Upgrade websocket; proxy_set_header Connection upgrade;
    proxy_pass http://@BACKEND@;
}
location /intercepted {
    proxy_intercept_errors on; error_page 500 =200 /static/page.txt;
    proxy_pass http://@BACKEND@;
}
location /off { intent off; return 200; }
location /observe { intent observe; return 200; }
"""

HTTP = "proxy_cache_path @DIR@/cache keys_zone=zone:1m;"

STAMP = "Sun, 01 Mar 2026 12:00:00 GMT"

# path, method, more headers: status, events
REQUESTS = [
    ("/static/page.txt", "GET", {}, 200, 1),
    ("/static/page.txt", "HEAD", {}, 200, 1),
    ("/static/missing.txt", "GET", {}, 404, 0),
    ("/static/page.txt", "GET", {"If-Modified-Since": STAMP}, 304, 1),
    ("/static/page.txt", "GET", {"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}, 412, 0),
    ("/static/page.txt", "GET", {"Range": "bytes=0-3"}, 206, 1),
    ("/static/page.txt", "GET", {"Range": "bytes=0-1,3-4"}, 206, 1),
    ("/static/page.txt", "GET", {"Range": "bytes=-4"}, 206, 1),
    ("/static/page.txt", "GET", {"Range": "bytes=999-"}, 416, 0),
    ("/static/page.txt", "GET", {"Range": "bytes=x"}, 416, 0),
    ("/static/page.txt", "GET", {"Range": "bytes=5-2"}, 416, 0),
    ("/static/page.txt", "GET", {"Range": "bytes=0-"}, 206, 1),
    ("/static/page.txt", "GET", {"Range": "bytes=999-", "If-Range": '"other"'}, 200, 1),
    ("/static/page.txt", "GET", {"Range": "bytes=999-", "If-Range": STAMP}, 416, 0),
    ("/static/page.txt", "GET", {"Range": "lines=1-2"}, 200, 1),
    ("/return", "GET", {}, 200, 1),
    ("/return", "HEAD", {}, 200, 1),
    ("/return", "POST", {}, 200, 1),
    ("/empty", "GET", {}, 204, 1),
    ("/redirect", "GET", {}, 302, 0),
    ("/gone", "GET", {}, 410, 0),
    ("/teapot", "GET", {}, 503, 0),
    ("/proxied", "GET", {}, 200, 1),
    ("/proxied", "HEAD", {}, 200, 1),
    ("/proxied?x=1", "POST", {}, 200, 1),
    ("/try", "GET", {}, 200, 1),
    ("/try-named", "GET", {}, 200, 1),
    ("/rewritten", "GET", {}, 200, 1),
    ("/broken", "GET", {}, 200, 1),
    ("/page200", "GET", {}, 200, 1),
    ("/page404", "GET", {}, 404, 0),
    ("/page-named", "GET", {}, 200, 1),
    ("/page-redirect", "GET", {}, 301, 0),
    ("/dir/", "GET", {}, 200, 1),
    ("/dir", "GET", {}, 301, 0),
    ("/ssi/page.txt", "GET", {}, 200, 1),
    ("/after/page.txt", "GET", {}, 200, 1),
    ("/auth", "GET", {}, 200, 1),
    ("/denied", "GET", {}, 403, 0),
    ("/mirror", "GET", {}, 200, 1),
    ("/accel", "GET", {}, 200, 1),
    ("/upgrade", "GET", {}, 101, 0),
    ("/intercepted", "GET", {}, 200, 1),
    ("/off", "GET", {}, 200, 0),
    ("/observe", "GET", {}, 200, 1),
    ("/intent/status", "GET", {}, 200, 0),
    ("/intent/nothing", "GET", {}, 404, 0),
]


@pytest.fixture
def site(nginx, backend):
    for name in ("static", "dir", "after", "ssi"):
        nginx.write("html/%s/page.txt" % name, "a page\n")
    nginx.write("html/ssi/page.txt", '<!--# include virtual="/static/page.txt" -->'
                '<!--# include virtual="/return" --><!--# include virtual="/proxied" -->\n')
    when = 1772366400
    os.utime(nginx.path("html/static/page.txt"), (when, when))
    backend.reply("/accel", 200, [("X-Accel-Redirect", "/static/page.txt")])
    backend.reply("/upgrade", 101, [("Upgrade", "websocket"), ("Connection", "upgrade")], b"")
    backend.reply("/intercepted", 500)
    return nginx.start(SERVER, http=HTTP)


def test_each_kind_of_response_counts_once_or_not_at_all(site):
    wrong = []
    for i, (path, method, headers, status, events) in enumerate(REQUESTS):
        user = "u%d" % i
        response = site.get(path, method, dict(headers, **{"X-User": user}))
        counted = site.features(user)["n"]
        if (response.status, counted) != (status, events):
            wrong.append((path, method, headers, response.status, counted))
    assert not wrong


def test_cached_responses_count_like_fresh_ones(site, backend):
    for n in range(1, 5):
        response = site.get("/cached", headers={"X-User": "alice"})
        assert response.signals == {} and response.status == 200
        assert site.features("alice")["n"] == n
    assert len(backend.requests) == 1


def test_a_background_update_is_nobodys_event(site, backend):
    site.get("/stale", headers={"X-User": "alice"})
    time.sleep(2.2)  # valid for whole seconds, and one more
    for _ in range(3):
        site.get("/stale", headers={"X-User": "alice"})
    time.sleep(0.3)
    assert len(backend.requests) >= 2
    assert site.features("alice")["n"] == 4


def test_pipelined_and_keep_alive_requests_count_each(site):
    c = Client(site.port)
    for _ in range(20):
        assert c.send("GET", "/return", {"X-User": "bob"}).status == 200
    c.close()
    one = b"GET /return HTTP/1.1\r\nHost: a\r\nX-User: bob\r\n\r\n"
    last = one.replace(b"X-User", b"Connection: close\r\nX-User")
    with socket.create_connection(("127.0.0.1", site.port), 5) as s:
        s.sendall(one * 4 + last)
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    assert data.count(b"HTTP/1.1 200") == 5
    assert site.features("bob")["n"] == 25


@pytest.mark.parametrize("line", [b"GET /return HTTP/1.0\r\nX-User: old\r\n\r\n"])
def test_http_1_0(site, line):
    with socket.create_connection(("127.0.0.1", site.port), 5) as s:
        s.sendall(line)
        while s.recv(65536):
            pass
    assert site.features("old")["n"] == 1


def test_requests_that_nginx_refuses_unread_count_nothing(site):
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"BAD\x01\r\n\r\n", b"GET /return HTTP/3.9\r\n\r\n",
                 b"GET /return HTTP/1.1\r\nHost: a\r\nX-User: x\r\nA: %s\r\n" % (b"a" * 40000)):
        c = Client(site.port)
        assert c.raw(data + b"\r\n").status in (400, 505)
        c.close()
    assert site.features("x")["n"] == 0
    assert site.counter("events") == 0


def test_http_2(nginx, backend):
    nginx.write("html/static/page.txt", "a page\n")
    nginx.start(SERVER + "location = /proxied2 { proxy_pass http://@BACKEND@; }", http=HTTP,
                servers="server { listen 127.0.0.1:@PORT2@; location /intent/ { intent_api; } }",
                listen="http2")

    def counted(user):
        response = nginx.get("/intent/features?entity_id=" + user, port=nginx.port_of(2))
        return response.json["features"]["n"]

    url = "http://127.0.0.1:%d" % nginx.port
    for i, (args, status) in enumerate([
            (("/static/page.txt",), 200), (("/return",), 200), (("/proxied2",), 200),
            (("/return", "-I"), 200), (("/static/page.txt", "-r", "0-1"), 206),
            (("/gone",), 410), (("/cached",), 200), (("/cached",), 200)]):
        response = curl("--http2-prior-knowledge", *args[1:], "-H", "X-User: h%d" % i,
                        url + args[0])
        assert response.status == status
        assert counted("h%d" % i) == (1 if status < 300 else 0), args
        assert response.get("intent-band") == ("medium" if status < 300 else "low")


def test_status_if_and_several_events(nginx):
    nginx.start("""
        intent on; intent_key $http_x_user; intent_headers signals;
        location /intent/ { intent_api; }
        location /status {
            intent_event a status=404,3xx; intent_event b;
            if ($arg_s = 404) { return 404; }
            if ($arg_s = 301) { return 301 /; }
            return 200;
        }
        location /if {
            intent_event odd if=$arg_odd; intent_event even if=$arg_even category=$arg_c;
            return 200;
        }
        location /both { intent_event one; intent_event two; return 200; }
        location /range { intent_event beyond status=416; }
        location /inherits { location /inherits/none { return 200; } }
        intent_event outer;
    """)

    def n(path, user):
        return nginx.get(path, headers={"X-User": user}).signals["n"]

    assert [n("/status" + q, "s") for q in ("", "?s=404", "?s=301", "")] == [1, 2, 3, 4]
    assert sorted(nginx.features("s")["types"]) == ["a", "a", "b"]

    assert [n("/if" + q, "i") for q in ("?odd=1", "?odd=0&even=yes&c=food", "?odd=0&even=",
                                        "", "?odd=1&even=1")] == [1, 2, 2, 2, 4]
    assert nginx.features("i")["category"] == "food"

    assert n("/both", "b") == 2

    nginx.write("html/range", "abc")
    refused = nginx.get("/range", headers={"X-User": "r", "Range": "bytes=9-"})
    assert refused.status == 416 and refused.signals["n"] == 1, "nginx sends it in two passes"
    assert n("/inherits/none", "o") == 1 and nginx.features("o")["types"] == ["outer"]


def test_the_key_may_come_with_the_upstream_s_answer(nginx, backend):
    nginx.start("""
        intent on; intent_event view; intent_headers signals; intent_budget 24h;
        intent_key $upstream_http_x_login $http_x_user;
        location /intent/ { intent_api; }
        location / { proxy_set_header X-Before $intent_key; proxy_pass http://@BACKEND@; }
    """)
    backend.reply("/login", 200, [("X-Login", "alice")])
    nginx.get("/login", headers={"X-User": "guest"})
    assert backend.requests[-1].get("X-Before") == "guest"
    assert nginx.features("alice")["n"] == 1 and nginx.features("guest")["n"] == 0
    assert nginx.get("/", headers={"X-User": "guest"}).signals["n"] == 1


@pytest.mark.parametrize("category,dwell,kept", [
    ("food", "12.5", ("food", 12.5)),
    ("", "", (None, None)),
    ("x" * 1024, "0", ("x" * 1024, 0.0)),
    ("x" * 1025, "-1.5e2", (None, -150.0)),
    ("x" * 65536, "1e999", (None, None)),
    ("\xff\xfe", "12,5", (None, None)),
    ("caf\xc3\xa9", "nan", ("caf\u00e9", None)),
    ("a", "0x10", ("a", None)),
    ("a", "1 2", ("a", None)),
])
def test_fields_that_do_not_fit_are_absent_and_counted(nginx, category, dwell, kept):
    nginx.start("""
        intent on; intent_key $http_x_user; large_client_header_buffers 8 128k;
        intent_event view category=$http_x_category dwell_time_sec=$http_x_dwell;
        location /intent/ { intent_api; }
        location / { return 200; }
    """)
    response = nginx.get("/", headers={"X-User": "u", "X-Category": category, "X-Dwell": dwell})
    assert response.status == 200
    features = nginx.features("u")
    assert features["n"] == 1
    assert (features["category"], features["dwell"]) == kept
    assert nginx.counter("fields_too_long") == (len(category) > 1024)
    bad = (category != "" and kept[0] is None and len(category) <= 1024) + (
        dwell != "" and kept[1] is None)
    assert nginx.counter("fields_invalid") == bad
