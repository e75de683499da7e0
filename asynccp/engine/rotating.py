"""Rotating: a pod is asked which names its logs have by now.

What is read by name may be another log's, if they were rotated since they were listed (`plan/rotation.py`). So a log
whose rest is fetched is looked for first, by its inode; before a tar packs others the pod is asked whether they have
the names that it told; and behind the archive again, before that is taken for what was chosen. What was read while its
names changed may still be what was chosen: then the pod proves it, by the digest of the log under its new name. Where
everything was packed, and nothing listed before, a tar has read the names of a directory before what they are of: the
oldest log may have one by then that it did not read.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from heapq import nlargest
from typing import TYPE_CHECKING, NamedTuple

from anyio import to_thread

from asynccp.engine.conversation import Conversation
from asynccp.engine.verify import both, digest_here, objects
from asynccp.errors import SourceRotated
from asynccp.plan.rotation import (
    MOST_NUMBER,
    MOST_SEQUENCES,
    Named,
    is_active,
    names_after,
    renamed,
    rotated_name,
    stem,
)
from asynccp.remote.digests import Span
from asynccp.text import listed, printable

if TYPE_CHECKING:
    from asynccp.sinks.ingest import Ingest

MOST_COPIES = 2
"""Logs, at most, that a pod is asked about whether they are the copy of one that was truncated."""

MOST_TAKEN = 32
"""Logs of one pod that are fetched one by one, since they get other names all the time: each takes a round trip."""

_NAMED = 3  # in an error

Here = Callable[[bytes], Awaitable[str | None]]
"""Returns the digest of a file here, by its path in the archive."""


class Read(NamedTuple):
    """What was read of a log, under the name that it had. size: bytes of it that are here, from its beginning on."""

    name: bytes
    inode: int
    size: int


async def renamed_now(conversation: Conversation, witnesses: Mapping[bytes, Named]) -> list[bytes]:
    """Return the files that have another's name by now. witnesses: some that were listed, by path."""
    return renamed(witnesses, await objects(conversation, witnesses)) if witnesses else []


async def still_there(conversation: Conversation, short: Mapping[bytes, Named]) -> list[bytes]:
    """Return the logs, of which less came than was listed, that the pod has yet: truncated behind a copy of them, or
    under the next name. A file that was written anew in another's place, and read before it was whole, is no log."""
    if not short:
        return []
    now = await objects(conversation, dict.fromkeys(name for path in short for name in names_after(path)))
    inodes = {one.inode for one in now.values()}
    return [path for path, was in short.items() if was.inode in inodes]


async def check_walked(conversation: Conversation, ingest: "Ingest", algorithm: str) -> None:
    """Raise SourceRotated if logs got others' names while a tar walked over them, so that the oldest did not come.

    Nobody but logs that were written to lately are rotated. What has the name behind that of the oldest which came must
    begin with what came as that. algorithm: empty where nothing can be proved.
    """
    oldest = await to_thread.run_sync(_oldest, ingest)
    if not (now := await objects(conversation, oldest)):
        return
    proofs = [name for name in now if algorithm and 0 < oldest[name].size <= now[name].size]
    ours, theirs = await both(
        conversation,
        [Span(name, 0, oldest[name].size) for name in proofs],
        [partial(digest_here, conversation, ingest, algorithm, oldest[name].name) for name in proofs],
        algorithm,
        read_size=sum(oldest[name].size for name in proofs),
    )
    same = {name for name, one, other in zip(proofs, ours, theirs, strict=True) if other and one == other.digest}
    if missing := [name for name, one in now.items() if name not in same and (one.size or oldest[name].size)]:
        raise rotated(missing)


def _oldest(ingest: "Ingest") -> dict[bytes, Read]:
    """Return of some logs the oldest that came, by the name that it would get next. Blocks."""
    states = ingest.watch.states
    fresh = nlargest(MOST_SEQUENCES, filter(is_active, states), key=lambda path: states[path].time_s or 0)
    found = dict[bytes, Read]()
    for path in fresh:
        number = 0
        while number < MOST_NUMBER and ingest.size_of(rotated_name(path, number + 1)) is not None:
            number += 1
        last, behind = rotated_name(path, number), rotated_name(path, number + 1)
        if not ingest.is_directory(path) and not ingest.is_directory(behind):
            found[behind] = Read(last, 0, ingest.size_of(last) or 0)
    return found


async def check_read(
    conversation: Conversation,
    witnesses: Mapping[bytes, Named],
    read: Callable[[], Iterable[Read]],
    here: Here,
    algorithm: str,
) -> None:
    """Raise SourceRotated if files have each other's names by now, and those that were read may be others.

    read: tells what was, asked for when it matters. algorithm: empty where a rotation counts as a change.
    """
    if paths := await renamed_now(conversation, witnesses):
        stems = set(map(stem, paths))
        if not algorithm or not await are_those(
            conversation, [one for one in read() if stem(one.name) in stems], here, algorithm
        ):
            raise rotated(paths)


async def are_those(conversation: Conversation, read: Sequence[Read], here: Here, algorithm: str) -> bool:
    """Tell whether logs in the pod, wherever they are by now, begin with what was read of each."""
    names = await names_now(conversation, read)
    if len(names) < len(read):
        return False
    if not read:
        return True
    spans = [Span(names[one.name], 0, one.size) for one in read]
    ours, theirs = await both(
        conversation,
        spans,
        [partial(here, one.name) for one in read],
        algorithm,
        read_size=sum(one.size for one in read),
    )
    return ours == [told.digest if told else "" for told in theirs]


async def is_in_one(conversation: Conversation, read: Read, here: Here, algorithm: str) -> bool:
    """Tell whether a log in the pod begins with what was read: that one, or its copy, if it was truncated then."""
    now = await objects(conversation, names_after(read.name))
    names = sorted((one for one in now if now[one].size >= read.size), key=lambda one: now[one].inode != read.inode)
    if not names[:MOST_COPIES]:
        return False
    spans = [Span(one, 0, read.size) for one in names[:MOST_COPIES]]
    size = read.size * len(spans)
    (ours,), theirs = await both(conversation, spans, [partial(here, read.name)], algorithm, read_size=size)
    return ours in [told.digest for told in theirs if told]


async def names_now(conversation: Conversation, files: Sequence[Read], *, copied: bool = False) -> dict[bytes, bytes]:
    """Return where logs are now, by the names that they had; those that have lost their ends are no longer these.

    copied: of a log that was truncated the next one is told, which may be the copy that was made before.
    """
    candidates = {one.name: names_after(one.name) for one in files}
    now = await objects(conversation, dict.fromkeys(name for some in candidates.values() for name in some))
    found = {}
    for one in files:
        large = [name for name in candidates[one.name] if name in now and now[name].size >= one.size]
        those = [name for name in large if now[name].inode == one.inode]
        if those or (large and copied):
            found[one.name] = (those or large)[0]
    return found


def rotated(paths: Sequence[bytes]) -> SourceRotated:
    return SourceRotated(f"logs were rotated while they were pulled: {listed(paths, _NAMED, printable)}")
