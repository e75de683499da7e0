"""python -m benchmarks.execs NAMESPACE SELECTOR COMMAND…: run a command in every pod, by what carries asynccp's copies.

It is the part of the floor that no copy can be below: the same start, list, gate and sessions, and no archive. The
exit code is that of a copy: 0 when the command ended with 0 in every pod.
"""

import sys
from dataclasses import dataclass

import anyio

from asynccp import Cluster, Listener, Options, Selection, connect, parse_selectors
from asynccp.engine.run import Run
from asynccp.engine.select import select
from asynccp.engine.state import TransferState
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import CommandFailed
from asynccp.kube.exec import V4
from asynccp.status import ExitStatus
from asynccp.target import Skipped, Transfer
from asynccp.ui.text import closing
from asynccp.wave import Wave


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a run needs to know: here, only where."""

    transfers: tuple[Transfer, ...]
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    not_kept: tuple[NotKept, ...] = ()
    waves: tuple[Wave, ...] = ()


async def run_everywhere(namespace: str, selector: str, argv: list[str]) -> int:
    async with connect() as cluster:
        transfers, skipped = await select(cluster, Selection(parse_selectors([f"{selector}:/"]), (namespace,)))
        plan = _Plan(tuple(transfers), tuple(skipped))
        report = await Run(_Execs(cluster, argv), cluster, Options(), Listener()).carry_out(plan)
        if report.exit_code:
            print(closing(report), file=sys.stderr)
        return report.exit_code


class _Execs:
    """The command, as `engine.run.Job`."""

    direction = "push"
    digests_size = None

    def __init__(self, cluster: Cluster, argv: list[str]) -> None:
        self._cluster = cluster
        self._argv = argv

    async def attempt(self, state: TransferState) -> None:
        status = None
        async with self._cluster.open_exec(state.transfer.target, self._argv, V4) as session:
            while (event := await session.receive()) is not None:
                if isinstance(event, ExitStatus):
                    status = event
        if status is None or status.code != 0:
            raise CommandFailed(f"{self._argv[0]} did not end well: {status}")

    async def release(self, state: TransferState) -> None:
        """Nothing is kept."""


if __name__ == "__main__":
    sys.exit(anyio.run(run_everywhere, sys.argv[1], sys.argv[2], sys.argv[3:]))
