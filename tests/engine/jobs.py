"""A job of one function, for runs that copy nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from asynccp.engine.run import Plan, Run
from asynccp.engine.schedule import Schedule
from asynccp.engine.state import TransferState
from asynccp.events import Observer
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.report import Report
from asynccp.target import Transfer

Copy = Callable[[TransferState], Awaitable[None]]


@dataclass
class Copying:
    """Makes an attempt by `copy`. released: the transfers that get no further one."""

    copy: Copy
    direction: str = "push"
    digests_size: int | None = None
    released: list[Transfer] = field(default_factory=list)

    async def attempt(self, state: TransferState) -> None:
        await self.copy(state)

    async def release(self, state: TransferState) -> None:
        self.released.append(state.transfer)


async def carried_out(
    job: Copying,
    plan: Plan,
    cluster: Cluster,
    options: Options,
    observer: Observer,
    stop: anyio.Event | None = None,
    schedule: Schedule | None = None,
) -> Report:
    return await Run(job, cluster, options, observer, schedule=schedule).carry_out(plan, stop)
