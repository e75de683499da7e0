"""One command that runs in a container, and everything it starts: pipes, signals, and when nothing of it is left.

The pipes are our own, so that nothing but the kernel's 64 KiB lies between a command and its client: a client that
doesn't read stops the command. As with containerd's shim, which keeps both ends of each FIFO open, a command whose
client is gone is not killed: it reads the end of its stdin, and blocks on a full stdout for ever.

The lifeline is one pipe more: the command and all that it starts inherit its writing end, and nobody writes. So our
end reads as closed exactly when the last of them is gone, whoever that is, and a process group is never signalled after
its number may belong to somebody else.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from anyio import CancelScope, ClosedResourceError, Event, notify_closing, to_thread, wait_readable, wait_writable

from asynccp.kube.exec import STDERR, STDIN, STDOUT
from asynccp.testing.paths import words_inside
from asynccp.testing.pod import Container, FakePod

READ_SIZE = 32 * 1024  # bytes; what a container runtime copies at once
_FIRST_FREE_FD = 100  # above the numbers that shell scripts use for themselves
HELD = -1  # the command's end of stdin, held open as the shim holds it: a write waits, and never fails


class NotStarted(Exception):
    """The command can't be run; the text is that of containerd and runc."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "error executing command in container: failed to exec in container: failed to start exec "
            f'"{os.urandom(32).hex()}": OCI runtime exec failed: exec failed: {reason}: unknown'
        )


class Process:
    """A command, its process group, and our ends of its pipes.

    ended: nothing of it lives any more. released: its session has no more use for the pipes.
    """

    def __init__(self, command: str, child: asyncio.subprocess.Process, pipes: dict[int, int], lifeline: int) -> None:
        self.command = command
        self.ended, self.released = Event(), Event()
        self._child = child
        self._pipes = pipes  # channel → file descriptor
        self._lifeline = lifeline

    @property
    def outputs(self) -> list[int]:
        """The channels that it writes to and somebody asked for."""
        return [channel for channel in (STDOUT, STDERR) if channel in self._pipes]

    async def write(self, data: bytes | memoryview) -> None:
        """Write to stdin; waits while the pipe is full. After stdin was closed it does nothing."""
        rest = memoryview(data)
        with contextlib.suppress(ClosedResourceError):
            while rest and STDIN in self._pipes:
                try:
                    rest = rest[os.write(self._pipes[STDIN], rest) :]
                except BlockingIOError:
                    await wait_writable(self._pipes[STDIN])

    def close_stdin(self) -> None:
        """End the command's stdin; may be called again."""
        self._close(STDIN)

    async def read(self, channel: int) -> bytes:
        """Return the next piece of an output, nothing at its end."""
        while True:
            try:
                return os.read(self._pipes[channel], READ_SIZE)
            except BlockingIOError:
                await wait_readable(self._pipes[channel])

    async def wait(self) -> int:
        """Return the exit code as a container runtime counts: 128 + signal for a command that was killed."""
        code = await self._child.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """Kill all that is left of it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            if not self._is_gone():
                os.killpg(self._child.pid, signal.SIGKILL)

    async def keep(self) -> None:
        """Wait for its end and that of all it started, then for its session's, and close what is open."""
        try:
            await self._child.wait()
            while not self._is_gone():
                await wait_readable(self._lifeline)
            self.ended.set()
            await self.released.wait()
        finally:
            self.ended.set()
            for channel in list(self._pipes):
                self._close(channel)
            os.close(self._lifeline)

    def _is_gone(self) -> bool:
        try:
            return self.ended.is_set() or os.read(self._lifeline, 1) == b""
        except BlockingIOError:
            return False

    def _close(self, channel: int) -> None:
        fd = self._pipes.pop(channel, None)
        if fd is not None:
            notify_closing(fd)  # whoever waits for it hears ClosedResourceError
            os.close(fd)


async def start(
    pod: FakePod, container: Container, command: Sequence[str], channels: frozenset[int], tty: bool
) -> Process:
    """Run a command in a container, in a process group of its own. Raises NotStarted.

    channels: which of stdin, stdout and stderr are wanted; the others are /dev/null. tty: stderr is stdout.
    """
    if not command:
        raise NotStarted("args must not be empty")
    if tty:
        channels -= {STDERR}
    program = await to_thread.run_sync(_find, container, command[0])
    words = [word.encode("utf-8", "surrogateescape") for word in command]
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        try:
            ends = [_pipe(channel, theirs, ours) if channel in channels else None for channel in range(3)]
            lifeline, inherited = _lifeline(theirs, ours)
            child_ends = [subprocess.DEVNULL if end is None else end[1] for end in ends]
            with CancelScope(shield=True):  # cut in two, it would leave a child that nobody knows of
                child = await asyncio.create_subprocess_exec(
                    *words_inside(os.fsencode(container.root), words),
                    executable=program,
                    stdin=child_ends[STDIN],
                    stdout=child_ends[STDOUT],
                    stderr=child_ends[STDOUT if tty else STDERR],
                    cwd=container.root,
                    env=pod.environment(container),
                    start_new_session=True,
                    pass_fds=[inherited],
                )
        except OSError as exc:
            raise _not_started(command[0], os.strerror(exc.errno or 0).lower()) from exc
        pipes = {channel: end[0] for channel, end in enumerate(ends) if end is not None}
        if STDIN in pipes:
            pipes[HELD] = os.dup(child_ends[STDIN])
        ours.pop_all()  # the process has them now
    return Process(" ".join(command), child, pipes, lifeline)


def _pipe(channel: int, theirs: contextlib.ExitStack, ours: contextlib.ExitStack) -> tuple[int, int]:
    """Return our end of a new pipe, which doesn't block, and the command's."""
    reading, writing = os.pipe()
    mine, other = (writing, reading) if channel == STDIN else (reading, writing)
    ours.callback(os.close, mine)
    theirs.callback(os.close, other)
    os.set_blocking(mine, False)
    return mine, other


def _lifeline(theirs: contextlib.ExitStack, ours: contextlib.ExitStack) -> tuple[int, int]:
    reading, writing = _pipe(STDOUT, theirs, ours)
    inherited = fcntl.fcntl(writing, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)
    theirs.callback(os.close, inherited)
    return reading, inherited


def _find(container: Container, word: str) -> str:
    """Return the path on this machine of a command's first word. Blocks."""
    if "/" not in word:
        found = shutil.which(word, path=container.path)
        if found is None:
            raise _not_started(word, "executable file not found in $PATH")
        return found
    own = container.root / word.lstrip("/")  # a program that was copied into the pod
    programs = container.kind.programs
    path = Path(word) if programs is None else Path(programs.get(Path(word).name, own))
    for candidate in (own, path):
        if candidate.exists():
            return str(candidate)
    raise _not_started(word, f"stat {word}: no such file or directory")


def _not_started(word: str, cause: str) -> NotStarted:
    return NotStarted(f'unable to start container process: exec: "{word}": {cause}')
