"""TargetSource: where a run's transfers come from: all at once from a plan, or one by one as pods come and go."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from asynccp.target import Skipped, Transfer


class Found(Struct, frozen=True):
    """Transfers that became known together, none of which is under way, and pods that take no part."""

    transfers: Sequence[Transfer]
    skipped: Sequence[Skipped] = ()


class TargetSource(Protocol):
    """Finds transfers. A run begins with each `Found` while it waits for the next; it is over when there is none."""

    def found(self) -> AsyncIterator[Found]:
        """Yield what is found, in the order of the report. Raises ClusterError, which ends the run."""


class Once(Struct, frozen=True):
    """What was found when the run was planned."""

    transfers: Sequence[Transfer]
    skipped: Sequence[Skipped] = ()

    async def found(self) -> AsyncIterator[Found]:
        yield Found(self.transfers, self.skipped)
