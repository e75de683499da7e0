"""The payload of a pax header, and the sparse map that bsdtar and GNU tar announce in one.

A payload is a row of records, `LENGTH KEYWORD=VALUE\\n`; LENGTH counts itself and the newline. The bugs of tar readers
live here: records of length 0 that loop for ever, records that are dropped when malformed, a size that one reader obeys
and another ignores, so that the second sees members inside the first one's content (CVE-2025-62518). So: everything
is parsed, nothing is repaired, and what has two readings is refused.

Sparse files: bsdtar stores any file with holes as GNU.sparse 1.0 by default, GNU tar does with -S. The content then
begins with a map, decimal numbers with a newline behind each: a count, and for every piece its offset and its size;
it is padded to a block, and the pieces follow. The older forms (0.0, 0.1, typeflag `S`) are refused.

GNU tar begins each piece in a new block, bsdtar right behind the one before, so all but the last must fill their
blocks; and GNU tar forgets a hole at the end unless the map ends with an empty piece there. Both tars write such maps,
and no empty pieces in the middle: those would only fill the memory.
"""

import re
from array import array
from collections.abc import Mapping

from asynccp.archive.header import BLOCK
from asynccp.errors import Knob, ProtocolViolation
from asynccp.limits import raise_hint
from asynccp.text import printable

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
        self.stored_size = stored_size
        self._max_size = max_size
        self._size = 0  # of the map so far
        self._unread = b""  # a number that isn't whole yet
        self._left: int | None = None  # numbers to come; None until the count is there
        self._offset: int | None = None  # of the piece whose size comes next
        self._position = 0  # in the file, behind the last piece
        self._pieces = array("Q")  # two numbers each: a list of pairs took eight times as much, 10 MiB for a map of one

    @property
    def missing(self) -> int:
        """How many bytes of the member have not come yet."""
        return self.stored_size - self._size

    @property
    def memory(self) -> int:
        """Bytes that the pieces take."""
        return len(self._pieces) * self._pieces.itemsize

    def feed(self, block: bytes) -> "array[int] | None":
        """Return the file as the size of a hole, that of the piece behind it, and so on, when the map is whole."""
        self._size += len(block)
        text, start = self._unread + block, 0
        while self._left != 0 and (end := text.find(b"\n", start)) >= 0:
            self._take(decimal(text[start:end]))
            start = end + 1
        self._unread = text[start:]
        if self._left == 0:
            return self._whole()
        if self._size >= self.stored_size:
            raise ProtocolViolation("the map of a sparse file does not end")
        if self._size >= self._max_size:
            what = f"the map of a sparse file has more than {self._max_size} bytes"
            raise ProtocolViolation(what, hint=raise_hint(Knob.HEADER_SIZE))
        return None

    def _take(self, number: int) -> None:
        if self._left is None:
            self._left = 2 * number
            return
        self._left -= 1
        if self._offset is None:
            self._offset = number
        else:
            self._add(self._offset, number)
            self._offset = None

    def _add(self, offset: int, size: int) -> None:
        if offset < self._position or offset + size > self._real_size:
            raise ProtocolViolation("the map of a sparse file has pieces that overlap, or lie outside of it")
        before = self._pieces[-1] if self._pieces else BLOCK
        is_first = len(self._pieces) == 2 and self._position == 0  # bsdtar begins the map of a mere hole with `0 0`
        if (before == 0 and not is_first) or (before % BLOCK and size):
            raise ProtocolViolation("the map of a sparse file has pieces that are empty, or do not fill their blocks")
        self._pieces.extend((offset - self._position, size))
        self._position = offset + size

    def _whole(self) -> "array[int]":
        if self._unread.strip(b"\0"):
            raise ProtocolViolation("the map of a sparse file has something behind its end")
        if self._position != self._real_size:
            raise ProtocolViolation("the map of a sparse file stops before its end")
        if self._size + sum(self._pieces[1::2]) != self.stored_size:
            raise ProtocolViolation("the map of a sparse file doesn't fit the size in its header")
        return self._pieces


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
