"""Events: what the engine tells while it works, as values. An observer is called with each, and must not block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asynccp.report import Attempt, Result
from asynccp.target import Transfer


@dataclass(frozen=True, slots=True)
class Started:
    """A session is open. total: archive bytes to move, about; None when nobody knows."""

    transfer: Transfer
    total: int | None


@dataclass(frozen=True, slots=True)
class Sized:
    """The pod has added up what there is: about so many archive bytes. Later than `Started`, or never."""

    transfer: Transfer
    total: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """`size` more archive bytes have moved."""

    transfer: Transfer
    size: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt has failed, and another one follows after `delay_s` seconds."""

    transfer: Transfer
    attempt: Attempt
    delay_s: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The transfer is over, one way or the other; also told of one that never started."""

    result: Result


Event = Started | Sized | Advanced | Retrying | Finished
Observer = Callable[[Event], None]


def to_all(observers: Sequence[Observer]) -> Observer:
    """Return an observer that tells each of several."""

    def hear(event: Event) -> None:
        for one in observers:
            one(event)

    return hear


class Listener:
    """An observer with a method for each kind of event. Here they do nothing."""

    def __call__(self, event: Event) -> None:
        match event:
            case Advanced(transfer, size):
                self.advanced(transfer, size)
            case Started(transfer, total):
                self.started(transfer, total)
            case Sized(transfer, total):
                self.sized(transfer, total)
            case Retrying(transfer, attempt, delay_s):
                self.retrying(transfer, attempt, delay_s)
            case Finished(result):
                self.finished(result)

    def started(self, transfer: Transfer, total: int | None) -> None:
        """Hear `Started`."""

    def sized(self, transfer: Transfer, total: int) -> None:
        """Hear `Sized`."""

    def advanced(self, transfer: Transfer, size: int) -> None:
        """Hear `Advanced`."""

    def retrying(self, transfer: Transfer, attempt: Attempt, delay_s: float) -> None:
        """Hear `Retrying`."""

    def finished(self, result: Result) -> None:
        """Hear `Finished`."""
