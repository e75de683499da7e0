"""Wanted: what of one source a push takes, asked while the tree is walked. Calls block.

A directory that is a source may say itself what is left out: its `.asynccpignore` is one more rule, behind all that the
user has given. The file is for us, not for the pods, so it isn't copied, unless it says so (`!.asynccpignore`).
"""

import os
import stat

from asynccp.errors import PlanError, UsageError
from asynccp.options import Filtering, Rule
from asynccp.text import printable

IGNORE_FILE = ".asynccpignore"


class Wanted:
    """top: what the source is called in the archive, if it is a directory; else empty. device: that it is on."""

    def __init__(self, filtering: Filtering, ignored: tuple[Rule, ...], top: bytes, device: int) -> None:
        self._top = top
        self._device = device if filtering.one_file_system else None
        self._filters = None
        if rules := (*filtering.rules, *ignored):
            from asynccp.plan.filters import compiled  # few need it

            self._filters = compiled(rules)

    def keeps(self, path: bytes, is_directory: bool) -> bool:
        """Tell whether what has this path in the archive is copied for its own sake."""
        return self._filters is None or self._filters.keeps(self._below(path), is_directory)

    def may_keep_below(self, path: bytes) -> bool:
        """Tell whether anything below a directory may be copied, as far as its path tells."""
        return self._filters is None or self._filters.may_keep_below(self._below(path))

    def is_entered(self, device: int) -> bool:
        """Tell whether what is in a directory on this device is copied."""
        return self._device in (None, device)

    def _below(self, path: bytes) -> bytes:
        return path[len(self._top) :].removeprefix(b"/") if self._top else path


def rules_in(directory: int, name: bytes) -> tuple[Rule, ...]:
    """Return the rule of a directory's own file, if it has one. name: the directory's, for errors.

    As git does, no link is followed. Raises PlanError for what is no file of patterns.
    """
    file = f"{printable(name.rstrip(b'/'))}/{IGNORE_FILE}"
    try:
        descriptor = os.open(IGNORE_FILE, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise PlanError(f"{file} can't be read: {exc.strerror}") from exc
    from asynccp.plan.filters import FILE_SIZE, excluding_lines

    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PlanError(f"{file} is no file")
        with open(descriptor, "rb", closefd=False) as opened:
            text = opened.read(FILE_SIZE + 1)
    finally:
        os.close(descriptor)
    if len(text) > FILE_SIZE:
        raise PlanError(f"{file} is too large to be a file of patterns")
    try:
        return (Rule(False, (f"/{IGNORE_FILE}", *excluding_lines(text).patterns)),)
    except UsageError as exc:
        raise PlanError(f"{file}: {exc}") from exc
