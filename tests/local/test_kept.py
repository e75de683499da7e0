"""Small sources are kept as they were looked at, whatever becomes of them; large ones are not."""

from pathlib import Path

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Kind
from asynccp.errors import SourceChanged
from asynccp.local import kept as module
from asynccp.local.kept import kept
from asynccp.local.read import read_slice
from asynccp.local.scan import scan
from tests.trees import describe_archive


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "source"
    (top / "d").mkdir(parents=True)
    (top / "a").write_text("a, the first")
    (top / "d" / "b").write_text("b, the first")
    (top / "empty").touch()
    (top / "link").symlink_to("a")
    return top


def archive(layout: ArchiveLayout) -> dict[bytes, str]:
    """Return the digest of each file in it."""
    found = describe_archive(bytes(read_slice(layout, 0, layout.size)))
    return {path: one.content for path, one in found.items() if one.kind == "file"}


def test_what_is_kept_is_sent_whatever_became_of_it(source: Path) -> None:
    entries = scan([f"{source}/"]).entries
    layout = ArchiveLayout(kept(entries, ()), "0123456789abcdef")
    before = archive(ArchiveLayout(entries, "0123456789abcdef"))
    (source / "a").write_text("a, the second")
    (source / "d" / "b").unlink()
    assert archive(layout) == before
    with pytest.raises(SourceChanged):
        archive(ArchiveLayout(entries, "0123456789abcdef"))


def test_what_is_the_same_is_not_read_again_and_what_is_not_is(source: Path) -> None:
    first = kept(scan([f"{source}/"]).entries, ())
    (source / "a").write_text("a, the second")
    second = {one.path: one for one in kept(scan([f"{source}/"]).entries, first)}
    known = {one.path: one for one in first}
    assert second[b"d/b"].content is known[b"d/b"].content
    assert second[b"a"].content == b"a, the second"
    assert all((one.content is None) is (one.kind is not Kind.FILE) for one in first)


def test_of_more_than_there_is_room_for_nothing_is_kept(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = scan([f"{source}/"]).entries
    monkeypatch.setattr(module, "MOST_SIZE", 20)
    assert kept(entries, ()) is entries


def test_what_changes_while_it_is_looked_at_is_told(source: Path) -> None:
    entries = scan([f"{source}/"]).entries
    (source / "a").write_text("another")
    with pytest.raises(SourceChanged):
        kept(entries, ())
