"""Dealt: one plan, dealt out to workers in shards, and each shard brought to its end by one worker after another.

A worker that dies, by whatever hand, has told which of its transfers are over. Another one gets the others, and no one
else's: none is done twice, and none is missing. One shard that kills three workers is given up, and its pods are named.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from asynccp.engine.group import single_error
from asynccp.errors import ConnectFailed, Interrupted, TransferError, WorkerLost
from asynccp.events import Finished
from asynccp.jsonlines import Malformed
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.gathered import Gathered
from asynccp.relay.lines import Alive, Archived, Begun, Over, Ready, Taken, Unable, load, task_line
from asynccp.relay.pipe import Crew, Pipe, Worker
from asynccp.relay.shards import divided, narrowed
from asynccp.report import Report
from asynccp.target import Transfer

if TYPE_CHECKING:
    from asynccp.relay.received import Received  # workers of this machine send nothing

MOST_DEATHS = 3
"""Workers that a shard may cost: one may be killed by whoever is short of memory, three by what is in the shard."""


class Dealt:
    """One plan under way. options: of the whole run. shards: each a part of the plan's transfers.

    begun_at: when the run began, of the event loop's clock. received: takes what they pull for this machine.
    """

    def __init__(
        self,
        plan: PushPlan | PullPlan,
        options: Options,
        shards: Sequence[Collection[Transfer]],
        crew: Crew,
        gathered: Gathered,
        begun_at: float,
        received: "Received | None" = None,
    ) -> None:
        self._plan, self._options, self._shards = plan, divided(options, len(shards)), shards
        self._crew, self._gathered = crew, gathered
        self._begun_at = begun_at
        self._received = received
        self._end = anyio.Event()

    async def carry_out(self, stop: anyio.Event | None) -> Report:
        """Return how each transfer ended, in the plan's order."""
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end_when, stop or anyio.Event())
                async with anyio.create_task_group() as workers:
                    for number, shard in enumerate(self._shards):
                        workers.start_soon(self._shard, number, shard)
                tasks.cancel_scope.cancel()
        return self._gathered.report(self._now_s())

    async def _end_when(self, stop: anyio.Event) -> None:
        await stop.wait()
        self._end.set()

    async def _shard(self, number: int, shard: Collection[Transfer]) -> None:
        """Have the transfers of a shard brought to their ends, by as many workers as it takes."""
        for deaths in range(1, MOST_DEATHS + 1):
            try:
                await self._worker(number, shard)
            except WorkerLost as exc:
                if not self._end.is_set() and deaths < MOST_DEATHS:
                    self._gathered.lose(shard, exc, self._now_s())
                    continue
                self._give_up(shard, exc)
            except TransferError as exc:
                self._give_up(shard, exc)
            break

    def _give_up(self, shard: Collection[Transfer], error: TransferError) -> None:
        ended = Interrupted("interrupted before it was complete")
        self._gathered.give_up(shard, ended if self._end.is_set() else error)

    async def _worker(self, number: int, shard: Collection[Transfer]) -> None:
        """Have one worker carry out what is left of a shard. Raises WorkerLost when it ends before that is over."""
        is_over, told = False, list[Pipe]()
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._stop_when_ended, tasks.cancel_scope, told)
                async with self._crew.worker(number) as worker:
                    told.append(worker.pipe)
                    left = narrowed(self._plan, self._gathered.unfinished(shard))
                    await worker.pipe.send(task_line(self._crew.order(left, self._options)).encode() + b"\n")
                    is_over = await self._heard(worker, shard)
                    if not is_over:
                        raise WorkerLost(f"its worker {worker.pipe.ended}", hint="see how much memory there is")
                tasks.cancel_scope.cancel()
        if not is_over:
            raise WorkerLost("it was ended before it had a worker")

    async def _heard(self, worker: Worker, shard: Collection[Transfer]) -> bool:
        """Hear a worker out; return whether it came to its end."""
        begun_s, mine = self._now_s(), set(shard)

        def is_awaited(one: Transfer) -> bool:
            return one in mine and self._gathered.awaits(one)

        with suppress(Malformed):
            while line := await worker.lines.next():
                match said := load(line):
                    case Begun():
                        begun_s = self._now_s()
                    case Over():
                        return not self._gathered.unfinished(mine)
                    case Unable(error, hint):
                        self._gathered.give_up(mine, ConnectFailed(error, hint=hint))
                        return True
                    case Ready() | Taken() | Alive():
                        pass
                    case Archived() if self._received:
                        if len(data := await worker.lines.exactly(said.size)) < said.size:
                            return False
                        await self._received.take(said, data, is_awaited)
                    case Finished(result) if self._received and is_awaited(result.transfer):
                        settled = await self._received.settled(result)
                        self._gathered.hear(Finished(settled), self._now_s(), begun_s)
                    case Archived():
                        raise Malformed("nothing was to be sent")
                    case _:
                        self._gathered.hear(said, self._now_s(), begun_s)
                if self._gathered.why_ended:
                    self._end.set()
        return False

    async def _stop_when_ended(self, starting: anyio.CancelScope, told: Sequence[Pipe]) -> None:
        """Have a worker stop that has its order, and be none that has not."""
        await self._end.wait()
        for pipe in told:
            await pipe.stop()
        if not told:
            starting.cancel()

    def _now_s(self) -> float:
        return anyio.current_time() - self._begun_at
