"""Diff: what a push would change in each pod. Nothing is changed, and nothing sent but questions."""

from typing import TYPE_CHECKING

import anyio

from asynccp.difference import Difference
from asynccp.engine.comparing import Comparing
from asynccp.engine.compression import Offer
from asynccp.engine.delivery import settle
from asynccp.engine.digests import Digests
from asynccp.engine.push import needed, negotiated, push_request
from asynccp.engine.run import Run
from asynccp.engine.sessions import Sessions
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.errors import CommandMissing
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.delta import tally
from asynccp.plan.plan import PushPlan
from asynccp.report import Report

if TYPE_CHECKING:
    from asynccp.engine.texts import Texts
    from asynccp.remote.commands import Swapping


async def diff(
    cluster: Cluster,
    plan: PushPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
    extras: bool = True,
    unified: bool = False,
) -> Report:
    """Return what a push of this plan would change, as the `differences` of each target's result.

    extras: also what the pods have and the sources don't, whether or not it would be removed. unified: with the text of
    small files (`plan.unified`). Where the push would replace a directory as a whole, a pod in which that can't be has
    failed. Otherwise as `push`.
    """
    options = options or Options()
    job = DiffJob(plan, Sessions(cluster, options, plan.layout.token), extras=extras, unified=unified)
    return await Run(job, cluster, options, observer or Listener()).carry_out(plan, stop)


class DiffJob:
    """The comparison of one plan, as `engine.run.Job`."""

    direction = "diff"
    digests_size = None

    def __init__(self, plan: PushPlan, sessions: Sessions, *, extras: bool = True, unified: bool = False) -> None:
        self._plan = plan
        self._sessions = sessions
        self._options = sessions.options
        self._comparing = Comparing(plan, self._options, extras=extras)
        self._digests = Digests(plan.entries)
        self._texts = _texts(plan) if unified else None
        self._swapping = _swapping(self._options, plan)
        # What many pods have in common is kept once.
        self._known: dict[tuple[Difference, ...], tuple[Difference, ...]] = {}

    async def attempt(self, state: TransferState) -> None:
        request = push_request(self._plan, state.transfer, self._options, Offer(), self._comparing)
        if self._swapping:
            request = request._replace(swapping=self._swapping, foresees=True)
        async with self._sessions.greeted(state.transfer, request) as found:
            state.negotiated = Negotiated(protocol=found.protocol)
            state.negotiated = negotiated(found, Offer(), self._options)
            state.observer(Started(state.transfer, 0))
            if not found.hello.compares:
                raise CommandMissing(
                    "it can't be compared: the container has neither dd nor head, so that its input has to be closed",
                    hint="add one to the image",
                )
            compared = await self._comparing.compared(found, state, self._digests)
            differences = compared.delta.differences
            async with found.conversation.watched():
                if self._texts:
                    differences = await self._texts.added(compared, found, state)
                await settle(found.conversation, ())
        differences = self._known.setdefault(differences, differences)
        state.arrived = Arrived(tally=tally(compared.delta), differences=differences)

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""


def _swapping(options: Options, plan: PushPlan) -> "Swapping | None":
    """Return how the push would replace what is there; None where it would not."""
    rollout = needed(options, plan)
    if not rollout.swaps:
        return None
    from asynccp.remote.commands import Swapping, read_for_rollouts  # few ask for it

    read_for_rollouts()
    return Swapping(rollout.swaps, "", rollout.backups)


def _texts(plan: PushPlan) -> "Texts":
    from asynccp.engine.texts import Texts  # few ask for it

    return Texts(plan)
