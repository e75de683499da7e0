"""Changes of sources: whatever somebody does to them is told, also when another takes the place of what was named."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asynccp.local.watch import Changes


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config" / "conf.d").mkdir(parents=True)
    (tmp_path / "config" / "a").write_text("a\n")
    (tmp_path / "config" / "conf.d" / "b").write_text("b\n")
    return tmp_path / "config"


class Watching:
    """Changes that are waited for by a thread of their own."""

    def __init__(self, *sources: Path) -> None:
        self.changes = Changes([str(one) for one in sources])
        self.changes.start()
        self._told = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()

    def _wait(self) -> None:
        while self.changes.wait():
            self._told.release()

    def is_told(self) -> bool:
        return self._told.acquire(timeout=10)

    def end(self) -> None:
        self.changes.stop()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


@pytest.fixture
def watching(request: pytest.FixtureRequest) -> Iterator[Callable[..., Watching]]:
    made: list[Watching] = []

    def begin(*sources: Path) -> Watching:
        made.append(Watching(*sources))
        return made[-1]

    yield begin
    for one in made:
        one.end()


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("another\n")
    other.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file is written to": lambda config: (config / "conf.d" / "b").write_text("longer\n"),
    "a file is replaced": lambda config: replace(config / "a"),
    "a file is made": lambda config: (config / "conf.d" / "c").touch(),
    "a file is removed": lambda config: (config / "a").unlink(),
    "a mode is set": lambda config: (config / "a").chmod(0o600),
    "a directory is made": lambda config: (config / "d").mkdir(),
    "a file that editors leave behind": lambda config: (config / "a~").touch(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_below_a_directory_is_told(config: Path, watching: Callable[..., Watching], change: str) -> None:
    one = watching(config)
    CHANGES[change](config)
    assert one.is_told()


@pytest.mark.parametrize("change", [replace, lambda path: path.write_text("longer\n"), os.unlink])
def test_a_change_of_a_file_that_was_named_is_told(
    config: Path, watching: Callable[..., Watching], change: Callable[[Path], object]
) -> None:
    one = watching(config / "a")
    change(config / "a")
    assert one.is_told()


def test_a_directory_in_the_place_of_one_is_told_and_what_changes_in_it(
    config: Path, watching: Callable[..., Watching]
) -> None:
    one = watching(config)
    config.rename(config.with_name("old"))
    (config.with_name("new") / "conf.d").mkdir(parents=True)
    config.with_name("new").rename(config)
    assert one.is_told()
    while one._told.acquire(timeout=1):
        pass  # what both renames were
    (config / "conf.d" / "c").touch()
    assert one.is_told()


def test_a_link_that_leads_elsewhere_now_is_told_and_what_changes_there(
    config: Path, watching: Callable[..., Watching]
) -> None:
    (config.parent / "v2").mkdir()
    (config.parent / "current").symlink_to("config")
    one = watching(config.parent / "current")
    (config.parent / "next").symlink_to("v2")
    (config.parent / "next").replace(config.parent / "current")
    assert one.is_told()
    (config.parent / "v2" / "c").touch()
    assert one.is_told()


def test_nothing_is_told_of_what_did_not_change(config: Path, watching: Callable[..., Watching]) -> None:
    one = watching(config, config / "a")
    (config.parent / "beside").touch()
    assert not one._told.acquire(timeout=1)
