"""One byte of a file changed under a copy with --checksum: on the wire behind TLS, on this disk, or in the pod.

The cluster is the fake one, whole; between it and the engine stands a session that changes one bit. On the wire, that
is a bit of the file's content in a message. On a disk, it is a bit of the file as it stands when the pod is asked for
its digest: in the pod for a push (what was received) and for a pull (the source), here for a pull (what was written).
"""

import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from asynccp.chunk import Chunk
from asynccp.engine.around import SessionAround
from asynccp.engine.planning import plan_pull, plan_push
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.kube.base import Cluster, EphemeralContainer, Session, Wanted, Watched
from asynccp.kube.cluster import connect
from asynccp.kube.exec import Event, Stdout
from asynccp.options import Failures, Options, Sync, Verification
from asynccp.report import Report
from asynccp.target import Json, Log, Selection, Selector, Target, parse_selectors
from asynccp.testing.server import FakeCluster

PLACES = ("push, wire", "push, pod's disk", "pull, wire", "pull, pod's disk", "pull, this disk")
FILES = {"a": 1000, "d/b": 70_000, "d/c": 40, "e": 300_000}


@dataclass(frozen=True, slots=True)
class Corruption:
    """place: one of PLACES. file, offset, bit: of its content."""

    place: str
    file: str
    offset: int
    bit: int

    def apply_to(self, path: Path) -> None:
        with path.open("r+b") as file:
            before = os.fstat(file.fileno())
            file.seek(self.offset)
            byte = file.read(1)[0]
            file.seek(self.offset)
            file.write(bytes((byte ^ 1 << self.bit,)))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def corruptions(count: int, seed: int) -> list[Corruption]:
    dice = random.Random(seed)
    chosen = []
    for number in range(count):
        file = dice.choice(list(FILES))
        chosen.append(Corruption(PLACES[number % len(PLACES)], file, dice.randrange(FILES[file]), dice.randrange(8)))
    return chosen


def content_of(name: str) -> bytes:
    """Return content that stands nowhere else in an archive: its own pseudo-random bytes."""
    return random.Random(name).randbytes(FILES[name])


def write_files(directory: Path) -> None:
    for name in FILES:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(name))


class Corrupting:
    """A cluster whose sessions are struck once."""

    def __init__(self, cluster: Cluster, corruption: Corruption, here: Path, pod: Path) -> None:
        self.context, self.members, self.namespace = cluster.context, cluster.members, cluster.namespace
        self.struck = False
        self._cluster = cluster
        self._corruption = corruption
        self._here = here
        self._pod = pod

    @property
    def connect_s(self) -> float:
        return self._cluster.connect_s

    def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        return self._cluster.list_pods(selector, namespace, fields)

    async def ephemeral(self, target: Target, wanted: Wanted) -> EphemeralContainer:
        return await self._cluster.ephemeral(target, wanted)

    def watch_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[Watched]:
        return self._cluster.watch_pods(selector, namespace, fields)

    async def zones(self) -> Mapping[str, str]:
        return await self._cluster.zones()

    async def find_pod(self, target: Target) -> Json | None:
        return await self._cluster.find_pod(target)

    def open_log(self, target: Target, log: Log) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._cluster.open_log(target, log)

    def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AbstractAsyncContextManager[Session]:
        return self._opened(target, argv, protocol)

    @asynccontextmanager
    async def _opened(self, target: Target, argv: Sequence[str], protocol: str) -> AsyncIterator[Session]:
        async with self._cluster.open_exec(target, argv, protocol) as session:
            yield _Session(session, self)

    async def asked_for_digests(self) -> None:
        file = self._corruption.file
        path = {  # a push asks before as well, about what is there: then nothing has come yet
            "push, pod's disk": lambda: next(self._pod.glob(f".asynccp-*/new/{file}"), None),
            "pull, pod's disk": lambda: self._pod / file,
            "pull, this disk": lambda: self._here / file,
        }.get(self._corruption.place)
        if path and not self.struck and (victim := await to_thread.run_sync(path)):
            self.struck = True
            await to_thread.run_sync(self._corruption.apply_to, victim)

    def on_the_wire(self, direction: str, data: bytes) -> bytes:
        """Return the data, changed if the byte is in it."""
        if self.struck or self._corruption.place != f"{direction}, wire":
            return data
        content = content_of(self._corruption.file)
        at = self._place_in(data, content)
        if at < 0:
            return data
        self.struck = True
        struck = bytearray(data)
        struck[at] ^= 1 << self._corruption.bit
        return bytes(struck)

    def _place_in(self, data: bytes, content: bytes) -> int:
        """Return where the byte is in data, -1 when it isn't there.

        Nine bytes of the file's content tell where it is; where the data end among them, it is one of the next bytes.
        """
        last = len(content) - 9
        for offset in range(min(self._corruption.offset, last), min(self._corruption.offset + 40, last) + 1):
            if data.count(piece := content[offset : offset + 9]) == 1:
                return data.index(piece)
        return -1


class _Session(SessionAround):
    """A session between the engine and the cluster."""

    def __init__(self, session: Session, cluster: Corrupting) -> None:
        super().__init__(session)
        self._cluster = cluster

    async def send(self, data: bytes | memoryview) -> None:
        if bytes(data).startswith(b"sum\n"):
            await self._cluster.asked_for_digests()
        await self._session.send(self._cluster.on_the_wire("push", bytes(data)))

    async def send_chunk(self, chunk: Chunk) -> None:
        await self.send(chunk.data)

    async def receive(self) -> Event | None:
        event = await self._session.receive()
        if isinstance(event, Stdout):
            return Stdout(memoryview(self._cluster.on_the_wire("pull", bytes(event.data))))
        return event


async def carry_out(cluster: FakeCluster, kubeconfig: Path, corruption: Corruption, here: Path) -> tuple[bool, Report]:
    """Copy the files under one corruption; return whether it struck, and the report. Nothing is tried twice."""
    always = Sync(always=True)  # an earlier copy has left what is the same
    options = Options(verification=Verification(checksum=True), failures=Failures(retries=0), sync=always)
    source, there = here / "source", cluster.directory / "default" / "web-0" / "main" / "files"
    await to_thread.run_sync(write_files, source if corruption.place.startswith("push") else there)
    async with connect(str(kubeconfig)) as real:
        if corruption.place.startswith("push"):
            struck = Corrupting(real, corruption, source, there)
            selection = Selection(parse_selectors([], ["web-0:/files"]))
            report = await push(struck, await plan_push(struck, [f"{source}/"], selection), options=options)
        else:
            struck = Corrupting(real, corruption, here / "to" / "web-0", there)
            selection = Selection(parse_selectors([], ["web-0:/files/"]))
            report = await pull(struck, await plan_pull(struck, str(here / "to"), selection), options=options)
    await cluster.wait_idle()  # what the pod removes of a push that failed must not be in the next one's way
    return struck.struck, report
