"""A worker: `python -m asynccp.relay.worker`. One order from stdin, events to stdout, until it is over.

Its stdin's end means: stop; so it never outlives who has started it. Events of moved bytes are told together, every
TELL_S: a line costs both ends 0.1 ms. In a relay it may be brought the sources of a push first (`relay.sources`).
"""

import os
import sys
from collections import defaultdict, deque
from pathlib import Path
from threading import Lock
from typing import Any

import anyio
from anyio import to_thread
from msgspec.structs import replace

from asynccp import __version__
from asynccp.errors import AsyncCpError
from asynccp.events import Advanced, Event
from asynccp.jsonlines import dumps
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import connect
from asynccp.local.write import write_all
from asynccp.options import Compression
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay import presence
from asynccp.relay.executor import Here
from asynccp.relay.lines import (
    Alive,
    Begun,
    Conclude,
    Fetch,
    Order,
    Over,
    Ready,
    Sign,
    Take,
    Taken,
    Unable,
    load_task,
    sign_line,
    transfer_of,
)
from asynccp.relay.sent import QUEUED_SIZE, Piece, Sent
from asynccp.target import Transfer
from asynccp.text import printable

TELL_S, SEND_S = 0.2, 0.01
ALIVE_EVERY_S = 5.0
_READ_SIZE = _WRITE_SIZE = 1024 * 1024


class Told:
    """What is to be told, as an observer. Lines go out in their order, and so do pieces of archives (`relay.sent`)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting: deque[str | Piece] = deque()  # from any thread
        self._queued_size = 0  # bytes of pieces
        self._counting = Lock()
        self._writing = anyio.Lock()
        self._moved: defaultdict[Transfer, int] = defaultdict(int)
        self.compresses = False  # pieces

    def __call__(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self._moved[event.transfer] += event.size
            return
        if (transfer := transfer_of(event)) and (size := self._moved.pop(transfer, 0)):
            self._waiting.append(dumps(Advanced(transfer, size)))
        self._waiting.append(dumps(event))

    def sign(self, sign: Sign) -> None:
        self._waiting.append(sign_line(sign))

    def send(self, piece: Piece) -> None:
        """Have a piece of an archive go out. From any thread."""
        with self._counting:
            self._queued_size += piece.size
        self._waiting.append(piece)

    def is_full(self) -> bool:
        """Tell whether more pieces wait than is good."""
        return self._queued_size > QUEUED_SIZE

    async def go_out(self) -> None:
        """Tell what there is to be told, from time to time; that this lives, where there is nothing for long."""
        told_at = anyio.current_time()
        while True:
            await anyio.sleep(SEND_S if self._queued_size else TELL_S)
            if await self.flush():
                told_at = anyio.current_time()
            elif anyio.current_time() - told_at > ALIVE_EVERY_S:
                self.sign(Alive())

    async def flush(self) -> bool:
        """Tell it now; return whether there was anything."""
        moved = dict(self._moved)
        self._moved.clear()
        self._waiting += [dumps(Advanced(transfer, size)) for transfer, size in moved.items()]
        async with self._writing:
            if has_any := bool(self._waiting):
                await to_thread.run_sync(self._write)
        return has_any

    def _write(self) -> None:
        """Write what waits. Blocks, for as long as who reads it does not."""
        lines = bytearray()
        for _ in range(len(self._waiting)):
            if isinstance(one := self._waiting.popleft(), str):
                lines += f"{one}\n".encode()
                continue
            for data in one.lines(compresses=self.compresses):
                lines += data
                if len(lines) >= _WRITE_SIZE:
                    write_all(self._fd, lines)
                    lines = bytearray()
            with self._counting:
                self._queued_size -= one.size
        write_all(self._fd, lines)


class Stdin:
    """What comes in. Calls block."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._come = bytearray()

    def line(self) -> bytes:
        """Return the next line with its end; without one when that has come first."""
        looked = 0
        while (end := self._come.find(b"\n", looked)) < 0:
            looked = len(self._come)
            if not (piece := os.read(self._fd, _READ_SIZE)):
                return self.some()
            self._come += piece
        line = bytes(self._come[: end + 1])
        del self._come[: end + 1]
        return line

    def some(self) -> bytes:
        """Return some bytes; none at the end."""
        found = bytes(self._come) or os.read(self._fd, _READ_SIZE)
        self._come.clear()
        return found

    def back(self, data: bytes) -> None:
        """Take bytes back that belong to what comes next."""
        self._come[:0] = data


async def work(stdin: int, stdout: int) -> None:
    """Carry out one order."""
    told, come, top = Told(stdout), Stdin(stdin), presence.top()
    if top:
        presence.hold(top)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(told.go_out)
            told.sign(Ready(__version__))
            await told.flush()
            while (line := await to_thread.run_sync(come.line, abandon_on_cancel=True)).endswith(b"\n"):
                task = load_task(line)
                if isinstance(task, Order):
                    await _carried_out(task, come, told, top)
                    break
                if isinstance(task, Conclude):
                    await to_thread.run_sync(_concluded, task)
                    told.sign(Over())
                    break
                told.sign(Taken(await _brought(task, come, _relay(top))))
                await told.flush()
            tasks.cancel_scope.cancel()  # who has started us may want nothing any more
    except* AsyncCpError as group:
        (first, *_) = _leaves(group)
        told.sign(Unable(str(first), first.hint))
    await told.flush()


async def _carried_out(order: Order, come: Stdin, told: Told, top: Path | None) -> None:
    plan, stop = order.plan, anyio.Event()
    assert isinstance(plan, PushPlan | PullPlan)
    if order.sources:
        assert isinstance(plan, PushPlan)
        plan = await to_thread.run_sync(_with_sources, plan, order.sources, _relay(top))

    async def stop_at_the_end() -> None:
        await to_thread.run_sync(come.some, abandon_on_cancel=True)
        stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_at_the_end)
        async with connect(order.kubeconfig, order.context) as cluster:
            told.sign(Begun())
            how: dict[str, Any] = {"options": order.options, "observer": told, "stop": stop}
            if order.sends:
                told.compresses = order.options.compression is not Compression.NONE
                await _pulled(cluster, plan, destination=Sent(told.send, told.is_full), **how)
            elif order.is_part:
                await _pulled(cluster, plan, is_part=True, **how)
            else:
                await Here(cluster).carry_out(plan, **how)
        tasks.cancel_scope.cancel()
    told.sign(Over())


async def _pulled(cluster: Cluster, plan: PushPlan | PullPlan, **how: Any) -> None:
    from asynccp.engine.pull import pull

    assert isinstance(plan, PullPlan)
    await pull(cluster, plan, **how)


def _concluded(task: Conclude) -> None:
    from asynccp.objects.url import parse_url
    from asynccp.sinks.objects import Objects

    objects = Objects(parse_url(task.destination), task.options.attributes)
    objects.conclude(task.report, is_nothing=task.is_nothing)


def _relay(top: Path | None) -> Path:
    if top is None:
        raise AsyncCpError("this is no relay, and has sources of its own")
    return top


async def _brought(task: Take | Fetch, come: Stdin, top: Path) -> str:
    """Have the sources brought; return their digest. Raises AsyncCpError."""
    from asynccp.relay import bringing  # a worker of one machine has no use for it

    if isinstance(task, Fetch):
        return await bringing.fetched(task, top)
    return await to_thread.run_sync(bringing.taken, come.some, come.back, top, abandon_on_cancel=True)


def _with_sources(plan: PushPlan, digest: str, top: Path) -> PushPlan:
    """Return a plan with the sources that this relay has. Raises AsyncCpError where they are others."""
    from asynccp.relay.sources import kept

    try:
        found = kept(top)
    except OSError as exc:
        raise AsyncCpError(f"the relay has no sources: {exc.strerror}") from None
    if found.digest != digest or found.layout.token != plan.layout.token:
        raise AsyncCpError("the relay has other sources than those of this run")
    return replace(plan, layout=found.layout)


def _leaves(group: BaseExceptionGroup[AsyncCpError]) -> list[AsyncCpError]:
    found: list[AsyncCpError] = []
    for one in group.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found


def main() -> None:
    stdout = os.dup(1)
    os.dup2(2, 1)  # what anything prints is not for who reads our lines
    code = 1
    try:
        anyio.run(work, 0, stdout)
        code = 0
    except BrokenPipeError:  # who has started us is gone
        pass
    except Exception as exc:
        sys.stderr.write(f"asynccp: a defect of a worker process: {printable(repr(exc))}\n")
    os._exit(code)  # a thread waits for stdin's end


if __name__ == "__main__":
    main()
