"""What a run has found of the way to its cluster the next one knows, for a day, and by its context."""

import os
import time
from pathlib import Path

import pytest

from asynccp.cli.links import BELIEVED_S, RememberedLink


def found(context: str | None, home: Path) -> None:
    link = RememberedLink(context, {"XDG_CACHE_HOME": str(home)})
    link.found_slow()
    link.keep()


def is_slow(context: str | None, home: Path) -> bool:
    return RememberedLink(context, {"XDG_CACHE_HOME": str(home)}).is_slow


@pytest.mark.parametrize("context", [None, "prod", "../../prod", "a\nb\udcff"])
def test_it_is_known_by_its_context_alone(tmp_path: Path, context: str | None) -> None:
    found(context, tmp_path / "new")
    assert is_slow(context, tmp_path / "new")
    assert not is_slow("another", tmp_path / "new")
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == list(
        (tmp_path / "new/asynccp/slow-links").iterdir()
    )


@pytest.mark.parametrize(("age_s", "believed"), [(BELIEVED_S - 60, True), (BELIEVED_S + 60, False), (-3600, False)])
def test_it_is_believed_for_a_day(tmp_path: Path, age_s: float, believed: bool) -> None:
    found("prod", tmp_path)
    [file] = (tmp_path / "asynccp/slow-links").iterdir()
    os.utime(file, (time.time() - age_s,) * 2)
    assert is_slow("prod", tmp_path) is believed


def test_a_run_that_began_with_it_does_not_prolong_it(tmp_path: Path) -> None:
    found("prod", tmp_path)
    [file] = (tmp_path / "asynccp/slow-links").iterdir()
    os.utime(file, (1e9, 1e9))
    RememberedLink("prod", {"XDG_CACHE_HOME": str(tmp_path)}).keep()
    assert file.stat().st_mtime == 1e9


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found("prod", tmp_path / "file")
    assert not is_slow("prod", tmp_path / "file")


def test_the_cache_is_in_its_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    link = RememberedLink("prod", {"XDG_CACHE_HOME": "relative"})
    link.found_slow()
    link.keep()
    assert (tmp_path / ".cache/asynccp/slow-links").is_dir()
