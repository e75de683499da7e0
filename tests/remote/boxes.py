"""Boxes: PATHs like those of container images, made of this machine's programs, and our scripts run in them."""

import contextlib
import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from asynccp.remote.dialogue import Line, LineReader
from asynccp.remote.script import Command

TOKEN = "0123456789abcdef"
PATIENCE_S = 20.0
UTILITIES = (
    "mkdir",
    "rm",
    "rmdir",
    "mv",
    "chmod",
    "chown",
    "stat",
    "touch",
    "cat",
    "dd",
    "head",
    "gzip",
    "sha256sum",
    "sleep",
    "find",
)
NOBODY = 65534


def _machine(shell: str, tar: str, *without: str) -> dict[str, str]:
    names = {"sh": shell, "tar": tar} | {name: name for name in UTILITIES}
    return {name: program for name, program in names.items() if name not in without}


def _applets(program: str, *arguments: str) -> dict[str, str]:
    if shutil.which(program) is None:
        return {"tar": program}
    listed = subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
    return dict.fromkeys(listed.split(), program)


def _tarless(kind: str) -> dict[str, str]:
    """Return what is there besides tar: bash for a shell, or as the one that copies bytes nothing but head, or cat."""
    if kind == "toybox":
        programs = _applets("toybox") | {"sh": "dash"}
        return {name: program for name, program in programs.items() if name not in ("tar", "dd")}
    without = {"head": ("dd",), "cat": ("dd", "head")}.get(kind, ())
    shell = "bash" if kind == "bash" else "dash"
    return _machine(shell, "tar", "tar", *without) | {"ln": "ln", "readlink": "readlink"}


def _programs(kind: str) -> dict[str, str]:
    """Return the names that a kind of container has, and the program of this machine behind each."""
    match kind:
        case "busybox":
            return _applets("busybox", "--list")
        case "toybox":
            return _applets("toybox") | {"sh": "dash"}
        case "toybox-no-tar" | "no-tar" | "bash-no-tar" | "head-no-tar" | "cat-no-tar":
            return _tarless(kind.removesuffix("no-tar").strip("-"))
        case "no-dd":
            return _machine("dash", "tar", "dd")
        case "no-count":
            return _machine("dash", "tar", "dd", "head")
        case "md5sum":
            return _machine("dash", "tar", "sha256sum") | {"md5sum": "md5sum"}
        case "cksum":
            return _machine("dash", "tar", "sha256sum") | {"cksum": "cksum"}
        case "no-sum":
            return _machine("dash", "tar", "sha256sum")
        case "no-mv":
            return _machine("dash", "tar", "mv")
        case "no-stat":
            return _machine("dash", "tar", "stat", "touch")
        case "no-find":
            return _machine("dash", "tar", "find")
        case _:
            shell, tar, *more = kind.split("-")
            return _machine(shell, "tar" if tar == "gnu" else tar) | {name: name for name in more}


WITH_TAR = ("dash-gnu", "bash-gnu", "dash-bsdtar", "busybox", "toybox", "no-dd")
WITHOUT_TAR = ("no-tar", "bash-no-tar", "head-no-tar", "cat-no-tar", "toybox-no-tar")
_MORE = "-cp-ls-ln-readlink"  # what else a push takes that replaces its directory
SWAPPING = (f"dash-gnu{_MORE}", f"bash-gnu{_MORE}", f"dash-bsdtar{_MORE}", "busybox", "toybox")
ALL = (*WITH_TAR, *WITHOUT_TAR, *SWAPPING[:3], "no-count", "no-find", "no-mv", "no-stat", "md5sum", "cksum", "no-sum")


def make(directory: Path, kind: str) -> Path | None:
    """Make a box in `directory` and return it; None when this machine has not all that belongs in it."""
    found = {name: shutil.which(program) for name, program in _programs(kind).items()}
    box = directory / kind
    box.mkdir()
    for name, path in found.items():
        if path is None:
            return None
        (box / name).symlink_to(path)
    return box


PR_SET_CHILD_SUBREAPER = 36


def reap_nothing() -> None:
    """Let this process be as a container's first one that waits for nobody: what is left stays, as its child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Process:
    """A command of ours in a box. `stdin` and `stdout` are unbuffered; every wait has an end."""

    def __init__(
        self,
        box: Path,
        command: Command,
        directory: Path,
        *,
        powerless: bool = False,
        life_s: int = 60,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            command.argv,
            executable=box / command.argv[0],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env={"PATH": str(box), "ASYNCCP_LIFE_S": str(life_s), **(environment or {})},
            bufsize=0,
            user=NOBODY if powerless and os.getuid() == 0 else None,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self.stdin, self.stdout, self.stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self.stdin.write(command.script)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, with all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter if only zombies are left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-self._process.pid, 0)
        for pipe in (self.stdin, self.stdout, self.stderr):
            pipe.close()

    def begun_ns(self) -> int:
        """Return the time that the system gives to the process, while it holds that."""
        return os.stat(f"/proc/{self._process.pid}").st_mtime_ns

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def line(self, word: str) -> Line:
        """Return the next line of the dialogue."""
        reader, found = LineReader(TOKEN, word), None
        while found is None:
            byte = self.read(1)
            assert byte, f"it ended before it said {word}: {self.said()}"
            found = reader.feed(byte)
        return found[0]

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of stdout; nothing when every process that could write has ended."""
        ready, _, _ = select.select([self.stdout], [], [], PATIENCE_S)
        assert ready, "it is silent"
        return os.read(self.stdout.fileno(), size)

    def rest(self) -> bytes:
        """Return all that is still said on stdout, which ends when all its processes have."""
        found = bytearray()
        while data := self.read(65536):
            found += data
        return bytes(found)

    def until(self, end: bytes) -> bytes:
        """Return stdout up to `end`, which it must come to and stop at."""
        found = bytearray()
        while not found.endswith(end):
            data = self.read(65536)
            assert data, f"it ended after {bytes(found[-200:])!r}: {self.said()}"
            found += data
        return bytes(found)

    def acknowledge(self) -> None:
        self.stdin.write(b"ok\n")

    def put_in_place(self) -> Line:
        """Hear that everything was received, let it be put in its place, and return how that went."""
        received = self.line("received").facts
        assert (received["rc"], received["sentinel"]) == ("0", "yes"), self.said()
        assert self.runs, "it waits for us"
        self.stdin.write(b"go\n")
        return self.line("done")

    def exit_code(self) -> int:
        """Return it, once nothing of it is left, neither alive nor as a zombie."""
        code = self._process.wait(PATIENCE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 0)
            raise AssertionError(f"something of it is left: {self.left()}")
        return code

    def left(self) -> list[str]:
        """Return name and state of all that is in its process group."""
        listed = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True, check=True)
        return [line for line in listed.stdout.splitlines() if line.split()[0] == str(self._process.pid)]

    def note(self, word: str) -> dict[str, str]:
        """Return the facts of a note on stderr, where it is waited for."""
        heard = ""
        while not (found := re.search(rf"^asynccp {TOKEN} {word} (.*)\n", heard, re.MULTILINE)):
            ready, _, _ = select.select([self.stderr], [], [], PATIENCE_S)
            more = os.read(self.stderr.fileno(), 65536) if ready else b""
            assert more, f"it did not say {word}, but: {heard}"
            heard += more.decode()
        return dict(one.partition("=")[::2] for one in found[1].split())

    def said(self) -> str:
        """Return what came on stderr until now."""
        ready, _, _ = select.select([self.stderr], [], [], 0)
        return os.read(self.stderr.fileno(), 65536).decode() if ready else ""

    def hear_for(self, seconds: float) -> None:
        """Take what comes on stdout within so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self.stdout], [], [], left)[0]:
            if not os.read(self.stdout.fileno(), 65536):
                return

    def wait_until_blocked(self) -> None:
        """Wait until its pipe to us is full, where the system tells how much a pipe takes."""
        if not hasattr(fcntl, "F_GETPIPE_SZ"):
            return
        capacity, deadline = fcntl.fcntl(self.stdout, fcntl.F_GETPIPE_SZ), time.monotonic() + PATIENCE_S
        while _waiting(self.stdout.fileno()) <= capacity - 4096:  # the first page may have room that can't be used
            assert time.monotonic() < deadline
            os.sched_yield()


def _waiting(descriptor: int) -> int:
    """Return how many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def counted(box: Path, log: Path) -> Path:
    """Return a box with the same programs, each of which first adds its name to a log."""
    counting = shutil.copytree(box, box.with_name(log.name), symlinks=True)
    for program in counting.iterdir():
        if program.name != "sh":
            target = program.readlink()
            program.unlink()
            program.write_text(f'#!/bin/sh\necho {program.name} >>{log}\nexec {target} "$@"\n')
            program.chmod(0o755)
    return counting
