"""Modes: changes to them as rsync's --chmod has them, `D755,F644` or `Dg+s,ug+w,Fo-w,+X`, in their order. Pure.

One change is for directories (D), files (F) or both: octal, or symbolic as chmod(1) has it, but without copying of one
class to another. Without a class it is for all, less what the umask forbids. X is x for directories, and for files that
somebody may run already. Source: rsync(1), --chmod, and its chmod.c.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from asynccp.errors import UsageError
from asynccp.text import printable

USUAL_UMASK = 0o022
_ALL = 0o7777
_CHANGE = re.compile(r"(?P<of>[DF]?)(?:(?P<octal>[0-7]{1,5})|(?P<who>[ugoa]*)(?P<how>[-+=])(?P<what>[rwxXst]*))")
_CLASSES = {"u": 0o100, "g": 0o010, "o": 0o001, "a": 0o111}
_SET_ID = {"u": 0o4000, "g": 0o2000, "o": 0, "a": 0o6000}
_BITS = {"r": 4, "w": 2, "x": 1}


class ModeChange(NamedTuple):
    """One change. of: `D`, `F` or nothing, for both. how: `+`, `-`, `=`, or nothing, for a mode as a whole.

    who: the classes, a bit each; 0: all that the umask leaves. what: bits of one class. special: set-id bits, and the
    sticky one. if_run: X.
    """

    of: str
    how: str
    who: int = 0
    what: int = 0
    special: int = 0
    if_run: bool = False


@functools.lru_cache(64)  # the same few, for each entry
def parse_chmod(text: str) -> tuple[ModeChange, ...]:
    """Return the changes of one --chmod, which come one after the other. Raises UsageError."""
    return tuple(_change(one, text) for one in text.split(","))


def mode_after(mode: int, chmods: Iterable[str], *, is_directory: bool, umask: int = USUAL_UMASK) -> int:
    """Return a mode after some changes. Raises UsageError for what are none."""
    is_run = is_directory or mode & 0o111 != 0
    for chmod in chmods:
        for one in parse_chmod(chmod):
            if one.of != ("F" if is_directory else "D"):
                mode = _after(mode, one, umask, is_run=is_run)
    return mode


def _after(mode: int, change: ModeChange, umask: int, *, is_run: bool) -> int:
    if not change.how:
        return change.what
    what = change.what | (change.if_run and is_run)
    bits = (change.who or 0o111) * what
    bits = (bits if change.who else bits & ~umask) | change.special
    if change.how == "+":
        return mode | bits
    if change.how == "-":
        return mode & ~bits
    special = (0o4000 if change.who & 0o100 else 0) | (0o2000 if change.who & 0o010 else 0) if change.special else 0
    return mode & ~((change.who or 0o111) * 7 | special) & _ALL | bits


def _change(text: str, whole: str) -> ModeChange:
    found = _CHANGE.fullmatch(text)
    if not found:
        raise UsageError(
            f"'{printable(text, 100)}' in '{printable(whole, 100)}' is no change of a mode",
            hint="write it as for rsync: D755,F644 or Dg+s,ug+w,Fo-w,+X",
        )
    if found["octal"]:
        octal = int(found["octal"], 8)
        if octal > _ALL:
            raise UsageError(f"{text.lstrip('DF')} is no mode: 7777 is the largest")
        return ModeChange(found["of"], "", what=octal)
    who, what = found["who"], found["what"]
    special = 0o1000 if "t" in what else 0
    if "s" in what:
        special |= _joined(_SET_ID[one] for one in who) if who else 0o4000
    return ModeChange(
        found["of"],
        found["how"],
        _joined(_CLASSES[one] for one in who),
        _joined(_BITS[one] for one in what if one in _BITS),
        special,
        "X" in what,
    )


def _joined(bits: Iterable[int]) -> int:
    found = 0
    for one in bits:
        found |= one
    return found
