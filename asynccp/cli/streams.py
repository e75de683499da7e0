"""Streams: the program's own stdin, stdout and stderr. What they can't take is lost, and told; nothing ends for it.

A disk may be full, a reader gone (`| head`), a terminal closed: a write fails then, wherever it comes from, and a copy
that was complete would look as if nothing was. So a failure is remembered where the bytes leave, whoever wrote them,
and `end` tells it on the stream that is left.

A stream that was closed from the start (`2>&-`) is one that nobody reads, as /dev/null is. It becomes that: else its
number would go to the next file or connection, and a word for it into that.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

UNTOLD = 23  # as when the file of `--report` can't be written: not all that was asked for was done

_has_data = False  # stdout is for a program, which wants nothing else there


def keep() -> None:
    """Have this process's streams fail for nobody. To be called before anything else is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdout, sys.stderr = _kept(1, sys.stdout), _kept(2, sys.stderr)


def opened(path: str) -> TextIO:
    """Open a file, new or emptied, to which likewise no write fails. Raises OSError."""
    return io.TextIOWrapper(io.BufferedWriter(_Stream(path, "w")), "utf-8", "backslashreplace")


def lost(stream: TextIO) -> str:
    """Return why a stream could not take what was written to it; empty when it could."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, _Stream) else ""


def tell(words: str) -> None:
    """Say what a person must know on stderr, or on stdout where that is lost."""
    _say(words, sys.stderr)
    if lost(sys.stderr):
        _say(words, sys.stdout)


def put_data(text: str) -> None:
    """Put on stdout what a program reads."""
    _say(text, for_data())


def for_data() -> TextIO:
    """Return stdout, which from now on is for what a program reads."""
    global _has_data
    _has_data = True
    return sys.stdout


def end(code: int) -> int:
    """Tell which stream was lost on the other one; return the exit code: a failed copy's own, UNTOLD for lost stdout.

    What stderr says is for who looks on, and the report on stdout has it all: its loss alone is no failure.
    """
    sys.stdout.flush()
    if why := lost(sys.stdout):
        _say(f"asynccp: stdout could not be written: {why}", sys.stderr)
        return code or UNTOLD
    if (why := lost(sys.stderr)) and not _has_data:
        _say(f"asynccp: stderr could not be written: {why}", sys.stdout)
    return code


def _say(words: str, stream: TextIO) -> None:
    stream.write(f"{words}\n")
    stream.flush()


class _Stream(io.FileIO):
    """A descriptor to which a write never fails. After the first that did there is none: a text has no holes."""

    lost = ""

    def write(self, data: "Buffer", /) -> int:
        while not self.lost:
            try:
                if (size := super().write(data)) is not None:
                    return size
                select.select((), (self,), ())  # it does not block: whoever shares the terminal has made it so
            except OSError as exc:
                self.lost = exc.strerror or str(exc)
        return memoryview(data).nbytes


def _kept(number: int, old: TextIO | None) -> TextIO:
    encoding = old.encoding if old else "utf-8"
    buffer = io.BufferedWriter(_Stream(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=number == 2 or buffer.isatty())
