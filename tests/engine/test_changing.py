"""Plans that follow what changes: what is saved while one is made, and for as long again, makes one more."""

from pathlib import Path

import anyio

import asynccp.local.watch  # noqa: F401 (which is loaded when it is needed: that blocks)
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.changing import plans
from asynccp.entry import Entry, Kind
from asynccp.plan.plan import PushPlan

from .clock import JumpingLoop

TAKES_S = 10.0


class Sources:
    """One file in a directory here, and plans of it, each of which takes long: an entry that is called what the file
    holds. begun: when they were."""

    def __init__(self, directory: Path) -> None:
        (directory / "sources").mkdir()
        self.directory = str(directory / "sources")
        self.file = anyio.Path(self.directory, "file")
        self.begun: list[float] = []

    async def plan(self) -> PushPlan:
        self.begun.append(anyio.current_time())
        await anyio.sleep(TAKES_S)
        entry = Entry(await self.file.read_bytes(), Kind.DIRECTORY)
        return PushPlan((self.directory,), ArchiveLayout([entry], "0123456789abcdef"), ())


def unheard(text: str) -> None:
    raise AssertionError(text)


async def test_many_saves_are_one_plan_of_the_last_which_is_made_half_of_the_time_at_most(
    clock: JumpingLoop, tmp_path: Path
) -> None:
    sources = Sources(tmp_path)
    await sources.file.write_text("0")
    now = await sources.plan()
    await sources.file.write_text("1")
    following = plans([sources.directory], sources.plan, now, unheard)
    found = [await anext(following)]
    for number in range(2, 51):
        await sources.file.write_text(str(number))
    found.append(await anext(following))
    await following.aclose()  # type: ignore[attr-defined]
    assert [one.entries[0].path for one in found] == [b"1", b"50"]
    assert sources.begun[2] - sources.begun[1] == 2 * TAKES_S
