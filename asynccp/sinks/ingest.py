"""Ingest: the archive of one pod on its way into a sink. What it may say is decided here, whatever the sink.

A pod is not trusted, so its archive gets nothing but plain files, directories and harmless links:

    names       only the one that was asked for and what is below it; each path once; nothing below what is no directory
    modes       never set-id or sticky, which is told
    hard links  only to a file that came before in the same archive
    symlinks    only if they stay below the pod's directory, where the sink wants that; others are named as left out
    the rest    devices and FIFOs are left out, extended attributes, capabilities and ACLs not kept: both are told

What is remembered until the archive's end is counted and bounded (`archive.paths`), what is only told too (`Told`).
"""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence

from msgspec.structs import replace

from asynccp.archive.attributes import SPECIAL_BITS, words_of_mode
from asynccp.archive.format import TAR
from asynccp.archive.paths import Claims
from asynccp.archive.plain import Whole
from asynccp.archive.prefix import Prefix, Stored
from asynccp.archive.tar import ArchiveEnd, Data, Event, Hole, Member, MemberEnd, PassedOver, Rest
from asynccp.archive.told import Told
from asynccp.archive.watch import Watch
from asynccp.entry import Entry, Kind, LeftOut, NotKept, more_left_out, more_not_kept
from asynccp.errors import ProtocolViolation, UnsafeEntry
from asynccp.limits import DEFAULT_LIMITS, Limits
from asynccp.sinks.base import Sink
from asynccp.steps import finished
from asynccp.text import printable

READ_BACK_SIZE = 16 * 1024
"""Bytes of content at a time, from which on they are worth a read when they are wanted again."""

MEMBER_SIZE = 16 * 1024
"""Bytes of output that take as long as a small file or an entry that is left out, 20 to 100 µs."""
_STEP_SIZE = 8 * MEMBER_SIZE


class Ingest:
    """Takes one archive in.

    requested: the one name asked for; members are it or lie below it. Empty: anything, for a directory's contents.
    limits: of what the archive may be; more is UnsafeEntry or, for an extension, ProtocolViolation.
    watch: sees the members go by, and has what the pod will be asked about when all have come.
    has_room: tells whether there is memory for one more of what is only told.
    resumes: another session may continue where this one is lost; then `prefix` is what has come.
    bundles: a shell packs, and may send some (`archive.bundle`).

    members: how many entries the archive had, whatever became of them. awaited: those that `choose` has named and that
    have not come.
    is_torn: what was fed last was not taken in to its end, so that nothing can follow.
    """

    def __init__(
        self,
        sink: Sink,
        requested: bytes,
        *,
        limits: Limits = DEFAULT_LIMITS,
        watch: Watch | None = None,
        has_room: Callable[[], bool] = lambda: True,
        resumes: bool = True,
        bundles: bool = False,
    ) -> None:
        self.watch = watch or Watch()
        self.members = 0
        self.is_torn = False
        self._left_out = Told[LeftOut](has_room)
        self._not_kept = Told[NotKept](has_room)
        self.sink = sink
        self._requested = requested
        self._is_renamed = sink.name != requested
        self._decoder = TAR.decoder(limits, bundles=bundles)
        self._claims = Claims(sink.name, sink.folds_case, limits)
        self._directories: dict[bytes, Entry] = {}
        self._chosen: frozenset[bytes] | None = None
        self.awaited: set[bytes] = set()
        self._path, self._at = b"", 0  # of the member under way, and how much of its content has come
        self._is_dropped = False  # the sink doesn't get it
        self._stored_from = READ_BACK_SIZE if sink.reads_back else sys.maxsize
        self.prefix = Prefix(sink.read_back) if resumes else None

    def choose(self, members: frozenset[bytes]) -> None:
        """Take in only these members, by the paths that they have in the archive; pass over all others. If these are
        none there is no archive.
        """
        self._chosen, self.awaited = members, set(members)

    @property
    def size(self) -> int:
        """Content bytes of what stands whole in the sink."""
        return self.sink.size

    @property
    def entries(self) -> int:
        """How many entries stand whole in the sink."""
        return self.sink.entries

    @property
    def left_out(self) -> list[LeftOut]:
        """What the archive has but was not written, and why; the first of it, and how much more there is."""
        return self._left_out.named + more_left_out(self._left_out.more)

    @property
    def not_kept(self) -> list[NotKept]:
        """What it has of files and directories that is never set; likewise."""
        return self._not_kept.named + more_not_kept(self._not_kept.more)

    @property
    def memory(self) -> int:
        """Bytes that what must be remembered takes, until the archive's end or the member's."""
        return self._claims.memory + self._decoder.memory + (self.prefix.memory if self.prefix else 0)

    @property
    def ended(self) -> bool:
        """Whether the archive's end marker has come."""
        return self._decoder.ended

    def describe(self) -> str:
        """Return where the archive stands, for the error when no more of it comes."""
        return self._decoder.describe()

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take all the steps of `feeding`."""
        return finished(self.feeding(data))

    def feeding(self, data: bytes | memoryview) -> Generator[int, None, bytes]:
        """Take the next bytes of the archive, in steps that block; return those that stand behind its end marker.

        A step yields the bytes that it has dealt with, a member counted as MEMBER_SIZE. Raises UnsafeEntry,
        ProtocolViolation or DestinationError; then, or when a step is left out, only `abort` may follow.
        """
        view, rest, sink = memoryview(data), b"", self.sink
        kept, begin, made = 0, self.prefix.size if self.prefix else 0, 0
        self.is_torn = True
        with sink.translated():
            for event in self._decoder.feed(view):
                if isinstance(event, Whole):
                    self._take(*event)
                    made += MEMBER_SIZE + len(event.content)
                elif isinstance(event, Data):
                    size = len(event.data)
                    if size >= self._stored_from and self.prefix:
                        stop = self._decoder.offset - begin
                        self.prefix.take(view[kept : stop - size])
                        self.prefix.take_stored(Stored(self._path, self._at, size))
                        kept = stop
                    self._at += size
                    self.watch.ends_with_zero = not event.data[-1]
                    if not self._is_dropped:
                        sink.write(event.data)
                    made += size
                elif isinstance(event, MemberEnd):
                    self._end()
                    made += MEMBER_SIZE
                elif isinstance(event, Rest):
                    rest += bytes(event.data)
                else:
                    self._apply(event)
                    if not isinstance(event, Member):  # it ends with another event, but for a directory or a link
                        made += MEMBER_SIZE
                if made >= _STEP_SIZE:  # a step for each small file cost 6 % of its time
                    yield made
                    made = 0
            sink.pause()
        if self.prefix:
            self.prefix.take(view[kept : len(view) - len(rest)])
            if self.prefix.is_due:
                yield from self.prefix.settle()
        self.is_torn = False
        return rest

    def local(self, path: bytes) -> bytes:
        """Return the path in the sink of an entry of the archive. Raises UnsafeEntry for what was not asked for."""
        if not self._is_renamed:
            return path
        if path != self._requested and not path.startswith(self._requested + b"/"):
            raise UnsafeEntry(f"the archive has {printable(path) or '.'}, which was not asked for")
        return (self.sink.name + path[len(self._requested) :]).lstrip(b"/")

    def is_directory(self, path: bytes) -> bool:
        """Tell whether the archive had a directory of this path. To be asked before `finish`."""
        return not path or not self.local(path) or self.local(path) in self._directories

    def size_of(self, path: bytes) -> int | None:
        """Return the bytes of a file of the archive, as it stands in the sink; None when nobody can tell."""
        return self.sink.size_of(self.local(path))

    def digest(self, path: bytes, algorithm: str) -> Generator[int, None, str | None] | None:
        """As `Sink.digest`, by a path of the archive."""
        return self.sink.digest(self.local(path), algorithm)

    def finish(self) -> None:
        """Take all the steps of `finishing`."""
        finished(self.finishing())

    def finishing(self) -> Generator[int, None, None]:
        """Have the sink do what is left, in steps, as `feeding`.

        To be called when the whole archive is known to have come. Closes everything, whatever happens.
        """
        try:
            if not self.ended and (self._chosen is None or self._chosen):
                raise ProtocolViolation(self.describe())
            with self.sink.translated():
                for step in self.sink.finish(self._deepest_first()):
                    if isinstance(step, LeftOut):
                        self._leave_out(step.path, step.reason)
                    else:
                        yield step
        finally:
            self.abort()

    def abort(self) -> None:
        """Have the sink remove what is not whole, and close everything. Harmless when called again."""
        self.sink.abort(self._deepest_first())
        self._directories.clear()
        self.prefix = self.prefix and Prefix(lambda _stored: ())  # nothing follows

    def _deepest_first(self) -> Iterator[Entry]:
        """Yield the directories that nobody has taken yet."""
        for path in sorted(self._directories, reverse=True):
            yield self._directories.pop(path)

    def _apply(self, event: Event) -> None:
        match event:
            case Member():
                self._begin(event)
            case Hole():
                self._at += event.size
                self.watch.skip(event.size)
                if not self._is_dropped:
                    self.sink.hole(event.size)
            case LeftOut():
                self.members += 1
                self.awaited.discard(event.path)
                self._claims.claim_name(self.local(event.path))
                self._leave_out(event.path, event.reason)
            case PassedOver():
                self.members += 1
            case ArchiveEnd() | Data() | MemberEnd() | Rest():
                pass

    def _take(self, entry: Entry, content: memoryview) -> None:
        """Take in a file that is here whole, as `_begin` and `_end`, in a third of their time."""
        if self._chosen is not None or self._is_renamed or entry.mode & SPECIAL_BITS:
            self._take_other(entry, content)
            return
        self.members += 1
        self._claims.claim_file(entry.path)
        self.sink.put(entry, content)
        if remembered := self.watch.whole(entry, content):
            self._claims.remember(remembered)

    def _take_other(self, entry: Entry, content: memoryview) -> None:
        """Take in one that is not to have all that the archive says."""
        if admitted := self._admitted(entry, ()):
            self.watch.ends_with_zero = bool(content) and not content[-1]
            self.sink.put(admitted, content)
            self._ended()

    def _begin(self, member: Member) -> None:
        admitted = self._admitted(member.entry, member.not_kept)
        self._is_dropped = admitted is None
        if admitted:
            self.sink.begin(admitted)

    def _admitted(self, entry: Entry, not_kept: Sequence[str]) -> Entry | None:
        """Return an entry as the sink is to have it; None if the sink doesn't get it."""
        self.awaited.discard(entry.path)
        if self._chosen is not None and entry.path not in self._chosen:
            return None
        self.watch.begin(entry)
        if self._is_renamed:
            entry = self._renamed(entry)
        is_new = entry.path not in self._directories
        self.members += is_new
        if entry.mode & SPECIAL_BITS or not_kept:
            if is_new:
                self._tell_not_kept(entry, not_kept)
            entry = replace(entry, mode=entry.mode & ~SPECIAL_BITS)
        self._path, self._at = entry.path, 0
        return entry if self._claim(entry) and is_new else None

    def _end(self) -> None:
        if not self._is_dropped:
            self.sink.end()
            self._ended()

    def _ended(self) -> None:
        if remembered := self.watch.end():
            self._claims.remember(remembered)

    def _renamed(self, entry: Entry) -> Entry:
        link = self.local(entry.link) if entry.kind is Kind.HARDLINK else entry.link
        return replace(entry, path=self.local(entry.path), link=link)

    def _claim(self, entry: Entry) -> bool:
        """Take the name of an entry; return whether it is written."""
        match entry.kind:
            case Kind.FILE:
                self._claims.claim_file(entry.path)
            case Kind.DIRECTORY:
                self._claims.claim_directory(entry, self._directories.get(entry.path, entry))
                if entry.path:  # the mode of the pod's own directory is the user's business
                    self._directories[entry.path] = entry
            case Kind.HARDLINK:
                if not self._claims.claim_link(entry.path, entry.link):
                    what = f"it is another name of {printable(entry.link, 200)}, which is no regular file"
                    self._leave_out(entry.path, what)
                    return False
            case Kind.SYMLINK:
                self._claims.claim_other(entry.path, len(entry.link))
                if self.sink.confines_links and not stays_inside(entry.path, entry.link, self.sink.own_depth):
                    what = f"its target, {printable(entry.link, 200)}, leads out of the pod's directory"
                    self._leave_out(entry.path, what)
                    return False
        return True

    def _tell_not_kept(self, entry: Entry, more: Sequence[str]) -> None:
        """Name what goes with an entry: links have none of it but what their file has."""
        if entry.kind not in (Kind.FILE, Kind.DIRECTORY) or not entry.path:
            return
        for what in (*words_of_mode(entry.mode), *more):
            size = len(entry.path) + len(what)
            if self._not_kept.add(NotKept(entry.path, what), size):
                self._claims.remember(size)

    def _leave_out(self, path: bytes, reason: str) -> None:
        size = len(path) + len(reason)
        if self._left_out.add(LeftOut(path, reason), size):
            self._claims.remember(size)


def stays_inside(path: bytes, target: bytes, own_depth: int = 0) -> bool:
    """Return whether the symbolic link `path` can only lead to something below the root, so many components deep.

    Allowed are relative targets whose `..` all come first, and at most as many as there are directories above the link.
    Normalising the target as text isn't enough: with `x/up -> ..` in place, `x/up/../..` is `.` as text, but the system
    goes to the real parent of where `up` leads: out. Under this rule each link climbs first, from a real directory over
    real parents, which ends inside; then it only descends, and another link on the way does the same. By induction, no
    chain of links leads out. kubectl needed five CVEs to learn it, and no longer makes links at all.
    """
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    climbs = parts.count(b"..")
    room = path.count(b"/") - own_depth
    return not target.startswith(b"/") and climbs <= room and b".." not in parts[climbs:]
