"""A relay takes the sources once, whatever becomes of the workers in it, and never from itself."""

from collections import deque
from pathlib import Path

import anyio
import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.local.scan import scan
from asynccp.options import Filtering
from asynccp.plan.plan import PushPlan
from asynccp.relay.job import RelayPod
from asynccp.relay.lines import Fetch, Sign, Take, Taken, Unable, load_task, sign_line
from asynccp.relay.pipe import Lines, Worker
from asynccp.relay.supply import GiverLost, Supply


class Relay:
    """`Pipe` to a worker of a relay that takes what it is given, and answers. lost: the relays that give nothing."""

    ended = "was lost"

    def __init__(self, lost: set[str]) -> None:
        self.tasks: list[Take | Fetch] = []
        self._lost = lost
        self._answers = deque[bytes]()

    async def send(self, data: bytes | memoryview) -> None:
        await anyio.lowlevel.checkpoint()
        line = bytes(data)
        if line.startswith(b'{"sources"'):
            task = load_task(line)
            assert isinstance(task, Take | Fetch)
            self.tasks.append(task)
            if isinstance(task, Fetch):
                self._answer(Unable("it is gone", "") if task.pod in self._lost else Taken(task.digest))
        elif len(line) == 65 and isinstance(self.tasks[-1], Take):
            self._answer(Taken(line.decode().strip()))

    async def receive(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        return self._answers.popleft()

    async def stop(self) -> None:
        """It does nothing."""

    def _answer(self, sign: Sign) -> None:
        self._answers.append(sign_line(sign).encode() + b"\n")


class Supplied:
    """Relays that have a push's sources brought."""

    def __init__(self, plan: PushPlan) -> None:
        self.supply = Supply(plan, "")
        self.lost: set[str] = set()

    async def bring(self, name: str, told: list[Take | Fetch]) -> None:
        pipe = Relay(self.lost)
        try:
            await self.supply.bring(RelayPod(0, name, "node", True), "default", Worker(pipe, Lines(pipe)))
        finally:
            told += pipe.tasks


@pytest.fixture
def plan(tmp_path: Path) -> PushPlan:
    (tmp_path / "file").write_text("what is pushed\n")
    found = scan([str(tmp_path / "file")], False, Filtering())
    return PushPlan((str(tmp_path / "file"),), ArchiveLayout(found.entries, "0" * 16), ())


def givers(told: list[Take | Fetch]) -> list[str]:
    """Return whom the sources were taken from; `line` is the way from here."""
    return [one.pod if isinstance(one, Fetch) else "line" for one in told]


async def test_the_sources_go_over_the_line_once_and_then_from_relay_to_relay(plan: PushPlan) -> None:
    supplied, told = Supplied(plan), list[Take | Fetch]()
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b", "c"):
            tasks.start_soon(supplied.bring, name, told)
    assert (len(told), givers(told).count("line")) == (3, 1)


async def test_two_workers_of_one_relay_do_not_take_the_sources_twice_nor_from_it(plan: PushPlan) -> None:
    """Where a relay was lost, another one does its work as well: both its workers may begin at once."""
    supplied, told = Supplied(plan), list[Take | Fetch]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supplied.bring, "a", told)
        tasks.start_soon(supplied.bring, "a", told)
    assert givers(told) == ["line"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supplied.bring, "b", told)
        tasks.start_soon(supplied.bring, "b", told)
    assert givers(told) == ["line", "a"]


async def test_a_relay_that_is_gone_is_asked_once_and_what_it_had_goes_over_the_line_again(plan: PushPlan) -> None:
    supplied, told = Supplied(plan), list[Take | Fetch]()
    await supplied.bring("a", told)
    supplied.lost.add("a")
    with pytest.raises(GiverLost, match="it is gone"):
        await supplied.bring("b", told)
    await supplied.bring("b", told)
    assert givers(told) == ["line", "a", "line"]
