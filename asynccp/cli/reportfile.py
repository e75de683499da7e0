"""The report's file (`--report`): tried before the first byte, written when all is over, whole or not at all; read.

A new file takes the old one's place by a rename, so that a full disk costs no report of yesterday. What can't be
replaced, or would be another thing then, is written to as it stands: a pipe, a device, a file of somebody else or with
a second name, one in a directory that is closed to us. Our own stdout and stderr get it behind what was said there.
"""

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from asynccp.cli import streams
from asynccp.errors import AsyncCpError, PlanError, UsageError
from asynccp.report import Report
from asynccp.text import printable


def try_report(path: Path) -> None:
    """Find out whether a report can be written. Nothing changes: what is there is not opened. Raises PlanError."""
    hint = "nothing was copied; a report goes to a file that may be written, in a directory that is there"
    try:
        there = _status(path)
        if there is None:
            fd, temporary = _create_beside(_real(path))
            os.close(fd)
            os.unlink(temporary)
        elif stat.S_ISDIR(there.st_mode):
            raise PlanError(_not_written(path, "it is a directory"), hint=hint)
        elif not os.access(path, os.W_OK):
            raise PlanError(_not_written(path, "it may not be written"), hint=hint)
    except OSError as exc:
        raise PlanError(_not_written(path, _cause(exc)), hint=hint) from None


def write_report(path: Path, text: str) -> None:
    """Write a report. Raises AsyncCpError; what could have been replaced is still there then."""
    try:
        there = _status(path)
        if there is not None and (stream := _own_stream(there)):
            stream.write(text)
            stream.flush()
            if why := streams.lost(stream):
                raise AsyncCpError(_not_written(path, why))
        elif there is None or _may_be_replaced(path, there):
            _replace(_real(path), text, there)
        else:
            path.write_text(text)
    except OSError as exc:
        raise AsyncCpError(_not_written(path, _cause(exc))) from None


def read_report(path: Path) -> Report:
    """Return the report of a file. Raises UsageError."""
    from asynccp.reportjson import load_report  # here: a copy has no use for it

    try:
        return load_report(path.read_bytes())
    except OSError as exc:
        why = "there is no such file" if isinstance(exc, FileNotFoundError) else exc.strerror
        raise UsageError(f"the report {printable(str(path))} can't be read: {why}") from None
    except UsageError as exc:
        raise UsageError(f"{printable(str(path))} can't be used: {exc}", hint=exc.hint) from None


def _status(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return os.stat(path)
    return None


def _real(path: Path) -> Path:
    """Return the file itself for a link that leads to it: the link stays. Links in circles were found out before."""
    while path.is_symlink():
        path = path.parent / os.readlink(path)
    return path


def _own_stream(there: os.stat_result) -> TextIO | None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # it is None, or closed
            if os.path.samestat(there, os.fstat(stream.fileno())):
                return stream
    return None


def _may_be_replaced(path: Path, there: os.stat_result) -> bool:
    """Tell whether a new file in its place is the same thing to everybody who knows the old one."""
    ours_alone = stat.S_ISREG(there.st_mode) and there.st_nlink == 1 and there.st_uid == os.geteuid()
    real = _real(path)  # of a descriptor's name, `/dev/fd/3`, it may be a file that has no name any more
    found = _status(real) if ours_alone else None
    return found is not None and os.path.samestat(found, there) and os.access(real.parent, os.W_OK | os.X_OK)


def _replace(path: Path, text: str, old: os.stat_result | None) -> None:
    fd, temporary = _create_beside(path)
    try:
        with os.fdopen(fd, "w") as file:
            if old is not None:
                os.fchmod(fd, stat.S_IMODE(old.st_mode))
            file.write(text)
        os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _create_beside(path: Path) -> tuple[int, Path]:
    temporary = path.with_name(f".asynccp-{secrets.token_hex(4)}.report")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), temporary


def _not_written(path: Path, cause: str) -> str:
    return f"the report can't be written to {printable(str(path))}: {cause}"


def _cause(exc: OSError) -> str:
    if isinstance(exc, FileNotFoundError):
        return "there is no such directory"
    if isinstance(exc, NotADirectoryError):
        return "what should be its directory is a file"
    return exc.strerror or str(exc)
