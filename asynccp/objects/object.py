"""Object: what a store tells of one, and a part of its content."""

from typing import NamedTuple


class Object(NamedTuple):
    """key: below the prefix. etag: empty where the store has none. mtime_ns: when it was written."""

    key: str
    size: int
    etag: str
    mtime_ns: int


class Part(NamedTuple):
    """content: as much as was asked for. size, mtime_ns: of the whole object."""

    content: bytes
    size: int
    mtime_ns: int
