"""ForwardPlan: what one pod gives to another. Settled before the first byte; pure."""

from typing import Any

from msgspec import Struct

from asynccp.entry import LeftOut, NotKept
from asynccp.report import SCHEMA_VERSION
from asynccp.target import Skipped, Transfer
from asynccp.wave import Wave


class ForwardPlan(Struct, frozen=True):
    """`source` is read, `destination` is written: a path that may be what the copy is called, as with `cp -r`."""

    source: Transfer
    destination: Transfer
    token: str

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        return (self.destination,)

    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    not_kept: tuple[NotKept, ...] = ()

    @property
    def waves(self) -> tuple[Wave, ...]:
        return ()

    @property
    def expected_total(self) -> None:
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "version": SCHEMA_VERSION,
            "direction": "forward",
            "from": self.source.to_json(),
            "pods": [self.destination.to_json()],
        }

    def to_text(self) -> str:
        return f"{self.source} → {self.destination}"
