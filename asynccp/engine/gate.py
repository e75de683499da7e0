"""Gate: what is between the waves of a run: a pause, a question, and pods that are watched."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from asynccp.events import Observer
from asynccp.kube.base import Cluster
from asynccp.options import Waves
from asynccp.target import Target
from asynccp.wave import Wave

Confirm = Callable[[Wave], Awaitable[bool]]
"""Asks whether a wave may begin."""


class Gate(Protocol):
    """Stands before each wave of a run, and behind it."""

    async def opens(self, wave: Wave) -> str:
        """Return when a wave may begin; why it may not, if it may not."""

    def troubled(self, wave: Wave, targets: Sequence[Target]) -> AsyncIterator[tuple[str, str]]:
        """Yield which pods of a wave that is over, NAMESPACE/POD, don't bear what was done, and why, as it is seen."""


class Open:
    """Nothing is between waves."""

    async def opens(self, wave: Wave) -> str:  # noqa: ARG002
        return ""

    async def troubled(self, wave: Wave, targets: Sequence[Target]) -> AsyncIterator[tuple[str, str]]:  # noqa: ARG002
        return
        yield


def gate_of(cluster: Cluster, asked: Waves, observer: Observer, confirm: Confirm | None) -> Gate:
    """Return the gate that was asked for."""
    if confirm is None and not asked.pause_s and not asked.settle_s:
        return Open()
    from asynccp.engine.guarded import Guarded  # few ask for it

    return Guarded(cluster, asked, observer, confirm)
