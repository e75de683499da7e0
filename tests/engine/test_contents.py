"""Contents: one transfer fetches what several have; the others have it once it has been read back."""

import hashlib
import os
from pathlib import Path

import anyio
import pytest

from asynccp.engine.contents import LEAST_SIZE, Content, Contents
from asynccp.local.held import Held

DATA = b"some" * LEAST_SIZE


def content_of(data: bytes) -> Content:
    return Content(hashlib.sha256(data).hexdigest(), len(data))


def nothing() -> None:
    """Nobody waits for progress."""


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Contents(str(tmp_path))


def write(tmp_path: Path, name: str, data: bytes = DATA) -> Held:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(data)
    return Held(os.fsencode(tmp_path), name.encode())


async def test_the_first_fetches_and_the_others_wait_for_it(tmp_path: Path, contents: Contents) -> None:
    one = content_of(DATA)
    assert await contents.reserve(one, nothing)
    assert not await contents.reserve(one, nothing)
    found: list[object] = []

    async def wait() -> None:
        found.append(await contents.found(one))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert found == []
        held = write(tmp_path, "web-0/a")
        await contents.tell(one, held, nothing)
    assert [copy and copy.held for copy in found] == [held, held]  # type: ignore[attr-defined]
    contents.give_up(one)
    assert await contents.found(one), "what is here can't be given up"


@pytest.mark.parametrize("came", [DATA[:-1] + b"!", DATA[:-1], b""])
async def test_who_sends_another_content_than_it_told_of_finds_no_taker(
    tmp_path: Path, contents: Contents, came: bytes
) -> None:
    one = content_of(DATA)
    assert await contents.reserve(one, nothing)
    await contents.tell(one, write(tmp_path, "liar/a", came), nothing)
    assert await contents.found(one) is None
    assert await contents.reserve(one, nothing), "the next one fetches it"


async def test_who_gives_up_leaves_it_to_the_next(contents: Contents) -> None:
    one = content_of(DATA)
    assert await contents.reserve(one, nothing)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(contents.found, one)
        await anyio.wait_all_tasks_blocked()
        contents.give_up(one)
    assert await contents.reserve(one, nothing)


async def test_what_earlier_runs_left_is_found_by_what_is_in_it(tmp_path: Path, contents: Contents) -> None:
    write(tmp_path, "web-0/other", DATA[::-1])
    held = write(tmp_path, "web-1/same")
    write(tmp_path, "web-2/small", b"small")
    (tmp_path / "web-3").symlink_to("web-1")
    assert not await contents.reserve(content_of(DATA), nothing)
    copy = await contents.found(content_of(DATA))
    assert copy
    assert copy.held == held
    assert await contents.reserve(content_of(b"small"), nothing), "what is small is not worth a digest"
    contents.lost(content_of(DATA), copy)
    assert await contents.found(content_of(DATA)) is None


async def test_no_link_leads_to_a_content(tmp_path: Path, contents: Contents) -> None:
    write(tmp_path, "secret")
    destination = tmp_path / "logs"
    destination.mkdir()
    (destination / "web-0").symlink_to("..")
    inner = Contents(str(destination))
    assert await inner.reserve(content_of(DATA), nothing)
    await inner.tell(content_of(DATA), Held(os.fsencode(destination), b"web-0/secret"), nothing)
    assert await inner.found(content_of(DATA)) is None
