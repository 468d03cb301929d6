# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the delivery tests; rig.py has what they give.

kinesalite    the server from npm, one for all tests
front         the strict server before it, one for all tests, reset before each
stream        a fresh stream with one shard: stream.events() reads it back by boto3
intentd       an Intentd with a zone and spool of its own, configured for `stream` through
              `front`, not started. Ended after the test, which then fails if it has died
make_intentd  the same as a function, for tests with more than one

For tests elsewhere: put this folder on sys.path and import the fixtures from here, or the
classes from rig.py. A zone that nginx writes to is given by changing intentd.config.
"""

import os
import shutil
import subprocess

import pytest

import rig
from rig import BUILD, MODULES, ROOT, Front, Intentd, Kinesalite, Stream


def why_not():
    """What is missing for these tests, or None."""
    for path in (os.path.join(BUILD, "intentd"), os.path.join(BUILD, "libintent.so.1")):
        if not os.path.exists(path):
            return "%s is missing: run make first" % path
    if not os.path.isdir(os.path.join(MODULES, "kinesalite")) or not shutil.which("node"):
        return "node or kinesalite is missing: run make deps"
    return None


@pytest.fixture(scope="session")
def lanes_program():
    """BUILD/deliver/lanes, made of lanes.c with the public library alone."""
    problem = why_not()
    if problem:
        pytest.exit(problem, 1)
    folder = os.path.join(BUILD, "deliver")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
                    "-I" + os.path.join(ROOT, "libagent"),
                    os.path.join(ROOT, "tests/deliver/lanes.c"),
                    os.path.join(BUILD, "libintent.so.1"), "-Wl,-rpath," + BUILD,
                    "-o", os.path.join(folder, "lanes")], check=True)


@pytest.fixture(scope="session")
def kinesalite(lanes_program, tmp_path_factory):
    server = Kinesalite(tmp_path_factory.mktemp("kinesalite") / "log")
    yield server
    server.end()


@pytest.fixture(scope="session")
def shared_front(kinesalite, tmp_path_factory):
    server = Front(kinesalite.port, tmp_path_factory.mktemp("front") / "log")
    yield server
    server.end()


@pytest.fixture
def front(shared_front):
    shared_front.reset()
    return shared_front


@pytest.fixture
def stream(front, kinesalite):
    rig.streams = getattr(rig, "streams", 0) + 1
    stream = Stream(kinesalite.port, "clicks-%d" % rig.streams)
    yield stream
    stream.delete()


@pytest.fixture
def make_intentd(front, stream, tmp_path):
    made = []

    def make(endpoint=front.url):
        directory = tmp_path / ("intentd%d" % len(made))
        directory.mkdir()
        made.append(Intentd(directory, stream.name, endpoint))
        return made[-1]

    yield make

    for intentd in made:
        if intentd.process is not None:
            alive = intentd.process.alive()
            status = intentd.process.end()
            assert alive and status == 0, "intentd ended with %s\n%s" % (status, intentd.log())


@pytest.fixture
def intentd(make_intentd):
    return make_intentd()
