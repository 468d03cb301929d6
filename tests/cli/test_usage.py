# SPDX-License-Identifier: Apache-2.0
"""Help, version, wrong usage, and what each exit status means."""
import re

import pytest

COMMANDS = ["check", "replay", "get", "status", "keygen", "forget"]


def test_help_lists_every_command(ctl):
    done = ctl("--help")
    assert done.returncode == 0 and done.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.stdout, re.M)
    assert ctl("-h").stdout == ctl("help").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(ctl, command):
    done = ctl(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"usage: intentctl {command}")
    assert len(done.stdout.splitlines()) > 3
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert ctl("help", command).stdout == done.stdout
    assert ctl(command, "x", "-h").stdout == done.stdout


def test_the_version_is_that_of_the_header(ctl):
    done = ctl("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"intentctl \d+\.\d+\.\d+\n", done.stdout)


def test_nothing_is_wrong_usage(ctl):
    done = ctl()
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("usage: intentctl COMMAND")


@pytest.mark.parametrize("typed, meant", [
    ("chek", "check"), ("stauts", "status"), ("reply", "replay"),
    ("key-gen", "keygen"), ("gett", "get"), ("Forget", "forget")])
def test_an_unknown_command_suggests(ctl, typed, meant):
    done = ctl(typed)
    assert done.returncode == 2 and done.stdout == ""
    assert f'unknown command "{typed}"; did you mean "{meant}"?' in done.stderr


@pytest.mark.parametrize("typed", ["dance", "x" * 5000, "\x1b[31m"])
def test_one_that_is_like_none_lists_them(ctl, typed):
    done = ctl(typed)
    assert done.returncode == 2 and "did you mean" not in done.stderr
    assert "  replay " in done.stderr


@pytest.mark.parametrize("arguments, says", [
    (["check"], "too few arguments"),
    (["check", "a", "b"], "too many arguments"),
    (["check", "--frobnicate", "a"], 'unknown option "--frobnicate"'),
    (["replay", "a", "b", "c"], "too many arguments"),
    (["get", "a"], "too few arguments"),
    (["get", "a", "b", "--at"], "--at needs a value"),
    (["get", "a", "b", "--at", "noon"], '"noon" is no time'),
    (["status", "--jsn", "a"], 'unknown option "--jsn"'),
    (["keygen", "a"], "too many arguments"),
    (["forget", "a"], "too few arguments")])
def test_wrong_usage_is_2_with_the_usage_line(ctl, arguments, says):
    done = ctl(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr
    assert f"usage: intentctl {arguments[0]}" in done.stderr
    assert f"intentctl {arguments[0]} --help" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["check", "@"], ["replay", "@"], ["get", "@", "k"], ["status", "@"],
    ["forget", "@", "k"]])
def test_a_missing_configuration_is_1(ctl, tmp_path, arguments):
    path = tmp_path / "none.json"
    done = ctl(*[path if a == "@" else a for a in arguments])
    assert done.returncode == 1 and done.stdout == ""
    assert str(path) in done.stderr and "No such file" in done.stderr


def test_a_full_disk_is_no_success(ctl, config):
    with open("/dev/full", "wb") as full:
        for arguments in (["keygen"], ["--help"]):
            done = subprocess_with_stdout(arguments, full)
            assert done.returncode == 1
            assert b"cannot write the output" in done.stderr


def subprocess_with_stdout(arguments, out):
    import subprocess

    from conftest import INTENTCTL
    return subprocess.run([INTENTCTL, *arguments], stdout=out, check=False,
                          stderr=subprocess.PIPE, timeout=10)


def test_check_prints_nothing_for_a_valid_file(ctl, config):
    done = ctl("check", config)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not config.with_name("zone").exists()


def test_check_says_where_and_what(ctl, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{\n  "zone": {"pth": "x"}\n}\n')
    done = ctl("check", path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"{path}:2:12: zone.pth: unknown key")


def test_keygen_prints_a_key_line(ctl):
    lines = [ctl("keygen").stdout for _ in range(3)]
    assert all(re.fullmatch("[0-9a-f]{64}\n", line) for line in lines)
    assert len(set(lines)) == 3
