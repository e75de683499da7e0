"""Processes: workers of this machine. Each connects itself, as `connect` does by the same arguments."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import Process

from asynccp.errors import WorkerLost
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.lines import Order
from asynccp.relay.pipe import Lines, Worker

END_S = 10.0
"""Seconds in which a worker that was told to stop has ended the commands in its pods, and told of it."""

_COMMAND = (sys.executable, "-m", "asynccp.relay.worker")


class Processes:
    """`Crew` of this machine."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        self._kubeconfig, self._context = kubeconfig, context

    @asynccontextmanager
    async def worker(self, number: int) -> AsyncIterator[Worker]:  # noqa: ARG002 (any will do)
        async with started(_COMMAND) as pipe:
            yield Worker(pipe, Lines(pipe))

    def order(self, plan: PushPlan | PullPlan, options: Options) -> Order:
        return Order(plan, options, self._kubeconfig, self._context)


class ProcessPipe:
    """`Pipe` of a process of this machine."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def ended(self) -> str:
        code = self._process.returncode
        if code is None:
            return "closed its output"
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    async def send(self, data: bytes | memoryview) -> None:
        assert self._process.stdin
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._process.stdin.send(bytes(data))

    async def receive(self) -> bytes:
        assert self._process.stdout
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return await self._process.stdout.receive()
        with anyio.move_on_after(END_S):
            await self._process.wait()
        return b""

    async def stop(self) -> None:
        assert self._process.stdin
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._process.stdin.aclose()


@asynccontextmanager
async def started(command: tuple[str, ...], environment: dict[str, str] | None = None) -> AsyncIterator[ProcessPipe]:
    """Start a worker; however this is left, it ends, and is waited for. environment: None for that of this process.

    In a session of its own: ^C at the terminal is told to this process, which tells it to its workers. One whose parent
    was killed hears that its stdin has ended, and does the same.
    """
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            start_new_session=True,
            env=environment,
        )
    except OSError as exc:
        raise WorkerLost(f"no worker process can be started: {exc.strerror}", hint="ask for fewer") from exc
    pipe = ProcessPipe(process)
    try:
        yield pipe
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(END_S):
                await pipe.stop()
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await process.aclose()
