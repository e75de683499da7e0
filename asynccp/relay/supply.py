"""Supply: how the sources of a push get to relays: over the line to one, and from one to the next."""

from collections import defaultdict
from typing import TypeVar

import anyio
from anyio import to_thread

from asynccp.errors import WorkerLost
from asynccp.jsonlines import Malformed
from asynccp.plan.plan import PushPlan
from asynccp.relay.job import CONTAINER, RelayPod
from asynccp.relay.lines import Fetch, Over, Ready, Take, Taken, Unable, load, task_line
from asynccp.relay.pipe import Worker
from asynccp.relay.sources import given

Told = TypeVar("Told", Ready, Taken, Over)


class GiverLost(WorkerLost):
    """A relay that was to give the sources to another one did not."""


class Supply:
    """The sources, and which relays have them, by their pods' names. codec: over the line; empty: none."""

    def __init__(self, plan: PushPlan, codec: str) -> None:
        self.digest = plan.digest
        self._plan = plan
        self._codec = codec
        self._sum = ""
        self._have: list[str] = []
        self._turn = 0
        self._line = anyio.Lock()
        self._each = defaultdict[str, anyio.Lock](anyio.Lock)

    async def bring(self, pod: RelayPod, namespace: str, worker: Worker) -> None:
        """Have a relay get what it lacks. Raises WorkerLost, TransferError."""
        async with self._each[pod.name]:  # where a relay was lost another one has several workers, one after the other
            if pod.name in self._have:
                return
            async with self._line:
                if not self._have:
                    await self._give(worker)
                    self._have.append(pod.name)
                    return
            await self._fetch(namespace, worker)
            self._have.append(pod.name)

    async def _fetch(self, namespace: str, worker: Worker) -> None:
        """Have it take the sources from a relay that has them. Raises GiverLost."""
        self._turn += 1
        giver = self._have[self._turn % len(self._have)]
        await worker.pipe.send(task_line(Fetch(namespace, giver, CONTAINER, self._sum)).encode() + b"\n")
        try:
            await heard(worker, Taken)
        except _Unable as exc:
            if giver in self._have:
                self._have.remove(giver)  # it may be the one that is gone
            raise GiverLost(str(exc)) from exc

    async def _give(self, worker: Worker) -> None:
        """Send the sources over the line."""
        await worker.pipe.send(task_line(Take()).encode() + b"\n")
        pieces, last = given(self._plan, self._codec), memoryview(b"")
        while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
            await worker.pipe.send(piece)
            last = memoryview(piece)
        self._sum = bytes(last).decode().strip()
        taken = await heard(worker, Taken)
        if taken.digest != self._sum:
            raise WorkerLost("its relay has got other sources than it was sent")


class _Unable(WorkerLost):
    """A worker says that it can't."""


async def heard(worker: Worker, kind: type[Told]) -> Told:
    """Return the next sign of a kind. Raises WorkerLost."""
    while line := await worker.lines.next():
        try:
            said = load(line)
        except Malformed as exc:
            raise WorkerLost(f"its relay can't be understood: {exc}") from exc
        if isinstance(said, kind):
            return said
        if isinstance(said, Unable):
            raise _Unable(f"its relay has failed: {said.error}", hint=said.hint)
    raise WorkerLost(f"its relay {worker.pipe.ended}")
