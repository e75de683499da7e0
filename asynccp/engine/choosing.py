"""Choosing: a pod tells what stands below a directory, and what of it a pull takes is decided.

In the exec that copies (`remote/scripts/choose.sh`), before its tar runs: the listing, and digests of what may be here
already; then the names of what is to be packed.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from anyio import to_thread
from msgspec.structs import replace

from asynccp.checksum import ALGORITHMS
from asynccp.engine.proving import Proving
from asynccp.engine.rotating import rotated
from asynccp.engine.sessions import Greeted
from asynccp.engine.state import TransferState
from asynccp.engine.verify import Comparison, differing, digest_here, objects
from asynccp.entry import Kind, LeftOut, above, is_pseudo, more_left_out
from asynccp.errors import (
    CommandMissing,
    Knob,
    NothingMatches,
    NothingWanted,
    ProtocolViolation,
    SessionLost,
    SourceMissing,
    UnsafeEntry,
)
from asynccp.local.umask import umask
from asynccp.options import Collecting, Dedup, Options
from asynccp.plan.collect import Bid, Collected, Room, bid, collected
from asynccp.plan.fetch import Beginning, Fetch, Rules, Tail, beginnings, decide, ends, questionable, tally
from asynccp.plan.filters import compiled, kept_of
from asynccp.plan.manifest import Item, Manifest
from asynccp.plan.proofs import Proofs
from asynccp.plan.rotation import Named, family, gaps, seen_twice, sequences, stem, unseen, witnesses
from asynccp.remote.dialogue import EVERYTHING, HEARD, pack_line
from asynccp.remote.digests import encode_names
from asynccp.remote.listing import ListingReader
from asynccp.remote.messages import Hello
from asynccp.report import Tally
from asynccp.sinks.ingest import Ingest
from asynccp.text import printable

if TYPE_CHECKING:
    from asynccp.plan.globs import Glob

MOST_NAMES_SIZE = 768 * 1024
"""Bytes of names that one program in a pod is given: a system takes 2 MiB of arguments, pointers and environment
included (execve(2)). Of more, everything is packed, and what was not chosen is dropped here."""

ITEM_COST = 500
"""Bytes of memory for an item of a listing, besides its name."""


NO_LIMIT = Room()


class Asked(NamedTuple):
    """What one transfer asks for. name: in the archive; empty for a directory's contents. meant: what of these, by a
    pattern. others: paths among these that other copies of the same pull have here. room: what its content may take.
    """

    name: bytes
    meant: "Glob | None" = None
    others: Sequence[bytes] = ()
    room: Room = NO_LIMIT


class Choice(NamedTuple):
    """What of a directory is fetched. members: of the archive, by the paths that they have there.

    items: what the pod has, of what is completed or set. witnesses: files that tell whether what is fetched was rotated
    meanwhile, by their paths in an archive; rotating: those that are fetched whole and may be; sized: those that
    may be truncated, by their paths in an archive. limited: what the user's own limits leave out;
    left_out: what else is there, and is not copied. taken_size: bytes of what all pods may
    bring. is_compressed: so is most of what is fetched whole, by its names.
    """

    fetch: Fetch
    members: frozenset[bytes]
    items: Mapping[bytes, Item]
    witnesses: Mapping[bytes, Named]
    rotating: Mapping[bytes, Item]
    sized: Mapping[bytes, Named]
    limited: tuple[LeftOut, ...]
    left_out: tuple[LeftOut, ...]
    taken_size: int
    is_compressed: bool
    shared: Mapping[bytes, Item]

    @property
    def tally(self) -> Tally:
        return tally(self.fetch)


class Choosing:
    """What one pull takes of its pods' directories."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._filters = compiled(options.filtering.rules) if options.filtering.rules else None

    def check_single(self, hello: Hello, path: str) -> None:
        """Raise what stands in the way where a pod has nothing to choose from: what is asked for is no directory, which
        a filter may leave out, or its shell can't tell."""
        if hello.is_alone:
            raise CommandMissing(
                "the container can't tell what it has, or leave any of it out: there is no shell in it",
                hint=f"pull all of it, or copy through an ephemeral container: {Knob.EPHEMERAL} IMAGE",
            )
        if hello.is_directory:
            raise CommandMissing(
                "the container can't tell what it has: its runtime gives a command no process group of its own",
                hint="pull without filters",
            )
        if self._options.collecting != Collecting():
            raise SourceMissing(
                f"{printable(path)} is a link, or no regular file: what of it is wanted can't be said",
                hint="name what it leads to, or the directory that it is in",
            )
        name = path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")
        if self._filters and not self._filters.keeps(name, False):
            raise NothingWanted(f"the filters leave nothing of {printable(path)}")

    async def choose(self, listing: "Listing", ingest: Ingest, asked: Asked) -> Choice | None:
        """Hear what is there, and decide. Return None where everything may come, because nobody can tell, or remember,
        what is there.

        Raises NothingMatches, CommandMissing, and what else keeps the pod from telling.
        """
        is_needed = bool(asked.meant) or self._options.narrows_pulls
        told = await listing.heard(asked.name, is_needed=is_needed)
        if told is None:
            return None
        there = await listing.once(told, asked.name)
        listed, reasons = there, dict[bytes, str]()
        if self._options.filtering.copy_links:
            listed, reasons = await to_thread.run_sync(listing.followed, there)
        chosen = await to_thread.run_sync(self._chosen, listed, asked)
        wanted, hollow = self._without_pseudo(chosen.kept, listing.hollow)
        here = await to_thread.run_sync(self._standing, ingest, wanted)
        rules = await to_thread.run_sync(self._rules, listing, ingest, asked, listed)
        rules = rules._replace(besides=listed.keys() - wanted.keys())
        differ: set[bytes] | None = None
        if sizes := questionable(wanted, here, rules):
            differ = await listing.differing(ingest, asked.name, sizes)

        def is_same(path: bytes) -> bool:
            return differ is not None and path not in differ

        proved, kept = list[Beginning](), dict[bytes, Tail]()
        if listing.can_prove:
            rules = rules._replace(remembered=listing.proofs.paths)
            likely = await to_thread.run_sync(beginnings, wanted, here, rules, is_same)
            proving = listing.proving(ingest, asked.name)
            proved = await proving.proved(likely, wanted, here) if likely else []
            for path, at in ends(wanted, here, rules, proved).items():
                item, had = wanted[path], here[at].size
                end = await proving.end(path, at, item, had, rules.collecting.tail_size)
                if end and end.kept == had and not end.size:
                    proved.append(Beginning(path, at, had, item.size, item.size - had))
                elif end and at == path:
                    kept[path] = end
        fetch = await to_thread.run_sync(decide, wanted, here, rules, is_same, proved, kept)
        if fetch.tails and not listing.has_parts:
            raise CommandMissing(
                "the container can't send the end of a file, without head and tail",
                hint="add them to the image, or pull whole files",
            )
        by_name = {*fetch.whole, *(one.path for one in fetch.moves), *(one.path for one in fetch.rest)}
        asked_about, rotating = dict[bytes, Named](), set[bytes]()
        sized: Mapping[bytes, Named] = {}
        if listing.has_stat:
            sized = await listing.check_seen(asked.name, told, by_name, frozenset(fetch.whole))
        if listing.can_prove:
            asked_about, rotating = await to_thread.run_sync(_at_stake, listed, by_name, frozenset(fetch.whole))
        cut = {
            one.path: one.had for one in proved if one.offset and one.path in fetch.set
        }  # not as large as in the pod
        completed = [*(one.path for one in fetch.rest), *(one.path for one in fetch.tails), *fetch.set]
        return Choice(
            fetch,
            frozenset(member(asked.name, path) for path in fetch.whole),
            {path: wanted[path] for path in completed}
            | {path: wanted[path]._replace(size=had) for path, had in cut.items()},
            {member(asked.name, path): one for path, one in asked_about.items()},
            {path: wanted[path] for path in rotating},
            sized,
            _named(asked.name, chosen.left_out),
            _named(asked.name, (*_because(reasons, fetch.left_out), *hollow, *listing.unlisted(wanted))),
            chosen.size,
            _is_compressed(wanted, fetch.whole),
            self._shared(wanted, fetch.whole, rotating) if listing.can_prove else {},
        )

    def _shared(self, wanted: Manifest, whole: Iterable[bytes], rotating: Collection[bytes]) -> dict[bytes, Item]:
        if self._options.dedup is Dedup.NONE:
            return {}
        from asynccp.engine.sharing import is_worth_it  # few ask for it

        return {path: wanted[path] for path in whole if path not in rotating and is_worth_it(wanted[path])}

    async def bid(self, listing: "Listing", asked: Asked) -> Bid:
        """Hear what is there, and return what of it a pull would bring. Raises as `choose`."""
        there = await listing.heard(asked.name, is_needed=True)
        assert there is not None

        def made() -> Bid:
            listed = listing.followed(there)[0] if self._options.filtering.copy_links else there
            return bid(self._kept(listed, asked), self._options.collecting)

        return await to_thread.run_sync(made)

    def _chosen(self, listed: Manifest, asked: Asked) -> Collected:
        return collected(self._kept(listed, asked), self._options.collecting, asked.room)

    def _kept(self, listed: Manifest, asked: Asked) -> Manifest:
        there = _matched(listed, asked.meant) if asked.meant else listed
        return kept_of(there, self._filters) if self._filters else there

    def _without_pseudo(self, kept: Manifest, hollow: Mapping[bytes, str]) -> tuple[Manifest, list[LeftOut]]:
        """Return what can be copied of `kept`, and what can't: it is on pseudo file systems. A directory itself can."""
        found = {path: kept[path] for path in hollow if path in kept}
        if not found:
            return kept, []
        files = {path for path, item in found.items() if item.kind is not Kind.DIRECTORY}
        asked_for = files if self._options.filtering.one_file_system else found
        told = [LeftOut(path, is_pseudo(hollow[path])) for path in found if path in asked_for]
        return {path: item for path, item in kept.items() if path not in files}, told

    def _standing(self, ingest: Ingest, wanted: Manifest) -> Manifest:
        """Return what stands here of what is wanted, or for a mirror all, by the same paths. Blocks."""
        if not ingest.sink.continues:
            return {}
        is_mirror = self._options.collecting.mirror
        return ingest.sink.standing(None if is_mirror else wanted.keys(), self._options.limits.entries)

    def _rules(self, listing: "Listing", ingest: Ingest, asked: Asked, listed: Manifest) -> Rules:
        """Return by what to decide. Blocks."""
        collecting, filters = self._options.collecting, self._filters
        # Nobody has looked at what is in a directory on another file system.
        closed = mount_points(listed) if self._options.filtering.one_file_system else listing.hollow.keys()
        is_masked = ingest.sink.masks_modes and not self._options.attributes.preserve_modes
        others, below = frozenset(asked.others), tuple(path + b"/" for path in asked.others)

        def is_protected(path: bytes, is_directory: bool) -> bool:
            if path in others or path.startswith(below):
                return True
            if asked.meant and not any(asked.meant.matches(one) for one in (path, *above(path))):
                return True
            if closed and not closed.isdisjoint(above(path)):
                return True
            return filters is not None and not filters.keeps(path, is_directory)

        return Rules(
            # Of what it could not list the pod may have more than it has told.
            collecting=collecting._replace(mirror=collecting.mirror and listing.is_whole),
            attributes=self._options.attributes,
            checksum=self._options.verification.checksum,
            modes=0o777 & ~umask() if is_masked else 0o777,
            protected=is_protected,
            folds_case=collecting.mirror and ingest.sink.folds_case(),
            always=self._options.sync.always,
            whole=not ingest.sink.completes,
        )


class Listing:
    """What one pod tells of what is asked for.

    room: waits until there is memory for more. proofs: what it has proved in attempts before.
    size: bytes of memory that it takes, as far as it has come. is_whole: the pod could tell of all that there is, but
    for what is in `hollow` ones, with their types: pseudo file systems.
    has_parts: it can be asked for a part of a file. has_stat: which file has a name. can_prove: what one begins with,
    too.
    """

    def __init__(
        self, found: Greeted, state: TransferState, room: Callable[[], Awaitable[None]], proofs: Proofs
    ) -> None:
        self.size = 0
        self.proofs = proofs
        self.is_whole = False
        self.has_parts = found.hello.parts
        self.has_stat = found.hello.has_stat
        self.can_prove = self.has_parts and self.has_stat and found.hello.checksum in ALGORITHMS
        self._algorithm = found.hello.checksum
        self.hollow: Mapping[bytes, str] = {}
        self._pseudo: Mapping[int, str] = {}
        self._links: Sequence[bytes] = ()
        self._unlisted: list[bytes] = []
        self._more_unlisted = 0
        self.is_directory = found.hello.is_directory
        self._conversation = found.conversation
        self._state = state
        self._room = room

    async def heard(self, name: bytes, *, is_needed: bool) -> Manifest | None:
        """Return all of it. Waits for memory meanwhile. name: of the file, if it is none of a directory.

        is_needed: raises CommandMissing if the pod can't tell, UnsafeEntry if it is too much to remember; else that
        is None.
        """
        conversation = self._conversation
        reader, found = ListingReader(conversation.token, [] if self.is_directory else [name]), dict[bytes, Item]()
        while not reader.ended:
            for path, item in reader.feed(await self._told()):
                found[path if self.is_directory else b""] = item
                self.size += ITEM_COST + len(path)
            try:
                with conversation.at_rest():
                    await self._room()
            except UnsafeEntry:
                if is_needed:
                    raise
                found.clear()
                await self._pass_over(reader)
                return None
        if reader.rest:
            raise ProtocolViolation("the pod said more than what is there")
        if reader.how in ("none", "absent"):
            if not is_needed:
                await conversation.send(HEARD)
                return None
            raise CommandMissing(
                "the container can't tell what it has, without find and stat",
                hint="add them to the image, or pull everything into a new directory",
            )
        self.is_whole = reader.code == 0
        self.hollow, self._pseudo, self._links = reader.hollow, reader.pseudo, reader.links
        self._unlisted, self._more_unlisted = reader.unlisted, reader.unlisted_count - len(reader.unlisted)
        await conversation.send(HEARD)
        return found

    async def _pass_over(self, reader: ListingReader) -> None:
        """Hear the listing out, and remember nothing of it."""
        self.size = 0
        while not reader.ended:
            for _ in reader.feed(await self._told()):
                pass
        await self._conversation.send(HEARD)

    async def _told(self) -> bytes | memoryview:
        data = await self._conversation.stdout()
        if data is None:
            why = "the session ended before the pod had told what is there"
            raise self._conversation.error() or SessionLost(why)
        self._state.wire_size += len(data)
        return data

    def followed(self, listed: Manifest) -> tuple[Manifest, dict[bytes, str]]:
        """Return what can be copied of what was listed, and why the rest can't, where links were followed. Blocks."""
        from asynccp.plan.links import Ways, followed  # few ask for it

        return followed(listed, Ways(self._pseudo, self.hollow.keys(), self._links))

    def unlisted(self, wanted: Manifest) -> list[LeftOut]:
        """Return what could not be listed, of what is wanted."""
        named = [LeftOut(path, "what is in it can't be listed") for path in self._unlisted if path in wanted]
        if not self.is_whole and not self._unlisted and not self._links:
            named.append(LeftOut(b"", "something below it could not be listed, or went meanwhile"))
        return named + more_left_out(self._more_unlisted)

    async def once(self, there: Manifest, name: bytes) -> Manifest:
        """Return what was listed, each file once: one that was renamed meanwhile may be there under both names."""
        if not self.can_prove or not (twice := await to_thread.run_sync(seen_twice, there)):
            return there
        members = {member(name, path): path for path in twice}
        now = {members[one]: found.inode for one, found in (await objects(self._conversation, members)).items()}
        gone = {path for path in twice if now.get(path) != there[path].inode}
        return {path: item for path, item in there.items() if path not in gone}

    async def check_seen(
        self, name: bytes, there: Manifest, chosen: Collection[bytes], whole: Collection[bytes]
    ) -> dict[bytes, Named]:
        """Raise SourceRotated if logs were renamed while they were listed, so that one may have been overlooked.

        Return which files those are that are fetched whole, by their paths in the archive.
        """
        logs = await to_thread.run_sync(family, there, chosen)
        ways = await to_thread.run_sync(sequences, logs) if logs else []
        if not ways:
            return {}
        members = {member(name, path): path for way in ways for path in way}
        told = await objects(self._conversation, members)
        now = {members[one]: found for one, found in told.items()}
        if paths := [path for way in ways for path in (*unseen(way, logs.values(), now, whole), *gaps(way, logs, now))]:
            raise rotated(paths)
        return {one: logs[path] for one, path in members.items() if path in whole and path in logs}

    def proving(self, ingest: Ingest, name: bytes) -> Proving:
        """Return what asks the pod to prove what its files begin with."""
        return Proving(
            self._conversation, self._state, ingest, self.proofs, partial(member, name), algorithm=self._algorithm
        )

    async def differing(self, ingest: Ingest, name: bytes, sizes: Mapping[bytes, int]) -> set[bytes]:
        """Return which files are not the same here. sizes: by their path below the directory."""
        state, conversation = self._state, self._conversation

        async def here(path: bytes, algorithm: str) -> str | None:
            return await digest_here(conversation, ingest, algorithm, path)

        paths = {member(name, path): path for path in sizes}
        comparison = Comparison(state.negotiated.checksum, here, state.digests)
        differ = await differing(conversation, {one: sizes[path] for one, path in paths.items()}, comparison)
        return {paths[one] for one in differ}


def _at_stake(
    listed: Manifest, by_name: Collection[bytes], whole: Collection[bytes]
) -> tuple[dict[bytes, Named], set[bytes]]:
    """Return witnesses of a rotation, and what of `whole` it may concern."""
    found = witnesses(listed, by_name)
    stems = set(map(stem, found))
    return found, {path for path in family(listed, whole) if path in whole and stem(path) in stems}


def _matched(there: Manifest, meant: "Glob") -> Manifest:
    """Return what a pattern means, all that is below it, and the directories that it is in."""
    found = meant.found(
        path for path, item in there.items() if path and (not meant.contents or item.kind is Kind.DIRECTORY)
    )
    if not found:
        raise NothingMatches("nothing there has a name that the pattern means")
    below = tuple(path + b"/" for path in found)
    kept = {one for path in found for one in (path, *above(path))}
    return {path: item for path, item in there.items() if path in kept or path.startswith(below)}


def mount_points(there: Manifest) -> frozenset[bytes]:
    """Return the directories that are not on the file system of the one that was listed."""
    top = there.get(b"")
    return frozenset(
        path for path, item in there.items() if item.kind is Kind.DIRECTORY and top and item.device != top.device
    )


_COMPRESSED = (b".gz", b".tgz", b".zst", b".xz", b".bz2", b".lz4", b".br", b".zip", b".7z", b".jpg", b".png", b".mp4")


def _is_compressed(there: Manifest, paths: Iterable[bytes]) -> bool:
    """Tell whether most of some files has been compressed already, by their names: once more is the pod's CPU for
    nothing. An archive is compressed as a whole, or not at all."""
    sizes = Counter[bool]()
    for path in paths:
        sizes[path.endswith(_COMPRESSED)] += there[path].size
    return sizes[True] > sizes[False]


def _because(reasons: Mapping[bytes, str], left_out: Iterable[LeftOut]) -> list[LeftOut]:
    return [replace(one, reason=reasons.get(one.path, one.reason)) for one in left_out]


def _named(name: bytes, left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    return tuple(replace(one, path=member(name, one.path)) for one in left_out)


def member(name: bytes, path: bytes) -> bytes:
    """Return what a path below a directory is called in the archive of a directory that is called `name` there."""
    return b"/".join(filter(None, (name, path)))


def packed(choice: Choice, name: bytes, *, is_directory: bool) -> bytes:
    """Return what tells a pod to pack what was chosen: names, or that it is everything.

    Logs that may be rotated come last, the oldest first: where one gets the name of the next meanwhile, that has been
    read already, and nothing is read twice.

    is_directory: that is what is asked for. It is named with a dot behind it: its name may be a link's, that is to be
    followed.
    """
    dot = {name: b"/".join(filter(None, (name, b".")))} if is_directory else {}
    logs = {member(name, path): item.mtime_ns for path, item in choice.rotating.items()}
    in_order = sorted(choice.members, key=lambda one: (one in logs, logs.get(one, 0), one))
    names = encode_names(dot.get(one, one) for one in in_order)
    if len(names) > MOST_NAMES_SIZE:
        return EVERYTHING
    return pack_line(len(names), compresses=not choice.is_compressed) + names
