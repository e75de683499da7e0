"""Which names have one hash is nothing that a pod can work out, whatever the environment says of Python's hashes."""

import os
import subprocess
import sys

SCRIPT = """
from asynccp.limits import DEFAULT_LIMITS
from asynccp.archive.paths import Claims
print(*(Claims(b"", lambda: folds, DEFAULT_LIMITS)._key(b"log/a") for folds in (False, True)))
"""


def keys() -> set[str]:
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": "."}
    argv = [sys.executable, "-c", SCRIPT]
    return set(subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout.split())


def test_the_hashes_of_names_are_others_in_each_run() -> None:
    assert not keys() & keys()
