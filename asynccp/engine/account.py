"""Account: what a pod tells of the archive that it sends, and whether that archive is all of what was asked for.

Its tar's exit code and words, how many entries it has counted beside it and behind it, and its answers to questions
about what may have changed. Pull and forward share it; what is done with the archive is theirs.
"""

from collections.abc import Mapping
from typing import Protocol

from asynccp.engine.exchange import Exchange
from asynccp.engine.tally import Tally
from asynccp.engine.verify import Here, differing, digests_differ, grown
from asynccp.errors import EntriesMissing, SourceMissing, TransferError
from asynccp.escape import printable
from asynccp.options import Options
from asynccp.report import Outcome, counted
from asynccp.wire.census import missing
from asynccp.wire.complaints import Complaint, Fate, changed, failure, judge
from asynccp.wire.dialogue import Line, tar_code, verdict
from asynccp.wire.notes import Note

_ARCHIVED_SIZE = 768  # bytes that an entry takes in an archive besides its content: a header, and half a block


class Archived(Protocol):
    """What has come of an archive, by its paths in it. files: content bytes of each, if digests are wanted."""

    @property
    def files(self) -> Mapping[bytes, int]: ...
    def is_directory(self, path: bytes) -> bool: ...
    def size_of(self, path: bytes) -> int | None: ...


class Account:
    """Hears the notes of one session, and judges it in the end."""

    def __init__(self, exchange: Exchange, tally: Tally) -> None:
        self._exchange = exchange
        self._tally = tally
        self._before = self._after = ""  # how many entries the pod has counted
        self._harmless: set[bytes] = set()  # paths that changed, but not for the worse
        exchange.on_note = self._hear

    def _hear(self, note: Note) -> None:
        """Take a note of the pod's: how many entries there are, and bytes."""
        match note.word:
            case "census":
                self._before, size = note.facts.get("entries", ""), note.facts.get("bytes", "")
                if size.isascii() and size.isdigit() and self._before.isdigit() and len(size + self._before) < 30:
                    total = int(size) + int(self._before) * _ARCHIVED_SIZE
                    self._tally.observer.sized(self._tally.transfer, total)
            case "ended":
                self._after = note.facts.get("entries", "")

    async def ask(self, archived: Archived, options: Options, here: Here | None) -> None:
        """Ask the pod about what may have changed: every file, if digests are wanted, else what its tar has named.

        here: returns the digest of a file on this machine, if they are wanted. Raises DigestsDiffer.
        """
        exchange, changed = self._exchange, [one.path for one in self._exchange.complaints.of(Fate.CHANGED)]
        self._harmless = {path for path in changed if archived.is_directory(path)}
        if here is not None:
            differ = await differing(exchange, self._tally, archived.files, here)
            sizes = {path: archived.files[path] for path in differ}
            same = await grown(exchange, self._tally, sizes, here)
            if others := [path for path in differ if path not in set(same)]:
                raise digests_differ(others)
        else:
            found = {path: archived.size_of(path) for path in changed if path not in self._harmless}
            same = await grown(exchange, self._tally, {path: size for path, size in found.items() if size is not None})
        if options.strict_sources:
            self._harmless = set()
            if same and not changed:  # a tar that says nothing of it
                exchange.complaints.told += [Complaint(path, Fate.CHANGED) for path in same]
        else:
            self._harmless |= set(same)
            self._tally.grown = same

    def error(self, done: Line | None, *, whole: bool, members: int) -> TransferError | None:
        """Return why the transfer is not complete, None when it is, but for what is named as left out."""
        exchange, code = self._exchange, tar_code(done, self._exchange.status)
        if not whole or done is None or code not in (0, 1, 2):
            return verdict(done, exchange.status, exchange.said, whole=whole, ending=exchange.ending)
        match judge(code, whole, exchange.complaints, self._harmless):
            case Outcome.FAILED:
                return failure(code, exchange.complaints)
            case Outcome.CHANGED:
                return changed(exchange.complaints, self._harmless)
        if done.facts.get("hidden"):
            path = printable(self._tally.transfer.path)
            return SourceMissing(f"{path} has content, but its size is told as 0: no tar can copy it")
        passed_over = exchange.complaints.count(Fate.UNREADABLE)
        if short := missing(self._before, self._after, members, passed_over):
            told = counted(short, "entry is", "entries are")
            there = min(int(self._before), int(self._after))
            return EntriesMissing(
                f"tar ended without an error, but {told} missing of the {there} that are in the container",
                hint="is its tar a wrapper, or told by a variable to skip something?",
            )
        return None
