# SPDX-License-Identifier: Apache-2.0
"""Paths and helpers for the replay tests."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTENT_BUILD", ROOT / "build"))
DATA = pathlib.Path(os.environ.get("INTENT_TEST_DATA",
                                   ROOT / "../shared/data"))


@pytest.fixture(scope="session")
def data():
    if not DATA.is_dir():
        pytest.skip(f"no test data in {DATA}: set INTENT_TEST_DATA")
    return DATA


@pytest.fixture(scope="session")
def vectors(data):
    folder = data.parent / "vectors"
    if not folder.is_dir():
        pytest.skip(f"no test vectors in {folder}")
    return folder


@pytest.fixture
def replay():
    """replay(config, path or lines, *options) -> list of answers."""
    def run(config, source, *options):
        argv = [str(BUILD / "intentctl"), "replay", str(config)]
        if isinstance(source, (str, os.PathLike)):
            done = subprocess.run(argv + [str(source), *options],
                                  capture_output=True, check=False)
        else:
            text = "".join(json.dumps(row) + "\n" for row in source)
            done = subprocess.run(argv + ["-", *options], check=False,
                                  input=text.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]
    return run
