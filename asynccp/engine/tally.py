"""Tally: what one transfer has moved so far, so that its result can say it however the transfer ends."""

from dataclasses import dataclass, field

import anyio

from asynccp.entry import LeftOut, NotKept
from asynccp.events import Observer
from asynccp.report import Outcome, Result
from asynccp.target import Transfer


@dataclass(slots=True)
class Tally:
    """Counts for one transfer; fields as in `Result`.

    begun: when its first attempt began, None before. partial: something that was asked for could not be done.
    """

    transfer: Transfer
    observer: Observer
    size: int = 0
    entries: int = 0
    archive_size: int = 0
    wire_size: int = 0
    compression: str = ""
    compression_note: str = ""
    attempts: int = 1
    begun: float | None = None
    protocol: str = ""
    checksum: str = ""
    digests: dict[bytes, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    not_kept: list[NotKept] = field(default_factory=list)
    grown: list[bytes] = field(default_factory=list)
    landed: str = ""
    partial: bool = False

    def advance(self, count: int, wire_size: int) -> None:
        """`count` more archive bytes have moved, as `wire_size` bytes on the wire."""
        self.archive_size += count
        self.wire_size += wire_size
        self.observer.advanced(self.transfer, count)

    def result(self, outcome: Outcome, error: str = "", hint: str = "") -> Result:
        seconds = anyio.current_time() - self.begun if self.begun is not None else 0.0
        return Result(
            self.transfer,
            outcome,
            size=self.size,
            entries=self.entries,
            wire_size=self.wire_size,
            seconds=seconds,
            attempts=self.attempts,
            protocol=self.protocol,
            error=error,
            hint=hint,
            left_out=tuple(self.left_out),
            checksum=self.checksum,
            digests=self.digests,
            archive_size=self.archive_size,
            compression=self.compression,
            compression_note=self.compression_note,
            not_kept=tuple(self.not_kept),
            grown=tuple(self.grown),
            landed=self.landed,
        )

    def forget(self) -> None:
        """Give the memory of lists back: the result has what is kept of them."""
        self.digests, self.left_out, self.not_kept, self.grown = {}, [], [], []
