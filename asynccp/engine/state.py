"""TransferState: where one transfer stands, over all its attempts, so that its result can say it however it ends.

It is written by whoever knows, what was negotiated and what arrived as whole values, and read for the report alone:
what a copy decides by are values that go from hand to hand.
"""

from collections.abc import Sequence
from typing import NamedTuple

import anyio
from msgspec import Struct, field

from asynccp.difference import Difference
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import TransferError
from asynccp.events import Advanced, Observer
from asynccp.report import Attempt, HookRun, Outcome, Result, Revision, Tally
from asynccp.target import Transfer


class Negotiated(NamedTuple):
    """What one session has been agreed on with its pod, by the pod's hello. Fields as in `Result`."""

    protocol: str = ""
    way: str = ""
    compression: str = ""
    compression_note: str = ""
    checksum: str = ""


class Arrived(NamedTuple):
    """What stands whole where it was to go, and what does not. Fields as in `Result`.

    limited: what limits of the user's own have left out: that is no trouble.
    is_partial: something besides entries that was asked for could not be done.
    """

    size: int = 0
    entries: int = 0
    left_out: Sequence[LeftOut] = ()
    limited: Sequence[LeftOut] = ()
    not_kept: Sequence[NotKept] = ()
    grown: Sequence[bytes] = ()
    landed: str = ""
    is_partial: bool = False
    tally: Tally | None = None
    differences: Sequence[Difference] = ()
    backup: str = ""
    restored: str = ""
    revisions: Sequence[Revision] | None = None


class TransferState(Struct):
    """One transfer.

    tries: which attempt is under way, from 1. begun: when the first began, None before; attempt_begun: this one.
    digests: of the files that were found to be the same at both ends. hooks: that were run, in the attempt under way.
    rolled_back: the last of them failed, and what was there before is there again.
    """

    transfer: Transfer
    observer: Observer
    tries: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    begun: float | None = None
    attempt_begun: float = 0.0
    archive_size: int = 0
    wire_size: int = 0
    negotiated: Negotiated = Negotiated()
    arrived: Arrived = Arrived()
    digests: dict[bytes, str] = field(default_factory=dict)
    hooks: list[HookRun] = field(default_factory=list)
    rolled_back: bool = False

    def advance(self, size: int, wire_size: int) -> None:
        """`size` more archive bytes have moved, as `wire_size` bytes on the wire."""
        self.archive_size += size
        self.wire_size += wire_size
        self.observer(Advanced(self.transfer, size))

    def failed(self, error: TransferError) -> Attempt:
        """Take down that the attempt under way has ended with an error."""
        now = anyio.current_time()
        attempt = Attempt(str(error), type(error).__name__, now - self.attempt_begun)
        self.attempts.append(attempt)
        return attempt

    @property
    def outcome(self) -> Outcome:
        """The outcome of an attempt that raised nothing."""
        return Outcome.PARTIAL if self.arrived.left_out or self.arrived.is_partial else Outcome.COMPLETE

    def result(self, outcome: Outcome, error: str = "", hint: str = "", error_class: str = "") -> Result:
        arrived, negotiated = self.arrived, self.negotiated
        return Result(
            self.transfer,
            outcome,
            size=arrived.size,
            entries=arrived.entries,
            wire_size=self.wire_size,
            seconds=anyio.current_time() - self.begun if self.begun is not None else 0.0,
            attempts=tuple(self.attempts),
            tries=self.tries,
            protocol=negotiated.protocol,
            way=negotiated.way,
            error=error,
            error_class=error_class,
            hint=hint,
            left_out=(*arrived.left_out, *arrived.limited),
            checksum=negotiated.checksum,
            digests=self.digests,
            archive_size=self.archive_size,
            compression=negotiated.compression,
            compression_note=negotiated.compression_note,
            not_kept=tuple(arrived.not_kept),
            grown=tuple(arrived.grown),
            landed=arrived.landed,
            tally=arrived.tally,
            differences=tuple(arrived.differences),
            hooks=tuple(self.hooks),
            backup=arrived.backup,
            restored=arrived.restored,
            rolled_back=self.rolled_back,
            revisions=None if arrived.revisions is None else tuple(arrived.revisions),
        )

    def forget(self) -> None:
        """Give the memory of lists back: the result has what is kept of them."""
        self.arrived, self.digests = Arrived(), {}
