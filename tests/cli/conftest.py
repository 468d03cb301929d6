# SPDX-License-Identifier: Apache-2.0
"""intentctl as a user runs it, and a live zone made through libintent.so.1.

ctl(*arguments, input=b"", env=...) -> subprocess.CompletedProcess with text.
config    a folder with a small intent.json of its own zone.
zone      a Zone: the live zone of that configuration, with a recording process (this
          one): zone.record(user, time_ms, dwell).

Environment: INTENT_BUILD (default: $BUILD, else ./build) holds intentctl and
libintent.so.1.
"""
import ctypes
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTENT_BUILD",
                                    os.environ.get("BUILD", ROOT / "build")))
INTENTCTL = str(BUILD / "intentctl")
CREATE = 1
FORWARD = 2


def pytest_collection_modifyitems(config, items):
    if not os.path.exists(INTENTCTL):
        pytest.exit(f"{INTENTCTL} is missing: run make first", 1)


@pytest.fixture
def ctl():
    def run(*arguments, **options):
        options.setdefault("input", b"")
        done = subprocess.run([INTENTCTL, *map(str, arguments)], check=False,
                              capture_output=True, timeout=60, **options)
        done.stdout = done.stdout.decode()
        done.stderr = done.stderr.decode()
        return done
    return run


SETTINGS = {
    "zone": {"path": "zone", "size": "64m"},
    "datasets": {
        "ClickEvent": {
            "key": "user_id", "timestamp": "timestamp",
            "fields": {"event_type": "string", "dwell_time_sec": "double"}},
    },
    "pipelines": {
        "Stats": {
            "from": "ClickEvent", "group_by": "user_id",
            "aggregate": {
                "clicks_1h": {"op": "count", "window": "1h"},
                "dwell_1h": {"op": "avg", "of": "dwell_time_sec",
                             "window": "1h"}}},
    },
    "featuresets": {
        "Signals": {
            "entity": "user_id",
            "features": {"clicks_1h": {"ref": "Stats.clicks_1h"},
                         "dwell_1h": {"ref": "Stats.dwell_1h"}}},
    },
    "forward": {
        "spool": {"path": "spool", "size": "64m"},
        "kinesis": {"stream": "clicks", "region": "us-east-1"}},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "intent.json"
    path.write_text(json.dumps(SETTINGS))
    return path


class Batch(ctypes.Structure):
    _fields_ = [("n", ctypes.c_size_t), ("events", ctypes.c_void_p),
                ("memory", ctypes.c_void_p)]


class Who(ctypes.Structure):
    _fields_ = [("user", ctypes.c_char_p), ("user_len", ctypes.c_size_t),
                ("visitor", ctypes.c_char_p),
                ("visitor_len", ctypes.c_size_t)]


class Zone:
    """What a worker does: makes the zone and records into it."""

    def __init__(self, path):
        self.path = path
        self.library = ctypes.CDLL(str(BUILD / "libintent.so.1"))
        self.config = ctypes.c_void_p()
        self.intent = ctypes.c_void_p()
        error = ctypes.create_string_buffer(1024)
        opened = self.library.intent_config_load(
            str(path).encode(), ctypes.byref(self.config), error)
        assert opened == 0, error.raw[8:].split(b"\0")[0]
        opened = self.library.intent_open(
            self.config, CREATE, ctypes.byref(self.intent), error)
        assert opened == 0, error.raw[8:].split(b"\0")[0]
        assert self.library.intent_worker_start(self.intent) == 0

    def record(self, user, time_ms, dwell=None):
        event = {"timestamp": time_ms}
        if dwell is not None:
            event["dwell_time_sec"] = dwell
        body = json.dumps(event).encode()
        batch, error = Batch(), ctypes.create_string_buffer(1024)
        parsed = self.library.intent_batch_parse(
            self.config, body, ctypes.c_size_t(len(body)),
            ctypes.c_int64(time_ms), ctypes.byref(batch), error)
        assert parsed == 0, error.raw[8:].split(b"\0")[0]
        key = user.encode()
        who = Who(key, len(key), None, 0)
        did = self.library.intent_record(
            self.intent, ctypes.c_void_p(batch.events), ctypes.byref(who),
            ctypes.c_int64(time_ms), FORWARD, 1000000)
        self.library.intent_batch_free(ctypes.byref(batch))
        return did

    def close(self):
        self.library.intent_close(self.intent)
        self.library.intent_config_free(self.config)


@pytest.fixture
def zone(config):
    made = Zone(config)
    yield made
    made.close()
