# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the lanes and the stream, and that nothing is lost by it."""

import collections
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest

from rig import Front, free_port, items, wait_for

IN_FLIGHT = 4 * 500    # records that a death can send twice


def stopped_front(make_front):
    """An address where nobody listens yet, and what makes the front listen there."""
    port = free_port()
    return "http://localhost:%d" % port, lambda: make_front(port=port)


@pytest.fixture
def make_front(kinesalite, tmp_path):
    made = []

    def make(**options):
        made.append(Front(kinesalite.port, tmp_path / ("front%d.log" % len(made)), **options))
        return made[-1]

    yield make
    for front in made:
        front.end()


# --- Kinesis is away ---


def test_kinesis_away_then_spool_then_back(make_intentd, make_front, stream):
    url, listen = stopped_front(make_front)
    intentd = make_intentd(url)
    intentd.start()
    sent = intentd.capture(3000)
    wait_for(lambda: intentd.account()["spooled"] == 3000, what="spooling")
    assert "events go to the spool" in intentd.log()
    sent += intentd.capture(2000, rate=1000, prefix="during")
    wait_for(lambda: intentd.account()["spooled"] == 5000, what="spooling")

    listen()
    intentd.delivered(5000, timeout=60)
    assert items(stream.events()) == sent, "all, once, in order"
    assert "events go to Kinesis directly" in intentd.log()
    sent += intentd.capture(100, prefix="after")
    intentd.delivered(5100)
    assert items(stream.events()) == sent
    assert not [name for name in os.listdir(intentd.path("spool")) if name.endswith(".seg")]


def test_spooled_events_survive_a_restart(make_intentd, make_front, stream):
    url, listen = stopped_front(make_front)
    intentd = make_intentd(url)
    intentd.start()
    sent = intentd.capture(1000)
    wait_for(lambda: intentd.account()["spooled"] == 1000, what="spooling")
    assert intentd.stop() == 0
    sent += intentd.capture(500, prefix="between")
    intentd.start()
    wait_for(lambda: intentd.account()["spooled"] == 1500, what="spooling")
    intentd.kill()
    assert intentd.account()["spooled"] == 1500
    listen()
    intentd.start()
    intentd.delivered(1500, timeout=60)
    assert items(stream.events()) == sent


def test_a_stop_without_kinesis_spools_the_lanes(make_intentd, stream, front):
    intentd = make_intentd("http://127.0.0.1:%d" % free_port())
    intentd.start()
    wait_for(lambda: "forwarding" in intentd.log())
    sent = intentd.capture(500)
    assert intentd.stop() == 0
    assert intentd.account()["spooled"] == 500
    os.remove(intentd.path("zone"))     # as a reboot does

    intentd.config["forward"]["kinesis"]["endpoint"] = front.url
    intentd.start()
    account = intentd.delivered(500)
    assert account["inherited"] == 500
    assert items(stream.events()) == sent


# --- kill -9 ---


def test_kill_9_in_a_loop(intentd, stream, front):
    front.faults({"kind": "partial", "p": 0.2, "rate": 0.2}, {"kind": "reset_before", "p": 0.03},
                 {"kind": "http500", "p": 0.03}, {"kind": "throttle", "p": 0.03})
    dice = random.Random(7)
    kills = 30
    intentd.start()
    process = intentd.capturing(12000, 1500, keys=100)
    for _ in range(kills):
        time.sleep(dice.uniform(0.01, 0.5))
        intentd.kill()
        intentd.account()
        intentd.start()
    assert process.popen.wait(60) == 0
    account = intentd.delivered(12000, timeout=60)

    seen = collections.Counter(items(stream.events()))
    assert set(seen) == {"e%d" % i for i in range(12000)}, "0 lost"
    twice = sum(seen.values()) - len(seen)
    assert twice <= kills * IN_FLIGHT
    assert account["delivered"] == account["captured"] == 12000
    ledger = front.ledger()
    assert len(ledger) == sum(seen.values()), "the ledger and the stream agree"


def test_kill_9_while_spooling_and_draining(make_intentd, make_front, stream):
    url, listen = stopped_front(make_front)
    intentd = make_intentd(url)
    intentd.config["forward"]["spool"]["sync"] = "off"
    dice = random.Random(8)
    intentd.start()
    process = intentd.capturing(20000, 4000, keys=100)
    for turn in range(24):
        time.sleep(dice.uniform(0.05, 0.5))
        if turn == 8:
            listen()
        intentd.kill()
        intentd.account()
        intentd.start()
    assert process.popen.wait(60) == 0
    account = intentd.delivered(20000, timeout=60)
    seen = collections.Counter(items(stream.events()))
    assert set(seen) == {"e%d" % i for i in range(20000)}, "0 lost"
    assert sum(seen.values()) - len(seen) <= 24 * IN_FLIGHT
    assert account["captured"] == account["delivered"] == 20000
    assert account["inherited"] == 0


def test_the_producer_dies(intentd, stream):
    intentd.start()
    for turn in range(5):
        process = intentd.capturing(100000, 20000, prefix="t%d-" % turn)
        time.sleep(0.3)
        process.kill()
    account = wait_for(lambda: (lambda a: a["queued"] == 0 and a)(intentd.account()))
    events = stream.events()
    assert len(events) == account["delivered"] == account["captured"]
    by_turn = collections.defaultdict(list)
    for item in items(events):
        turn, number = item.split("-")
        by_turn[turn].append(int(number))
    for numbers in by_turn.values():
        assert numbers == list(range(len(numbers))), "no gap before the death"


# --- answers ---


@pytest.mark.parametrize("kind", ["reset_before", "close", "http500", "http503", "throttle",
                                  "count_mismatch", "garbage", "reset_after"])
def test_faulty_answers(intentd, stream, front, kind):
    front.faults({"kind": kind, "left": 2})
    intentd.start()
    sent = intentd.capture(1000)
    account = intentd.delivered(1000)
    stored = items(stream.events())
    assert set(stored) == set(sent), "0 lost"
    if kind in ("count_mismatch", "garbage", "reset_after"):
        assert len(stored) <= 1000 + 2 * 500
        assert account["duplicates"] >= len(stored) - 1000 > 0, "each copy is accounted for"
    else:
        assert len(stored) == 1000
    assert front.stats()["faults"] == {kind: 2}


@pytest.mark.parametrize("kind", ["stall", "drip"])
def test_answers_that_do_not_end(intentd, stream, front, kind):
    front.faults({"kind": kind, "left": 1})
    intentd.start()
    sent = intentd.capture(100)
    began = time.monotonic()
    intentd.delivered(100, timeout=40)
    assert time.monotonic() - began < 25, "given up after 10 s"
    assert set(items(stream.events())) == set(sent)


def test_events_go_on_while_one_call_hangs(make_intentd, stream, front):
    intentd = make_intentd()
    intentd.start()
    front.faults({"kind": "stall", "left": 1})
    intentd.capture(100, prefix="slow")
    wait_for(lambda: front.stats()["faults"])
    other = intentd.capturing(200, 2000, prefix="fast")
    assert other.popen.wait(20) == 0
    wait_for(lambda: len(items(stream.events())) > 0, timeout=40)
    intentd.delivered(300, timeout=40)


# --- what people have to mend ---


def test_missing_credentials(make_intentd, stream):
    intentd = make_intentd()
    intentd.env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    assert "no AWS credentials: set AWS_ACCESS_KEY_ID" in intentd.log()
    assert intentd.stop() == 0

    intentd.env = make_intentd().env
    intentd.start()
    intentd.delivered(100)
    assert len(stream.events()) == 100


def test_wrong_secret(make_intentd, stream):
    intentd = make_intentd()
    right = dict(intentd.env)
    intentd.env["AWS_SECRET_ACCESS_KEY"] = "wrong-and-not-to-be-seen"
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    assert "AWS_SECRET_ACCESS_KEY does not belong" in intentd.log()
    assert "not-to-be-seen" not in intentd.log()
    intentd.stop()
    intentd.env = right
    intentd.start()
    intentd.delivered(100)


def test_the_stream_is_made_later(make_intentd, stream):
    intentd = make_intentd()
    intentd.config["forward"]["kinesis"]["stream"] = stream.name + "-later"
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    assert "ResourceNotFoundException" in intentd.log() and "create the stream" in intentd.log()
    stream.client.create_stream(StreamName=stream.name + "-later", ShardCount=1)
    intentd.delivered(100)
    stream.client.delete_stream(StreamName=stream.name + "-later")


@pytest.mark.parametrize("kind,says", [("denied", "allow kinesis:PutRecords"),
                                       ("kms", "enable the stream's KMS key"),
                                       ("expired", "fresh credentials")])
def test_refused_as_a_whole(intentd, stream, front, kind, says):
    front.faults({"kind": kind})
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    assert says in intentd.log()
    front.faults()
    intentd.delivered(100)
    assert len(stream.events()) == 100


def test_a_call_that_is_refused_for_no_record_drops_nothing(intentd, stream, front):
    front.faults({"kind": "invalid"})
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    front.faults()
    account = intentd.delivered(100)
    assert account["dropped"]["refused"] == 0


# --- TLS ---


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A CA and a certificate for localhost, and one for another name."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
            "ca.pem", "-days", "2", "-subj", "/CN=a test's CA")
    for name, subject in (("good", "DNS:localhost"), ("other", "DNS:elsewhere.example")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out",
                name + ".csr", "-subj", "/CN=x")
        (folder / "ext").write_text("subjectAltName=" + subject)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", name + ".pem")
    return folder


def test_tls_with_a_ca_bundle(make_intentd, make_front, stream, authority):
    front = make_front(tls=(authority / "good.pem", authority / "good.key"))
    intentd = make_intentd(front.url)
    intentd.env["AWS_CA_BUNDLE"] = str(authority / "ca.pem")
    intentd.start()
    intentd.capture(100)
    intentd.delivered(100)
    assert len(stream.events()) == 100


@pytest.mark.parametrize("name,bundle", [("good", False), ("other", True)])
def test_tls_is_verified(make_intentd, make_front, authority, name, bundle):
    front = make_front(tls=(authority / (name + ".pem"), authority / (name + ".key")))
    intentd = make_intentd(front.url)
    if bundle:
        intentd.env["AWS_CA_BUNDLE"] = str(authority / "ca.pem")
    intentd.start()
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    assert "SSL" in intentd.log() or "certificate" in intentd.log()
    assert front.stats()["requests"] == 0


# --- the endpoint ---


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL"])
def test_endpoint_by_environment(make_intentd, front, stream, name):
    intentd = make_intentd(None)
    intentd.env[name] = front.url
    intentd.start()
    intentd.capture(10)
    intentd.delivered(10)
    assert len(stream.events()) == 10


def test_endpoint_by_region(make_intentd):
    intentd = make_intentd(None)
    intentd.config["forward"]["kinesis"]["region"] = "cn-north-1"
    intentd.env["AWS_ENDPOINT_URL_KINESIS"] = ""
    intentd.start()
    wait_for(lambda: "https://kinesis.cn-north-1.amazonaws.com.cn/" in intentd.log())


# --- the spool's disk ---


def away(make_intentd, **popen):
    intentd = make_intentd("http://127.0.0.1:%d" % free_port())
    return intentd.start(**popen)


def test_spool_disk_full(make_intentd, front, stream, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("a small tmpfs cannot be mounted here; test_spool_file_limit stands in")
    try:
        intentd = make_intentd("http://127.0.0.1:%d" % free_port())
        intentd.config["forward"]["spool"]["path"] = str(disk / "spool")
        intentd.start()
        sent = intentd.capture(6000)
        wait_for(lambda: "No space left on device" in intentd.log())
        account = intentd.account()
        assert account["spooled"] > 1000 and account["queued"] > 1000
        assert account["spooled"] + account["queued"] == 6000

        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        wait_for(lambda: intentd.account()["spooled"] == 6000, what="resuming by itself")
        assert "works again" in intentd.log()
        assert intentd.stop() == 0
        intentd.config["forward"]["kinesis"]["endpoint"] = front.url
        intentd.start()
        intentd.delivered(6000)
        assert items(stream.events()) == sent
        intentd.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_spool_file_limit(make_intentd, front, stream):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, resource.RLIM_INFINITY))

    intentd = make_intentd("http://127.0.0.1:%d" % free_port())
    intentd.lanes("status", intentd.write())    # makes the zone, larger than the limit
    intentd.start(preexec_fn=limit)
    sent = intentd.capture(5000)
    wait_for(lambda: "File too large" in intentd.log())
    account = intentd.account()
    assert account["spooled"] + account["queued"] == 5000
    resource.prlimit(intentd.process.popen.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for(lambda: intentd.account()["spooled"] == 5000, what="resuming by itself")
    intentd.stop()
    intentd.config["forward"]["kinesis"]["endpoint"] = front.url
    intentd.start()
    intentd.delivered(5000)
    assert items(stream.events()) == sent


def test_spool_cap_drops_the_oldest_and_counts(make_intentd, front, stream):
    intentd = make_intentd("http://127.0.0.1:%d" % free_port())
    intentd.config["forward"]["spool"]["size"] = "1m"
    intentd.start()
    intentd.capture(12000, rate=6000)
    account = wait_for(lambda: (lambda a: not a["queued"] and a)(intentd.account()))
    gone = account["dropped"]["spool_full"]
    assert gone > 1000 and account["spooled"] == 12000 - gone
    assert "gave way" in intentd.log()
    used = sum(os.path.getsize(os.path.join(intentd.path("spool"), name))
               for name in os.listdir(intentd.path("spool")))
    assert used <= (1 << 20) + 4096
    intentd.stop()
    intentd.config["forward"]["kinesis"]["endpoint"] = front.url
    intentd.start()
    intentd.delivered(12000 - gone)
    assert items(stream.events()) == ["e%d" % i for i in range(gone, 12000)]


def test_spool_vanishes(make_intentd, front, stream):
    intentd = away(make_intentd)
    intentd.capture(100)
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling")
    shutil.rmtree(intentd.path("spool"))
    wait_for(lambda: intentd.account()["dropped"]["damaged"] == 100, what="noticing")
    intentd.capture(100, prefix="new")
    wait_for(lambda: intentd.account()["spooled"] == 100, what="spooling again")
    intentd.stop()
    intentd.config["forward"]["kinesis"]["endpoint"] = front.url
    intentd.start()
    intentd.delivered(100)
    assert items(stream.events()) == ["new%d" % i for i in range(100)]


def test_spool_that_cannot_be_used(make_intentd, stream):
    intentd = make_intentd()
    intentd.config["forward"]["spool"]["path"] = "/proc/nowhere/spool"
    intentd.start()
    intentd.capture(100)
    intentd.delivered(100)
    assert "the spool /proc/nowhere/spool cannot be used" in intentd.log()


def test_spool_segment_corrupt(make_intentd, front, stream):
    intentd = away(make_intentd)
    sent = intentd.capture(1000)
    wait_for(lambda: intentd.account()["spooled"] == 1000, what="spooling")
    intentd.stop()
    folder = intentd.path("spool")
    segment = os.path.join(folder, next(n for n in os.listdir(folder) if n.endswith(".seg")))
    with open(segment, "r+b") as file:
        file.seek(os.path.getsize(segment) // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0x10]))
    intentd.config["forward"]["kinesis"]["endpoint"] = front.url
    intentd.start()
    account = intentd.delivered(999)
    assert account["dropped"]["damaged"] == 1
    got = items(stream.events())
    assert len(got) == 999 and set(got) < set(sent)
    assert [name for name in os.listdir(folder) if name.endswith(".corrupt")]
    assert "unreadable" in intentd.log()


def test_two_zones_do_not_share_a_spool(make_intentd, stream):
    first, second = make_intentd(), make_intentd()
    second.config["forward"]["spool"] = first.config["forward"]["spool"]
    first.start()
    wait_for(lambda: "forwarding" in first.log())
    second.start()
    wait_for(lambda: "another process has it" in second.log())
    second.capture(100)
    second.delivered(100)


# --- the zone ---


def test_zone_is_not_usable_yet(make_intentd, stream):
    intentd = make_intentd()
    zone = intentd.path("zone")
    with open(zone, "wb") as file:
        file.write(b"this is no zone" * 1000)
    intentd.start()
    wait_for(lambda: "it is tried again" in intentd.log())
    os.remove(zone)
    wait_for(lambda: "forwarding" in intentd.log())
    intentd.capture(10)
    intentd.delivered(10)


def test_zone_is_replaced(make_intentd, stream):
    intentd = make_intentd()
    intentd.start()
    intentd.capture(10)
    intentd.delivered(10)
    os.remove(intentd.path("zone"))
    wait_for(lambda: intentd.log().count("forwarding from zone") == 2)
    intentd.capture(10, prefix="new")
    intentd.delivered(10)
    assert len(stream.events()) == 20


def test_zone_is_cut_short(make_intentd):
    intentd = make_intentd()
    intentd.start()
    wait_for(lambda: "forwarding" in intentd.log())
    os.truncate(intentd.path("zone"), 4096)
    wait_for(lambda: "cut short" in intentd.log())
    os.remove(intentd.path("zone"))
    wait_for(lambda: intentd.log().count("forwarding from zone") == 2)


# --- what it says and costs ---


def test_the_log_is_bounded(make_intentd):
    intentd = away(make_intentd)
    for turn in range(6):
        intentd.capture(500, prefix="t%d-" % turn)
        time.sleep(0.7)
    wait_for(lambda: intentd.account()["spooled"] == 3000, what="spooling")
    lines = collections.Counter(" ".join(line.split()[2:5])
                                for line in intentd.log().splitlines())
    assert max(lines.values()) <= 5, lines
    assert len(intentd.log().splitlines()) < 20


def test_memory_is_flat_in_an_outage(make_intentd):
    intentd = away(make_intentd)

    def resident():
        with open("/proc/%d/status" % intentd.process.popen.pid, encoding="ascii") as file:
            return int(next(line for line in file if line.startswith("VmRSS")).split()[1])

    intentd.capture(10000, rate=10000)
    wait_for(lambda: intentd.account()["spooled"] == 10000, what="spooling")
    before = resident()
    for _ in range(5):
        intentd.capture(20000, rate=20000)
    wait_for(lambda: intentd.account()["spooled"] == 110000, what="spooling")
    assert resident() - before < 3000, "kB over a backlog eleven times as large"


def test_no_core_file_and_no_secret_in_the_arguments(intentd):
    intentd.start()
    wait_for(lambda: "forwarding" in intentd.log())
    pid = intentd.process.popen.pid
    with open("/proc/%d/limits" % pid, encoding="ascii") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        assert b"secret" not in file.read()
    assert len(os.listdir("/proc/%d/task" % pid)) == 1
    assert json.loads(json.dumps(intentd.account()))["captured"] == 0
    assert intentd.process.end(signal.SIGINT) == 0
    intentd.process = None
