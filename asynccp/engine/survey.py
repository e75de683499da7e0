"""Survey: all pods of a collection tell what they have, before the first is copied from, so that the newest files of
all of them are taken until there is no room.

It takes an exec for each pod, and each has told before the first is copied from: a pod that waited for the others in
the exec that copies would hold a place that one of them may need. What a pod is promised it takes later by what it has
then, the newest first; a log that has grown meanwhile may leave no room for the oldest.

A pod that can't tell, or is late, holds up nobody for long: it has no promise, and takes what is left.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.abc import TaskGroup

from asynccp.engine.delivery import settle
from asynccp.engine.group import single_error
from asynccp.engine.memory import Memory
from asynccp.engine.run import Run
from asynccp.engine.state import TransferState
from asynccp.errors import UnsafeEntry
from asynccp.events import Listener
from asynccp.kube.base import Cluster
from asynccp.plan.collect import BID_COST, Bid, Promised, Room, shared
from asynccp.plan.plan import PullPlan, fetched, glob
from asynccp.plan.proofs import Proofs
from asynccp.remote.commands import PullRequest, pull_name, read_for_pulls
from asynccp.target import Transfer

if TYPE_CHECKING:
    from asynccp.engine.choosing import Choosing
    from asynccp.engine.sessions import Sessions

read_for_pulls()

LATE_AFTER_S = 30.0
"""Seconds without news after which nobody is waited for, once some have told: a BusyBox pod lists 100,000 entries in a
third of that."""

BIDS_SHARE = 0.25
"""Of the memory that pods may have us remember: for what they have told, until it is decided."""


class Surveyed(NamedTuple):
    """What pods may take, and the bytes that it took them to tell what they have."""

    rooms: Mapping[Transfer, Room]
    wire_sizes: Mapping[Transfer, int]


async def survey(
    cluster: Cluster, plan: PullPlan, sessions: "Sessions", choosing: "Choosing", room: Room, stop: anyio.Event
) -> Surveyed:
    """Return what each pod may take of `room`, and take that of it. Setting `stop` ends it early."""
    options = sessions.options
    paths = [one for one in plan.gathers if not one.transfer.log]
    if len(paths) < 2:
        return Surveyed({}, {})
    job = SurveyJob(plan.token, sessions, choosing)
    run = Run(job, cluster, options._replace(failures=options.failures._replace(fail_fast=False)), Listener())
    over = anyio.Event()
    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_either, stop, over)
            tasks.start_soon(_when_quiet, job, over)
            await _carried_out(run, PullPlan(plan.destination, tuple(paths), plan.token), over, tasks)
    shares = await anyio.to_thread.run_sync(shared, list(job.bids.values()), options.collecting)
    for share in shares:
        room.take(share)
    rooms = {one: Promised(share, room) for one, share in zip(job.bids, shares, strict=True)}
    return Surveyed(rooms, job.wire_sizes)


async def _carried_out(run: Run, plan: PullPlan, over: anyio.Event, tasks: TaskGroup) -> None:
    await run.carry_out(plan, over)
    tasks.cancel_scope.cancel()


async def _either(stop: anyio.Event, over: anyio.Event) -> None:
    await stop.wait()
    over.set()


async def _when_quiet(job: "SurveyJob", over: anyio.Event) -> None:
    """Say that it is over when some have told, and for so long nobody else has."""
    await job.news.wait()
    while True:
        job.news = anyio.Event()
        with anyio.move_on_after(LATE_AFTER_S) as limit:
            await job.news.wait()
        if limit.cancelled_caught:
            over.set()
            return


class SurveyJob:
    """What the pods of one plan have, as `engine.run.Job`. news: set when one has told."""

    direction = "pull"
    digests_size = None

    def __init__(self, token: str, sessions: "Sessions", choosing: "Choosing") -> None:
        self.bids: dict[Transfer, Bid] = {}
        self.wire_sizes: dict[Transfer, int] = {}
        self.news = anyio.Event()
        self._token = token
        self._sessions = sessions
        self._options = sessions.options
        self._choosing = choosing
        self._memory = Memory(self._options.limits.memory)
        self._room = int(self._options.limits.memory * BIDS_SHARE)  # bytes for bids

    async def attempt(self, state: TransferState) -> None:
        from asynccp.engine.choosing import Asked, Listing

        path, filtering = fetched(state.transfer.path), self._options.filtering
        request = PullRequest(
            token=self._token,
            path=path,
            follow=self._options.attributes.follow,
            chooses=True,
            one_file_system=filtering.one_file_system,
            copy_links=filtering.copy_links,
        )
        async with self._sessions.greeted(state.transfer, request) as found:
            if not found.hello.chooses:
                return  # what that means is said when it is copied from
            sizes: list[Listing] = []
            share = self._memory.share(lambda: sum(one.size for one in sizes))
            sizes.append(listing := Listing(found, state, share.room, Proofs()))
            try:
                async with found.conversation.watched():
                    asked = Asked(pull_name(path), glob(state.transfer.path))
                    bid = await self._choosing.bid(listing, asked)
                    await settle(found.conversation, ())
            finally:
                share.release()
        self._take_room(BID_COST * len(bid.sizes))
        self.bids[state.transfer] = bid
        self.news.set()

    def _take_room(self, size: int) -> None:
        if size > self._room:
            raise UnsafeEntry("there are more files than can be remembered")
        self._room -= size

    async def release(self, state: TransferState) -> None:
        self.wire_sizes[state.transfer] = state.wire_size
