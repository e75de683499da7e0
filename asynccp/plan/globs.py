"""Globs: a remote path that stands for several → the directory to list, and which of the listed paths are meant. Pure.

    /var/log/*.log          /var/log    *.log
    /var/log/**/*.{log,gz}  /var/log    **/*.log or **/*.gz
    /srv/a\\*b               /srv        a*b, that one name
    /var/log                no glob

Wildcards are those of filters (`plan.wildcards`), so that a pattern means one thing everywhere: `*` takes names that
begin with a dot as well, where a shell leaves them out. `{a,b}` is bash's: each choice makes a pattern of its own,
slashes included; braces without a comma between them stand for themselves. A backslash, or a set of one (`[*]`), takes
its meaning from a character.

A directory that is matched stands for all that is in it.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from asynccp.entry import above
from asynccp.errors import UsageError
from asynccp.plan.wildcards import DEEP, Component, Malformed, components, expression, has_wildcards, set_end
from asynccp.text import printable

MOST_CHOICES = 100
"""Patterns that the braces of one path may make: ten such braces would make thousands."""

_SPECIAL = "*?[{\\"
_HERE, _ABOVE = re.escape(b"."), re.escape(b"..")


class Glob(NamedTuple):
    """A remote path that has wildcards.

    directory: what to list, as it was written; `/`, or `.` for the directory that a relative path begins in.
    depth: how many levels of it, at most; None for all of them.
    contents: the path ends with a slash: only directories are meant, and of them what is in them.
    text: the pattern as it was written. What has this very name is meant, and nothing else, as by a shell that finds
    no match.
    """

    directory: str
    depth: int | None
    contents: bool
    patterns: tuple[re.Pattern[bytes], ...]
    text: bytes

    def matches(self, path: bytes) -> bool:
        """Tell whether a path is meant, relative to the directory. What is below one that is, isn't asked for."""
        return any(one.fullmatch(path) for one in self.patterns)

    def found(self, paths: Iterable[bytes]) -> list[bytes]:
        """Return those of some paths that are meant, in order, without what lies below another."""
        found = set(paths)
        if (literal := self.text.rstrip(b"/")) in found:
            return [literal]
        meant = {path for path in found if self.matches(path)}
        return sorted(path for path in meant if meant.isdisjoint(above(path)))


def glob_of(path: str) -> Glob | None:
    """Return the glob of a remote path; None if it has no wildcards. Raises UsageError for one that can't match."""
    first = next((at for at, one in enumerate(path) if one in _SPECIAL), len(path))
    directory, slash, _ = path[:first].rpartition("/")
    rest = path[len(directory + slash) :].encode("utf-8", "surrogateescape")
    try:
        choices = _choices(rest)
        if len(choices) == 1 and not has_wildcards(choices[0]):
            return None
        names = [_names(one) for one in choices]
    except Malformed as exc:
        raise UsageError(f"the pattern {printable(path)} can't match anything: {exc}") from None
    depth = None if any(DEEP in one for one in names) else max(map(len, names))
    patterns = tuple(map(expression, names))
    return Glob(directory or slash or ".", depth, rest.endswith(b"/"), patterns, rest)


def _names(pattern: bytes) -> list[Component]:
    names = [one for one in components(pattern) if one not in (b"", _HERE)]
    if _ABOVE in names:
        raise Malformed("no listing has a ..")
    if not names:
        raise Malformed("one of its choices names nothing")
    return names


def _choices(pattern: bytes) -> list[bytes]:
    """Return a pattern for each choice that braces leave, in bash's order. Raises UsageError if they are too many."""
    done: list[bytes] = []
    waiting = [pattern]
    while waiting:
        one = waiting.pop()
        parts = _braces(one)
        if parts:
            before, *choices, after = parts
            waiting += [before + choice + after for choice in reversed(choices)]
        else:
            done.append(one)
        if len(done) + len(waiting) > MOST_CHOICES:
            raise UsageError(f"the braces of {printable(pattern)} make more than {MOST_CHOICES} patterns")
    return done


def _braces(pattern: bytes) -> list[bytes] | None:
    """Return what is before the first braces that leave a choice, the choices, and what is behind them."""
    opened: list[list[int]] = []  # where each brace that isn't closed opened, and where its commas are
    found: list[int] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == b"{":
            opened.append([at])
        elif byte == b"," and opened:
            opened[-1].append(at)
        elif byte == b"}" and opened:
            marks = [*opened.pop(), at]
            if len(marks) > 2 and (not found or marks[0] < found[0]):
                found = marks
        at = set_end(pattern, at + 1) if byte == b"[" else at + 1 + (byte == b"\\")
    if not found:
        return None
    inner = [pattern[begin + 1 : end] for begin, end in pairwise(found)]
    return [pattern[: found[0]], *inner, pattern[found[-1] + 1 :]]
