"""Digests: which files the pod is asked about, and its answer. Pure.

    us   → pod  sum                                  one question; then a name a line, and an empty line
    pod  → us   DIGEST  NAME                         as sha256sum prints it, in the order of the names
    pod  → us   asynccp TOKEN summed

Other questions are answered in the same form: `state` by size and time of change instead of a digest, `object` by
inode, size and time (`stattime`); `span`, where an offset and a size stand before each name, by the file's inode (0 if
nobody can tell) and the digest of that part; and, about one name, `old` by the number of entries there that have not
changed.

Names begin with `./`. On the way to the pod, bytes that a shell's `read` might mistake are written as printf's `%b`
reads them (POSIX printf: `\\0` and three octal digits). On the way back the names are known, so that the answer can be
read to the byte: coreutils mark a name with a newline or a backslash and escape it, BusyBox and toybox print it raw.

A pod without sha256sum is asked for md5sum, and without that for cksum: they tell damage as well, if not malice; and a
pod that lies about its own files can't be caught by any of them. That a weaker one was used stands in the report.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from asynccp.archive.printf import for_printf
from asynccp.errors import ProtocolViolation
from asynccp.text import printable

MAX_NAMES = 100  # in one question: its answer fits the 64 KiB of a pipe, so that nothing in the pod waits for us
MAX_NAMES_SIZE = 16 * 1024  # bytes of names in one question, but for a single longer one
_WORD, _NUMBERS = re.compile(rb"-?[0-9A-Za-z]+"), re.compile(rb"[-+]?[0-9:.-]+")
_PLAIN = frozenset(range(0x20, 0x7F)) - {0x5C}


class Span(NamedTuple):
    """So many bytes of a file in a pod, from `offset` on."""

    path: bytes
    offset: int
    size: int


def questions(paths: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the paths in groups that fit one question."""
    group: list[bytes] = []
    size = 0
    for path in paths:
        if group and (len(group) == MAX_NAMES or size + len(path) > MAX_NAMES_SIZE):
            yield group
            group, size = [], 0
        group.append(path)
        size += len(path)
    if group:
        yield group


def encode_question(paths: Sequence[bytes], what: str = "sum") -> bytes:
    """Return the question about these paths for the pod's stdin: the first word says what of them."""
    return b"%b\n" % what.encode() + encode_names(paths)


def encode_spans(spans: Iterable[Span]) -> bytes:
    """Return the question for the digests of these."""
    lines = (b"%d %d %b\n" % (one.offset, one.size, encode_name(one.path)) for one in spans)
    return b"span\n" + b"".join(lines) + b"\n"


def encode_names(paths: Iterable[bytes]) -> bytes:
    """Return the paths as lines for the pod's stdin, and the empty line that ends them."""
    return b"".join(b"%b\n" % encode_name(path) for path in paths) + b"\n"


def encode_name(path: bytes) -> bytes:
    """Return a path as printf's `%b` reads it, and so that no program takes it for an option."""
    return b"./" + for_printf(path, _PLAIN)


class AnswerReader:
    """Reads the digests of `paths` and the line behind them. algorithm: a key of ALGORITHMS, or a question's word.

    before: words that stand before each.
    """

    def __init__(self, token: str, paths: Sequence[bytes], algorithm: str, before: int = 0) -> None:
        self._end = f"asynccp {token} summed\n".encode()
        self._paths = paths
        self._words = {"cksum": 2, "state": 2, "object": 5}.get(algorithm, 1) + before
        self._word = (_NUMBERS if algorithm == "object" else _WORD).fullmatch
        self._bound = sum(4 * len(path) + 200 for path in paths) + len(self._end)
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> tuple[list[str | None], bytes] | None:
        """Return the digests, None for a file that the pod can't read, and what follows; None before all is there.

        Raises ProtocolViolation for what can't be an answer.
        """
        self._buffer += data
        end = self._buffer.rfind(self._end)
        if end < 0:
            if len(self._buffer) > self._bound:
                raise ProtocolViolation("the pod's answer to a question for digests does not end")
            return None
        return self._digests(bytes(self._buffer[:end])), bytes(self._buffer[end + len(self._end) :])

    def _digests(self, text: bytes) -> list[str | None]:
        digests: list[str | None] = []
        for path in self._paths:
            digest, size = self._digest(text, b"./" + path)
            digests.append(digest)
            text = text[size:]
        if text:
            raise ProtocolViolation(f"the pod said '{printable(text, 200)}' where a digest belongs")
        return digests

    def _digest(self, text: bytes, name: bytes) -> tuple[str | None, int]:
        """Return the digest at the start of `text`, and the size of its line, if that line is about `name`."""
        escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")  # coreutils 9.1 and later: \r too
        for mark, form in ((b"\\", escaped), (b"\\", escaped.replace(b"\r", b"\\r")), (b"", name)):
            for gap in (b"  ", b" *", b" "):  # cksum has one space; an asterisk means binary
                head = text.removeprefix(mark) if text.startswith(mark) else b""
                words = head.split(b" ", self._words)[: self._words]
                line = mark + b" ".join(words) + gap + form + b"\n"
                if text.startswith(line) and all(map(self._word, words)):
                    return b" ".join(words).decode("ascii"), len(line)
        return None, 0
