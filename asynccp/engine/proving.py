"""Proving: a pod is asked which of its files begin with files here, several in one question.

Where of a file only its end is wanted, and an end is here, nobody knows where in the pod's file that was. So the first
line of the end that it has now is looked for here; what follows, if the pod has the same, need not be fetched.

It is asked by names, and tells which file it has read. One that has another name by then, since logs were rotated, is
asked about once more, under that; what was proved is not asked again in the next attempt either (`plan/proofs.py`).
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from asynccp.checksum import ALGORITHMS
from asynccp.engine.conversation import Conversation
from asynccp.engine.parts import pieces
from asynccp.engine.rotating import Read, names_now, rotated
from asynccp.engine.state import TransferState
from asynccp.engine.turns import in_turns
from asynccp.engine.verify import Told, both, digest_here
from asynccp.plan.fetch import LINE_SIZE, Beginning, Tail
from asynccp.plan.manifest import Item, Manifest
from asynccp.plan.proofs import Proofs, Settled, next_round
from asynccp.remote.digests import Span
from asynccp.sinks.base import Sink
from asynccp.sinks.ingest import Ingest

PROBE_SIZE = 4096
"""Bytes of a file in the pod that are looked for here."""

MOST_ROTATED = 5
"""Rounds, in which other files were read than those that were meant, after which another attempt is made."""


class Proving:
    """What one session proves. member: of a path below what was asked for, the path in the archive."""

    def __init__(
        self,
        conversation: Conversation,
        state: TransferState,
        ingest: Ingest,
        proofs: Proofs,
        member: Callable[[bytes], bytes],
        *,
        algorithm: str,
    ) -> None:
        self._conversation = conversation
        self._state = state
        self._ingest = ingest
        self._proofs = proofs
        self._member = member
        self._algorithm = algorithm

    async def proved(self, told: Sequence[Beginning], there: Manifest, here: Manifest) -> list[Beginning]:
        """Return those that the pod can prove; for one file, here or there, the first. Raises SourceRotated."""
        settled = Settled()
        settled.add(self._proofs.proved(told, there, here))
        left, names, rounds = list(told), dict[bytes, bytes](), 0
        while asked := next_round(left, settled):
            answers = await self._answers(asked, names)
            others = {one.path for one, _, its in answers if its and its.inode not in (0, there[one.path].inode)}
            same = [one for one, ours, its in answers if its and ours == its.digest and one.path not in others]
            settled.add(same)
            self._proofs.remember(same, there, here)
            found = await self._names(others, there) if others else {}
            names |= found
            rounds += bool(found)
            if rounds > MOST_ROTATED:
                raise rotated(sorted(found))
            over = {one for one in asked if one.path not in found}  # what is gone is read by nobody
            left = [one for one in left if one not in over]
        return settled.found

    async def end(self, path: bytes, at: bytes, item: Item, had: int, tail_size: int) -> Tail | None:
        """Return what of a file's end is here, and what is to be fetched; None where nothing is known to be the same.

        at, had: of the file here, its path and its bytes.
        """
        member, begin = self._member(path), item.size - tail_size
        first = await self._first(member, begin, tail_size)
        skipped = first.find(b"\n", 0, tail_size - 1) + 1  # as it is cut
        local = self._ingest.local(self._member(at))
        piece = first[skipped : skipped + PROBE_SIZE]
        found = await self._in_turns(_found(self._ingest.sink, local, had, piece))
        if found is None or had - found > tail_size - skipped:
            return None
        kept = had - found
        here = partial(self._in_turns, _digested(self._ingest.sink, local, found, kept, self._algorithm))
        span = Span(member, begin + skipped, kept)
        (ours,), (its,) = await both(self._conversation, [span], [here], self._algorithm, read_size=item.size)
        if its is None or its.digest != ours or its.inode not in (0, item.inode):
            return None
        rest = begin + skipped + kept
        return Tail(path, rest, item.size - rest, found, kept)

    async def _first(self, member: bytes, begin: int, size: int) -> bytes:
        """Return bytes of a file in the pod, from `begin` on: a line's beginning, if there is one, and what follows it.

        size: that the file has behind it.
        """
        first = bytearray()
        for most in (2 * PROBE_SIZE, LINE_SIZE + PROBE_SIZE):
            more = min(most, size) - len(first)
            if more > 0 and b"\n" not in first[:-PROBE_SIZE]:
                async for piece, wire_size in pieces(self._conversation, member, begin + len(first), more):
                    first += piece
                    self._state.advance(len(piece), wire_size)
        return bytes(first)

    async def _in_turns(self, steps: Generator[int, None, Any]) -> Any:
        with self._ingest.sink.translated():
            return await in_turns(steps, self._conversation.record_progress)

    async def _answers(
        self, asked: Sequence[Beginning], names: Mapping[bytes, bytes]
    ) -> list[tuple[Beginning, str | None, Told | None]]:
        """Return the digests at both ends. names: of files that have others than were listed."""
        conversation, digests = self._conversation, dict[bytes, str | None]()

        async def here(at: bytes) -> str | None:
            if at not in digests:
                digests[at] = await digest_here(conversation, self._ingest, self._algorithm, self._member(at))
            return digests[at]

        spans = [Span(names.get(one.path) or self._member(one.path), one.offset, one.had) for one in asked]
        size = sum(one.offset + one.had for one in asked)
        ours, theirs = await both(
            conversation, spans, [partial(here, one.at) for one in asked], self._algorithm, read_size=size
        )
        return list(zip(asked, ours, theirs, strict=True))

    async def _names(self, paths: Collection[bytes], there: Mapping[bytes, Item]) -> dict[bytes, bytes]:
        """Return the present names of files, by their paths, as far as they are found."""
        files = {self._member(path): path for path in paths}
        lost = [Read(one, there[path].inode, there[path].size) for one, path in files.items()]
        found = await names_now(self._conversation, lost)
        return {files[one]: name for one, name in found.items()}


def _found(sink: Sink, path: bytes, size: int, piece: bytes) -> Generator[int, None, int | None]:
    """Return where a piece stands first in a file here, in steps."""
    before, at = b"", 0
    for data in sink.content(path, 0, size):
        some = before + data
        if (found := some.find(piece)) >= 0:
            return at - len(before) + found
        before, at = some[1 - len(piece) :] if len(piece) > 1 else b"", at + len(data)
        yield len(data)
    return None


def _digested(sink: Sink, path: bytes, offset: int, size: int, algorithm: str) -> Generator[int, None, str]:
    """Return the digest of a file's end here, in steps."""
    digest = ALGORITHMS[algorithm]()
    for data in sink.content(path, offset, size):
        digest.update(data)
        yield len(data)
    return digest.hexdigest()
