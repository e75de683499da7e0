"""Settling: whether pods stay as they were when their wave began: Ready, and none of their containers restarted.

They are looked at every few seconds. Neither a restart nor a time without being Ready is missed between two looks: the
server counts the ones, and says since when the condition is what it is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import anyio

from asynccp.engine.group import single_error
from asynccp.errors import ClusterError
from asynccp.kube.base import Cluster
from asynccp.target import Json, Target
from asynccp.text import printable

LOOK_EVERY_S = 2.0
_LOOKS_AT_ONCE = 16  # at a fleet of 500 pods half a second; each is one small GET
_WORDS = 300  # characters of why a pod is not Ready


class Stand(NamedTuple):
    """How a pod stands. since: the server's word for when `ready` became what it is. restarts: of each container."""

    uid: str
    ready: bool
    since: str
    restarts: Mapping[str, int]
    ending: bool = False
    why: str = ""


def stand_of(pod: Json) -> Stand:
    """Return how a pod stands."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    ready: Json = next((one for one in status.get("conditions") or () if one.get("type") == "Ready"), {})
    return Stand(
        str(metadata.get("uid", "")),
        ready.get("status") == "True",
        str(ready.get("lastTransitionTime") or ""),
        {str(one.get("name")): int(one.get("restartCount") or 0) for one in status.get("containerStatuses") or ()},
        ending=bool(metadata.get("deletionTimestamp")),
        why=printable(str(ready.get("message") or ready.get("reason") or ""), _WORDS),
    )


def trouble(before: Stand, now: Stand | None) -> str:
    """Say what has become worse with a pod; empty if nothing has."""
    if now is None:
        return "the pod was deleted"
    if now.uid != before.uid:
        return "the pod was deleted, and another of the same name took its place"
    if now.ending and not before.ending:
        return "the pod is being deleted"
    restarted = [name for name, count in now.restarts.items() if count > before.restarts.get(name, 0)]
    if restarted:
        return f"container {printable(restarted[0], 100)} was restarted"
    if before.ready and not now.ready:
        return "the pod stopped being Ready" + (f": {now.why}" if now.why else "")
    return "the pod was not Ready for a while" if before.ready and now.since != before.since else ""


class Settling:
    """Watches the pods of one wave after another."""

    def __init__(self, cluster: Cluster, settle_s: float) -> None:
        self._cluster = cluster
        self._settle_s = settle_s
        self._before: Mapping[str, Stand] = {}

    async def begin(self, targets: Sequence[Target]) -> None:
        """Take down how pods stand before anything is done to them. Raises ClusterError."""
        found = await self._look(targets)
        for one in found.values():
            if isinstance(one, ClusterError):
                raise one
        self._before = {pod: one for pod, one in found.items() if isinstance(one, Stand)}

    async def troubled(self, targets: Sequence[Target]) -> AsyncIterator[tuple[str, str]]:
        """Yield NAMESPACE/POD and what has become worse with it, as it is seen, until the time is over."""
        left = {one.of_pod: one for one in targets if one.of_pod in self._before}
        unseen: dict[str, ClusterError] = {}
        until = anyio.current_time() + self._settle_s
        while left:
            remaining_s = until - anyio.current_time()
            if remaining_s <= 0:
                break
            await anyio.sleep(min(LOOK_EVERY_S, remaining_s))
            for pod, now in (await self._look(list(left.values()))).items():
                if isinstance(now, ClusterError):
                    unseen[pod] = now
                    continue
                unseen.pop(pod, None)
                if why := trouble(self._before[pod], now):
                    del left[pod]
                    yield pod, why
        for pod, error in unseen.items():
            yield pod, f"nobody could tell whether the pod stayed Ready: {error}"

    async def _look(self, targets: Sequence[Target]) -> dict[str, Stand | ClusterError | None]:
        """Return how each pod stands, None if it is gone."""
        by_pod = {one.of_pod: one for one in targets}
        found: dict[str, Stand | ClusterError | None] = {}
        room = anyio.Semaphore(_LOOKS_AT_ONCE)

        async def look(target: Target) -> None:
            async with room:
                try:
                    pod = await self._cluster.find_pod(target)
                except ClusterError as exc:
                    found[target.of_pod] = exc
                else:
                    found[target.of_pod] = None if pod is None else stand_of(pod)

        with single_error():
            async with anyio.create_task_group() as tasks:
                for one in by_pod.values():
                    tasks.start_soon(look, one)
        return found
