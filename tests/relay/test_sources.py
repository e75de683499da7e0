"""Sources that come into a relay are what the plan says, byte for byte, or are refused."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from asynccp.archive.compression import ZSTD
from asynccp.archive.layout import ArchiveLayout
from asynccp.errors import AsyncCpError, SourceChanged
from asynccp.jsonlines import Malformed
from asynccp.local.read import read_slice
from asynccp.local.scan import scan
from asynccp.options import Filtering
from asynccp.plan.plan import PushPlan
from asynccp.relay.sources import PART_SIZE, Taking, Unfit, given, kept

TOKEN = "0" * 16


@pytest.fixture
def plan(tmp_path: Path) -> PushPlan:
    top = tmp_path / "config"
    (top / "d").mkdir(parents=True)
    (top / "d" / "large").write_bytes(os.urandom(PART_SIZE + 12345))
    (top / "text").write_text("a line of text\n" * 300_000)
    (top / "empty").touch()
    for number in range(300):
        (top / "d" / f"{number}\udcff").write_text(f"{number}\n")
    (top / "link").symlink_to("text")
    os.link(top / "text", top / "text too")
    os.utime(top / "text", ns=(1, 1_700_000_000_123_456_789))
    found = scan([str(top)], False, Filtering())
    return PushPlan((str(top),), ArchiveLayout(found.entries, TOKEN), ())


def fed(taking: Taking, pieces: Iterable[bytes | memoryview], size: int = 100_000) -> None:
    for piece in pieces:
        for start in range(0, len(piece), size):
            taking.feed(bytes(piece[start : start + size]))


def whole(layout: ArchiveLayout) -> bytes:
    return b"".join(
        bytes(read_slice(layout, at, min(at + PART_SIZE, layout.size))) for at in range(0, layout.size, PART_SIZE)
    )


@pytest.mark.parametrize("codec", ["", ZSTD])
@pytest.mark.parametrize("size", [7777, 4 * PART_SIZE])
def test_what_came_is_read_as_the_sources_are(plan: PushPlan, tmp_path: Path, codec: str, size: int) -> None:
    taking = Taking(tmp_path / "relay", ZSTD)
    (tmp_path / "relay").mkdir()
    fed(taking, [*given(plan, codec), b"what follows"], size)
    found = kept(tmp_path / "relay")
    assert found.digest == plan.digest
    assert found.layout.token == TOKEN
    assert whole(found.layout) == whole(plan.layout)
    assert taking.rest == b"what follows"
    sources = {one.origin.path for one in found.entries if one.origin and one.size}
    assert all(path.startswith(os.fsencode(tmp_path / "relay")) for path in sources)


def test_another_relay_takes_from_the_first_what_came_to_it(plan: PushPlan, tmp_path: Path) -> None:
    first, second = Taking(tmp_path / "a", ZSTD), Taking(tmp_path / "b", ZSTD)
    for name in "ab":
        (tmp_path / name).mkdir()
    fed(first, given(plan, ZSTD))
    fed(second, given(kept(tmp_path / "a"), ""))
    assert first.digest == second.digest
    assert whole(kept(tmp_path / "b").layout) == whole(plan.layout)


def test_a_compressible_source_crosses_the_line_in_less(plan: PushPlan) -> None:
    assert sum(map(len, given(plan, ZSTD))) < sum(map(len, given(plan, ""))) - 4_000_000


def damaged(pieces: Iterator[bytes | memoryview], number: int, piece: bytes | None) -> Iterator[bytes]:
    for at, one in enumerate(pieces):
        if at != number:
            yield bytes(one)
        elif piece is not None:
            yield piece


@pytest.mark.parametrize(
    ("number", "piece"),
    [
        (0, b"{}\n"),
        (0, b'{"type": "Over"}\n'),
        (1, b"r 17 +\n"),
        (1, b"r 1048577 +\n"),
        (1, b"q 1048576 +\n"),
        (1, b"x" * 100),
        (1, b"z 1048576 +\n"),
        (2, bytes(PART_SIZE)),
        (-1, b"0" * 64 + b"\n"),
    ],
)
def test_what_is_not_what_was_sent_is_refused(plan: PushPlan, tmp_path: Path, number: int, piece: bytes) -> None:
    pieces = [*given(plan, "")]
    taking = Taking(tmp_path, ZSTD)
    with pytest.raises((Unfit, Malformed, AsyncCpError)):
        fed(taking, damaged(iter(pieces), number % len(pieces), piece))
    assert not taking.digest
    with pytest.raises(OSError, match="plan"):
        kept(tmp_path)


def test_a_source_that_changes_while_it_is_sent_is_named(plan: PushPlan, tmp_path: Path) -> None:
    pieces = given(plan, "")
    next(pieces)
    (tmp_path / "config" / "text").write_text("other")
    with pytest.raises(SourceChanged, match="text"):
        list(pieces)


def test_names_are_no_paths_in_a_relay(plan: PushPlan, tmp_path: Path) -> None:
    """A plan that somebody has forged writes where its numbers say, and nowhere else."""
    (tmp_path / "relay").mkdir()
    entries = [replace(one, path=b"../" + one.path) for one in plan.entries]
    taking = Taking(tmp_path / "relay", ZSTD)
    forged = replace(plan, layout=ArchiveLayout(entries, TOKEN))
    fed(taking, given(forged, ""))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config", "relay"]
    assert sorted(one.name.partition("-")[0] for one in (tmp_path / "relay").iterdir()) == ["files", "plan"]


def test_what_a_relay_has_stays_as_it_is_when_it_is_brought_once_more(plan: PushPlan, tmp_path: Path) -> None:
    """Who pushes from it reads it."""
    (tmp_path / "relay").mkdir()
    fed(Taking(tmp_path / "relay", ZSTD), given(plan, ""))
    first = kept(tmp_path / "relay")
    fed(Taking(tmp_path / "relay", ZSTD), given(plan, ""))
    assert whole(first.layout) == whole(plan.layout) == whole(kept(tmp_path / "relay").layout)
