# SPDX-License-Identifier: Apache-2.0
"""The zone at start: made, kept, or refused with what to do about it."""

import os
import signal
import subprocess

import pytest

from client import wait_for
from server import gone

SERVER = """
intent on; intent_key $arg_u; intent_event view; intent_headers signals;
location /intent/ { intent_api; }
location / { return 200; }
"""


def test_it_is_made_and_kept_over_a_restart(nginx):
    nginx.start(SERVER)
    assert [nginx.get("/?u=a").signals["n"] for _ in range(3)] == [1, 2, 3]
    nginx.stop()
    nginx.start(configure=False)
    assert nginx.get("/?u=a").signals["n"] == 4


def test_it_is_kept_over_a_reload(nginx):
    nginx.start(SERVER, workers=2)
    nginx.get("/?u=a")
    nginx.reload()
    assert nginx.get("/?u=a").signals["n"] == 2


def test_a_new_workers_count_and_a_new_path(nginx, config):
    nginx.start(SERVER)
    nginx.get("/?u=a")
    config["zone"]["path"] = "other"
    nginx.configure(SERVER, workers=3, intent=config)
    nginx.reload()
    wait_for(lambda: len(nginx.workers()) == 3, "three workers")
    assert nginx.get("/?u=a").signals["n"] == 1


def refused(nginx, *words):
    err = nginx.fails(configure=False)
    for word in words:
        assert word in err, err
    return err


@pytest.mark.parametrize("content", [b"hello\n", b"\x00" * 4096, b"\x7fELF" + b"x" * 100000],
                         ids=["text", "zeros", "program"])
def test_a_foreign_file_is_refused_and_left_alone(nginx, content):
    nginx.configure(SERVER)
    nginx.write("conf/zone", content)
    refused(nginx, "conf/zone")
    with open(nginx.path("conf/zone"), "rb") as f:
        assert f.read() == content


def test_a_file_cut_short_is_refused(nginx):
    nginx.start(SERVER)
    nginx.stop()
    os.truncate(nginx.path("conf/zone"), os.path.getsize(nginx.path("conf/zone")) // 2)
    refused(nginx, "conf/zone")
    status, err = nginx.test(configure=False)
    assert status == 1 and "conf/zone" in err


def test_another_size_is_refused_at_start_and_at_reload(nginx, config):
    nginx.start(SERVER)
    nginx.get("/?u=a")
    config["zone"]["size"] = "32m"
    nginx.configure(SERVER, intent=config)
    status, err = nginx.test(configure=False)
    assert status == 1 and "size" in err and "conf/zone" in err
    nginx.allow(r"\[emerg\].*conf/zone")
    nginx.signal("HUP")
    wait_for(lambda: "[emerg]" in nginx.log(), "the refusal")
    assert nginx.get("/?u=a").signals["n"] == 2
    nginx.stop()
    refused(nginx, "size")


def test_a_folder_that_is_not_there(nginx, config):
    config["zone"]["path"] = "none/of/this/zone"
    nginx.configure(SERVER, intent=config)
    refused(nginx, "none/of/this/zone", "No such file or directory")


def test_a_folder_in_its_place(nginx):
    nginx.configure(SERVER)
    os.mkdir(nginx.path("conf/zone"))
    refused(nginx, "conf/zone")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small filesystem")
def test_a_full_disk(nginx, config):
    folder = nginx.path("small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder]).returncode:
        pytest.skip("mount is not allowed here")
    try:
        config["zone"]["path"] = folder + "/zone"
        nginx.configure(SERVER, intent=config)
        refused(nginx, "small/zone", "No space left on device")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_second_nginx_on_the_same_zone_is_refused(make_nginx, config):
    first, second = make_nginx(), make_nginx()
    first.start(SERVER)
    first.get("/?u=a")
    config["zone"]["path"] = first.path("conf/zone")
    second.configure(SERVER, intent=config)
    refused(second, str(first.master))
    assert first.get("/?u=a").signals["n"] == 2
    first.reload()
    first.stop()
    second.start(configure=False)
    assert second.get("/?u=a").signals["n"] == 3


def test_a_dead_owner_is_no_owner(nginx):
    nginx.start(SERVER)
    nginx.get("/?u=a")
    nginx.kill()
    nginx.start(configure=False)
    assert nginx.get("/?u=a").signals["n"] == 2


def test_a_binary_upgrade_and_back(nginx):
    nginx.start(SERVER)
    nginx.get("/?u=a")
    old, new = nginx.upgrade()
    nginx.get("/?u=a")
    nginx.signal("WINCH", old)
    wait_for(lambda: not nginx.workers(old), "the old workers' end")
    assert nginx.get("/?u=a").signals["n"] == 3
    nginx.signal("HUP", new)
    wait_for(lambda: nginx.get("/?u=b").signals["n"], "a reload of the new master")
    # back: the old master's workers again, the new one leaves
    nginx.signal("HUP", old)
    wait_for(lambda: nginx.workers(old), "the old master's workers")
    nginx.signal("QUIT", new)
    wait_for(lambda: gone(new), "the new master's end")
    assert nginx.get("/?u=a").signals["n"] == 4
    wait_for(lambda: nginx.master == old, "the pid file")
    nginx.reload()
    assert nginx.get("/?u=a").signals["n"] == 5


def test_one_process(nginx):
    nginx.start(SERVER, main="master_process off;")
    assert [nginx.get("/?u=a").signals["n"] for _ in range(3)] == [1, 2, 3]
    assert nginx.counter("events") == 3


def test_in_the_foreground(nginx):
    nginx.configure(SERVER, daemon="off")
    process = subprocess.Popen(nginx.command())
    try:
        wait_for(nginx.accepts, "the start")
        assert nginx.get("/?u=a").signals["n"] == 1
        nginx.reload()
        nginx.reload()
        assert nginx.get("/?u=a").signals["n"] == 2
    finally:
        process.send_signal(signal.SIGQUIT)
        assert process.wait(20) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to drop root")
def test_workers_without_root(nginx):
    nginx.configure(SERVER)
    text = nginx.read("conf/nginx.conf").replace("user root root;", "user nobody nogroup;")
    nginx.write("conf/nginx.conf", text)
    nginx.start(configure=False)
    assert [nginx.get("/?u=a").signals["n"] for _ in range(2)] == [1, 2]
    nginx.reload()
    assert nginx.get("/?u=a").signals["n"] == 3
