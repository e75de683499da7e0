"""RollbackPlan: in which pods a backup is brought back, or looked for. Settled before anything is; pure."""

from typing import Any

from msgspec import Struct

from asynccp.entry import LeftOut, NotKept
from asynccp.plan.plan import skipped_lines, where
from asynccp.report import SCHEMA_VERSION
from asynccp.target import Skipped, Transfer
from asynccp.text import printable
from asynccp.wave import Wave


class RollbackPlan(Struct, frozen=True):
    """`Transfer.path` is the directory that a push has replaced.

    to: the revision that is brought back; empty: in each pod the newest. lists: none is, they are told.
    keeps: what is replaced by it is kept in its stead.
    """

    transfers: tuple[Transfer, ...]
    skipped: tuple[Skipped, ...]
    token: str
    to: str = ""
    lists: bool = False
    keeps: bool = True

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return ()

    @property
    def not_kept(self) -> tuple[NotKept, ...]:
        return ()

    @property
    def waves(self) -> tuple[Wave, ...]:
        return ()

    @property
    def expected_total(self) -> int:
        return 0

    @property
    def words(self) -> str:
        """What is done, up to the pods."""
        return "looking for backups in" if self.lists else f"bringing {self._what} back in"

    @property
    def _what(self) -> str:
        return f"revision {printable(self.to)}" if self.to else "the newest backup"

    def to_json(self) -> dict[str, Any]:
        return {
            "version": SCHEMA_VERSION,
            "direction": "history" if self.lists else "rollback",
            "to": self.to or None,
            "pods": [one.to_json() for one in self.transfers],
            "skipped": [one.to_json() for one in self.skipped],
        }

    def to_text(self) -> str:
        lines = [f"→ {one}" for one in self.transfers] + skipped_lines(self.skipped)
        return "\n".join([*lines, f"would bring {self._what} back in {where(self.transfers)}"])
