"""Deployed: relays in the cluster, for as long as a run lasts.

`deployed` makes the Job and what belongs to it, and removes the Job, however it is left. The rest the cluster removes,
which takes its garbage collector minutes when it has just lost its API server; so whoever may removes that, too.
If this process is killed, the relays end themselves (`relay.presence`), and the finished Job is removed by the cluster.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from asynccp.engine.group import single_error
from asynccp.errors import ClusterError, PlanError, WorkerLost
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.objects import Missing, Objects
from asynccp.relay.job import MOST_S, OF_JOB, START_S, RelayPod, Wanted, beside, job, relay_pods
from asynccp.target import Json
from asynccp.text import listed, printable

_LOOK_EVERY_S = 0.2
_LATE_S = 15.0
"""Seconds that relays are waited for when the first one runs: those that come later are done without."""
_SETTLE_S = 3.0
"""Seconds after which a pod that still runs, though its worker was lost, has only lost its connection."""
_REMOVE_S = 20.0  # in which an API server that has just been restarted is there again


class Deployed:
    """The pods of one Job."""

    def __init__(self, objects: Objects, name: str, count: int) -> None:
        self._objects = objects
        self._name = name
        self._count = count

    async def begun(self) -> Sequence[RelayPod]:
        """Return the relays that run, when all do, or no more are to be waited for.

        Raises PlanError where there is none: nothing has moved then.
        """
        end = anyio.current_time() + START_S
        while True:
            pods = await self._look()
            running = [one for one in pods if one.runs]
            if running:
                end = min(end, anyio.current_time() + _LATE_S)
            stuck = [one for one in pods if one.is_stuck]
            now = anyio.current_time()
            if len(running) == self._count or (running and now >= end) or (running and stuck):
                return running
            if (not running and stuck) or now >= end:
                raise PlanError(await self._why_none(pods), hint="nothing was copied")
            await anyio.sleep(_LOOK_EVERY_S)

    async def other(self, lost: Sequence[str]) -> RelayPod:
        """Return a relay that runs, best one of whom no worker was lost, by their pods' names. Raises WorkerLost."""
        begun = anyio.current_time()
        pods = list[RelayPod]()
        while (waited_s := anyio.current_time() - begun) < START_S:
            with suppress(ClusterError):  # a server that is away for a while
                pods = await self._look()
                running = sorted((one for one in pods if one.runs), key=lambda one: lost.count(one.name))
                if running and (running[0].name not in lost or waited_s > _SETTLE_S):
                    least = [one for one in running if lost.count(one.name) == lost.count(running[0].name)]
                    return least[len(lost) % len(least)]
                await self._check_there()
            await anyio.sleep(_LOOK_EVERY_S)
        raise WorkerLost(f"no relay has taken its relay's place: {await self._why_none(pods)}")

    async def keep(self) -> None:
        """Let the Job last as long as it may."""
        await self._objects.change("Job", self._name, {"spec": {"activeDeadlineSeconds": MOST_S}})

    async def _check_there(self) -> None:
        try:
            found = await self._objects.look("Job", self._name)
        except Missing:
            raise WorkerLost("its relay is gone: somebody has deleted the Job of the relays") from None
        if found["metadata"].get("deletionTimestamp"):
            raise WorkerLost("its relay is gone: somebody has deleted the Job of the relays")
        for one in (found.get("status") or {}).get("conditions") or ():
            if one.get("type") == "Failed" and one.get("status") == "True":
                why = printable(f"{one.get('reason')}: {one.get('message')}", 300)
                raise WorkerLost(f"its relay is gone, and the Job has failed: {why}")

    async def _look(self) -> list[RelayPod]:
        return relay_pods(await self._objects.find("Pod", f"labelSelector={OF_JOB}%3D{self._name}"))

    async def _why_none(self, pods: Sequence[RelayPod]) -> str:
        if pods:
            why = dict.fromkeys(printable(one.why, 300) for one in pods if one.why)
            return f"no relay has started: {listed(list(why), 3)}"
        why_not = "no pod was made for the Job"
        with suppress(ClusterError):  # it may be that nobody may look at events
            for one in await self._objects.find("Event", f"fieldSelector=involvedObject.name%3D{self._name}"):
                if one.get("type") == "Warning":
                    why_not = printable(str(one.get("message")), 300)
        return f"no relay has started: {why_not}"


@asynccontextmanager
async def deployed(cluster: KubernetesCluster, wanted: Wanted, rules: Sequence[Json]) -> AsyncIterator[Deployed]:
    """Make relays; remove them at last. Raises ClusterError."""
    name = f"asynccp-relay-{secrets.token_hex(4)}"
    async with cluster.api_client() as api:
        objects = Objects(api, wanted.namespace)
        try:
            with anyio.CancelScope(shield=True):  # who has asked for a Job knows whether there is one
                made = await objects.make(job(name, wanted, suspend=True))
            if not wanted.account:
                await _all_made(objects, beside(name, wanted.namespace, rules, made))
            await objects.change("Job", name, {"spec": {"suspend": False}})
            yield Deployed(objects, name, wanted.number)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_REMOVE_S, shield=True):
                await _removed(objects, name)
                await _removed_what_it_owned(objects, name)


async def _all_made(objects: Objects, documents: Sequence[Json]) -> None:
    with single_error():
        async with anyio.create_task_group() as tasks:
            for one in documents:
                tasks.start_soon(objects.make, one)


async def _removed(objects: Objects, name: str) -> None:
    while True:
        try:
            return await objects.remove("Job", name)
        except Missing:
            return None
        except ClusterError:
            await anyio.sleep(_LOOK_EVERY_S)


async def _removed_what_it_owned(objects: Objects, name: str) -> None:
    pods = list[Json]()
    with suppress(ClusterError):
        pods = await objects.find("Pod", f"labelSelector={OF_JOB}%3D{name}")

    async def removed(kind: str, one: str) -> None:
        with suppress(ClusterError):  # not there any more, or ours to make, and not to remove
            await objects.remove(kind, one)

    async with anyio.create_task_group() as tasks:
        for pod in pods:
            tasks.start_soon(removed, "Pod", pod["metadata"]["name"])
        for kind in ("RoleBinding", "Role", "ServiceAccount"):
            tasks.start_soon(removed, kind, name)
