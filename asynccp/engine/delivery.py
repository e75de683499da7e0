"""Delivery: one archive to one pod, until the pod has said its last word.

Two tasks side by side. One sends chunks at the pace of the connection. The other listens, because a tar that fails
stops reading: its word comes while our sends are stuck, and ends the sending. When the pod has received everything,
beside its place, the steps follow.
"""

import os
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import anyio

from asynccp.chunk import Chunk
from asynccp.engine.conversation import Conversation
from asynccp.engine.group import single_error
from asynccp.engine.placing import Placing, unsettled, unswapped
from asynccp.engine.sessions import Greeted
from asynccp.engine.state import Arrived, TransferState
from asynccp.engine.steps import Step, take
from asynccp.entry import NotKept
from asynccp.errors import ProtocolViolation, SessionLost
from asynccp.events import Started
from asynccp.options import CLOSE_GRACE_S, SLOWEST_WALK_PER_S
from asynccp.remote.dialogue import NOTHING, differs
from asynccp.remote.messages import Done, Received


class Supply(Protocol):
    """The archive that one pod receives.

    size: of all of it, None when nobody knows yet. entries, sent: how many it has, and what will stand in the pod as
    `ENTRIES-BYTES`; good when the last chunk is out.
    """

    @property
    def size(self) -> int | None: ...
    @property
    def entries(self) -> int: ...
    @property
    def sent(self) -> str: ...
    def chunks(self) -> AsyncIterator[tuple[Chunk, bool]]:
        """Yield what is to be sent, in order, and whether it is the last of it. Raises TransferError."""


class Delivery:
    """One attempt to have one pod receive an archive, and do the steps. partial: as in `Options`."""

    def __init__(
        self, found: Greeted, state: TransferState, supply: Supply, steps: Sequence[Step], *, partial: bool = False
    ) -> None:
        self._conversation = found.conversation
        self._half_close = found.half_close
        self._state = state
        self._supply = supply
        self._steps = steps
        self._placing = Placing(partial=partial)
        self._sender = _Sender(found, state, supply)
        found.conversation.hear_notes(self._placing.hear)

    async def run(self) -> Arrived:
        """Return what is not in its place, or not all of it. Raises what keeps the rest from being complete."""
        transfer, conversation = self._state.transfer, self._conversation
        self._state.observer(Started(transfer, self._supply.size))
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(conversation.watch)
                tasks.start_soon(self._sender.run)
                await self._converse()
                tasks.cancel_scope.cancel()
        done = conversation.last_word
        error = conversation.error(whole=self._sender.whole, sent=self._supply.sent)
        if error or not isinstance(done, Done):
            refusal = self._placing.refusal(done) or unswapped(done, conversation.stderr_tail)
            raise refusal or error or SessionLost("the session ended too early")
        unset = unsettled(done, conversation.stderr_tail)
        not_kept = self._placing.not_kept(done, transfer.path)
        return Arrived(
            left_out=self._placing.left_out(done, transfer.path),
            not_kept=[*not_kept, *([NotKept(os.fsencode(transfer.path), unset)] if unset else [])],
            is_partial=bool(unset),
            backup=done.kept,
        )

    async def _converse(self) -> None:
        """Hear the pod to its last word."""
        conversation = self._conversation
        received = await conversation.received()
        if received is None:
            return
        await self._sender.stop()
        if self._sender.whole and differs(received, self._supply.sent):  # its script would not say that it has the last
            conversation.last_word = received = received._replace(has_last=False)
        if received.code == 0 and received.has_last:
            if not self._sender.whole:
                raise ProtocolViolation("the pod said that it has everything before everything was sent")
            await take(self._steps, conversation)
        # A tar that failed left bytes unread, and containerd, which can't hand them over, may never tell the status.
        with anyio.move_on_after(CLOSE_GRACE_S if isinstance(conversation.last_word, Received) else None):
            # Once stdin is closed it takes no line; its end says the same, and closing it again is harmless.
            await (conversation.close_stdin() if self._half_close else conversation.acknowledge())
            await conversation.drain()


async def settle(conversation: Conversation, steps: Sequence[Step]) -> None:
    """Do the steps in a pod that lacks nothing. Raises what keeps them from being done. To be called `watched`."""
    await conversation.tell(NOTHING)
    if await conversation.done():
        await take(steps, conversation)
        await conversation.acknowledge()
    await conversation.drain()
    if error := conversation.error():
        raise error


class _Sender:
    """The sending half of a delivery. `whole`: the last chunk has been handed to the connection."""

    def __init__(self, found: Greeted, state: TransferState, supply: Supply) -> None:
        self.whole = False
        self._conversation = found.conversation
        self._half_close = found.half_close
        self._state = state
        self._supply = supply
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self) -> None:
        try:
            with self._scope:
                await self._send_all()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End the sending, if it goes on, and wait until nothing of it is under way: a session has one sender."""
        self._scope.cancel()
        await self._ended.wait()

    async def _send_all(self) -> None:
        async for chunk, is_last in self._supply.chunks():
            self.whole = is_last
            try:
                await self._conversation.send_chunk(chunk)
            except SessionLost:
                return  # the listener hears why: stderr and the status may still be on their way
            # A connection that broke takes all that it is given, without a wait: the loop must get to tell it.
            await anyio.lowlevel.checkpoint()
            self._state.advance(chunk.size, chunk.wire_size)
        if self._half_close:
            await self._conversation.close_stdin()
        self._conversation.extra_stall_s = self._supply.entries / SLOWEST_WALK_PER_S  # the pod counts them
