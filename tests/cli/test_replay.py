# SPDX-License-Identifier: Apache-2.0
"""intentctl replay: inputs, bad lines, progress. The numbers have tests of their
own in tests/replay."""
import gzip
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from conftest import INTENTCTL

T = 1_773_600_000_000


def event(user="u1", time=T, **more):
    return json.dumps({"user_id": user, "timestamp": time, **more})


def query(user="u1", time=T, featureset="Signals"):
    return json.dumps({"featureset": featureset, "entity_id": user,
                       "timestamp": time})


def lines(*rows):
    return "".join(row + "\n" for row in rows).encode()


STREAM = lines(event(), event(dwell_time_sec=10), event("u2"), query(),
               query("nobody"))


def answers(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_answers_to_queries_in_order(ctl, config):
    got = answers(ctl("replay", config, input=STREAM))
    assert [row["entity_id"] for row in got] == ["u1", "nobody"]
    assert got[0] == {
        "entity_id": "u1", "featureset": "Signals", "timestamp": T,
        "features": {"user_id": "u1", "clicks_1h": 2, "dwell_1h": 10.0},
        "approx": False}
    assert got[1]["features"] == {"user_id": "nobody", "clicks_1h": 0,
                                  "dwell_1h": None}
    assert not config.with_name("zone").exists()


@pytest.mark.parametrize("name", ["-", None, "plain.jsonl"])
def test_from_stdin_or_a_file(ctl, config, tmp_path, name):
    (tmp_path / "plain.jsonl").write_bytes(STREAM)
    arguments = [] if name is None else [
        name if name == "-" else tmp_path / name]
    stdin = STREAM if name != "plain.jsonl" else b""
    assert len(answers(ctl("replay", config, *arguments, input=stdin))) == 2


def test_no_newline_at_the_end_blank_lines_and_crlf(ctl, config):
    stream = STREAM.replace(b"\n", b"\r\n\n  \n").rstrip()
    assert len(answers(ctl("replay", config, input=stream))) == 2


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("name, pack", [
    ("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstd),
    ("named-otherwise", gzip.compress), ("two", lambda d:
     gzip.compress(d[:30]) + gzip.compress(d[30:]))])
def test_compressed(ctl, config, tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(STREAM))
    assert len(answers(ctl("replay", config, path))) == 2
    with path.open("rb") as file:
        done = subprocess.run([INTENTCTL, "replay", config], stdin=file,
                              capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("pack, tool", [(gzip.compress, "gzip"),
                                        (zstd, "zstd")])
def test_a_truncated_archive_is_an_error(ctl, config, tmp_path, pack, tool):
    path = tmp_path / "cut"
    path.write_bytes(pack(STREAM * 1000)[:-9])
    done = ctl("replay", config, path)
    assert done.returncode == 1
    assert f"{tool} could not unpack {path}" in done.stderr


def test_a_missing_tool_is_named(ctl, config, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(STREAM))
    done = ctl("replay", config, path, env={"PATH": "/nonexistent"})
    assert done.returncode == 1 and done.stdout == ""
    assert "program gzip" in done.stderr and "install it" in done.stderr


def test_a_name_is_no_shell_command(ctl, config, tmp_path):
    path = tmp_path / "a; touch owned #.gz"
    path.write_bytes(gzip.compress(STREAM))
    assert len(answers(ctl("replay", config, path, cwd=tmp_path))) == 2
    assert not (tmp_path / "owned").exists()


BAD = {
    "half an object": ("{", "JSON"),
    "no object": ("[]", "object"),
    "no UTF-8": ("\xff\xfe", "JSON"),
    "no timestamp": (json.dumps({"user_id": "u"}), "timestamp"),
    "no time": (event(time="yesterday"), "timestamp"),
    "wrong type": (event(dwell_time_sec="long"), "dwell_time_sec"),
    "no key": (json.dumps({"timestamp": T}), "key"),
    "long key": (event(user="x" * 257), "256"),
    "unknown featureset": (query(featureset="Sginals"), "featureset"),
    "long entity_id": (query(user="x" * 257), "256"),
    "query too far back": (query(time=T - 3_600_001), "too far back"),
    "1 MiB": ("x" * (1 << 20), "JSON"),
    "6 MB": ("x" * 6_000_000, "1048576 bytes"),
}


@pytest.mark.parametrize("bad, says", BAD.values(), ids=BAD.keys())
def test_a_bad_line_stops_with_its_number(ctl, config, bad, says):
    stream = lines(event(), query()) + bad.encode("latin-1") + b"\n" + STREAM
    done = ctl("replay", config, input=stream)
    assert done.returncode == 1
    assert re.match(r"stdin:3: .", done.stderr)
    assert says in done.stderr and "--skip-bad" in done.stderr
    assert len(done.stdout.splitlines()) == 1, "answers before it stand"

    done = ctl("replay", config, "--skip-bad", input=stream)
    assert len(answers(done)) == 3
    assert done.stderr == "1 bad line skipped\n"


def test_the_file_is_named_where_there_is_one(ctl, config, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(event(), "nonsense"))
    assert ctl("replay", config, path).stderr.startswith(f"{path}:2: ")
    done = ctl("replay", config, tmp_path / "none")
    assert done.returncode == 1 and "cannot open" in done.stderr
    done = ctl("replay", config, tmp_path)
    assert done.returncode == 1 and "directory" in done.stderr


def test_a_bad_line_early_in_a_large_archive_ends_at_once(ctl, config,
                                                          tmp_path):
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(b"nonsense\n" + STREAM * 200_000, 1))
    assert ctl("replay", config, path).returncode == 1


def test_stats(ctl, config):
    late = event(time=T - 3_600_001)
    done = ctl("replay", config, "--stats", "--skip-bad",
               input=STREAM + lines(late, "nonsense"))
    assert len(answers(done)) == 2
    stats = dict(re.findall(r"^(\S.*?)  +([\d.]+)(?: MiB)?$", done.stderr,
                            re.M))
    assert stats["events"] == "4" and stats["late"] == "1"
    assert stats["queries"] == "2" and stats["bad lines"] == "1"
    assert float(stats["seconds"]) >= 0 and float(stats["peak memory"]) > 0


def test_output_that_cannot_be_written(config):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([INTENTCTL, "replay", config], stdout=full,
                              input=STREAM, stderr=subprocess.PIPE,
                              check=False)
    assert done.returncode == 1 and b"cannot write the output" in done.stderr


def on_terminal(arguments, stdout):
    """Runs with a terminal as stderr; returns what it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                             stdout=theirs if stdout is None else stdout,
                             stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return child.wait(), shown.decode()


def test_progress_on_a_terminal(config, tmp_path):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as out:
        for i in range(900_000):
            out.write(b'{"user_id":"u%d","timestamp":%d}\n'
                      % (i % 5000, T + i))
        out.write(lines(query(time=T + 900_000)))
    answer = tmp_path / "answer"
    with answer.open("wb") as out:
        status, shown = on_terminal([INTENTCTL, "replay", config, path], out)

    assert status == 0
    steps = re.findall(r"\r([\d,]+) lines, [\d,]+/s, (\d+)%, \d+:\d\d left",
                       shown)
    assert len(steps) >= 2
    assert [int(p) for _, p in steps] == sorted(int(p) for _, p in steps)
    assert shown.endswith("\r\x1b[K"), "the line is taken away at the end"
    assert len(answer.read_bytes().splitlines()) == 1

    status, shown = on_terminal([INTENTCTL, "replay", config, path], None)
    assert '"entity_id":"u1"' in shown and shown.count("\r\x1b[K") == 1


def test_no_progress_without_a_terminal(ctl, config, tmp_path):
    path = tmp_path / "long.jsonl"
    path.write_bytes(lines(event()) * 400_000)
    assert ctl("replay", config, path).stderr == ""


def test_what_comes_first_in_the_path_is_used(config, tmp_path):
    """The tool may be anywhere in PATH; a pipe is known by its name."""
    if shutil.which("mkfifo") is None:
        pytest.skip("no mkfifo")
    fifo = tmp_path / "stream.gz"
    os.mkfifo(fifo)
    child = subprocess.Popen([INTENTCTL, "replay", config, fifo],
                             stdout=subprocess.PIPE)
    fifo.write_bytes(gzip.compress(STREAM))
    assert len(child.communicate(timeout=20)[0].splitlines()) == 2
