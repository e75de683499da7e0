"""Rollback: what a push has replaced in pods, and kept there, takes its place again; or is told.

    await rollback(cluster, RollbackPlan(transfers, (), token))

All or nothing for each pod, by the same renames as a push (`remote/scripts/rollback.sh`). A pod that keeps nothing is a
failed transfer, NoBackup. An attempt that was lost behind its last word has been carried out: a second one would take
back what it has done, so there is none (`_Uncertain`).
"""

import anyio

from asynccp.engine.hooks import hooks
from asynccp.engine.placing import unswapped
from asynccp.engine.run import Run
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.engine.steps import take
from asynccp.engine.swap import Origin
from asynccp.errors import HookFailed, ProtocolViolation, SessionLost, TransferError
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.rollback import RollbackPlan
from asynccp.remote.commands import RollbackRequest, Swapping
from asynccp.remote.dialogue import GO
from asynccp.remote.revisions import read_revision
from asynccp.report import Report, Revision
from asynccp.target import Transfer

_MOST_REVISIONS = 1000  # of one pod, that are told


async def rollback(
    cluster: Cluster,
    plan: RollbackPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry it out; return how it ended for each target, in the plan's order. As `push`."""
    options = options or Options()
    job = RollbackJob(plan, Sessions(cluster, options, plan.token))
    return await Run(job, cluster, options, observer or Listener()).carry_out(plan, stop)


class _Uncertain(TransferError):
    """The session was lost when the pod had been told to begin: nobody knows whether it did."""


class RollbackJob:
    """The rollback, or the history, of one plan, as `engine.run.Job`."""

    digests_size = None

    def __init__(self, plan: RollbackPlan, sessions: Sessions) -> None:
        self.direction = "history" if plan.lists else "rollback"
        self._plan = plan
        self._sessions = sessions
        asked = sessions.options.rollout
        self._rollout = asked._replace(atomic=True, link=False, backups=int(plan.keeps), before="")
        self._origin = Origin(self._rollout, self.direction, "")

    async def attempt(self, state: TransferState) -> None:
        target, plan = state.transfer.target, self._plan
        request = RollbackRequest(
            plan.token,
            state.transfer.path,
            self._swapping(state.transfer),
            identity=f"{target.uid[:8]}-{target.container}",
            wanted=plan.to,
            lists=plan.lists,
        )
        state.hooks = []
        async with self._sessions.greeted(state.transfer, request) as found:
            state.negotiated = Negotiated(protocol=found.protocol)
            state.observer(Started(state.transfer, 0))
            async with found.conversation.watched():
                if plan.lists:
                    state.arrived = Arrived(revisions=await self._listed(found))
                else:
                    await self._bring_back(found, state)

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    def _swapping(self, transfer: Transfer) -> Swapping:
        found = self._origin.swapping(transfer)
        assert found, "it swaps"
        return found

    async def _listed(self, found: Greeted) -> list[Revision]:
        conversation = found.conversation
        if found.hello.revisions > _MOST_REVISIONS:
            raise ProtocolViolation(f"the pod tells of more than {_MOST_REVISIONS} revisions")
        revisions: list[Revision] = []
        for _ in range(found.hello.revisions):
            facts = await conversation.facts("revision")
            if facts is None:
                break
            if one := read_revision(facts):
                revisions.append(one)
        await conversation.done()
        await conversation.acknowledge()
        await conversation.drain()
        if error := conversation.error():
            raise error
        return revisions

    async def _bring_back(self, found: Greeted, state: TransferState) -> None:
        conversation = found.conversation
        conversation.places = True
        await conversation.send(GO)
        try:
            done = await conversation.done()
            if done and done.code == 0:
                await take(hooks(self._rollout, state)[1], conversation)
            await conversation.acknowledge()
            await conversation.drain()
            error = unswapped(done, conversation.stderr_tail) or conversation.error()
        except SessionLost as exc:
            error = exc
        except HookFailed as exc:
            exc.hint = "what was kept is in its place"
            raise
        if isinstance(error, SessionLost):
            raise _Uncertain(f"it is not known whether it was brought back: {error}", hint="`asynccp diff` tells")
        if error:
            raise error
        state.arrived = Arrived(backup=done.kept if done else "", restored=found.hello.revision)
