# SPDX-License-Identifier: Apache-2.0
"""The whole path: the fixtures of tests/http and of tests/deliver together.

chain    an nginx (not started) and an intentd (not started) on one zone: chain.start(server)
         starts both, chain.nginx, chain.intentd and chain.stream are the parts
"""

import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def fixtures_of(suite):
    """The conftest.py of another suite, whose own modules are found by name."""
    folder = os.path.join(HERE, "..", suite)
    sys.path.insert(0, folder)
    path = os.path.join(folder, "conftest.py")
    spec = importlib.util.spec_from_file_location(f"{suite}_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


deliver = fixtures_of("deliver")
http = fixtures_of("http")

lanes_program, kinesalite = deliver.lanes_program, deliver.kinesalite
shared_front, front, stream = deliver.shared_front, deliver.front, deliver.stream
make_intentd, intentd = deliver.make_intentd, deliver.intentd
make_nginx, nginx = http.make_nginx, http.nginx
pytest_configure = http.pytest_configure


class Chain:
    def __init__(self, server, daemon, from_stream):
        self.nginx, self.intentd, self.stream = server, daemon, from_stream

    def start(self, server, config, **options):
        """`config` is an intent.json without "forward" and with any zone."""
        forward = self.intentd.config["forward"]
        zone = {"path": self.nginx.path("zone"), "size": "256m", "lanes": 16, "lane_size": "8m"}
        self.intentd.config = dict(config, zone=zone, forward=forward)
        self.nginx.start(server=server, intent=self.intentd.config, **options)
        self.intentd.start()
        return self


@pytest.fixture
def chain(nginx, intentd, stream):
    return Chain(nginx, intentd, stream)
