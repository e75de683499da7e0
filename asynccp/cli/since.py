"""Since when, as it is written: the word of --newer-than → a moment."""

import os

from asynccp.errors import UsageError
from asynccp.text import printable


def changed_ns(file: str) -> int:
    """Return when a file of this machine was changed, in nanoseconds since 1970. Raises UsageError."""
    try:
        return os.stat(file).st_mtime_ns
    except (OSError, ValueError) as exc:
        why = "does not exist" if isinstance(exc, FileNotFoundError) else f"can't be looked at: {exc}"
        raise UsageError(f"{printable(file)} {why}, so nothing can be newer") from exc
