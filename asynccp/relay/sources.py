"""Sources: what a push sends, brought to a relay as one archive, from which it reads as if they were its own.

    a line: the plan, with no pods    parts (`archive.parts`), of at most PART_SIZE bytes, perhaps compressed
    a line: SHA-256 of the archive, in hexadecimal

The archive is a function of the plan, so both ends know which bytes of it are whose content: the content of each file
goes into one of its own, named after its number, whatever it is called in a pod: nothing of a name is a path here. The
plan that is kept beside these has their places for origins, and is the same by its digest.

A relay takes what it is sent from the user's machine, or by another relay, and believes neither: what is no archive of
the plan that came, or has another sum, is refused. Calls block.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from msgspec.structs import replace

from asynccp.archive.compression import Unpacker, compressed
from asynccp.archive.layout import ArchiveLayout
from asynccp.archive.parts import PACKED, RAW, part_line
from asynccp.entry import Entry, Kind, Origin
from asynccp.errors import AsyncCpError
from asynccp.jsonlines import dumps, load_plan
from asynccp.local.read import read_slice
from asynccp.local.write import write_all
from asynccp.plan.plan import PushPlan
from asynccp.relay.lines import MOST_LINE_SIZE
from asynccp.relay.shards import narrowed

PART_SIZE = 1024 * 1024  # bytes: what a relay has in memory of an archive
_MOST_PART_LINE = 64
_DIRECTORY, _PLAN = "files-", "plan"
_EACH = 1000  # files in a directory


class Unfit(AsyncCpError):
    """What came is no archive of the plan that came with it."""


def given(plan: PushPlan, codec: str) -> Iterator[bytes | memoryview]:
    """Yield the bytes that bring a plan's sources. codec: empty for none. Raises SourceChanged, naming the file."""
    layout, found = plan.layout, sha256()
    yield dumps(bare(plan)).encode() + b"\n"
    for start in range(0, layout.size, PART_SIZE):
        stop = min(start + PART_SIZE, layout.size)
        part = read_slice(layout, start, stop)
        found.update(part)
        packed = compressed(part, codec) if codec else None
        yield part_line(PACKED if packed else RAW, len(packed or part), last=stop == layout.size)
        yield packed or part
    yield found.hexdigest().encode() + b"\n"


def bare(plan: PushPlan) -> PushPlan:
    """Return the plan of nothing but the sources."""
    found = narrowed(plan, ())
    assert isinstance(found, PushPlan)
    return found


def kept(top: Path) -> PushPlan:
    """Return the plan of the sources that a relay has. Raises OSError, Malformed."""
    plan = load_plan((top / _PLAN).read_bytes())
    assert isinstance(plan, PushPlan)
    return plan


class Taking:
    """Sources that come in. top: a directory of their own; what came before stays as it is: it may be in use.

    digest: of the archive; empty until all is there.
    """

    def __init__(self, top: Path, codec: str) -> None:
        self.digest = ""
        self._top, self._codec = top, codec
        self._come = bytearray()
        self._plan: PushPlan | None = None
        self._part: tuple[bytes, int] | None = None
        self._at = 0
        self._sum = sha256()
        self._files = _Files(top)

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came. What follows the end is left alone: `rest`. Raises Unfit, OSError."""
        self._come += data
        while not self.digest and self._step():
            pass

    @property
    def rest(self) -> bytes:
        return bytes(self._come) if self.digest else b""

    def _step(self) -> bool:
        """Take the next line or part; tell whether it was there."""
        if self._part:
            form, size = self._part
            if len(self._come) < size:
                return False
            data, self._part = self._taken(size), None
            self._hold(data if form == RAW else self._unpacked(data))
            return True
        end = self._come.find(b"\n")
        if end < 0:
            if len(self._come) > (_MOST_PART_LINE if self._plan else MOST_LINE_SIZE):
                raise Unfit("what came has no lines where they belong")
            return False
        line = self._taken(end + 1)[:-1]
        if self._plan is None:
            self._begin(line)
        elif self._at < self._plan.layout.size:
            self._part = _part(line)
        else:
            self._end(line)
        return True

    def _taken(self, size: int) -> bytes:
        data = bytes(memoryview(self._come)[:size])
        del self._come[:size]
        return data

    def _begin(self, line: bytes) -> None:
        plan = load_plan(line)
        if not isinstance(plan, PushPlan):
            raise Unfit("what came is for no push")
        self._plan = plan
        self._files.begin(plan.layout.entries)

    def _unpacked(self, data: bytes) -> bytes:
        found = bytearray()
        for piece in Unpacker(self._codec).feed(data):
            found += piece
            if len(found) > PART_SIZE:
                raise Unfit("a part of what came is larger than parts are")
        return bytes(found)

    def _hold(self, data: bytes) -> None:
        assert self._plan
        layout, start = self._plan.layout, self._at
        if len(data) != min(PART_SIZE, layout.size - start):
            raise Unfit("a part of what came has another size than its place in the archive")
        self._sum.update(data)
        view = memoryview(data)
        for piece in layout.pieces(start, start + len(data)):
            entry = piece.entry
            if entry.kind is Kind.FILE and entry.origin and entry.size:
                header = layout.format.header_size(entry)
                first, last = max(piece.start, header), min(piece.stop, header + entry.size)
                if first < last:
                    at = piece.offset + first - piece.start
                    self._files.write(entry, view[at : at + last - first])
        self._at += len(data)

    def _end(self, line: bytes) -> None:
        assert self._plan
        if line.decode("ascii", "replace") != self._sum.hexdigest():
            raise Unfit("what came has another sum than it had where it came from")
        layout = self._plan.layout
        plan = replace(self._plan, layout=ArchiveLayout(self._files.end(), layout.token))
        beside = self._top / f"{_PLAN}.part"
        beside.write_bytes(dumps(plan).encode())
        beside.rename(self._top / _PLAN)
        self.digest = self._sum.hexdigest()


class _Files:
    """The files that contents go into, one after the other. top: gets a directory of their own for them."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._entries: list[Entry] = []
        self._numbers: dict[bytes, int] = {}
        self._open: tuple[bytes, int] | None = None  # path of the entry, and the descriptor

    def begin(self, entries: tuple[Entry, ...]) -> None:
        self._top = Path(mkdtemp(prefix=_DIRECTORY, dir=self._top))
        self._entries = list(entries)
        self._numbers = {one.path: number for number, one in enumerate(entries) if one.kind is Kind.FILE}

    def write(self, entry: Entry, data: memoryview) -> None:
        if self._open and self._open[0] != entry.path:
            self._close()
        if not self._open:
            self._open = entry.path, self._made(self._numbers[entry.path])
        write_all(self._open[1], data)

    def end(self) -> list[Entry]:
        """Return the entries, whose origins are the files that were written."""
        self._close()
        return [
            replace(one, origin=self._origin(number, one.origin)) if one.kind is Kind.FILE and one.origin else one
            for number, one in enumerate(self._entries)
        ]

    def _made(self, number: int) -> int:
        path = self._top / _name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def _origin(self, number: int, there: Origin) -> Origin:
        """Return where the content of an entry is now. Its time is what it was, as part of the plan's digest."""
        path = self._top / _name(number)
        if not self._entries[number].size:
            os.close(self._made(number))
        os.utime(path, ns=(there.mtime_ns, there.mtime_ns))
        now = path.stat()
        return Origin(
            os.fsencode(self._top), _name(number).encode(), now.st_dev, now.st_ino, now.st_ctime_ns, now.st_mtime_ns
        )

    def _close(self) -> None:
        if self._open:
            os.close(self._open[1])
            self._open = None


def _name(number: int) -> str:
    return f"{number // _EACH}/{number}"


def _part(line: bytes) -> tuple[bytes, int]:
    """Return form and size of the part that follows a line. Raises Unfit."""
    form, _, size = line.removesuffix(b" +").partition(b" ")
    if form not in (RAW, PACKED) or not (size.isdigit() and 0 < int(size[:8]) <= PART_SIZE and len(size) < 9):
        raise Unfit("what came has a part of no form that parts have")
    return form, int(size)
