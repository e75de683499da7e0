"""Verify: every file of one transfer has the same digest here and in the pod.

One question at a time goes to the pod; while it works on the answer, so do we. Silence is right then, for as long as
the files take at the pace of the slowest disk that is worth waiting for.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from asynccp.engine.exchange import Exchange
from asynccp.engine.tally import Tally
from asynccp.errors import CommandMissing, DigestsDiffer, ProtocolViolation, SessionLost
from asynccp.escape import printable
from asynccp.options import SLOWEST_DIGEST_PER_S
from asynccp.report import counted
from asynccp.wire.dialogue import Line, verdict
from asynccp.wire.digests import ALGORITHMS, AnswerReader, encode_question, questions

Heard = Callable[[], Awaitable[bytes | memoryview | None]]
Here = Callable[[bytes, str], Awaitable[str | None]]
_NAMES = 3  # of files that differ, in the error


def algorithm_of(hello: Line, *, can_be_asked: bool = True) -> str:
    """Return the program that the pod has for digests. Raises CommandMissing when files can't be compared."""
    program = hello.facts.get("sum", "")
    if program not in ALGORITHMS:
        raise CommandMissing(
            "files can't be compared: the container has neither sha256sum nor md5sum nor cksum",
            hint="add one to the image, or copy without --checksum",
        )
    if not can_be_asked:
        raise CommandMissing(
            "files can't be compared: the container has neither dd nor head, so that its input has to be closed",
            hint="add one to the image, or copy without --checksum",
        )
    return program


async def verify(exchange: Exchange, tally: Tally, sizes: dict[bytes, int], here: Here, heard: Heard) -> None:
    """Compare the files of `sizes` (path in the archive → bytes). Raises DigestsDiffer with the names of some.

    here: returns the digest of a file on this machine. heard: returns what the pod says next on stdout.
    """
    differ: list[str] = []
    for paths in questions(sizes):
        exchange.patience_s = sum(sizes[path] for path in paths) / SLOWEST_DIGEST_PER_S
        await exchange.send(encode_question(paths))
        ours = [await here(path, tally.checksum) for path in paths]
        exchange.moved()
        theirs = await _answer(exchange, paths, tally.checksum, heard)
        for path, one, other in zip(paths, ours, theirs, strict=True):
            if one is None or one != other:
                differ.append(printable(path, 200))
            else:
                tally.digests[path] = one
    exchange.patience_s = 0.0
    if differ:
        raise DigestsDiffer(_told(differ), hint="a file that changes while it is copied differs too; copy it again")


async def _answer(exchange: Exchange, paths: Sequence[bytes], algorithm: str, heard: Heard) -> list[str | None]:
    reader = AnswerReader(exchange.token, paths, algorithm)
    while (data := await heard()) is not None:
        if found := reader.feed(data):
            digests, more = found
            if more:
                raise ProtocolViolation("the pod said more than it was asked for")
            return digests
    error = verdict(None, exchange.status, exchange.said, ending=exchange.ending)
    raise error or SessionLost("the session ended before the pod had told its files' digests")


def _told(differ: Iterable[str]) -> str:
    names = list(differ)
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    what = counted(len(names), "file is", "files are")
    return f"{what} not the same here and in the container: {', '.join(names[:_NAMES])}{more}"
