# SPDX-License-Identifier: Apache-2.0
"""From the lanes to the stream: everything arrives, in order, once where it can be."""

import time

from rig import items, places, wait_for


def test_everything_arrives_in_order(intentd, stream, front):
    intentd.start()
    sent = intentd.capture(5000)
    account = intentd.delivered(5000)
    events = stream.events()
    assert items(events) == sent
    assert len({event["event_id"] for event in events}) == 5000
    assert sorted(places(events)) == places(events)
    assert [event["seq"] for event in events] == list(range(5000))
    assert account["captured"] == account["delivered"] == 5000
    assert account["failures"] == account["duplicates"] == 0
    stats = front.stats()
    assert stats["refused"] == {} and stats["expect"] == 0
    assert stats["connections"] <= 4, "connections are kept"
    assert intentd.stop() == 0


def test_the_partition_key_is_hashed_and_one_per_visitor(intentd, stream):
    intentd.start()
    intentd.capture(700, keys=7)
    intentd.delivered(700)
    keys = {}
    for record, event in zip(stream.records(), stream.events()):
        keys.setdefault(event["user_id"], set()).add(record["PartitionKey"])
    assert len(keys) == 7
    assert all(len(found) == 1 for found in keys.values())
    for user, (key,) in keys.items():
        assert len(key) == 16 and set(key) <= set("0123456789abcdef")
        assert user not in key


def test_several_shards_and_producers(intentd, stream):
    stream.delete()
    wait_for(lambda: stream.name not in stream.client.list_streams()["StreamNames"])
    stream.create(4)
    intentd.start()
    busy = [intentd.capturing(4000, 2000, prefix="p%d-" % i, keys=100) for i in range(3)]
    for process in busy:
        assert process.popen.wait(30) == 0
    intentd.delivered(12000)
    events = stream.events()
    assert sorted(items(events)) == sorted("p%d-%d" % (p, i)
                                           for p in range(3) for i in range(4000))
    per_user_and_lane = {}
    for event in events:
        per_user_and_lane.setdefault((event["user_id"], event["lane"]), []).append(event["seq"])
    assert all(seqs == sorted(seqs) for seqs in per_user_and_lane.values())


def test_a_few_events_do_not_wait_long(intentd, stream):
    intentd.start()
    wait_for(lambda: "forwarding" in intentd.log())
    began = time.monotonic()
    intentd.capture(1)
    intentd.delivered(1)
    assert time.monotonic() - began < 2
    assert len(stream.events()) == 1


def test_events_of_before_the_start_arrive(intentd, stream):
    sent = intentd.capture(300)
    intentd.start()
    intentd.delivered(300)
    assert items(stream.events()) == sent


def test_a_clean_stop_brings_the_last_events_away(intentd, stream):
    intentd.start()
    wait_for(lambda: "forwarding" in intentd.log())
    sent = intentd.capture(2000)
    assert intentd.stop() == 0
    assert items(stream.events()) == sent
    assert intentd.account()["delivered"] == 2000


def test_only_what_failed_is_sent_again(intentd, stream, front):
    front.faults({"kind": "partial", "rate": 0.3, "left": 20})
    intentd.start()
    sent = intentd.capture(3000)
    account = intentd.delivered(3000)
    events = stream.events()
    assert len(events) == 3000, "nothing twice"
    assert set(items(events)) == set(sent)
    assert account["throttled"] > 500
    assert front.stats()["stored"] == 3000

    front.faults({"kind": "partial_internal", "rate": 0.5, "left": 3})
    more = intentd.capture(500, prefix="more")
    intentd.delivered(3500)
    assert set(items(stream.events())) == set(sent + more)


def test_shard_limits_slow_down_and_lose_nothing(intentd, stream, front):
    front.ask("/limits", {"on": True})
    intentd.start()
    sent = intentd.capture(4000, keys=50)
    account = intentd.delivered(4000)
    events = stream.events()
    assert sorted(items(events)) == sorted(sent), "nothing lost, nothing twice"
    assert account["throttled"] > 0


def test_temporary_credentials(intentd, stream, front):
    front.ask("/cred", {"token": "a/session+token=="})
    intentd.env["AWS_SESSION_TOKEN"] = "a/session+token=="
    intentd.start()
    intentd.capture(10)
    intentd.delivered(10)
    assert front.stats()["refused"] == {}


def test_a_wrong_clock_is_corrected_by_the_servers_date(intentd, stream, front):
    front.ask("/clock", {"skew_ms": 600000})
    intentd.start()
    intentd.capture(10)
    intentd.delivered(10)
    assert front.stats()["refused"]["InvalidSignatureException"] <= 2
    front.ask("/clock", {"skew_ms": -600000})
    intentd.capture(10, prefix="later")
    intentd.delivered(20)
    assert len(stream.events()) == 20


def test_two_do_not_work_on_one_zone(make_intentd, stream):
    first, second = make_intentd(), make_intentd()
    first.start()
    wait_for(lambda: "forwarding" in first.log())
    second.config["zone"] = first.config["zone"]
    second.start()
    assert second.process.popen.wait(15) == 1
    assert "another intentd (process %d)" % first.process.popen.pid in second.log()
    second.process = None
    first.capture(10)
    first.delivered(10)


def test_the_configuration_is_read_anew(make_intentd, stream, front):
    intentd = make_intentd()
    name = intentd.config["forward"]["kinesis"]["stream"]
    intentd.config["forward"]["kinesis"]["stream"] = "elsewhere"
    intentd.start()
    sent = intentd.capture(100)
    wait_for(lambda: "ResourceNotFoundException" in intentd.log())

    intentd.config["forward"]["kinesis"]["stream"] = ""
    intentd.write()
    intentd.process.popen.send_signal(1)
    wait_for(lambda: "stays in force" in intentd.log())

    intentd.config["forward"]["kinesis"]["stream"] = name
    intentd.write()
    intentd.process.popen.send_signal(1)
    intentd.delivered(100)
    assert items(stream.events()) == sent


def test_without_forward_it_idles(make_intentd):
    intentd = make_intentd()
    del intentd.config["forward"]
    intentd.start()
    wait_for(lambda: "nothing is forwarded" in intentd.log())
    intentd.capture(100)
    time.sleep(0.5)
    assert intentd.account()["captured"] == 0


def test_command_line(make_intentd):
    import os
    import subprocess
    from rig import BUILD

    def intentd(*arguments):
        return subprocess.run([os.path.join(BUILD, "intentd"), *arguments], text=True,
                              capture_output=True, check=False)

    assert intentd("--version").stdout.startswith("intentd 0.")
    assert "usage: intentd" in intentd("--help").stdout
    assert intentd().returncode == 2
    assert intentd("a", "b").returncode == 2
    assert intentd("--frobnicate", "a").returncode == 2
    assert intentd("/nonexistent.json").returncode == 1
    made = make_intentd()
    assert intentd("-t", made.write()).returncode == 0
    made.config["forward"]["kinesis"]["frob"] = 1
    wrong = intentd("-t", made.write())
    assert wrong.returncode == 1 and "intent.json:" in wrong.stderr
