"""Bringing: the sources of a push come into this relay; from it another one takes them, once this has them.

`python -m asynccp.relay.bringing`: gives them to whoever has started it, as an exec of another relay does.
"""

import os
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread

from asynccp.errors import AsyncCpError
from asynccp.kube.cluster import connect
from asynccp.local.write import write_all
from asynccp.relay import presence
from asynccp.relay.lines import CODEC, Fetch
from asynccp.relay.podpipe import opened
from asynccp.relay.sources import Taking, Unfit, given, kept
from asynccp.target import Target

_COMMAND = ("python3", "-m", "asynccp.relay.bringing")


def taken(some: Callable[[], bytes], back: Callable[[bytes], None], top: Path) -> str:
    """Take sources from a pipe; return their digest. Blocks. Raises Unfit.

    some: returns what came, nothing at the end. back: what came behind the sources.
    """
    taking = Taking(top, CODEC)
    try:
        while not taking.digest:
            if not (data := some()):
                raise Unfit("the sources broke off before they were whole")
            taking.feed(data)
    except OSError as exc:
        raise _unwritten(exc) from exc
    back(taking.rest)
    return taking.digest


async def fetched(task: Fetch, top: Path) -> str:
    """Take sources from another relay; return their digest. Raises Unfit, TransferError."""
    there = Target(task.namespace, task.pod, task.container)
    taking = Taking(top, CODEC)
    async with connect() as cluster, opened(cluster, there, _COMMAND) as pipe:
        while not taking.digest:
            if not (data := await pipe.receive()):
                raise Unfit(f"the relay {task.pod}, which has the sources, {pipe.ended}")
            try:
                await to_thread.run_sync(taking.feed, data)
            except OSError as exc:
                raise _unwritten(exc) from exc
    if taking.digest != task.digest:
        raise Unfit("the sources that another relay gave are not those of this run")
    return taking.digest


def _unwritten(exc: OSError) -> AsyncCpError:
    return AsyncCpError(f"the sources can't be written there: {exc.strerror}", hint="see how much room relays have")


def main() -> None:
    top = presence.top()
    assert top, "this is no relay"
    presence.hold(top)
    for data in given(kept(top), ""):
        write_all(1, data)
    os.read(0, 1)  # our end may not overtake what we have written


if __name__ == "__main__":
    main()
