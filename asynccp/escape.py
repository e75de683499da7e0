"""Text of others, made safe for a terminal, a log line or a report.

What a pod says (names, stderr, Status messages) may hold escape sequences that rewrite the terminal (CVE-2021-25743),
and bidirectional overrides that make one name look like another. `printable` shows such characters as `\\x1b` or
`\\u202e`; bytes that are not UTF-8 appear as `\\xff`. Files on disk keep their bytes: only the words are escaped.
"""

import re

# C0 controls, DEL, C1 controls, bidirectional marks, line separators, lone surrogates.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
# What can't be seen: soft hyphen, zero-width space and joiners of words, annotations, tags. Not the joiners of letters
# (U+200C, U+200D), which names in Persian and with emoji need.
_INVISIBLE = "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE = re.compile(f"[{_CONTROLS}{_INVISIBLE}]")


def printable(text: str | bytes, limit: int = 1000) -> str:
    """Return `text` on one line without any control character, at most about `limit` characters long."""
    if isinstance(text, bytes):
        text = text[: 4 * (limit + 1)].decode("utf-8", "backslashreplace")
    shortened = text if len(text) <= limit else text[:limit] + "…"
    return _UNSAFE.sub(_escaped, shortened)


def _escaped(match: re.Match[str]) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(match[0])
    escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return named.get(match[0], escaped)
