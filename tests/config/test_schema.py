# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema and the loader are of one mind.

Every key of an example is taken away, renamed and given values of every kind. What the
schema refuses, intent_config_load() refuses; what only the latter refuses must be of a
kind that a schema cannot see: names that are not defined, expressions, ranges of durations.

Environment: INTENT_BUILD (default: $BUILD, else ./build) holds libintent.so.1.
"""
import copy
import ctypes
import json
import os
import pathlib
import re

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTENT_BUILD", os.environ.get("BUILD", ROOT / "build")))
LIBRARY = BUILD / "libintent.so.1"
DATA = pathlib.Path(os.environ.get("INTENT_TEST_DATA", ROOT.parent / "shared/data"))
VECTORS = DATA.parent / "vectors/intent.json"
EXAMPLE = ROOT / "config/intent.json"

SCHEMA = json.loads((ROOT / "config/intent.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What only the loader sees, by the words that it uses.
BEYOND_A_SCHEMA = re.compile("|".join([
    r': unknown (dataset|field|pipeline|aggregate|featureset) "',   # references
    r": the field .* (no string|does not take)",                    # types of fields
    r": .* is grouped by ",
    r": the feature needs itself",
    r": this is the (timestamp|entity)",
    r": the server sets ",
    r": found the key's name",
    r": found \d+ with the key",
    r'\.(dataset|featureset): missing',                             # where there are several
    r": found .*; expected (at least )?\d+[a-z]*( to|, at most) \d+[a-z]+$",    # ranges
    r": the lanes alone take",
    r": there is no popularity",
    r": score is used",
    r": the featureset .* has a feature",
    r": too many different",
    r"\.(expr|score|when|where): ",                                 # expressions
]))

BASE = {
    "$schema": "intent.schema.json",
    "host": "web-1",
    "zone": {"path": "zone", "size": "1g", "lanes": 4, "lane_size": "1m"},
    "datasets": {
        "D": {"key": "u", "timestamp": "at", "max_lateness": "1h", "max_future": "5m",
              "fields": {"t": "string", "n": "double", "i": "int", "b": "bool"}},
        "E": {"key": "visitor_id"},
    },
    "pipelines": {
        "P": {"from": "D", "group_by": "u", "exact": False, "max_events": 64, "aggregate": {
            "c": {"op": "count", "window": "1h", "where": "b"},
            "s": {"op": "sum", "of": "n", "window": "24h"},
            "a": {"op": "avg", "of": "i", "window": "90m"},
            "m": {"op": "min", "of": "n", "window": "7d"},
            "x": {"op": "max", "of": "n", "window": "7d"},
            "l": {"op": "last", "of": "t", "window": "30s"},
            "k": {"op": "last_k", "of": "t", "window": "1h", "k": 5}}},
    },
    "featuresets": {
        "F": {"entity": "u", "features": {
            "c": {"ref": "P.c"}, "k": {"ref": "P.k"}, "x2": {"expr": "c * 2.0"}}},
    },
    "popularity": {"dataset": "D", "item": "t", "by": "u", "half_life": "6h", "keep": 10,
                   "categories": 16},
    "policy": {"featureset": "F", "score": "x2 / 10.0",
               "bands": [{"id": "high", "when": "score > 1.0"}],
               "ctas": [{"id": "book-now", "when": "band == 'high'"},
                        {"id": "popular", "when": "true", "items": 3}]},
    "forward": {"spool": {"path": "spool", "size": "8m", "sync": "off"},
                "kinesis": {"stream": "clicks", "region": "us-east-1", "endpoint": None}},
}

VALUES = [None, True, 0, -1, 1, 2.0, 2.5, 10**6, 1e300, "", "1", "abc", "a b", "A-b", "1h", "0s",
          "1s", "1w", "4m", "1g", "k", "x/", "/x", "a\u0007b", "\u00e9", "P.c", "count", "null",
          "x" * 65, "x" * 5000, "http://h", [], [1], {}, {"x": 1}, {"id": "a", "when": "true"}]


def places(value, path=()):
    """Every place in a document: the path to it."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], path + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, path + (i,))


def with_change(document, path, change):
    """A copy in which change(container, key) was done at the place."""
    document = copy.deepcopy(document)
    at = document
    for step in path[:-1]:
        at = at[step]
    change(at, path[-1])
    return document


def rename(container, key, new):
    """Gives a member another name, in its place."""
    items = [(new if k == key else k, v) for k, v in container.items()]
    container.clear()
    container.update(items)


def variants():
    for path in places(BASE):
        if not path:
            continue
        where = ".".join(map(str, path))
        yield f"{where} taken away", with_change(BASE, path, lambda c, k: c.pop(k))
        for value in VALUES:
            yield (f"{where} = {json.dumps(value)[:40]}",
                   with_change(BASE, path, lambda c, k, v=value: c.__setitem__(k, v)))
        if not isinstance(path[-1], str):
            continue
        for new in ("zz", "Zz", "z-z", "", "in", "seq", "_z", "z" * 65):
            yield (f"{where} renamed to {new[:5]!r}",
                   with_change(BASE, path, lambda c, k, n=new: rename(c, k, n)))
        yield (f"{where} and another key",
               with_change(BASE, path, lambda c, k: c.__setitem__("zzz", 1)))


def many(what, n):
    """BASE with n members or items at a place that has a bound."""
    document = copy.deepcopy(BASE)
    if what == "datasets":
        document[what].update({f"d{i}": {"key": "u"} for i in range(n - 2)})
    elif what == "fields":
        document["datasets"]["D"][what].update({f"f{i}": "int" for i in range(n - 4)})
    elif what == "aggregate":
        document["pipelines"]["P"][what].update(
            {f"a{i}": {"op": "count", "window": "1h"} for i in range(n - 7)})
    elif what == "features":
        document["featuresets"]["F"][what].update({f"f{i}": {"ref": "P.c"} for i in range(n - 3)})
    elif what == "pipelines":
        document[what].update({f"p{i}": document[what]["P"] for i in range(n - 1)})
    elif what == "featuresets":
        document[what].update({f"f{i}": document[what]["F"] for i in range(n - 1)})
    else:
        document["policy"][what] = [{"id": "a", "when": "true"}] * n
    return document


def schema_says(document):
    error = jsonschema.exceptions.best_match(VALIDATOR.iter_errors(document))
    return None if error is None else f"{error.json_path}: {error.message[:200]}"


class Error(ctypes.Structure):
    _fields_ = [("line", ctypes.c_int), ("column", ctypes.c_int), ("text", ctypes.c_char * 512)]


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """check(document): what the loader says against it, or None."""
    if not LIBRARY.exists():
        pytest.fail(f"{LIBRARY} is missing: run make first")
    lib = ctypes.CDLL(str(LIBRARY))
    lib.intent_config_free.argtypes = [ctypes.c_void_p]
    file = tmp_path_factory.mktemp("config") / "c.json"

    def loader_says(document):
        config, error = ctypes.c_void_p(), Error()
        file.write_text(json.dumps(document))
        rc = lib.intent_config_load(os.fsencode(file), ctypes.byref(config), ctypes.byref(error))
        lib.intent_config_free(config)
        text = error.text.decode()
        assert rc in (0, -22) and (rc == 0) == (text == "") == bool(config), (rc, text)
        assert rc == 0 or re.match(r".*/c\.json:[1-9]\d*:[1-9]\d*: ", text), text
        return text or None

    return loader_says


def disagreement(document, check):
    """What is wrong with how they judge it, or None."""
    schema, loader = schema_says(document), check(document)
    if schema is not None and loader is None:
        return f"only the schema refuses: {schema}"
    if schema is None and loader is not None and not BEYOND_A_SCHEMA.search(loader):
        return f"only the loader refuses: {loader}"
    return None


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_is_strict():
    """Every object that lists its keys has no others."""
    def objects(node, path):
        if isinstance(node, dict):
            if "properties" in node and node.get("type") == "object":
                yield path, node
            for key, value in node.items():
                yield from objects(value, f"{path}/{key}")
        elif isinstance(node, list):
            for i, item in enumerate(node):
                yield from objects(item, f"{path}/{i}")

    found = list(objects(SCHEMA, ""))
    assert len(found) > 10
    assert [path for path, node in found if node.get("additionalProperties") is not False] == []


@pytest.mark.parametrize("file", [EXAMPLE, VECTORS], ids=["example", "vectors"])
def test_examples(file, check):
    if not file.exists():
        pytest.skip(f"{file} is not there: set INTENT_TEST_DATA")
    document = json.loads(file.read_text())
    assert schema_says(document) is None
    assert check(document) is None


def test_base_uses_every_key(check):
    assert schema_says(BASE) is None
    assert check(BASE) is None
    used = {str(step) for path in places(BASE) for step in path}

    def keys(node):
        if isinstance(node, dict):
            yield from (node.get("properties") or {})
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for item in node:
                yield from keys(item)

    assert set(keys(SCHEMA)) - used == set()


def test_variants(check):
    bad, refused, taken = [], 0, 0
    for name, document in variants():
        wrong = disagreement(document, check)
        if wrong:
            bad.append(f"{name}: {wrong}")
        elif schema_says(document) is None:
            taken += 1
        else:
            refused += 1
    assert bad == []
    assert refused > 1000 and taken > 100, (refused, taken)


@pytest.mark.parametrize("what, most", [
    ("datasets", 16), ("fields", 31), ("aggregate", 128), ("features", 127), ("pipelines", 64),
    ("featuresets", 32), ("bands", 16), ("ctas", 32)])
def test_bounds(what, most, check):
    assert check(many(what, most)) is None
    assert schema_says(many(what, most)) is None
    assert check(many(what, most + 1)) is not None
    # A key that is not declared takes a place, which a schema cannot know.
    assert schema_says(many(what, most + 1 + (what == "fields"))) is not None


@pytest.mark.parametrize("path, least, most", [
    ("zone.lanes", 1, 256), ("pipelines.P.max_events", 16, 4096),
    ("pipelines.P.aggregate.k.k", 1, 64), ("popularity.keep", 1, 1000),
    ("popularity.categories", 1, 4096), ("policy.ctas.1.items", 1, 32)])
def test_ranges(path, least, most, check):
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    for value, good in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        document = with_change(BASE, steps, lambda c, k, v=value: c.__setitem__(k, v))
        assert (schema_says(document) is None, check(document) is None) == (good, good), value
