# SPDX-License-Identifier: Apache-2.0
"""The conformance tests of the CEL specification against the expression engine.

Every case of every file runs. What is not part of the subset is listed in
exclusions.py with the reason; such a case runs too, and has to fail: one that
passes is part of the subset after all. So a case that nobody has looked at
fails until it passes or is listed.
"""

import collections
import fnmatch
import math
import os
import pathlib
import subprocess

import pytest

import textproto
from exclusions import EXCLUSIONS, FILES

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("INTENT_TEST_DATA") or ROOT.parent / "shared" / "data") / "cel"
SOURCES = ["libagent/base/error.c", "libagent/base/utf8.c"]

NULL, BOOL, INT, DOUBLE, STRING, LIST, MAP = (1 << n for n in range(7))
ANY = 127
PRIMITIVES = {"BOOL": BOOL, "INT64": INT, "DOUBLE": DOUBLE, "STRING": STRING}


class Foreign(Exception):
    """A type that the subset does not have."""


# --- values: (kind, payload) -------------------------------------------------


def read_value(message):
    (name, value), = message.fields
    if name == "null_value":
        return ("null", None)
    if name == "bool_value":
        return ("bool", value == "true")
    if name == "int64_value":
        return ("int", int(value, 0))
    if name == "double_value":
        return ("double", float(value))
    if name == "string_value":
        return ("string", value)
    if name == "list_value":
        return ("list", [read_value(item) for item in value.all("values")])
    if name == "map_value":
        return ("map", [(read_value(entry.one("key")), read_value(entry.one("value")))
                        for entry in value.all("entries")])
    raise Foreign(name)


def read_types(message):
    (name, value), = message.fields
    if name == "primitive" and value in PRIMITIVES:
        return PRIMITIVES[value]
    if name in ("null", "list_type", "map_type", "dyn"):
        return {"null": NULL, "list_type": LIST, "map_type": MAP, "dyn": ANY}[name]
    raise Foreign("%s %s" % (name, value))


def hexed(data):
    return data.hex() or "-"


def write_value(value):
    kind, payload = value
    if kind == "null":
        return "n"
    if kind == "bool":
        return "t" if payload else "f"
    if kind == "int":
        return "i%d" % payload
    if kind == "double":
        return "d" + payload.hex()
    if kind == "string":
        return "s" + hexed(payload)
    if kind == "list":
        return " ".join(["l%d" % len(payload)] + [write_value(item) for item in payload])
    return " ".join(["m%d" % len(payload)]
                    + [write_value(part) for pair in payload for part in pair])


def parse_value(words):
    word = next(words)
    kind, rest = word[0], word[1:]
    if kind == "n":
        return ("null", None)
    if kind in "tf":
        return ("bool", kind == "t")
    if kind == "i":
        return ("int", int(rest))
    if kind == "d":
        return ("double", float.fromhex(rest))
    if kind == "s":
        return ("string", b"" if rest == "-" else bytes.fromhex(rest))
    if kind == "l":
        return ("list", [parse_value(words) for _ in range(int(rest))])
    assert kind == "m", word
    return ("map", [(parse_value(words), parse_value(words)) for _ in range(int(rest))])


def same(got, expected):
    """Equal in type and value; NaN is like NaN, the order of a map is free."""
    if got[0] != expected[0]:
        return False
    a, b = got[1], expected[1]
    if got[0] == "double":
        return a == b or (math.isnan(a) and math.isnan(b))
    if got[0] == "list":
        return len(a) == len(b) and all(map(same, a, b))
    if got[0] == "map":
        return len(a) == len(b) and all(
            any(same(key, k) and same(value, v) for k, v in b) for key, value in a)
    return a == b


# --- cases -------------------------------------------------------------------


class Case:
    def __init__(self, file, section, test):
        self.id = "/".join([file, section.one("name").decode(), test.one("name").decode()])
        self.expr = test.one("expr")
        self.unchecked = test.one("disable_check") == "true"
        self.foreign = None
        self.expected = None
        self.fails = "eval_error" in test.names()
        self.request = None
        self.answer = None
        try:
            self.read(test)
        except Foreign as foreign:
            self.foreign = str(foreign)

    def read(self, test):
        types, bound = {}, {}
        for entry in test.all("bindings"):
            bound[entry.one("key")] = read_value(entry.one("value").one("value"))
        for env in test.all("type_env"):
            if env.one("ident") is not None:
                types[env.one("name")] = read_types(env.one("ident").one("type"))
        words = [hexed(self.expr)]
        for name, value in bound.items():
            words += [hexed(name), str(types.get(name, ANY)), write_value(value)]
        self.request = " ".join(words)

        for other in ("typed_result", "any_eval_errors", "unknown", "any_unknowns"):
            if other in test.names():
                raise Foreign(other)
        if not self.fails:
            value = test.one("value")
            self.expected = ("bool", True) if value is None else read_value(value)

    def failure(self):
        """What is wrong, or None."""
        if self.request is None:
            return "bound to " + self.foreign
        kind, *rest = self.answer.split(" ")
        if kind == "refused":
            text = bytes.fromhex(rest[2]).decode()
            if self.fails and self.unchecked and "not part of the subset" not in text:
                return None        # noticed before it could happen
            return "refused: " + text
        if self.foreign is not None:
            return "expects " + self.foreign
        if kind == "error":
            return None if self.fails else "error " + rest[0]
        got = parse_value(iter(rest))
        if self.fails:
            return "%r instead of an error" % (got,)
        return None if same(got, self.expected) else "%r instead of %r" % (got, self.expected)


def files():
    return sorted(DATA.glob("*.textproto"))


pytestmark = pytest.mark.skipif(not files(), reason="no CEL conformance tests in %s: set "
                                "INTENT_TEST_DATA" % DATA)


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    program = tmp_path_factory.mktemp("cel") / "cel_driver"
    sources = [ROOT / source for source in SOURCES]
    sources += sorted((ROOT / "libagent/signal").glob("expr*.c"))
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-g", "-O1",
                    "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program,
                    ROOT / "tests/cel/cel_driver.c", *sources, "-lm"], check=True)
    return program


@pytest.fixture(scope="session")
def cases(driver):
    result = []
    for path in files():
        for section in textproto.parse(path.read_bytes()).all("section"):
            result += [Case(path.stem, section, test) for test in section.all("test")]
    asked = [case for case in result if case.request is not None]
    run = subprocess.run([driver], input="".join(case.request + "\n" for case in asked),
                         stdout=subprocess.PIPE, text=True, check=True)
    answers = run.stdout.splitlines()
    assert len(answers) == len(asked)
    for case, answer in zip(asked, answers):
        case.answer = answer
    return result


def reason(case):
    if case.id.split("/")[0] in FILES:
        return FILES[case.id.split("/")[0]]
    for pattern, why in EXCLUSIONS:
        if fnmatch.fnmatchcase(case.id, pattern):
            return why
    return None


def report(case, why):
    return "%s: %s\n    %s" % (case.id, why, case.expr.decode(errors="replace"))


@pytest.mark.parametrize("file", [path.stem for path in files() if path.stem not in FILES])
def test_cases(file, cases):
    wrong = [report(case, case.failure()) for case in cases
             if case.id.startswith(file + "/") and reason(case) is None and case.failure()]
    assert not wrong, "%d cases:\n%s" % (len(wrong), "\n".join(wrong))


def test_excluded_cases_fail(cases):
    """Else they need no exclusion."""
    wrong = [report(case, "passes") for case in cases
             if case.id.split("/")[0] not in FILES
             and reason(case) is not None and case.failure() is None]
    assert not wrong, "%d cases:\n%s" % (len(wrong), "\n".join(wrong))


def test_every_exclusion_is_needed(cases):
    present = {path.stem for path in files()}
    stale = [pattern for pattern, _ in EXCLUSIONS if pattern.split("/")[0] in present
             and not any(fnmatch.fnmatchcase(case.id, pattern) for case in cases)]
    assert not stale


def test_counts(cases, capsys):
    """Shows what was run, so that a set that shrinks is noticed."""
    excluded = collections.Counter(why for case in cases for why in [reason(case)] if why)
    run = [case for case in cases if reason(case) is None]
    passed = sum(case.failure() is None for case in run)
    with capsys.disabled():
        print("\nCEL conformance: %d cases, %d run, %d passed, %d excluded"
              % (len(cases), len(run), passed, sum(excluded.values())))
        for why, n in excluded.most_common():
            print("  %4d excluded: %s" % (n, why))
    assert len(run) >= 100
