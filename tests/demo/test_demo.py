# SPDX-License-Identifier: Apache-2.0
"""The demo keeps what the documentation says of it: what the personas are told, that the account
agrees with the stream, and that nothing stays behind, however it ends."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def command(**environment):
    return {
        "args": [sys.executable, "-B", str(ROOT / "bench/demo/demo.py")],
        "env": dict(os.environ, VISITORS="50", RATE="100", **environment),
        "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
    }


def run(**environment):
    return subprocess.run(**command(**environment), timeout=90, check=False)


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    """No folder and no process of the demo outlives it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    deadline = time.monotonic() + 5
    while left := servers(tmp_path):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def servers(folder):
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and str(folder) in os.readlink(process / "cwd"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass
    return found


def rows(text, who):
    """The lines of a persona: (click, c1h, velocity, trend, band, cta)."""
    return [tuple(line[len(who):].split()[:6]) for line in text.splitlines()
            if line.startswith(who)]


def test_each_persona_is_told_what_the_documentation_says(tmp_path):
    done = run(DEMO_SECONDS="9")
    assert done.returncode == 0, done.stdout + done.stderr

    assert rows(done.stdout, "active browser")[0] == \
        ("-", "20", "16.00", "7.00", "high", "book-now")
    assert rows(done.stdout, "casual visitor")[-1][:5] == ("2", "2", "2.00", "2.00", "medium")
    dormant = rows(done.stdout, "dormant returner")
    assert dormant[0][:5] == ("-", "0", "0.00", "0.00", "low")
    assert [row[4] == "high" for row in dormant[1:]] == [False, False, False, True, True]
    assert re.search(r"crowd +[0-9,]{3,} clicks of 50 visitors", done.stdout)
    assert "they agree" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_stream_is_replayed_and_all_of_it_arrives(tmp_path):
    stream = tmp_path / "events.jsonl"
    stream.write_text("".join(json.dumps({
        "user_id": f"u{i % 7}", "event_type": "view", "category": "c", "colour": "red",
        "weight": i / 2, "timestamp": 1770000000000 + i * 1000}) + "\n" for i in range(700)))
    done = run(EVENTS=str(stream), DEMO_SECONDS="5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"2026-02-02 02:51:39 +u6 +100 +100 +100 ", done.stdout)
    assert "in the stream     700 different events, 0 of them twice\nthey agree" in done.stdout


@pytest.mark.parametrize("text, says", [
    (None, "there is no such file"),
    ("", "holds no event"),
    ('{"user_id":"u","timestamp":1}\n{"user_id":\n', ":2: not an event"),
    ('{"user_id":"u","timestamp":"yesterday"}\n', "line 1: 400"),
])
def test_a_stream_that_cannot_be_replayed_is_named(tmp_path, text, says):
    stream = tmp_path / "events.jsonl"
    if text is not None:
        stream.write_text(text)
    done = run(EVENTS=str(stream))
    assert done.returncode == 1
    assert done.stderr.startswith("demo: ") and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number, folder_goes", [
    (signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGKILL, False)])
def test_nothing_stays_running_after(tmp_path, number, folder_goes):
    with subprocess.Popen(**command()) as demo:
        deadline = time.monotonic() + 20
        while len(servers(tmp_path)) < 5:
            assert time.monotonic() < deadline and demo.poll() is None
            time.sleep(0.1)
        time.sleep(1)
        demo.send_signal(number)
        out, _ = demo.communicate(timeout=40)
    if folder_goes:
        assert demo.returncode == 0 and "they agree" in out
        assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said():
    done = run(BUILD=tempfile.gettempdir())
    assert done.returncode == 1
    assert "ngx_http_intent_module.so is missing: run `make`" in done.stderr
