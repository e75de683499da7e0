"""A relay ends itself when nobody is there."""

import os
import subprocess
import sys
from pathlib import Path

from asynccp.relay.presence import hold, is_alone, wait_until_alone

HOLD = """
import sys
from pathlib import Path
from asynccp.relay.presence import hold
hold(Path(sys.argv[1]))
print(1, flush=True)
sys.stdin.read()
"""


def descriptor(directory: Path) -> int:
    return os.open(directory / "present", os.O_RDWR | os.O_CREAT, 0o600)


def test_who_works_there_is_there_until_it_ends_however(tmp_path: Path) -> None:
    looking = descriptor(tmp_path)
    assert is_alone(looking)
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout
        one.stdout.readline()
        assert not is_alone(looking)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout
            other.stdout.readline()
            one.kill()
            one.wait()
            assert not is_alone(looking)
            other.kill()
    assert is_alone(looking)
    os.close(looking)


def test_a_relay_to_which_nobody_comes_ends(tmp_path: Path) -> None:
    wait_until_alone(tmp_path, 0.0, 0.0)
    hold(tmp_path)
    looking = descriptor(tmp_path)
    assert not is_alone(looking), "another description of the file, as of another process"
    os.close(looking)
