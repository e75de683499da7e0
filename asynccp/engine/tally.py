"""Tally: what one transfer has moved so far, so that its result can say it however the transfer ends."""

from dataclasses import dataclass, field

import anyio

from asynccp.entry import LeftOut, NotKept
from asynccp.errors import TransferError
from asynccp.events import Advanced, Observer
from asynccp.report import Attempt, Outcome, Result
from asynccp.target import Transfer


@dataclass(slots=True)
class Tally:
    """Counts for one transfer; fields as in `Result`.

    begun: when its first attempt began, None before. attempt_begun: the one under way.
    partial: something that was asked for could not be done.
    """

    transfer: Transfer
    observer: Observer
    size: int = 0
    entries: int = 0
    archive_size: int = 0
    wire_size: int = 0
    compression: str = ""
    compression_note: str = ""
    tries: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    begun: float | None = None
    attempt_begun: float = 0.0
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
        self.observer(Advanced(self.transfer, count))

    def failed(self, error: TransferError) -> Attempt:
        """Take down that the attempt under way has ended with an error."""
        now = anyio.current_time()
        attempt = Attempt(str(error), type(error).__name__, now - self.attempt_begun)
        self.attempts.append(attempt)
        return attempt

    def result(self, outcome: Outcome, error: str = "", hint: str = "", error_class: str = "") -> Result:
        seconds = anyio.current_time() - self.begun if self.begun is not None else 0.0
        return Result(
            self.transfer,
            outcome,
            size=self.size,
            entries=self.entries,
            wire_size=self.wire_size,
            seconds=seconds,
            attempts=tuple(self.attempts),
            tries=self.tries,
            protocol=self.protocol,
            error=error,
            error_class=error_class,
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
