"""Verify: questions to a pod about the entries of one transfer: their digests, their states, how many there are.

One question at a time goes to the pod; while it works on the answer, so do we. Silence is right then, for as long as
the files take at the pace of the slowest disk that is worth waiting for: as much of them as came. A hole is a number
that a pod says, which would have us wait for days.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from asynccp.archive.watch import Change, State, change
from asynccp.checksum import ALGORITHMS
from asynccp.engine.conversation import Conversation
from asynccp.engine.turns import in_turns
from asynccp.errors import CommandMissing, DigestsDiffer, Knob, ProtocolViolation, SessionLost
from asynccp.options import SLOWEST_DIGEST_PER_S
from asynccp.plan.rotation import Named
from asynccp.remote import stattime
from asynccp.remote.digests import AnswerReader, Span, encode_question, encode_spans, questions
from asynccp.remote.messages import Hello
from asynccp.text import counted, listed, printable

if TYPE_CHECKING:
    from asynccp.sinks.ingest import Ingest

Here = Callable[[bytes, str], Awaitable[str | None]]
Ours = Callable[[], Awaitable[str | None]]
_NAMES = 3  # of files that differ, in the error
_OBJECT = re.compile(rb"(\d{1,20}) (\d{1,20}) (" + stattime.PATTERN + rb")")


def algorithm_of(hello: Hello, *, can_be_asked: bool = True) -> str:
    """Return the program that the pod has for digests. Raises CommandMissing when files can't be compared."""
    program = hello.checksum
    if program not in ALGORITHMS:
        raise CommandMissing(
            "files can't be compared: the container has neither sha256sum nor md5sum nor cksum",
            hint=f"add one to the image, or copy without {Knob.CHECKSUM}",
        )
    if not can_be_asked:
        raise CommandMissing(
            "files can't be compared: the container has neither dd nor head, so that its input has to be closed",
            hint=f"add one to the image, or copy without {Knob.CHECKSUM}",
        )
    return program


def check_watched(hello: Hello) -> None:
    """Raise CommandMissing when the pod can't tell whether a file has changed."""
    if not hello.has_stat:
        raise CommandMissing(
            "the sources can't be watched: the container has no stat",
            hint=f"add it to the image, or copy without {Knob.STRICT_SOURCES}",
        )


class Comparison(Struct, frozen=True):
    """How files here are compared with those in a pod.

    algorithm: the program in the pod that digests. here: returns the digest of a file on this machine, None when it
    can't be read. same: takes the digests of those that are the same, by path. names: what the pod calls files that
    have another name there.
    """

    algorithm: str
    here: Here
    same: dict[bytes, str]
    names: Mapping[bytes, bytes] = MappingProxyType({})


async def differing(conversation: Conversation, sizes: Mapping[bytes, int], comparison: Comparison) -> list[bytes]:
    """Return which of the files of `sizes` (path in the archive → bytes) are not the same here and in the pod."""
    differ: list[bytes] = []
    algorithm, here = comparison.algorithm, comparison.here
    for paths in questions(sizes):
        conversation.extra_stall_s = sum(sizes[path] for path in paths) / SLOWEST_DIGEST_PER_S
        asked = [comparison.names.get(path, path) for path in paths]
        await conversation.send(encode_question(asked))
        ours = [await here(path, algorithm) for path in paths]
        conversation.record_progress()
        theirs = await answer(conversation, asked, algorithm)
        for path, one, other in zip(paths, ours, theirs, strict=True):
            if one is None or one != other:
                differ.append(path)
            else:
                comparison.same[path] = one
    conversation.extra_stall_s = 0.0
    return differ


async def digests(conversation: Conversation, sizes: Mapping[bytes, int], algorithm: str) -> dict[bytes, str | None]:
    """Return the pod's digests of some files (path in the archive → bytes); None of one that it can't read."""
    found = dict[bytes, str | None]()
    for paths in questions(sizes):
        conversation.extra_stall_s = sum(sizes[path] for path in paths) / SLOWEST_DIGEST_PER_S
        await conversation.send(encode_question(paths))
        found.update(zip(paths, await answer(conversation, paths, algorithm), strict=True))
    conversation.extra_stall_s = 0.0
    return found


class Told(Struct, frozen=True):
    """What a pod tells of a part of a file. inode: of the file that it has read; 0 where it can't tell."""

    inode: int
    digest: str


async def digest_here(conversation: Conversation, ingest: "Ingest", algorithm: str, path: bytes) -> str | None:
    """Return the digest of a file that came, by its path in the archive; None when it can't be read."""
    steps = ingest.digest(path, algorithm)
    return await in_turns(steps, conversation.record_progress) if steps else None


async def both(
    conversation: Conversation, spans: Sequence[Span], here: Sequence[Ours], algorithm: str, *, read_size: int
) -> tuple[list[str | None], list[Told | None]]:
    """Return the digests of some files here, and of parts of files in the pod, which are made meanwhile.

    here: each returns one. read_size: bytes that the pod may have to read for it, in silence.
    """
    conversation.extra_stall_s = read_size / SLOWEST_DIGEST_PER_S
    await conversation.send(encode_spans(spans))
    ours = [await one() for one in here]
    conversation.record_progress()
    reader = AnswerReader(conversation.token, [one.path for one in spans], algorithm, before=1)
    told = [one.split(" ", 1) if one else None for one in await _answer(conversation, reader)]
    conversation.extra_stall_s = 0.0
    return ours, [Told(int(one[0]) if one[0].isdigit() else 0, one[1]) if one else None for one in told]


async def begins_the_same(
    conversation: Conversation, path: bytes, size: int, comparison: Comparison, *, came: int
) -> bool:
    """Tell whether the first `size` bytes of a file in the pod are all of the one here. came: less its holes."""
    spans = [Span(path, 0, size)]
    ours_too = partial(comparison.here, path, comparison.algorithm)
    (ours,), (theirs,) = await both(conversation, spans, [ours_too], comparison.algorithm, read_size=came)
    if ours is None or theirs is None or ours != theirs.digest:
        return False
    comparison.same[path] = ours
    return True


async def states(conversation: Conversation, came: Mapping[bytes, State]) -> dict[bytes, Change]:
    """Return what has become of entries since the archive told their state."""
    found: dict[bytes, Change] = {}
    for paths in questions(came):
        await conversation.send(encode_question(paths, "state"))
        told = await answer(conversation, paths, "state")
        found |= {path: change(came[path], one) for path, one in zip(paths, told, strict=True)}
    return found


async def count_old(conversation: Conversation, path: bytes) -> str:
    """Return how many entries, `path` and below, have not changed since the session began; empty if nobody can tell."""
    await conversation.send(encode_question([path], "old"))
    (told,) = await answer(conversation, [path], "old")
    return told or ""


async def objects(conversation: Conversation, names: Iterable[bytes]) -> dict[bytes, Named]:
    """Return which file has each of these names now, of those that there are."""
    found: dict[bytes, Named] = {}
    for paths in questions(names):
        await conversation.send(encode_question(paths, "object"))
        for path, told in zip(paths, await answer(conversation, paths, "object"), strict=True):
            if words := _OBJECT.fullmatch((told or "").encode()):
                inode, size, time = words.groups()
                with contextlib.suppress(ValueError):  # a day that there is not
                    found[path] = Named(int(inode), int(size), stattime.nanoseconds(time))
    return found


def digests_differ(paths: Sequence[bytes]) -> DigestsDiffer:
    """Return the error of files that are not the same here and in the pod."""
    hint = "a file that changes while it is copied differs too; copy it again"
    what = counted(len(paths), "file is", "files are")
    names = listed(paths, _NAMES, lambda path: printable(path, 200))
    return DigestsDiffer(f"{what} not the same here and in the container: {names}", hint=hint)


async def answer(conversation: Conversation, paths: Sequence[bytes], algorithm: str) -> list[str | None]:
    """Return the pod's answer to a question about paths: a word or two for each, None for one that it leaves out."""
    return await _answer(conversation, AnswerReader(conversation.token, paths, algorithm))


async def _answer(conversation: Conversation, reader: AnswerReader) -> list[str | None]:
    while (data := await conversation.stdout()) is not None:
        if found := reader.feed(data):
            digests, more = found
            if more:
                raise ProtocolViolation("the pod said more than it was asked for")
            return digests
    raise conversation.error() or SessionLost("the session ended before the pod had told of its files")
