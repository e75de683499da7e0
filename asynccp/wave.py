"""Wave: transfers of a run that begin together, when those of the wave before are over; and how it went."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from asynccp.target import Transfer
from asynccp.text import counted, exact, printable


class Wave(Struct, frozen=True):
    """One of some.

    number: from 1; of: how many there are. name: what its pods have in common, such as `zone eu-1a`; empty: nothing.
    """

    number: int
    of: int
    name: str
    transfers: tuple[Transfer, ...]

    def __str__(self) -> str:
        """Say which one: `wave 2 of 5 (zone eu-1a)`."""
        return f"wave {self.number} of {self.of}" + (f" ({printable(self.name)})" if self.name else "")

    @property
    def pods(self) -> list[str]:
        """NAMESPACE/POD, each once."""
        return pods_of(self.transfers)

    @property
    def how_many(self) -> str:
        return counted(len(self.pods), "pod", "pods")

    def to_json(self) -> dict[str, Any]:
        return {"wave": self.number, "name": exact(self.name) or None, "pods": self.pods}


class Passed(Struct, frozen=True):
    """How a wave went.

    wave: its number; pods: how many it has. begun_s: after the run's begin; None: it never began. seconds: until its
    pods were done, and watched if that was asked for. failed: how many of its pods did. stopped: why nothing more began
    with it; empty when it could.
    """

    wave: int
    name: str
    pods: int
    begun_s: float | None = None
    seconds: float = 0.0
    failed: int = 0
    stopped: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "wave": self.wave,
            "name": exact(self.name) or None,
            "pods": self.pods,
            "begun_seconds": None if self.begun_s is None else round(self.begun_s, 3),
            "seconds": round(self.seconds, 3),
            "failed": self.failed,
            "stopped": self.stopped or None,
        }


def pods_of(transfers: Sequence[Transfer]) -> list[str]:
    """Return the pods of transfers, each once, in their order."""
    return list(dict.fromkeys(one.target.of_pod for one in transfers))
