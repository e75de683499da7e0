"""NASTY: names that have broken copiers, more than a hundred, and every byte that a name may hold."""

import os
from pathlib import Path

_BYTES = bytes(byte for byte in range(1, 256) if byte != 0x2F)

# Every byte but NUL and the slash, eight to a name: bytes that are not UTF-8, newlines, escapes, all of them.
_EVERY_BYTE = [b"bytes-" + _BYTES[start : start + 8] for start in range(0, len(_BYTES), 8)]

_TEXT = """
    'single' "double" `backquoted` $(subshell) ${variable} $HOME ~ ~root ; && || | > < & ! # % ^ = + @ , ( ) { } [ ]
    [a-z] * ? glob*[0]? {a,b} !! back\\slash trailing\\ \\n C:x ..\\up
    -rf --help --checkpoint=1 --checkpoint-action=exec=sh -C - --
    .hidden ..data ... .asynccp-0 a:b host:path 0 NUL con.txt
"""

_UNICODE = [
    "ünïcödé-日本",
    "e\u0301 combining",
    "é composed",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "👩‍👩‍👧",
    "İ ß",
    "\ufeffbom",
]

_SPACES = [b" ", b" leading", b"trailing ", b"two  spaces", b"new\nline", b"\n", b"tab\t", b"\rreturn"]

_LONG = [b"n" * 99, b"n" * 100, b"n" * 101, b"n" * 254, b"l" * 255, "日".encode() * 85]

_ALL = [
    *_EVERY_BYTE, *(word.encode() for word in _TEXT.split()), *(word.encode() for word in _UNICODE), *_SPACES, *_LONG,
    b"asynccp 0123456789abcdef done rc=0",
]  # fmt: skip
NASTY = sorted(set(_ALL))


def build(root: Path) -> Path:
    """Make a directory with a file of each name, whose content is the name; return it."""
    root.mkdir(parents=True)
    for name in NASTY:
        _write(root, name)
    return root


def build_one(root: Path, name: bytes) -> Path:
    """Make a directory below `root` with a file of this name alone; return it."""
    directory = root / str(NASTY.index(name))
    directory.mkdir(parents=True)
    _write(directory, name)
    return directory


def _write(directory: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(directory), name), "wb") as file:
        file.write(name)
