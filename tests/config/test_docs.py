# SPDX-License-Identifier: Apache-2.0
"""docs/intent.json.md says what is so: its examples load, and it has every key.

Environment: INTENT_BUILD (default: $BUILD, else ./build) holds intentctl.
"""
import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTENT_BUILD", os.environ.get("BUILD", ROOT / "build")))
PAGE = (ROOT / "docs/intent.json.md").read_text()
SCHEMA = json.loads((ROOT / "config/intent.schema.json").read_text())
BLOCKS = re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)


def check(text, folder):
    file = folder / "intent.json"
    file.write_text(text)
    done = subprocess.run([BUILD / "intentctl", "check", file], capture_output=True, text=True,
                          check=False, timeout=30)
    return done.stderr or None


def test_whole_examples_load(tmp_path):
    whole = [block for block in BLOCKS if block.startswith("{")]
    assert whole
    for block in whole:
        assert check(block, tmp_path) is None


def test_the_sections_make_one_configuration(tmp_path):
    """Each section's example refers to what those of the others define."""
    sections = [block for block in BLOCKS if not block.startswith("{")]
    text = "{" + ",".join(sections) + "}"
    assert set(json.loads(text)) == {"zone", "datasets", "pipelines", "featuresets", "popularity",
                                     "policy", "forward"}
    assert check(text, tmp_path) is None


def keys(node):
    if isinstance(node, dict):
        yield from (node.get("properties") or {})
        yield from (node.get("enum") or [])
        for value in node.values():
            yield from keys(value)
    elif isinstance(node, list):
        for item in node:
            yield from keys(item)


def test_every_key_and_word_is_there():
    missing = [key for key in keys(SCHEMA)
               if f"`{key}`" not in PAGE and f'`"{key}"`' not in PAGE and f'"{key}":' not in PAGE]
    assert missing == []


def defaults(node, key=None):
    if isinstance(node, dict):
        if "default" in node:
            yield key, node["default"]
        for name, value in node.items():
            yield from defaults(value, name)


def test_defaults_are_the_schemas():
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| [^|]* \| ([^|]*) \|", PAGE, re.M))
    for key, value in defaults(SCHEMA):
        said = rows[key].strip().strip("`")
        assert json.loads(said) == value, key
