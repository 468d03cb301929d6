# SPDX-License-Identifier: Apache-2.0
"""Real streams, whole, through replay: every user's features at the end."""
import json
import subprocess

import pytest
from conftest import BUILD
from oracle import Oracle, differences


def load(path):
    text = subprocess.run(["zstd", "-dc", str(path)], check=True,
                          capture_output=True).stdout
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["taobao", "trivago", "globo"])
def test_every_user_at_the_end(tmp_path, data, vectors, name):
    path = data / "streams" / f"{name}.jsonl.zst"
    oracle = Oracle()
    for row in load(path):
        oracle.event(row["user_id"], row["timestamp"], None)
    end = oracle.watermark

    queries = tmp_path / "queries.jsonl"
    with queries.open("w") as out:
        for user in oracle.events:
            print(json.dumps({"featureset": "DiscoverySignals",
                              "entity_id": user, "timestamp": end}), file=out)

    # The archive as it is, then the queries, in one stream.
    whole = tmp_path / "whole.jsonl"
    subprocess.run(f"zstd -dc '{path}' | cat - '{queries}' > '{whole}'",
                   shell=True, check=True)
    answers = subprocess.run(
        [str(BUILD / "intentctl"), "replay", str(vectors / "intent.json"),
         str(whole)], check=True, capture_output=True).stdout.splitlines()

    assert len(answers) == len(oracle.events)
    for line in answers:
        have = json.loads(line)
        want = oracle.features(have["entity_id"], end)
        assert differences(have["features"], want) == []


def test_compressed_and_plain_archives_answer_the_same(tmp_path, data,
                                                       vectors):
    rows = load(data / "streams" / "trivago.jsonl.zst")
    query = {"featureset": "DiscoverySignals", "timestamp":
             max(r["timestamp"] for r in rows),
             "entity_id": rows[0]["user_id"]}
    plain = tmp_path / "a.jsonl"
    plain.write_text("".join(json.dumps(r) + "\n" for r in [*rows, query]))
    subprocess.run(["zstd", "-q", str(plain)], check=True)
    subprocess.run(["gzip", "-k", str(plain)], check=True)

    outputs = [subprocess.run(
        [str(BUILD / "intentctl"), "replay", str(vectors / "intent.json"),
         str(tmp_path / name)], check=True, capture_output=True).stdout
        for name in ("a.jsonl", "a.jsonl.zst", "a.jsonl.gz")]

    assert outputs[0] != b"" and len(set(outputs)) == 1
