# SPDX-License-Identifier: Apache-2.0
"""get, status and forget on a zone in use."""
import datetime
import json
import re
import time

import pytest


def now_ms():
    return int(time.time() * 1000)


@pytest.mark.parametrize("arguments", [["get", "k"], ["status"],
                                       ["forget", "k"]])
def test_without_a_zone(ctl, config, arguments):
    done = ctl(arguments[0], config, *arguments[1:])
    assert done.returncode == 1 and done.stdout == ""
    assert str(config.with_name("zone")) in done.stderr
    assert "does not exist" in done.stderr
    assert not config.with_name("zone").exists()


def get(ctl, config, *arguments):
    done = ctl("get", config, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_get(ctl, config, zone):
    start = now_ms()
    for i in range(3):
        zone.record("u1", start - 60_000 * i, dwell=10 * (i + 1))

    row = get(ctl, config, "u1")
    assert row["entity_id"] == "u1" and row["featureset"] == "Signals"
    assert start <= row["timestamp"] <= now_ms()
    assert row["features"] == {"user_id": "u1", "clicks_1h": 3,
                               "dwell_1h": 20.0}
    assert get(ctl, config, "nobody")["features"]["clicks_1h"] == 0

    row = get(ctl, config, "u1", "--at", start - 30_000, "--featureset",
              "Signals")
    assert row["timestamp"] == start - 30_000
    assert row["features"]["clicks_1h"] == 2

    at = datetime.datetime.fromtimestamp((start // 1000 - 90), datetime.UTC) \
        if hasattr(datetime, "UTC") \
        else datetime.datetime.utcfromtimestamp(start // 1000 - 90)
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    row = get(ctl, config, "--at", text, "u1")
    assert row["timestamp"] == (start // 1000 - 90) * 1000
    assert row["features"]["clicks_1h"] == 1


def test_get_of_what_cannot_be(ctl, config, zone):
    start = now_ms()
    zone.record("u1", start)

    done = ctl("get", config, "u1", "--at", start - 3_600_001)
    assert done.returncode == 1
    assert f"{start - 3_600_000}" in done.stderr

    done = ctl("get", config, "u1", "--featureset", "Sginals")
    assert done.returncode == 1 and '"Sginals"' in done.stderr
    done = ctl("get", config, "x" * 257)
    assert done.returncode == 1 and "256" in done.stderr
    assert get(ctl, config, "--", "-dash")["entity_id"] == "-dash"


def test_status(ctl, config, zone):
    start = now_ms()
    for i in range(1200):
        zone.record(f"u{i}", start - 100_000)

    done = ctl("status", config, "--json")
    assert done.returncode == 0
    status = json.loads(done.stdout)
    delivery = status["delivery"]
    assert delivery["captured"] == 1200
    assert status["zone"]["records"] == 1200

    text = ctl("status", config).stdout
    assert re.search(r"^zone +\S+/zone, 64.0 MiB, made ", text, re.M)
    assert re.search(r"^  records +1,200 of ", text, re.M)
    assert re.search(r"^  lanes +1 of ", text, re.M)
    assert re.search(r"^  ClickEvent +\d{4}-\d\d-\d\dT\S+Z, 2 min ago$",
                     text, re.M)
    assert re.search(r"^  events +1,200$", text, re.M)
    assert "intentd     has never run on this zone" in text

    # Without intentd the lane takes what fits: the account says so.
    shown = {name: int(n.replace(",", "")) for name, n in
             re.findall(r"^ +(\w+) +([\d,]+)$", text, re.M)}
    assert shown["captured"] == 1200 == shown["queued"] + shown["dropped"]
    assert shown["dropped"] == shown["lane_full"] > 0
    assert shown["queued"] == delivery["queued"] > 0


def test_status_of_an_empty_zone(ctl, config, zone):
    text = ctl("status", config).stdout
    assert re.search(r"^  ClickEvent +none yet$", text, re.M)
    assert "lane_full" not in text and "counters" not in text


def test_forget(ctl, config, zone):
    start = now_ms()
    zone.record("u1", start)
    zone.record("u2", start)
    before = json.loads(ctl("status", config, "--json").stdout)["delivery"]

    done = ctl("forget", config, "u1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 record erased\ntombstone queued")
    assert get(ctl, config, "u1")["features"]["clicks_1h"] == 0
    assert get(ctl, config, "u2")["features"]["clicks_1h"] == 1
    after = json.loads(ctl("status", config, "--json").stdout)["delivery"]
    assert after["captured"] == before["captured"] + 1

    done = ctl("forget", config, "u1")
    assert done.returncode == 0 and "0 records erased" in done.stdout

    done = ctl("forget", config, "x" * 257)
    assert done.returncode == 1 and "cannot forget" in done.stderr
