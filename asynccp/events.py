"""Events: what the engine tells while it works, as values. An observer is called with each, and must not block."""

from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct

from asynccp.report import Attempt, Result
from asynccp.target import Transfer
from asynccp.wave import Passed, Wave


class Started(Struct, frozen=True):
    """A session is open. total: archive bytes to move, about; None when nobody knows."""

    transfer: Transfer
    total: int | None


class Sized(Struct, frozen=True):
    """The pod has added up what there is: about so many archive bytes. Later than `Started`, or never."""

    transfer: Transfer
    total: int


class Advanced(Struct, frozen=True):
    """`size` more archive bytes have moved."""

    transfer: Transfer
    size: int


class Retrying(Struct, frozen=True):
    """An attempt has failed, and another one follows after `delay_s` seconds."""

    transfer: Transfer
    attempt: Attempt
    delay_s: float


class Finished(Struct, frozen=True):
    """The transfer is over, one way or the other; also told of one that never started."""

    result: Result


class Amended(Struct, frozen=True):
    """A transfer that was over has another result by now: its pod did not bear it, or what was done was undone."""

    result: Result


class WaveBegun(Struct, frozen=True):
    """The transfers of a wave begin."""

    wave: Wave


class Wait(Enum):
    """What a run waits for while nothing moves."""

    SETTLE = "settle"  # that the pods of a wave stay Ready
    PAUSE = "pause"  # before a wave
    CONFIRM = "confirm"  # that somebody agrees to a wave


class WaveWaits(Struct, frozen=True):
    """A wave is waited with, or with what follows it. number, of: as in `Wave`. seconds: how long; 0: nobody knows."""

    number: int
    of: int
    what: Wait
    seconds: float


class WaveEnded(Struct, frozen=True):
    """The pods of a wave are done."""

    passed: Passed


class Standing(Struct, frozen=True):
    """How a fleet that is followed stands: of `pods` so many are `current`, `under_way`, or have `failed`."""

    pods: int
    current: int
    under_way: int
    failed: int


Event = Started | Sized | Advanced | Retrying | Finished | Amended | WaveBegun | WaveWaits | WaveEnded | Standing
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
            case Amended(result):
                self.amended(result)
            case Standing():
                self.standing(event)
            case WaveBegun() | WaveWaits() | WaveEnded():
                self.waves(event)

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

    def amended(self, result: Result) -> None:
        """Hear `Amended`."""

    def waves(self, event: WaveBegun | WaveWaits | WaveEnded) -> None:
        """Hear what is told of waves."""

    def standing(self, event: Standing) -> None:
        """Hear `Standing`."""
