"""What a signal does to the program, whatever it is at. Each program runs in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from asynccp.cli.interrupt import SIGNALS

HEAD = """
import os, signal, sys, threading
from asynccp.cli import interrupt

def send(name):
    os.kill(os.getpid(), signal.Signals[name])

def send_till_the_end(name):
    # Python may be just about to wait when a signal comes, and then waits; who asked once more is heard.
    while True:
        send(name)
        threading.Event().wait(0.1)

interrupt.listen()
"""
AT_ONCE = "asynccp: interrupted again, ended at once\n"


@pytest.fixture(autouse=True)
def _no_blocking_call() -> None:
    """Nothing of ours runs in this process."""


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """Return the end to write to of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(writing)
    os.close(reading)


def ran(
    program: str, before: Callable[[], object] | None = None, into: dict[str, int] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that listens. into: where its stdout or stderr goes; else it is kept."""
    argv = [sys.executable, "-c", HEAD + program]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **(into or {})}
    return subprocess.run(argv, text=True, timeout=30, check=False, preexec_fn=before or _heed, **streams)


def _heed() -> None:
    """Ignore no signal, whatever this process inherited."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _ignore() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("name", [one.name for one in SIGNALS])
def test_a_program_that_is_at_nothing_ends_at_the_first(name: str) -> None:
    done = ran(f"send('{name}'); print('goes on')")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "asynccp: interrupted\n")


@pytest.mark.parametrize("name", [one.name for one in SIGNALS])
def test_what_was_ignored_from_the_start_stays_so(name: str) -> None:
    """nohup ignores SIGHUP, and a script's `&` SIGINT, because what runs so is meant to go on."""
    done = ran(f"send('{name}'); send('{name}'); print('goes on')", _ignore)
    assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n", "")


PROGRAMS = {
    "another signal": "send('SIGINT'); send('SIGTERM')",
    "the same later": "interrupt.ECHO_S = 0; send('SIGINT'); send('SIGINT')",
    "the same right again, and then another": "interrupt.ECHO_S = 60; send('SIGHUP'); send('SIGHUP'); send('SIGINT')",
}


@pytest.mark.parametrize("signals", PROGRAMS.values(), ids=PROGRAMS)
def test_the_first_is_answered_and_the_second_ends_it(signals: str) -> None:
    done = ran(
        "with interrupt.answered_by(lambda: print('answered', flush=True)):\n"
        f"    {signals}\n"
        "    print('goes on', flush=True)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "answered\n", AT_ONCE)


def test_a_second_one_ends_it_while_the_first_is_being_answered() -> None:
    done = ran("with interrupt.answered_by(lambda: send('SIGTERM')): send('SIGINT')")
    assert (done.returncode, done.stderr) == (130, AT_ONCE)


def test_the_same_signal_right_again_is_no_second_one() -> None:
    """`timeout` signals its child, and then its child's process group: one is meant."""
    done = ran(
        "interrupt.ECHO_S = 60\n"
        "with interrupt.answered_by(lambda: print('answered')):\n"
        "    send('SIGINT'); send('SIGINT')\n"
        "    print('goes on' if interrupt.heard() else 'nothing heard')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "answered\ngoes on\n", "")


def test_who_is_innermost_answers_and_only_meanwhile() -> None:
    done = ran(
        "with interrupt.answered_by(lambda: print('outer')):\n"
        "    with interrupt.answered_by(lambda: print('inner')):\n"
        "        pass\n"
        "    send('SIGINT')\n"
    )
    assert (done.returncode, done.stdout) == (0, "outer\n")


def test_a_program_that_waits_for_a_thread_at_its_end_ends() -> None:
    """Python waits for every thread then; asyncio's handlers are gone by that time."""
    done = ran(
        "import asyncio, time\n"
        "async def main():\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        "asyncio.run(main())\n"
        "main = threading.main_thread()\n"
        "def later():\n"
        "    main.join()\n"  # comes back when the main thread has begun to wait for the others
        "    send_till_the_end('SIGINT')\n"
        "threading.Thread(target=later).start()\n"
    )
    assert done.returncode == 130
    assert done.stderr in ("asynccp: interrupted\n", AT_ONCE)


@pytest.mark.parametrize("filled", ["stdout", "stderr"])
def test_a_program_that_writes_to_a_full_pipe_ends(filled: str, full_pipe: int) -> None:
    done = ran(
        "def later():\n"
        "    writing.wait()\n"
        "    send_till_the_end('SIGINT')\n"
        "writing = threading.Event()\n"
        "threading.Thread(target=later).start()\n"
        "writing.set()\n"
        f"os.write(sys.{filled}.fileno(), bytes(100_000))\n",
        into={filled: full_pipe},
    )
    assert done.returncode == 130


def test_a_program_without_a_stderr_ends() -> None:
    done = ran("os.close(2); send('SIGINT')")
    assert (done.returncode, done.stdout) == (130, "")
