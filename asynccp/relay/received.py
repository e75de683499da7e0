"""Received: what relays pull for this machine, on its way into the destination.

A relay is ours, but it stands in the cluster, so it is believed no more than a pod: its archives get past the same
rules (`sinks.ingest`), and each goes where the plan has it, whatever the relay calls it. A pod is complete when the
relay says so and its archive has come to its end here.
"""

import os
from collections.abc import Callable, Generator

import anyio
from anyio import to_thread
from msgspec.structs import replace

from asynccp.archive.compression import Unpacker
from asynccp.engine.turns import in_turns
from asynccp.errors import AsyncCpError, ProtocolViolation
from asynccp.jsonlines import Malformed
from asynccp.limits import Limits
from asynccp.options import Options
from asynccp.plan.plan import Gather, PullPlan
from asynccp.relay.lines import Archived
from asynccp.report import Outcome, Report, Result
from asynccp.sinks.base import Destination, Place, Sink
from asynccp.sinks.destinations import destination_of
from asynccp.sinks.ingest import Ingest
from asynccp.target import Transfer

_WHOLE = (Outcome.COMPLETE, Outcome.PARTIAL, Outcome.CHANGED)
"""How a transfer ends of which all came that there is."""


class _Arriving:
    """One pod's archive. error: why no more of it is taken; None while it is."""

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self.ingest = Ingest(sink, sink.name, limits=limits, resumes=False)
        self.error: AsyncCpError | None = None

    @property
    def is_whole(self) -> bool:
        return self.ingest.ended and not self.error

    def taking(self, data: bytes, codec: str) -> Generator[int, None, None]:
        for piece in Unpacker(codec).feed(data) if codec else (data,):
            if (yield from self.ingest.feeding(piece)):
                raise ProtocolViolation("the relay sent more than an archive")


class Received:
    """The archives of one plan's transfers."""

    def __init__(self, plan: PullPlan, options: Options) -> None:
        self._limits = options.limits
        self._destination: Destination = destination_of(plan.destination, options)
        self._gathers = {(one.directory, one.name): one for one in plan.gathers}
        self._arriving: dict[Transfer, _Arriving] = {}

    async def take(self, sign: Archived, data: bytes, asked: Callable[[Transfer], bool]) -> None:
        """Take the next bytes of one archive. What can't be written is that pod's own failure.

        asked: tells what the relay has still to bring. Raises Malformed for anything else.
        """
        gather = self._gathers.get((sign.directory, sign.name))
        if gather is None or not asked(gather.transfer):
            raise Malformed("the relay sends what it was not asked for")
        if sign.begins:
            await self._drop(gather.transfer)
            sink = await to_thread.run_sync(self._opened, gather)
            self._arriving[gather.transfer] = _Arriving(sink, self._limits)
        one = self._arriving.get(gather.transfer)
        if one is None:
            raise Malformed("the relay sends an archive without its beginning")
        if not one.error:
            await self._done(one, one.taking(data, sign.codec))

    async def settled(self, result: Result) -> Result:
        """Return the result of a transfer, by what is here of it."""
        one = self._arriving.get(result.transfer)
        if one and one.is_whole:
            await self._done(one, one.ingest.finishing())
        await self._drop(result.transfer)
        if one and one.error:
            return _failed(result, one.error)
        if result.outcome in _WHOLE and result.entries and not (one and one.is_whole):
            return _failed(result, ProtocolViolation("the relay has not sent all of what it says that it has pulled"))
        if one and (more := tuple(one.ingest.left_out)):
            outcome = Outcome.PARTIAL if result.outcome is Outcome.COMPLETE else result.outcome
            return replace(result, outcome=outcome, left_out=(*result.left_out, *more))
        return result

    async def finish(self, report: Report) -> Report:
        return await to_thread.run_sync(self._destination.finish, report)

    async def close(self) -> None:
        """Remove what is not whole. Raises nothing."""
        for transfer in [*self._arriving]:
            await self._drop(transfer)
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._destination.close)

    def _opened(self, gather: Gather) -> Sink:
        return self._destination.open(Place(gather.directory, os.fsencode(gather.name), gather.shares))

    async def _done(self, one: _Arriving, steps: Generator[int, None, None]) -> None:
        try:
            await in_turns(steps)
        except AsyncCpError as exc:
            one.error = exc

    async def _drop(self, transfer: Transfer) -> None:
        if one := self._arriving.pop(transfer, None):
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(one.ingest.abort)


def _failed(result: Result, error: AsyncCpError) -> Result:
    words = {"error": str(error), "hint": error.hint, "error_class": type(error).__name__}
    return replace(result, outcome=Outcome.FAILED, **words)
