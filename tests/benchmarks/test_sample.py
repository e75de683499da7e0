"""What a copy is said to have taken."""

import sys

import pytest

from benchmarks.sample import Incomplete, sampled

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_processes_that_a_side_starts_are_counted_too() -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}], check=True)"
    assert sampled([sys.executable, "-c", child]).client_cpu_s >= 0.3


def test_the_cpu_of_an_earlier_side_is_not_counted_again() -> None:
    sampled([sys.executable, "-c", BURN])
    assert sampled(["true"]).client_cpu_s < 0.3


def test_names_on_stdin_and_variables_reach_the_program() -> None:
    sampled(["sh", "-c", '[ "$(cat)$X" = "one\ntwo3" ]'], stdin="one\ntwo", environment={"X": "3"})


def test_a_program_that_fails_is_a_failure_with_its_words() -> None:
    with pytest.raises(Incomplete, match="ended with 3: no such pod"):
        sampled(["sh", "-c", "echo no such pod >&2; exit 3"])


def test_a_program_that_hangs_is_ended_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.sample.LIMIT_S", 0.1)
    with pytest.raises(Incomplete, match="not done"):
        sampled(["sh", "-c", "sleep 600 | cat"])
