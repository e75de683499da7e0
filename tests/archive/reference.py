"""An archive built the plain way, whole and in memory, to compare the layout and the reader with."""

import functools
from collections.abc import Sequence

from asynccp.archive.header import BLOCK, END, encode_header
from asynccp.archive.layout import SMALL_BLOCK_SIZE
from asynccp.entry import Entry, Kind
from asynccp.options import RECORD_SIZE

TOKEN = "0123456789abcdef"


def sentinel(entries: Sequence[Entry]) -> Entry:
    """Return the last member: it is called after how many entries will stand there, and how many bytes of content."""
    files = {entry.path: entry.size for entry in entries if entry.kind is Kind.FILE}
    linked = [files.get(entry.link, 0) for entry in entries if entry.kind is Kind.HARDLINK]
    return Entry(b".asynccp-0123456789abcdef-%d-%d" % (len(entries), sum(files.values()) + sum(linked)), Kind.FILE)


def content_of(entry: Entry) -> bytes:
    """Return bytes that differ from entry to entry and from place to place; never zero, which padding is."""
    seed = sum(entry.path) % 251
    return b"".join(_line((seed + number) % 255) for number in range(entry.size // 255 + 1))[: entry.size]


@functools.cache
def _line(seed: int) -> bytes:
    return bytes((seed + index * 7) % 255 + 1 for index in range(255))


@functools.cache
def member(entry: Entry) -> bytes:
    return encode_header(entry) + content_of(entry) + bytes(-entry.size % BLOCK)


def reference(entries: Sequence[Entry]) -> bytes:
    """Return what the pods of a push are sent: directories come again, in a second archive if links are in them."""
    again = [entry for entry in reversed(entries) if entry.kind is Kind.DIRECTORY]
    last = sentinel(entries)
    archives = [b"".join(map(member, [*entries, *again, last]))]
    if again and any(entry.kind in (Kind.HARDLINK, Kind.SYMLINK) and b"/" in entry.path for entry in entries):
        archives.append(b"".join(map(member, [*again, last])))
    unit = SMALL_BLOCK_SIZE if sum(map(len, archives)) <= RECORD_SIZE else RECORD_SIZE
    return b"".join(one + END + bytes(-(len(one) + len(END)) % unit) for one in archives)
