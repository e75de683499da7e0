"""Running: the real command while it is under way, so that something can be done to it, or to its cluster."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.e2e.fleet import Fleet, Ran, command, environment

_LOOK_EVERY_S = 0.02  # what another process, or a pod, has done so far can only be looked at


class Running:
    """`asynccp … -v -o json`, not waited for. Used as `with`, which ends it at last."""

    def __init__(self, fleet: Fleet, *arguments: str | Path, more: Mapping[str, str] | None = None) -> None:
        """more: of the environment."""
        argv = command(*arguments, "-v", "-o", "json")
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(fleet, **more or {}), text=True
        )
        self._heard = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_for(self, *words: str) -> None:
        """Return when a line of stderr has come that holds all the words, as `/web-0:`, `started`."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._heard += line
            if all(word in line for word in words):
                return
        raise AssertionError(f"no line said {words}: {self._heard}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the command stand still meanwhile, so that what is under way can't come to its end."""
        self.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)

    def finish(self, timeout_s: float = 100.0) -> Ran:
        """Return what the command left behind. Fails when it takes longer."""
        out, err = self._process.communicate(timeout=timeout_s)
        assert "Traceback" not in err, err
        return Ran(self._process.returncode, out, self._heard + err)


def eventually(what: str, true: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Return as soon as `true()` is; fail after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(_LOOK_EVERY_S)


def size_below(directory: Path) -> int:
    """Return the bytes of all files below a local directory, which may change meanwhile, or not be there yet."""
    total = 0
    for where, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:  # renamed since
                continue
    return total


def stop_half_of_the_time(processes: Sequence[subprocess.Popen[Any]], period_s: float = 1.0) -> None:
    """Stop processes for one period of every two, until the last of them has ended."""
    while running := [one for one in processes if one.poll() is None]:
        for sign in (signal.SIGSTOP, signal.SIGCONT):
            try:
                running[0].wait(timeout=period_s)
            except subprocess.TimeoutExpired:
                for one in running:
                    one.send_signal(sign)
            else:
                for one in running[1:]:
                    one.send_signal(signal.SIGCONT)
                break
