"""Text for people: of others, made safe for a terminal, a log line or a report; numbers, sizes and lists in words.

What a pod says (names, stderr, Status messages) may hold escape sequences that rewrite the terminal (CVE-2021-25743),
and bidirectional overrides that make one name look like another. `printable` shows such characters as `\\x1b` or
`\\u202e`; bytes that are not UTF-8 appear as `\\xff`. Files on disk keep their bytes: only the words are escaped.

Words for people are cut, and a name that has `\\x1b` written out in it looks like one with that byte. A program that
reads the report needs to tell the two apart, and to find the file: for it there is `exact`.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

# C0 controls, DEL, C1 controls, bidirectional marks, line separators, lone surrogates.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
# What can't be seen: soft hyphen, zero-width space and joiners of words, annotations, tags. Not the joiners of letters
# (U+200C, U+200D), which names in Persian and with emoji need.
_INVISIBLE = "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE = f"[{_CONTROLS}{_INVISIBLE}]"  # to compile these takes 1 % of a start: it is done where a name needs it
_INEXACT = rf"[\\{_CONTROLS}{_INVISIBLE}]"
_ESCAPE = re.compile(r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str | bytes, limit: int = 1000) -> str:
    """Return `text` on one line without any control character, at most about `limit` characters long."""
    if isinstance(text, bytes):
        text = text[: 4 * (limit + 1)].decode("utf-8", "backslashreplace")
    shortened = text if len(text) <= limit else text[:limit] + "…"
    return shortened if _is_plain(shortened) else re.sub(_UNSAFE, _escaped, shortened)


def exact(path: str | bytes) -> str:
    """Return `path` as safe to show as `printable` makes it, but whole, and so that no other path looks the same.

    `\\\\` is a backslash, `\\n`, `\\r` and `\\t` are what they are elsewhere, `\\xHH` is one byte, `\\uHHHH` and
    `\\UHHHHHHHH` are one character. A byte that is no UTF-8 may come as Python has it in text: as a lone surrogate.
    """
    text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    return text if _is_plain(text) and "\\" not in text else re.sub(_INEXACT, _exactly, text)


def inexact(text: str) -> str:
    """Return the path that `exact` has shown as `text`, with bytes that are no UTF-8 as lone surrogates."""
    return _ESCAPE.sub(_meant, text)


def _is_plain(text: str) -> bool:
    """Tell whether a text is of ASCII's printable characters alone, as nearly all names are."""
    return text.isascii() and text.isprintable()


def _meant(match: re.Match[str]) -> str:
    letter, byte, *codes = match.groups()
    if letter:
        return {"n": "\n", "r": "\r", "t": "\t"}.get(letter, letter)
    code = int(byte or codes[0] or codes[1], 16)
    return chr(code + 0xDC00 if byte and code >= 0x80 else code)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _NAMED.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else _character(code))


def _exactly(match: re.Match[str]) -> str:
    if match[0] == "\\":
        return "\\\\"
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return _escaped(match) if code < 0x80 else _character(code)  # U+0080 to U+00FF are two bytes each, `\xHH` is one


def _character(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun: `1 entry`, `2 entries`."""
    return f"{count} {one if count == 1 else many}"


def listed(things: Sequence[T], most: int, say: Callable[[T], str] = str, between: str = ", ") -> str:
    """Return the first of them in words, and how many more there are: `a, b, c and 9 more`."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return between.join(map(say, things[:most])) + more


def human_size(size: float) -> str:
    """Return bytes as people read them: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
