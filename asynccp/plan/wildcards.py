"""Wildcards: a pattern of names, as git and rsync read it → a regular expression over bytes. Pure.

    ?           one byte, and * any number of them, but no /
    [a-z]       one of these bytes; [!a-z] and [^a-z] any other, but no /; [[:digit:]] one of a class, of ASCII
    **          between slashes any number of directories, none as well; at the end all that is below
    \\x          x itself, whatever it is

The rules are those of git's wildmatch.c with WM_PATHNAME, which came from rsync. Bytes, as in both: a name has no
encoding, and an `é` takes two `?`.

The library pathspec, which reads such patterns too, isn't used: of 600 patterns put together by chance, 1.1.1 took 30
to 43 otherwise than git did, in silence, and as many raised an error of `re` (`[z-a]`). A set that is negated takes a
slash there, so that `log[!0-9]*` leaves out all that is in `log/`; and it knows no `[[:digit:]]`.

Patterns are the user's, but names may be a pod's. Of the `*` and `**` in a pattern each but the last takes the first
place where what follows it fits, and no other is tried (`(?>…)`); so no name takes long.
"""

import re
from collections.abc import Sequence
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits, hexdigits, punctuation

Component = bytes | None
"""What one name of a path must be, as the source of a regular expression; or DEEP."""

DEEP = None
"""The component `**`: any number of names."""

_STAR, _SLASH, _ANY = b"*", b"/", b"[^/]"
_CLASSES = {
    b"alnum": (ascii_letters + digits).encode(),
    b"alpha": ascii_letters.encode(),
    b"blank": b" \t",
    b"cntrl": bytes([*range(32), 127]),
    b"digit": digits.encode(),
    b"graph": bytes(range(33, 127)),
    b"lower": ascii_lowercase.encode(),
    b"print": bytes(range(32, 127)),
    b"punct": punctuation.encode(),
    b"space": b" \t\n\v\f\r",
    b"upper": ascii_uppercase.encode(),
    b"xdigit": hexdigits.encode(),
}


class Malformed(ValueError):
    """A pattern that no name can match; it says why."""


def components(pattern: bytes) -> tuple[Component, ...]:
    """Return what each name between the slashes of a pattern must be. Raises Malformed."""
    found: list[list[bytes]] = [[]]
    for token in _tokens(pattern):
        if token == _SLASH:
            found.append([])
        else:
            found[-1].append(token)
    return tuple(map(_component, found))


def expression(names: Sequence[Component]) -> re.Pattern[bytes]:
    """Return what a whole path must match (`fullmatch`), relative and without a slash at its end."""
    *groups, last = _between_deep(names)
    if not groups:
        return re.compile(_SLASH.join(last), re.DOTALL)
    first, *inner = groups
    source = b"".join(name + _SLASH for name in first)
    source += b"".join(b"(?>(?:[^/]+/)*?" + b"".join(name + _SLASH for name in group) + b")" for group in inner)
    return re.compile(source + (b"(?:.*/)?" + _SLASH.join(last) if last else b".+"), re.DOTALL)


def has_wildcards(name: bytes) -> bool:
    """Tell whether a pattern stands for more than its own text, or for it otherwise than it is written."""
    return any(one in name for one in b"*?[\\")


def set_end(pattern: bytes, at: int) -> int:
    """Return where the set ends whose bracket is before `at`. Raises Malformed."""
    return _set(pattern, at)[1]


def _between_deep(names: Sequence[Component]) -> list[list[bytes]]:
    """Return the names before, between and behind each `**`."""
    groups: list[list[bytes]] = [[]]
    for name in names:
        if name is DEEP:
            groups.append([])
        else:
            groups[-1].append(name)
    return groups


def _component(tokens: Sequence[bytes]) -> Component:
    if len(tokens) > 1 and set(tokens) == {_STAR}:
        return DEEP
    fixed = [b""]
    for token in tokens:
        if token == _STAR:
            fixed.append(b"")
        else:
            fixed[-1] += token
    first, *inner = fixed
    if not inner:
        return first
    *inner, last = inner
    return first + b"".join(b"(?>[^/]*?" + part + b")" for part in inner if part) + b"[^/]*" + last


def _tokens(pattern: bytes) -> list[bytes]:
    """Return what each part of a pattern is: _STAR, _SLASH, or the source of what matches one byte."""
    tokens, at = [], 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"[":
            members, at = _set(pattern, at)
            tokens.append(members)
        elif byte == b"\\":
            if at == len(pattern):
                raise Malformed("nothing follows the backslash at its end")
            tokens.append(re.escape(pattern[at : at + 1]))
            at += 1
        else:
            tokens.append({b"*": _STAR, b"?": _ANY}.get(byte) or re.escape(byte))
    return tokens


def _set(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the source of the set that begins behind the bracket before `at`, and where it ends."""
    negates = pattern[at : at + 1] in (b"!", b"^")
    at += negates
    members: set[int] = set()
    before, start = -1, at  # before: what a range may begin with
    while pattern[at : at + 1] != b"]" or at == start:
        named = re.compile(rb"\[:([^]]*):\]").match(pattern, at)
        if named:
            members |= set(_class(named[1]))
            before, at = -1, named.end()
        elif pattern[at : at + 1] == b"-" and before >= 0 and pattern[at + 1 : at + 2] not in (b"", b"]"):
            last, at = _member(pattern, at + 1)
            members |= set(range(before, last + 1))
            before = -1
        else:
            before, at = _member(pattern, at)
            members.add(before)
    if negates:
        members = set(range(256)) - members
    return _one_of(members - set(_SLASH)), at + 1


def _member(pattern: bytes, at: int) -> tuple[int, int]:
    """Return the byte of a set that stands at `at`, and where the next one does."""
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        raise Malformed("its [ has no ]")
    return pattern[at], at + 1


def _class(name: bytes) -> bytes:
    if name not in _CLASSES:
        raise Malformed(f"it has no class [:{name.decode('ascii', 'backslashreplace')}:]")
    return _CLASSES[name]


def _one_of(members: set[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % one for one in sorted(members)) + b"]" if members else b"(?!)"
