"""The payload of a pax header, and the sparse map that bsdtar and GNU tar announce in one.

A payload is a row of records, `LENGTH KEYWORD=VALUE\\n`; LENGTH counts itself and the newline. The bugs of tar readers
live here: records of length 0 that loop for ever, records that are dropped when malformed, a size that one reader obeys
and another ignores, so that the second sees members inside the first one's content (CVE-2025-62518). So: everything
is parsed, nothing is repaired, and what has two readings is refused.

Sparse files: bsdtar stores any file with holes as GNU.sparse 1.0 by default, GNU tar does with -S. The content then
begins with a map, decimal numbers with a newline behind each: a count, and for every piece its offset and its size;
it is padded to a block, and the pieces follow. The older forms (0.0, 0.1, typeflag `S`) are refused.

GNU tar begins each piece in a new block, bsdtar right behind the one before, so all but the last must fill their
blocks; and GNU tar forgets a hole at the end unless the map ends with an empty piece there. Both tars write such maps.
"""

import re
from collections.abc import Mapping

from asynccp.errors import ProtocolViolation
from asynccp.escape import printable
from asynccp.limits import raise_hint
from asynccp.wire.header import BLOCK

MAX_RECORDS = 1000  # a file has at most a few dozen, mostly extended attributes

_USED = {b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid"}
_UNUSED = {b"atime", b"ctime", b"uname", b"gname", b"comment", b"charset", b"hdrcharset"}
_SPARSE = {b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.name", b"GNU.sparse.realsize"}
_REFUSED = {b"SCHILY.realsize", b"SCHILY.offset"}  # star's sparse files
_VENDOR = re.compile(rb"(?!GNU\.)[A-Z][A-Za-z0-9-]*\.[^\0]+")  # SCHILY.xattr.user.x, LIBARCHIVE.creationtime …
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"(-?)([0-9]{1,16})(?:\.([0-9]+))?")


def parse_records(payload: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header. Raises ProtocolViolation unless every one of them is sound."""
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(payload):
        keyword, value, start = _record(payload, start)
        if keyword in records:
            raise ProtocolViolation(f"a pax header says {printable(keyword, 100)} twice")
        _check(keyword, value)
        records[keyword] = value
        if len(records) > MAX_RECORDS:
            raise ProtocolViolation(f"a pax header has more than {MAX_RECORDS} records")
    return records


def decimal(value: bytes) -> int:
    """Return a size, a user id or a number of a sparse map."""
    if not _DECIMAL.fullmatch(value) or (number := int(value)) >= 2**63:
        raise ProtocolViolation(f"a tar extension has '{printable(value, 100)}' where a number belongs")
    return number


def nanoseconds(value: bytes) -> int:
    """Return a time, `-1.5` or `1700000000.123456789`, as nanoseconds."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise ProtocolViolation(f"a pax header has '{printable(value, 100)}' where a time belongs")
    sign, seconds, fraction = match.groups(b"")
    number = int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return -number if sign else number


def sparse_name_and_size(records: Mapping[bytes, bytes]) -> tuple[bytes, int] | None:
    """Return the real name and the real size of a sparse file; None when the records speak of none."""
    told = _SPARSE & records.keys()
    if not told:
        return None
    if told != _SPARSE or (records[b"GNU.sparse.major"], records[b"GNU.sparse.minor"]) != (b"1", b"0"):
        raise ProtocolViolation("a sparse file comes in another form than GNU.sparse 1.0")
    return records[b"GNU.sparse.name"], decimal(records[b"GNU.sparse.realsize"])


class SparseMap:
    """Reads the map at the head of a sparse file's content, block by block.

    real_size: of the file, holes included. stored_size: what the archive holds of it, map included.
    max_size: bytes of the map.
    """

    def __init__(self, real_size: int, stored_size: int, max_size: int) -> None:
        self._real_size = real_size
        self._max_size = max_size
        self.stored_size = stored_size
        self._text = bytearray()
        self._lines = 0
        self._expected: int | None = None  # lines; None until the count is there

    @property
    def missing(self) -> int:
        """How many bytes of the member have not come yet."""
        return self.stored_size - len(self._text)

    def feed(self, block: bytes) -> list[tuple[int, int]] | None:
        """Return the file as (size of a hole, size of the piece behind it) … when the map is whole, else None."""
        self._text += block
        self._lines += block.count(b"\n")
        if self._expected is None and self._lines:
            self._expected = 1 + 2 * decimal(bytes(self._text.partition(b"\n")[0]))
        if self._expected is not None and self._lines >= self._expected:
            return self._pieces(self._expected)
        if len(self._text) >= self.stored_size:
            raise ProtocolViolation("the map of a sparse file does not end")
        if len(self._text) >= self._max_size:
            what = f"the map of a sparse file has more than {self._max_size} bytes"
            raise ProtocolViolation(what, hint=raise_hint("--max-header"))
        return None

    def _pieces(self, lines: int) -> list[tuple[int, int]]:
        *values, rest = bytes(self._text).split(b"\n", lines)
        if rest.strip(b"\0"):
            raise ProtocolViolation("the map of a sparse file has something behind its end")
        numbers = [decimal(value) for value in values[1:]]
        pieces, position = [], 0
        for offset, size in zip(numbers[::2], numbers[1::2], strict=True):
            if offset < position or offset + size > self._real_size:
                raise ProtocolViolation("the map of a sparse file has pieces that overlap, or lie outside of it")
            pieces.append((offset - position, size))
            position = offset + size
        if position != self._real_size:
            raise ProtocolViolation("the map of a sparse file stops before its end")
        if any(size % BLOCK for _, size in [piece for piece in pieces if piece[1]][:-1]):
            raise ProtocolViolation("the map of a sparse file has pieces that do not fill their blocks")
        if len(self._text) + sum(numbers[1::2]) != self.stored_size:
            raise ProtocolViolation("the map of a sparse file doesn't fit the size in its header")
        return pieces


def _record(payload: bytes, start: int) -> tuple[bytes, bytes, int]:
    """Return keyword, value and end of the record that begins at `start`."""
    space = payload.find(b" ", start, start + 8)  # a length below 1 MiB has at most 7 digits
    digits = payload[start:space] if space > start else b""
    if not digits.isdigit() or digits[0] == 0x30:
        raise ProtocolViolation(f"a pax record has no length: '{printable(payload[start : start + 40])}'")
    end = start + int(digits)
    keyword, equals, value = payload[space + 1 : end - 1].partition(b"=")
    if payload[end - 1 : end] != b"\n" or not equals:
        raise ProtocolViolation(f"a pax record is malformed: '{printable(payload[start : start + 40])}'")
    return keyword, value, end


def _check(keyword: bytes, value: bytes) -> None:
    """Refuse a keyword that might change the meaning of the member and isn't known here."""
    if keyword in _USED or keyword in _SPARSE:
        if not value or b"\0" in value:
            raise ProtocolViolation(f"a pax header has '{printable(value, 100)}' for {keyword.decode()}")
    elif keyword not in _UNUSED and (keyword in _REFUSED or not _VENDOR.fullmatch(keyword)):
        raise ProtocolViolation(f"a pax header says '{printable(keyword, 100)}', which is not known here")
