# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the HTTP tests: real nginx processes on free loopback ports.

nginx         an Nginx (server.py), not started: nginx.start(server="...") with the
              inside of a server{} block. Stopped after the test, which then fails if
              error.log holds an alert, a crit, an emerg or a sanitizer's report.
make_nginx    the same as a function, for tests with more than one.
backend       a Backend (server.py): an upstream that records what it is asked.
config        a fresh copy of the intent.json that Nginx writes unless told otherwise,
              to be changed and passed on: nginx.start(..., intent=config).

What tests say in nginx configuration is replaced: @PORT@ (the server's port), @PORT2@,
@PORT3@ ... (more free ports), @DIR@ (its directory), @BACKEND@ (with the fixture, its
host:port). Answers are client.Response; client.py has the parsers for what headers and
endpoints say. `Visitor` there keeps cookies as a browser does.

Environment: INTENT_BUILD (default: $BUILD, else ./build) holds ngx_http_intent_module.so
and intentctl; INTENT_NGINX (default /usr/sbin/nginx) is the server, which may be one
under AddressSanitizer (ngx_module/build.sh --asan).
"""

import copy
import os

import pytest

from server import BUILD, Backend, CONFIG, MODULE, NGINX, Nginx


def pytest_configure(config):
    os.environ.setdefault("ASAN_OPTIONS", "")
    # nginx itself never frees at exit; each module brings its own `ngx_modules`
    os.environ["ASAN_OPTIONS"] += ":detect_leaks=0:detect_odr_violation=0"


def pytest_collection_modifyitems(config, items):
    for path in (NGINX, MODULE, os.path.join(BUILD, "intentctl")):
        if not os.path.exists(path):
            pytest.exit("%s is missing: run make first" % path, 1)


@pytest.fixture
def backend():
    server = Backend()
    yield server
    server.close()


@pytest.fixture
def make_nginx(tmp_path, request):
    made = []

    def make():
        directory = tmp_path / ("nginx%d" % len(made) if made else "nginx")
        directory.mkdir()
        server = Nginx(directory)
        if "backend" in request.fixturenames:
            server.words["BACKEND"] = request.getfixturevalue("backend").address
        made.append(server)
        return server

    yield make

    for server in made:
        server.stop()
    for server in made:
        server.check_log()


@pytest.fixture
def nginx(make_nginx):
    return make_nginx()


@pytest.fixture
def config():
    return copy.deepcopy(CONFIG)
