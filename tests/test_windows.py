"""On Windows: one sentence for who types a command, and an error that a program can catch."""

import subprocess
import sys

import pytest

SENTENCE = "asynccp runs on Linux and macOS; on Windows use it inside WSL"
MAY_DO_WITHOUT = """
import asynccp
try:
    from asynccp import connect
except ImportError as exc:
    print(exc)
print("goes on")
"""


def on_windows(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python that says it is on Windows."""
    script = f"import runpy, sys; sys.platform = 'win32'\n{script}"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("--version",), ("push", "a", "web-0:/tmp")])
def test_the_command_says_in_one_sentence_where_it_runs(arguments: tuple[str, ...]) -> None:
    run = on_windows("runpy.run_module('asynccp', run_name='__main__')", *arguments)
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{SENTENCE}\n")


def test_a_program_that_can_do_without_goes_on() -> None:
    run = on_windows(MAY_DO_WITHOUT)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{SENTENCE}\ngoes on\n", "")
