"""Filters as they are written: the words of --include, --exclude and --exclude-from → rules.

What reads patterns is loaded by whom it is asked of: a copy without filters is spared 5 ms.
"""

from asynccp.errors import UsageError
from asynccp.options import Rule
from asynccp.text import printable


def included(pattern: str) -> Rule:
    """Return the rule of one --include. Raises UsageError."""
    from asynccp.plan.filters import including

    return including(pattern)


def excluded(pattern: str) -> Rule:
    """Return the rule of one --exclude. Raises UsageError."""
    from asynccp.plan.filters import excluding

    return excluding(pattern)


def excluded_from(file: str) -> Rule:
    """Return the one rule of a file of patterns. Raises UsageError for a file that can't be read, or is none."""
    from asynccp.plan.filters import FILE_SIZE, excluding_lines

    try:
        with open(file, "rb") as opened:
            text = opened.read(FILE_SIZE + 1)
    except OSError as exc:
        why = "does not exist" if isinstance(exc, FileNotFoundError) else f"can't be read: {exc.strerror}"
        raise UsageError(f"the file of patterns {printable(file)} {why}") from exc
    if len(text) > FILE_SIZE:
        raise UsageError(f"{printable(file)} is too large to be a file of patterns")
    try:
        return excluding_lines(text)
    except UsageError as exc:
        raise UsageError(f"{printable(file)}: {exc}") from exc
