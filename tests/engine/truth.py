"""The truth table: everything that can be said, or left unsaid, at the end of a transfer, and what it must amount to.

    status    Success, an exit code, InternalError, one that can't be read, none
    marker    the archive's end: a pull's two zero blocks came, a push's sentinel was extracted
    trailer   the pod's last line
    close     how the connection ended: regularly (1000), broken off (1006), by a server in trouble (1011), by a reset
    protocol  v4, v5
    rung      by what the container does its part, see `scripted.RUNGS`

Only one row in each direction is complete, whatever the close and the protocol: Success, marker and trailer.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind
from asynccp.errors import ProtocolRefused
from asynccp.kube.exec import ERROR, V4
from asynccp.options import Ephemeral, Failures, Options
from asynccp.report import Report
from asynccp.status import ExitStatus
from asynccp.target import Target

from ..archive.reference import member
from .scripted import RUNGS, Pod, beside, on_rung, pull_plan, push_plan, scripted, target

STATUSES: dict[str, ExitStatus | bytes | None] = {
    "Success": ExitStatus(0),
    **{f"exit {code}": ExitStatus(code) for code in (1, 2, 126, 127, 137)},
    "InternalError": ExitStatus(None, "error reading from error stream"),
    "broken": b'{"status": "Succ',
    "none": None,
}
CLOSES = {
    "1000": "",
    "1006": "the connection broke off",
    "1011": "the server closed the connection with code 1011",
    "reset": "the connection broke: Connection reset by peer",
}
ARCHIVE = member(Entry(b"log", Kind.DIRECTORY, mode=0o755)) + member(Entry(b"log/a", Kind.FILE, 1000))


@dataclass(frozen=True, slots=True)
class Case:
    direction: str
    status: str
    marker: bool
    trailer: bool
    close: str
    protocol: str
    rung: str = "tar"

    def __str__(self) -> str:
        marker, trailer = "marker" if self.marker else "no marker", "trailer" if self.trailer else "no trailer"
        return f"{self.direction}, {self.status}, {marker}, {trailer}, {self.close}, {self.protocol}, {self.rung}"

    @property
    def is_complete(self) -> bool:
        return self.status == "Success" and self.marker and self.trailer

    @property
    def says(self) -> str:
        """A part of the error that a person must get."""
        match self.status:
            case "broken":
                return "closing status can't be read"
            case "exit 137":
                return "killed (137)"
            case "exit 126" | "exit 127":
                return "a program could not be run in the container"
            case "exit 1" | "exit 2":
                return "" if self.direction == "push" and self.trailer else f"exit code {self.status[-1]}"
            case "none":
                return CLOSES[self.close] or "before the pod had said its last word"
        return ""


def cases() -> Iterator[Case]:
    """Yield all for tar; of the other rungs those that end on v4 in the regular way."""
    yield from _of_tar()
    for rung in RUNGS[1:]:
        yield from (replace(case, rung=rung) for case in _of_tar() if (case.close, case.protocol) == ("1000", "v4"))


def _of_tar() -> Iterator[Case]:
    for row in itertools.product(("push", "pull"), STATUSES, (True, False), (True, False), CLOSES, ("v4", "v5")):
        yield Case(*row)


async def run(case: Case, directory: Path) -> Report:
    """Carry out one transfer that ends as the case says."""

    async def opening(of: Target, protocol: str) -> None:
        await anyio.lowlevel.checkpoint()
        if case.protocol == "v5" and protocol == V4:
            raise ProtocolRefused("unknown")

    async def script(pod: Pod) -> None:
        pod.ending = CLOSES[case.close]
        await pod.hello()
        await (_end_of_push if case.direction == "push" else _end_of_pull)(pod, case)
        status = STATUSES[case.status]
        if isinstance(status, bytes):
            await pod.say(status, ERROR)
        elif status is not None:
            await pod.end(status)

    options = Options(failures=Failures(retries=0), ephemeral=Ephemeral("busybox:1"))
    async with scripted(on_rung(case.rung, script), opening=opening) as cluster:
        cluster.beside = beside
        if case.direction == "push":
            return await push(cluster, push_plan([target()], 100_000), options=options)
        return await pull(cluster, pull_plan(str(directory), [target()]), options=options)


async def _end_of_push(pod: Pod, case: Case) -> None:
    await pod.hear_archive()
    await pod.received(f"rc=0 sentinel={'yes' if case.marker else 'no'}")
    await pod.hear_line()
    if case.trailer:
        if case.marker:
            await pod.done()
            await pod.hear_line()
        else:
            await pod.complain("the pod goes on without a sentinel\n")


async def _end_of_pull(pod: Pod, case: Case) -> None:
    await pod.say(ARCHIVE + (bytes(1024) if case.marker else b""))
    if case.trailer:
        await pod.done("rc=0")
        if case.marker:
            await pod.hear_line()
