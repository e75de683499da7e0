"""Trace: what is opened, asked, renewed and tried again, each a line as it happens.

    -vv, ASYNCCP_LOG=-      on stderr; there are no bars then, which lines in between would tear
    ASYNCCP_LOG=FILE        at the end of FILE, which is made for its owner alone

    2026-11-29T03:10:31.123Z asynccp.net connected to 10.0.0.1:6443 in 0.012 s, TLSv1.3

The lines are what asynccp's loggers say at level DEBUG, which is no secret. A thread writes them: a pipe that nobody
reads must not stop the event loop, or sessions are lost for being looked at.
"""

import logging
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from asynccp import __version__
from asynccp.cli import streams
from asynccp.errors import UsageError
from asynccp.text import printable

VARIABLE = "ASYNCCP_LOG"
TRACED = 2  # how often -v is given for a trace

_STDERR = 2
_MOST_WAITING = 10_000  # lines of 100 bytes, for who doesn't read; what comes then is lost, and counted
_MOST_CHARACTERS = 2000
_END_GRACE_S = 2.0  # for who reads the last lines
_LOG = logging.getLogger("asynccp")


def verbosity(verbose: int) -> int:
    """Return how often -v was given, or counts as given."""
    return max(verbose, TRACED) if os.environ.get(VARIABLE) == "-" else verbose


@contextmanager
def traced(verbose: int) -> Iterator[None]:
    """Trace meanwhile, if that is wanted. Raises UsageError for a file that can't be written."""
    path = os.environ.get(VARIABLE, "")
    ends = {_STDERR: "stderr"} if verbosity(verbose) >= TRACED else {}
    if path not in ("", "-"):
        ends[_opened(path)] = printable(path)
    if not ends:
        yield
        return
    trace = _Trace(ends)
    _LOG.addHandler(trace)
    _LOG.setLevel(logging.DEBUG)
    _LOG.debug("version %s, Python %s on %s", __version__, sys.version.split()[0], sys.platform)
    try:
        yield
    finally:
        _LOG.removeHandler(trace)
        trace.end()
        for problem in trace.problems:
            streams.tell(f"asynccp: {problem}")


def _opened(path: str) -> int:
    """Return a descriptor that stays open until the process ends: then somebody may still wait to write to it."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise UsageError(f"{VARIABLE}: the trace can't be written to {printable(path)}: {exc.strerror}") from None


class _Trace(logging.Handler):
    """Hands lines to a thread, which writes each to all descriptors. ends: what they are called.

    Not to `sys.stderr`: Python could not end while a thread that waits for a reader holds its lock.
    """

    def __init__(self, ends: Mapping[int, str]) -> None:
        super().__init__()
        self.setFormatter(_Line())
        self.problems: list[str] = []
        self._ends = dict(ends)
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._lost = 0
        self._writer = threading.Thread(target=self._write, name="trace", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.put_nowait(self.format(record))
        except queue.Full:
            self._lost += 1

    def end(self) -> None:
        """Write what waits, as far as somebody reads it."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_END_GRACE_S)
            self._writer.join(_END_GRACE_S)

    def _write(self) -> None:
        line: str | None = ""
        while line is not None:
            line = self._waiting.get()
            lost, self._lost = self._lost, 0
            if lost:
                self._put(f"{lost} lines are lost, since nobody has read")
            if line is not None:
                self._put(line)

    def _put(self, line: str) -> None:
        for end, name in list(self._ends.items()):
            try:
                _write_all(end, f"{line}\n".encode("utf-8", "backslashreplace"))
            except OSError as exc:
                del self._ends[end]
                self.problems.append(f"the trace could not be written to {name}: {exc.strerror}")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # a terminal whose other user has made it so
            select.select((), (descriptor,), ())


class _Line(logging.Formatter):
    """A line of a trace. Whatever a record holds, it is one line, and safe to show."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {record.name} {printable(record.getMessage(), _MOST_CHARACTERS)}"
