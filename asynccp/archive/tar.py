"""The tar decoder: bytes of an archive → events. Strict, incremental, no I/O.

    Member(entry), then Data and Hole in the order of the file, then MemberEnd       one entry, whole
    Whole(entry, content)          all of these at once: a small file of a plain run (`archive.plain`)
    LeftOut(path, reason)          a device, FIFO or the like: passed over, named, and the decoder stays in step
    PassedOver()                   a member below a directory that is left out, and was named for all of them
    ArchiveEnd(), then Rest(data)  every byte behind the two zero blocks, padding too; whoever asked for it judges it

An archive from a pod is hostile input, and the decoder is what stands before the disk: it reads what GNU tar 1.34,
BusyBox 1.35, bsdtar 3.6 and toybox 0.8.9 write and refuses everything else, with ProtocolViolation for a malformed
archive and UnsafeEntry for a name that must not be written. It never resynchronises: Python's tarfile takes a damaged
header for the end, bsdtar looks for the next one, and both lose files without an error. An archive that stops early
isn't an error here, because only the caller knows that no more will come: `ended` stays False, `describe` tells where.

FIFOs and devices stand in healthy trees, so they are reported, not refused: the transfer is then partial, with the name
of what is missing. Members of unknown kinds and of forgotten ones (typeflags `D` `M` `N` `S` `V`) are refused.

A shell that packs in place of tar puts small files into bundles (`archive.bundle`), which come as Whole. They are read
where they are expected; elsewhere they are of an unknown kind.

Content is never copied: Data holds slices of the buffer that was fed. A member costs 20 µs, in a plain run 8, and 1 GiB
in one file, fed 32 KiB at a time, 0.05 s.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from asynccp.archive.attributes import words_of_records
from asynccp.archive.bundle import MAX_SIZE, TYPEFLAG, read_bundle
from asynccp.archive.header import (
    BLOCK,
    NAME_SIZE,
    TYPEFLAGS,
    Header,
    decode_header,
    decode_number,
    padding,
)
from asynccp.archive.pax import SparseMap, decimal, nanoseconds, parse_records, sparse_name_and_size
from asynccp.archive.plain import PlainRuns, Run, Whole
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.errors import Knob, ProtocolViolation, UnsafeEntry
from asynccp.limits import DEFAULT_LIMITS, Limits, raise_hint
from asynccp.ours import UNFINISHED, ours_above
from asynccp.text import printable

MAX_COMPONENT_SIZE = 255  # bytes; NAME_MAX of every file system that matters
MAX_TARGET_SIZE = 4096  # bytes of a symbolic link; PATH_MAX, so no system has longer ones
MAX_TIME_S = 10**16  # seconds; far beyond any file system, small enough for utime()

_KINDS = {typeflag: kind for kind, typeflag in TYPEFLAGS.items()}
_LEFT_OUT = {b"3": "a character device", b"4": "a block device", b"6": "a FIFO", b"7": "a contiguous file"}
_GNU_NAMES = {b"L": b"path", b"K": b"linkpath"}
_ZERO_BLOCK = bytes(BLOCK)
_OCTAL_SIZE_LIMIT = 8**11  # bytes; from here on GNU tar leaves 0 in the header and gives the size in pax


class Member(Struct, frozen=True):
    """An entry begins. `entry.path` is clean: relative, no `.` or `..`; empty for the directory that was archived.

    not_kept: what the archive has of it that is never set here, in words.
    """

    entry: Entry
    not_kept: tuple[str, ...] = ()


class Data(Struct, frozen=True):
    """Content of the member under way; valid until the decoder is fed again."""

    data: memoryview


class Hole(Struct, frozen=True):
    """Zeros of the member under way that the archive does not hold: `size` bytes of them."""

    size: int


class MemberEnd(Struct, frozen=True):
    """The member under way is whole."""


class PassedOver(Struct, frozen=True):
    """A member that is left out with one above it."""


class ArchiveEnd(Struct, frozen=True):
    """The two zero blocks have come."""


class Rest(Struct, frozen=True):
    """Bytes behind the end marker."""

    data: memoryview


_MEMBER_END = MemberEnd()
_NO_PIECES = array("Q")
Event = Whole | Member | Data | Hole | MemberEnd | LeftOut | PassedOver | ArchiveEnd | Rest
_Read = Callable[["TarDecoder", bytes], Iterable[Event]]


class TarDecoder:
    """Decodes one archive.

    Feed it until `ended`, and take all events of one `feed` before the next. After an error it is of no more use.
    All limits but that for entries are kept here, before a member is told. bundles: some are expected.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, bundles: bool = False) -> None:
        self.ended = False
        self._limits = limits
        self._bundles = bundles
        self._size = 0  # of the content of all members so far, holes included
        self._offset = 0  # of what has been taken in, not counting what is collected
        self._collected = bytearray()
        self._wanted = BLOCK
        self._plain = PlainRuns(limits.path_size)
        self._read: _Read = TarDecoder._read_header  # with no object, which would hold itself
        self._records: dict[bytes, bytes] = {}  # of the extensions since the last member
        self._records_size = 0
        self._pax = False  # they came as pax, not as GNU records
        self._global = False  # a global pax header came
        self._zero_block = False
        self._map: SparseMap | None = None
        self._pieces = _NO_PIECES  # of the member under way: the size of a hole, that of the content behind it, …
        self._piece = 0  # where the next of them stands
        self._content = 0  # bytes still to come of the piece under way
        self._skip = 0  # bytes to pass over: padding, or the content of a member that is left out
        self._path: bytes | None = None
        self._ours: bytes | None = None  # the last path with a name of ours that was told as left out

    def feed(self, data: bytes | memoryview) -> Iterator[Event]:
        """Yield what `data`, the next bytes of the archive, says. Any slicing of an archive gives the same events."""
        view = memoryview(data)
        start = 0
        while start < len(view):
            if self._content:
                piece = view[start : start + self._content]
                start += len(piece)
                self._content -= len(piece)
                self._offset += len(piece)
                yield Data(piece)
                if not self._content:
                    yield from self._next_piece()
            elif self._skip:
                step = min(self._skip, len(view) - start)
                start += step
                self._skip -= step
                self._offset += step
            elif self.ended:
                yield Rest(view[start:])
                return
            elif run := self._plain_run(view, start):
                start = run.stop
                yield from run.files
            else:
                start += self._collect(view[start : start + self._wanted])
                yield from self._read_collected()

    @property
    def offset(self) -> int:
        """Bytes of the archive taken in, but for those of a header that isn't whole yet."""
        return self._offset

    @property
    def memory(self) -> int:
        """Bytes that the extensions and the map of one member take, until it has come."""
        pieces = self._map.memory if self._map else len(self._pieces) * self._pieces.itemsize
        return pieces + len(self._collected) + self._records_size

    def describe(self) -> str:
        """Return where the archive stands, for the error when no more of it comes."""
        after = f" after {printable(self._path) or '.'}" if self._path is not None else ""
        if self.ended:
            return "the archive is whole"
        if self._content or self._map:
            missing = self._map.missing if self._map else self._content + sum(self._pieces[self._piece + 1 :: 2])
            return f"the archive stops inside {printable(self._path or b'')}, {missing} bytes before its end"
        if self._collected or self._skip or self._records:
            return f"the archive stops in the middle of a member{after}"
        return f"the archive stops without an end marker{after}" if self._offset else "no archive came"

    def _plain_run(self, view: memoryview, start: int) -> Run | None:
        """Read small files that come in a row; None where the strict decoder must read what comes next."""
        if self._read is not TarDecoder._read_header or self._collected or self._records_size or self._zero_block:
            return None
        if run := self._plain.read(view, start, self._limits.size - self._size):
            self._offset += run.stop - start
            self._size += run.size
            self._path = run.files[-1].entry.path
        return run

    def _collect(self, view: memoryview) -> int:
        size = min(len(view), self._wanted - len(self._collected))
        self._collected += view[:size]
        return size

    def _read_collected(self) -> Iterable[Event]:
        if len(self._collected) < self._wanted:
            return ()
        block = bytes(self._collected)
        self._collected.clear()
        try:
            events = self._read(self, block)
        except ProtocolViolation as exc:
            after = f", after {printable(self._path) or '.'}" if self._path is not None else ""
            raise ProtocolViolation(f"{exc} (at byte {self._offset} of the archive{after})", hint=exc.hint) from exc
        self._offset += len(block)
        return events

    def _read_header(self, block: bytes) -> Iterable[Event]:
        if block == _ZERO_BLOCK:
            return self._read_zero_block()
        if self._zero_block:
            raise ProtocolViolation("a lone zero block stands in the archive")
        header = decode_header(block)
        if header.typeflag in (b"L", b"K", b"x", b"g"):
            self._begin_extension(header)
            return ()
        if header.typeflag == TYPEFLAG and self._bundles:
            self._begin_bundle(header)
            return ()
        return self._begin_member(header, block)

    def _read_zero_block(self) -> Iterable[Event]:
        if self._records:
            raise ProtocolViolation("the archive ends behind an extension that belongs to no member")
        self.ended = self._zero_block
        self._zero_block = True
        return (ArchiveEnd(),) if self.ended else ()

    def _begin_extension(self, header: Header) -> None:
        if not 0 < header.size <= self._limits.header_size:
            hint = raise_hint(Knob.HEADER_SIZE) if header.size else ""
            raise ProtocolViolation(f"a tar extension has {header.size} bytes", hint=hint)
        for field in (header.mode, header.uid, header.gid, header.mtime):  # of no use, but some readers stop at them
            decode_number(field)
        # When a name comes twice, or by pax and by GNU's record, each reader has its own idea which one counts.
        taken = bool(self._records)
        if header.typeflag in _GNU_NAMES:
            taken = self._pax or _GNU_NAMES[header.typeflag] in self._records
        if taken:
            raise ProtocolViolation("a tar extension follows another one for the same member")
        self._wanted = header.size + padding(header.size)
        self._read = lambda decoder, payload: decoder._read_extension(header, payload[: header.size])

    def _read_extension(self, header: Header, payload: bytes) -> Iterable[Event]:
        self._wanted, self._read = BLOCK, TarDecoder._read_header
        self._records_size += len(payload)
        if header.typeflag in _GNU_NAMES:
            name = payload.removesuffix(b"\0")
            if b"\0" in name or not name:
                raise ProtocolViolation(f"a GNU long name is malformed: '{printable(payload, 100)}'")
            self._records[_GNU_NAMES[header.typeflag]] = name
            return ()
        records = parse_records(payload)
        if header.typeflag == b"x":
            self._records, self._pax = records, True
        elif records.keys() - {b"comment"}:  # `git archive` writes a comment; all else would apply to every member
            raise ProtocolViolation("a global pax header says more than a comment")
        elif self._global:  # they belong to no member, so no limit would end them
            raise ProtocolViolation("the archive has two global pax headers")
        else:
            self._global = True
        return ()

    def _begin_bundle(self, header: Header) -> None:
        if self._records or not 0 < header.size <= MAX_SIZE:
            raise ProtocolViolation(f"a bundle of files has {header.size} bytes, or something before it")
        self._wanted = header.size + padding(header.size)
        self._read = lambda decoder, payload: decoder._read_bundle(payload[: header.size])

    def _read_bundle(self, payload: bytes) -> Iterable[Event]:
        self._wanted, self._read = BLOCK, TarDecoder._read_header
        events: list[Event] = []
        for one in read_bundle(payload):
            path, size = member_path(one.name, limits=self._limits), len(one.content)
            self._count(path, size)
            if abs(one.mtime_s) >= MAX_TIME_S:
                raise ProtocolViolation(f"a bundle of files gives the time {one.mtime_s}")
            self._path = path
            if ours := ours_above(path):
                events += self._leave_ours_out(ours)
            else:
                mtime_ns = one.mtime_s * 1_000_000_000
                entry = Entry(path, Kind.FILE, size, one.mode, mtime_ns, one.uid, one.gid)
                events.append(Whole(entry, one.content))
        return events

    def _begin_member(self, header: Header, block: bytes) -> Iterable[Event]:
        records, self._records, self._records_size = self._records, {}, 0
        pax, self._pax = self._pax, False
        stored_size = _stored_size(header, records)
        name, real_size = _name_and_real_size(header, records)
        kind = _KINDS.get(header.typeflag)
        path = member_path(name, directory=kind is Kind.DIRECTORY, limits=self._limits)
        if records and not pax:
            _check_beginnings(header, records)
        self._count(path, max(stored_size, real_size or 0))
        if kind is not Kind.FILE and real_size is not None:
            raise ProtocolViolation(f"{printable(path)} is sparse, but no file")
        if ours := ours_above(path):
            self._path, self._skip = path, stored_size + padding(stored_size)
            return self._leave_ours_out(ours)
        if kind is None:
            return self._leave_out(path, header.typeflag, stored_size)
        if kind is not Kind.FILE and stored_size:
            raise ProtocolViolation(f"{printable(path)} has content, but is no file")
        entry = _entry(kind, path, stored_size if real_size is None else real_size, header, records, self._limits)
        if kind is Kind.HARDLINK and (ours := ours_above(entry.link)):
            self._path = path
            return (LeftOut(path, f"it is another name of {printable(ours, 200)}, {UNFINISHED}"),)
        member = Member(entry, words_of_records(records)) if pax else Member(entry)
        self._path = path
        if kind is Kind.FILE and not records:
            self._plain.learn(block, name, entry)
        if real_size is None:
            self._content, self._skip = stored_size, padding(stored_size)
            return (member,) if stored_size else (member, _MEMBER_END)
        if not stored_size:
            raise ProtocolViolation(f"{printable(path)} is sparse, but has no map")
        self._map, self._read = SparseMap(real_size, stored_size, self._limits.header_size), TarDecoder._read_map
        return (member,)

    def _count(self, path: bytes, size: int) -> None:
        self._size += size
        if self._size > self._limits.size:
            what = f"with {printable(path)}, of {size} bytes, the archive has more than {self._limits.size} in all"
            raise UnsafeEntry(what, hint=raise_hint(Knob.SIZE))

    def _leave_out(self, path: bytes, typeflag: bytes, stored_size: int) -> Iterable[Event]:
        if typeflag not in _LEFT_OUT:
            raise ProtocolViolation(f"the member {printable(path)} is of an unknown kind ('{printable(typeflag)}')")
        self._path = path
        self._skip = stored_size + padding(stored_size)
        return (LeftOut(path, f"{_LEFT_OUT[typeflag]} is never copied"),)

    def _leave_ours_out(self, ours: bytes) -> Iterable[Event]:
        if ours == self._ours:
            return (PassedOver(),)
        self._ours = ours
        return (LeftOut(ours, UNFINISHED),)

    def _read_map(self, block: bytes) -> Iterable[Event]:
        assert self._map is not None
        pieces = self._map.feed(block)
        if pieces is None:
            return ()
        stored_size, self._map, self._read = self._map.stored_size, None, TarDecoder._read_header
        return self._begin_content(pieces, stored_size)

    def _begin_content(self, pieces: "array[int]", stored_size: int) -> Iterable[Event]:
        self._pieces, self._piece = pieces, 0
        self._skip = padding(stored_size)
        return self._next_piece()

    def _next_piece(self) -> Iterable[Event]:
        """Begin the next piece that has content; say the holes before it, or that the member is whole."""
        events: list[Event] = []
        while self._piece < len(self._pieces):
            hole, self._content = self._pieces[self._piece : self._piece + 2]
            self._piece += 2
            if hole:
                events.append(Hole(hole))
            if self._content:
                return events
        self._pieces = _NO_PIECES
        return [*events, _MEMBER_END]


def member_path(name: bytes, *, directory: bool = False, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return a member's name without `.` components and extra slashes. Raises UnsafeEntry for what must not be a name.

    The size bounds keep the walk down to it short, and hold before any directory is made.
    """
    parts = [part for part in name[: 2 * limits.path_size].split(b"/") if part not in (b"", b".")]
    path = b"/".join(parts)
    if name.startswith(b"/"):
        raise UnsafeEntry(f"the archive has an absolute name: {printable(name, 200)}")
    if b".." in parts:
        raise UnsafeEntry(f"the archive has a name that climbs out: {printable(name, 200)}")
    if not name or (not directory and (not parts or name.endswith((b"/", b"/.")))):
        raise UnsafeEntry(f"the archive has '{printable(name, 200)}' where the name of a file or link belongs")
    if len(name) > limits.path_size + 3:  # `./` before it and `/` behind it are not the tree's
        what = f"the archive has a name of {len(name)} bytes: {printable(name, 200)}"
        raise UnsafeEntry(what, hint=raise_hint(Knob.PATH_SIZE))
    if len(parts) > limits.depth:
        what = f"the archive has a name of {len(parts)} components: {printable(name, 200)}"
        raise UnsafeEntry(what, hint=raise_hint(Knob.DEPTH))
    if len(path) > MAX_COMPONENT_SIZE and max(map(len, parts)) > MAX_COMPONENT_SIZE:
        raise UnsafeEntry(f"the archive has a name that no file system takes: {printable(name, 200)}")
    return path


def _check_beginnings(header: Header, records: Mapping[bytes, bytes]) -> None:
    """Refuse GNU's record of a name that is not this member's: a header has the first 100 bytes of it.

    toybox writes the record before it opens a file, and leaves it there when it can't: then the next file comes under
    the name of one that may not be read.
    """
    for keyword, beginning in ((b"path", header.name), (b"linkpath", header.link)):
        if keyword in records and records[keyword][:NAME_SIZE] != beginning:
            raise ProtocolViolation(
                f"a member has two names: '{printable(beginning, 100)}' in its header, "
                f"'{printable(records[keyword], 100)}' before it",
                hint="toybox's tar does so behind a file with a long name that it can't read",
            )


def _stored_size(header: Header, records: Mapping[bytes, bytes]) -> int:
    """Return how many bytes of content the archive holds for a member.

    A pax size that differs from the header's lets two readers see two archives (CVE-2025-62518). Only where the header
    can't hold the number may it differ: there GNU tar leaves 0.
    """
    if b"size" not in records:
        return header.size
    size = decimal(records[b"size"])
    if size != header.size and not (size >= _OCTAL_SIZE_LIMIT and header.size == 0):
        raise ProtocolViolation(f"a member has two sizes: {header.size} in its header, {size} in pax")
    return size


def _name_and_real_size(header: Header, records: Mapping[bytes, bytes]) -> tuple[bytes, int | None]:
    """Return a member's name and, if it is sparse, its size with all holes.

    The path of a sparse member is made up, `GNUSparseFile.0/NAME`, for readers that don't know the form.
    """
    return sparse_name_and_size(records) or (records.get(b"path", header.name), None)


def _entry(kind: Kind, path: bytes, size: int, header: Header, records: Mapping[bytes, bytes], limits: Limits) -> Entry:
    mode = decode_number(header.mode)
    if mode < 0:
        raise ProtocolViolation(f"a tar header gives the mode {mode}")
    link = records.get(b"linkpath", header.link)
    if kind is Kind.HARDLINK:
        link = member_path(link, limits=limits)
    elif kind is not Kind.SYMLINK:
        link = b""
    elif not link or len(link) > MAX_TARGET_SIZE:
        raise UnsafeEntry(f"the symbolic link {printable(path)} has an impossible target: '{printable(link, 200)}'")
    uid, gid = _owner(header.uid, records.get(b"uid")), _owner(header.gid, records.get(b"gid"))
    return Entry(path, kind, size, mode & 0o7777, _mtime_ns(header, records), uid, gid, link)


def _owner(field: bytes, record: bytes | None) -> int:
    number = decode_number(field) if record is None else decimal(record)
    if not 0 <= number < 2**32 - 1:  # the last number means "leave it" to chown()
        raise ProtocolViolation(f"a tar header gives the owner {number}")
    return number


def _mtime_ns(header: Header, records: Mapping[bytes, bytes]) -> int:
    if b"mtime" in records:
        return nanoseconds(records[b"mtime"])
    seconds = decode_number(header.mtime)
    if 2**63 <= seconds < 2**64:  # toybox writes a time before 1970 as an unsigned number of 64 bits
        seconds -= 2**64
    if abs(seconds) >= MAX_TIME_S:
        raise ProtocolViolation(f"a tar header gives the time {seconds}")
    return seconds * 1_000_000_000
