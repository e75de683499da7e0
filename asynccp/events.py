"""Observer: what the engine tells while it works. Every call is synchronous and must not block: add to a counter."""

from typing import Protocol

from asynccp.report import Result
from asynccp.target import Transfer


class Observer(Protocol):
    """Hears how transfers go. Printers implement it; the engine only calls it."""

    def started(self, transfer: Transfer, total: int | None) -> None:
        """A session is open. `total`: archive bytes to move, about; None when nobody knows."""

    def sized(self, transfer: Transfer, total: int) -> None:
        """The pod has added up what there is: about so many archive bytes. Later than `started`, or never."""

    def advanced(self, transfer: Transfer, count: int) -> None:
        """`count` more archive bytes have moved."""

    def finished(self, result: Result) -> None:
        """The transfer is over, one way or the other; also called for one that never started."""


class NullObserver:
    """Hears everything and does nothing."""

    def started(self, transfer: Transfer, total: int | None) -> None:
        """Ignore it."""

    def sized(self, transfer: Transfer, total: int) -> None:
        """Ignore it."""

    def advanced(self, transfer: Transfer, count: int) -> None:
        """Ignore it."""

    def finished(self, result: Result) -> None:
        """Ignore it."""
