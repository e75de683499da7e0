"""Guarded: the gate of a run whose waves have a pause, a question or pods that are watched between them."""

from collections.abc import AsyncIterator, Sequence

import anyio

from asynccp.engine.gate import Confirm
from asynccp.engine.settling import Settling
from asynccp.errors import ClusterError
from asynccp.events import Observer, Wait, WaveWaits
from asynccp.kube.base import Cluster
from asynccp.options import Waves
from asynccp.target import Target
from asynccp.wave import Wave


class Guarded:
    """What was asked for is between them. confirm: None: nobody is asked."""

    def __init__(self, cluster: Cluster, asked: Waves, observer: Observer, confirm: Confirm | None = None) -> None:
        self._pause_s = asked.pause_s
        self._settle_s = asked.settle_s
        self._settling = Settling(cluster, asked.settle_s) if asked.settle_s else None
        self._observer = observer
        self._confirm = confirm
        self._is_first = True

    async def opens(self, wave: Wave) -> str:
        if self._pause_s and not self._is_first:
            self._observer(WaveWaits(wave.number, wave.of, Wait.PAUSE, self._pause_s))
            await anyio.sleep(self._pause_s)
        self._is_first = False
        if self._confirm:
            self._observer(WaveWaits(wave.number, wave.of, Wait.CONFIRM, 0))
            if not await self._confirm(wave):
                return f"{wave} was not confirmed"
        if self._settling:
            try:
                await self._settling.begin([one.target for one in wave.transfers])
            except ClusterError as exc:
                return f"nobody can tell whether its pods are Ready: {exc}"
        return ""

    async def troubled(self, wave: Wave, targets: Sequence[Target]) -> AsyncIterator[tuple[str, str]]:
        if not self._settling or not targets:
            return
        self._observer(WaveWaits(wave.number, wave.of, Wait.SETTLE, self._settle_s))
        async for one in self._settling.troubled(targets):
            yield one
