"""The manifest of a prefix: what asynccp has put there, as lines of JSON in the order of keys. Pure.

    {"manifest": "asynccp", "version": 1}
    {"key": "web-0/log/a", "kind": "file", "size": 5, "mtime_ns": …, "mode": "0644", "uid": 0, "gid": 0,
     "sha256": "…", "etag": "…"}
    {"key": "web-0/log/now", "kind": "symlink", …, "link": "a"}

It has what no object can be: directories, symbolic links, and times to the nanosecond; and it tells the next run what
need not be fetched again. A run writes it when all objects are there, so it never promises what is not.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from asynccp.entry import Kind
from asynccp.objects.errors import StoreError
from asynccp.objects.object import Object
from asynccp.objects.rows import Rows, line_of
from asynccp.plan.manifest import Item

VERSION = 1
MOST_LINE_SIZE = 64 * 1024
MOST_ROWS = 4_000_000
"""What is more is not read: everything is fetched again. As many names as one pod may have (`limits.Limits`)."""

_HEADER = json.dumps({"manifest": "asynccp", "version": VERSION}).encode() + b"\n"
_PIECE_SIZE = 1024 * 1024


class Known(NamedTuple):
    """One line. key: below the prefix. sha256, etag: of a file's content, and of the object as the store told it."""

    key: str
    item: Item
    sha256: str = ""
    etag: str = ""

    def is_of(self, there: Object | None) -> bool:
        """Tell whether an object is the one that this tells of."""
        if not there or there.size != self.item.size:
            return False
        return not (self.etag and there.etag) or self.etag == there.etag


def row_of(known: Known) -> bytes:
    item = known.item
    told: dict[str, Any] = {
        "key": known.key,
        "kind": item.kind.value if item.kind else "",
        "size": item.size,
        "mtime_ns": item.mtime_ns,
        "mode": f"{item.mode:04o}",
        "uid": item.uid,
        "gid": item.gid,
    }
    if item.link:
        told["link"] = item.link.decode("utf-8", "surrogateescape")
    if item.kind is Kind.FILE:
        told |= {"sha256": known.sha256, "etag": known.etag}
    return known.key.encode() + b"\0" + json.dumps(told).encode()


def gone(key: str) -> bytes:
    """Return the row that says that an object is no more."""
    return key.encode() + b"\0"


def known_of(row: bytes) -> Known | None:
    """Return what a row says, None for one that is no row of ours."""
    return _known(line_of(row))


def _known(line: bytes) -> Known | None:
    try:
        told = json.loads(line)
        item = Item(
            Kind(told["kind"]),
            size=_number(told["size"]),
            mtime_ns=_number(told["mtime_ns"]),
            mode=int(told["mode"], 8) & 0o7777,
            uid=_number(told["uid"]),
            gid=_number(told["gid"]),
            link=told.get("link", "").encode("utf-8", "surrogateescape"),
        )
        key, sha256, etag = (told.get(name, "") for name in ("key", "sha256", "etag"))
        key.encode()
        return Known(key, item, sha256, etag) if key and "\0" not in key and "\n" not in key else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def written(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a manifest in pieces. rows: in the order of keys."""
    piece = bytearray(_HEADER)
    for row in rows:
        piece += line_of(row) + b"\n"
        if len(piece) >= _PIECE_SIZE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def read(pieces: Iterable[bytes], place: str) -> Rows:
    """Return the rows of a manifest in order. What is no line of ours is not known, and so is fetched again.

    place: as errors call it. Raises StoreError for the manifest of a later release, which this one would not keep.
    """
    lines = _lines(pieces)
    header = next(lines, b"")
    version = _version(header)
    if version > VERSION:
        raise StoreError(
            f"{place} is by a later release of asynccp", hint="take that release, or another prefix for this run"
        )
    rows = Rows()
    if version != VERSION:
        return rows
    for line in lines:
        if known := _known(line):
            rows.append(row_of(known))
            if rows.count > MOST_ROWS:
                return Rows()
    return rows.ordered()


def _version(header: bytes) -> int:
    try:
        told = json.loads(header)
        return _number(told["version"]) if told["manifest"] == "asynccp" else 0
    except (ValueError, KeyError, TypeError):
        return 0


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; one that is longer than any of ours as an empty one."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line if len(line) <= MOST_LINE_SIZE else b"" for line in lines)
        rest = rest if len(rest) <= MOST_LINE_SIZE else rest[: MOST_LINE_SIZE + 1]
    yield rest
