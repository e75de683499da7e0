"""Account: what a pod tells of the archive that it sends, and whether that archive is all of what was asked for.

Its tar's exit code and words, how many entries it has counted beside it and behind it, and its answers to questions
about what may have changed. Pull and forward share it; what is done with the archive is theirs.
"""

from collections.abc import Awaitable, Callable, Collection

import anyio
from anyio import to_thread

from asynccp.archive.watch import Change, Fate, State, Watch, fate
from asynccp.engine.conversation import Conversation
from asynccp.engine.state import TransferState
from asynccp.engine.verify import Comparison, begins_the_same, count_old, differing, digests_differ, states
from asynccp.entry import LeftOut, is_pseudo
from asynccp.errors import CommandFailed, ProtocolViolation, SourceMissing, SourceShrank, TransferError
from asynccp.events import Sized
from asynccp.options import SLOWEST_WALK_PER_S, Options
from asynccp.remote.census import missing
from asynccp.remote.commands import pull_name
from asynccp.remote.complaints import Complaint, Complaints, changed, failure, judge
from asynccp.remote.dialogue import LineReader, tar_code
from asynccp.remote.messages import Done, Hello
from asynccp.remote.notes import Note
from asynccp.report import Outcome
from asynccp.sinks.ingest import Ingest
from asynccp.text import counted, listed, printable

_MOST_HOLLOW = 100
_NAMED = 3  # in an error
_ARCHIVED_SIZE = 768  # bytes that an entry takes in an archive besides its content: a header, and half a block


class Account:
    """Hears the notes of one session, and judges it in the end. path: in the pod, as it was asked for.

    grown: files that were appended to while they were read, where that is no trouble.
    settles: called behind an archive that was chosen; raises SourceRotated if something in it may be another file's.
    """

    def __init__(
        self, conversation: Conversation, state: TransferState, ingest: Ingest, hello: Hello, *, path: str
    ) -> None:
        self.grown: list[bytes] = []
        self.settles: Callable[[], Awaitable[None]] | None = None
        self._conversation = conversation
        self._state = state
        self._ingest = ingest
        self._path = printable(path)
        self._counts = hello.counts
        self._there: str | None = None  # how many entries the pod has counted beside its tar
        self._old = ""  # how many of them have not changed since
        self._harmless: set[bytes] = set()  # paths that changed, but not for the worse
        self._hollow: list[LeftOut] = []
        self._can_tell = hello.has_stat
        self._trailer = LineReader(conversation.token, "done", after_zeros=True)
        conversation.brings = True
        conversation.overdue = self._overdue
        conversation.complaints.requested = pull_name(path)
        conversation.complaints.goes_on = hello.names_all
        conversation.hear_notes(self._hear)

    @property
    def left_out(self) -> list[LeftOut]:
        """What is there, but did not come, or not as it is."""
        return [*self._conversation.complaints.left_out, *self._hollow]

    @property
    def _missing(self) -> int:
        words = self._conversation.complaints
        named = sum(not self._ingest.is_directory(one.path) for one in words.of(Fate.UNREADABLE))  # or it came, empty
        passed_over = named + words.unnamed[Fate.UNREADABLE]
        return missing(self._ingest.members, passed_over, self._there or "", self._old)

    def _overdue(self) -> str:
        """Behind the end of its archive a tar has nothing to do but end, whatever its disk."""
        conversation = self._conversation
        if self._ingest.ended and conversation.brings:
            return f"the whole archive has come, but {conversation.worker.name} does not end"
        if conversation.last_word and not conversation.ended:
            return "the pod says that it is done, but not that all has come that its programs have said"
        return ""

    def _hear(self, note: Note) -> None:
        """Take a note of the pod's: how many entries there are, and bytes."""
        match note.word:
            case "census":
                self._there, size = note.facts.get("entries", ""), note.facts.get("bytes", "")
                if size.isascii() and size.isdigit() and self._there.isdigit() and len(size + self._there) < 30:
                    total = int(size) + int(self._there) * _ARCHIVED_SIZE
                    self._state.observer(Sized(self._state.transfer, total))
            case "hollow" if len(self._hollow) < _MOST_HOLLOW:
                kind, _, below = note.rest.partition(b" ")
                path = b"/".join(filter(None, (self._conversation.complaints.requested, below)))
                self._hollow.append(LeftOut(path, is_pseudo(kind)))

    async def hear_end(self, data: bytes, options: Options, comparison: Comparison | None) -> None:
        """Take what stands behind the archive. When it has the pod's last word: find out what that means, and let the
        pod go. comparison: of what came, if that is wanted. Raises DigestsDiffer, SourceRotated.
        """
        if not (found := self._trailer.feed(data)):
            return
        line, after = found
        if after:
            raise ProtocolViolation("the pod sent output after its last word")
        conversation = self._conversation
        conversation.last_word, conversation.brings = Done.read(line.facts), False
        await conversation.hear_stderr_out()
        await self._ask(options, comparison)
        if self.settles:
            await self.settles()
        await conversation.acknowledge()

    async def _ask(self, options: Options, comparison: Comparison | None) -> None:
        """Ask the pod about what may be missing, or have changed. To be called when all of its tar's words have come.

        comparison: of what came, if that is wanted. Raises DigestsDiffer.
        """
        conversation, words = self._conversation, self._conversation.complaints
        words.end()
        with anyio.move_on_after(options.deadlines.late_after_s):  # who is slow to count has no worse a copy
            await conversation.hear_until(lambda: self._there is not None or not self._counts)
        self._old = self._there or ""
        if self._missing:
            conversation.extra_stall_s = self._ingest.members / SLOWEST_WALK_PER_S
            self._old = await count_old(conversation, words.requested)
            conversation.extra_stall_s = 0.0
        conversation.complaints = Complaints()  # what is said of a question is no complaint of tar's
        try:
            await self._ask_what_changed(words, options, comparison)
        finally:
            conversation.complaints = words

    async def _ask_what_changed(self, words: Complaints, options: Options, comparison: Comparison | None) -> None:
        conversation, watch = self._conversation, self._ingest.watch
        named = {one.path for one in words.of(Fate.CHANGED)}
        directories = {path for path in named if self._ingest.is_directory(path)}
        files = {} if comparison is None else self._comparable(watch)
        differ = [] if comparison is None else await differing(conversation, files, comparison)
        came = dict(watch.states) if options.verification.strict_sources or comparison is None else {}
        came |= {path: watch.states[path] for path in differ}
        if others := named - directories - came.keys():
            came |= await to_thread.run_sync(self._states_here, others)  # it asks the disk
        found = await states(conversation, came) if self._can_tell else dict.fromkeys(came, Change.NONE)
        if damaged := [path for path in differ if found[path] is Change.NONE]:
            raise digests_differ(damaged)
        for path in differ:
            if found[path] is Change.GREW and comparison is not None:
                size = came[path].size or 0
                is_whole = await begins_the_same(conversation, path, size, comparison, came=files.get(path, 0))
                found[path] = Change.GREW if is_whole else Change.OTHER
        fates = {
            path: fate(path, one, differ=differ, padded=watch.padded, strict=options.verification.strict_sources)
            for path, one in found.items()
        }
        words.told += [Complaint(path, one) for path, one in fates.items() if one and path not in named]
        if not options.verification.strict_sources:
            self.grown = [path for path, one in found.items() if one is Change.GREW]
            self._harmless = directories | set(self.grown)

    def _states_here(self, paths: Collection[bytes]) -> dict[bytes, State]:
        return {path: State(self._ingest.size_of(path), None) for path in paths}

    def _comparable(self, watch: Watch) -> dict[bytes, int]:
        """Return the files that can be the same at both ends."""
        hollow = tuple(one.path + b"/" for one in self._hollow)
        return {path: size for path, size in watch.files.items() if not (path + b"/").startswith(hollow)}

    def error(self) -> TransferError | None:
        """Return why the transfer is not complete, None when it is, but for what is named as left out."""
        conversation, path = self._conversation, self._path
        worker = conversation.worker
        well = f"{worker.name} ended without an error"
        done = conversation.last_word if isinstance(conversation.last_word, Done) else None
        whole, code = self._ingest.ended and done is not None, tar_code(done, conversation.status)
        if not whole and (where := conversation.complaints.ended_early):
            return SourceShrank(f"{worker.name} ended {where}: {self._ingest.describe()}; the rest was not read")
        if not whole or done is None or code not in (0, 1, 2):
            return conversation.error(whole=whole)
        outcome = judge(code, whole, conversation.complaints, self._harmless)
        if outcome is Outcome.FAILED:
            return failure(code, conversation.complaints, path, worker)
        if done.is_hidden:
            return SourceMissing(f"{path} has content, but its size is told as 0: no tar can copy it")
        if self._missing:
            told = counted(self._missing, "entry is", "entries are")
            return CommandFailed(
                f"{well}, but {told} missing of the {self._there} that are in the container",
                hint=worker.lost,
            )
        if lacking := self._ingest.awaited - {one.path for one in conversation.complaints.told}:
            told = counted(len(lacking), "entry has", "entries have")
            return CommandFailed(
                f"{well}, but {told} not come: {listed(sorted(lacking), _NAMED, printable)}",
                hint="was it removed meanwhile? pull again",
            )
        return changed(conversation.complaints, self._harmless) if outcome is Outcome.CHANGED else None

    def nothing(self) -> TransferError | None:
        """Return the error of an archive of which nothing is copied, None if something is. To be called at the end."""
        ingest, path = self._ingest, self._path
        left_out = [*ingest.left_out, *self.left_out]
        if ingest.entries or (ingest.members and not left_out):
            return None
        empty = f"{self._conversation.worker.name} ended well, but with an empty archive"
        why = printable(left_out[0].reason, 200) if left_out else empty
        return SourceMissing(f"nothing of {path} can be copied: {why}")
