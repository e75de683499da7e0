"""The layout says where every byte of an archive lies before one is read: against archives that are built whole."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.archive.header import encode_header
from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind
from asynccp.options import CHUNK_SIZE, RECORD_SIZE

from .reference import TOKEN, member, reference, sentinel

GIB = 1024**3


def sliced(layout: ArchiveLayout, start: int, stop: int) -> bytes:
    """Return a slice of the archive as its pieces describe it; where they leave holes there are zeros."""
    found, end = bytearray(stop - start), 0
    for piece in layout.pieces(start, stop):
        assert end <= piece.offset, "pieces overlap, or come out of order"
        assert piece.start < piece.stop, "an empty piece"
        end = piece.offset + piece.stop - piece.start
        found[piece.offset : end] = member(piece.entry)[piece.start : piece.stop]
    assert end <= len(found), "a piece goes beyond the slice"
    return bytes(found)


SOME = [
    Entry(b"config", Kind.DIRECTORY, mode=0o755),
    Entry(b"config/a", Kind.FILE, 1),
    Entry(b"config/b", Kind.FILE, 512),
    Entry(b"config/empty", Kind.FILE),
    Entry(b"config/" + b"n" * 200, Kind.FILE, 70_000),
    Entry(b"config/sub", Kind.DIRECTORY, mode=0o700),
    Entry(b"other", Kind.FILE, 513),
]
LINKS = [Entry(b"config/link", Kind.SYMLINK, link=b"a"), Entry(b"config/" + b"h" * 99, Kind.HARDLINK, link=b"config/a")]


@st.composite
def trees(draw: st.DrawFn) -> list[Entry]:
    paths = draw(st.lists(st.binary(min_size=1, max_size=3) | st.binary(min_size=98, max_size=103), unique=True))
    paths = [path.replace(b"\0", b"0") + b"%d" % index for index, path in enumerate(paths)]
    entries = []
    for path in paths:
        kind = draw(st.sampled_from(Kind))
        size = draw(st.sampled_from([0, 1, 511, 512, 513, 5000])) if kind is Kind.FILE else 0
        link = draw(st.sampled_from([b"x", b"l" * 99, b"l" * 101])) if kind in (Kind.SYMLINK, Kind.HARDLINK) else b""
        entries.append(Entry(path, kind, size, link=link))
    return entries


@given(trees(), st.data())
def test_any_slice_is_that_of_the_whole_archive(entries: list[Entry], data: st.DataObject) -> None:
    layout, whole = ArchiveLayout(entries, TOKEN), reference(entries)
    assert layout.size == len(whole)
    start = data.draw(st.integers(0, layout.size))
    stop = data.draw(st.integers(start, layout.size))
    assert sliced(layout, start, stop) == whole[start:stop]


@pytest.mark.parametrize("entries", [[], SOME, SOME + LINKS, LINKS, SOME[:1]], ids=len)
@pytest.mark.parametrize("step", [997, 512, RECORD_SIZE, CHUNK_SIZE])
def test_slices_one_after_the_other_are_the_whole_archive(entries: list[Entry], step: int) -> None:
    layout, whole = ArchiveLayout(entries, TOKEN), reference(entries)
    parts = [sliced(layout, start, min(start + step, layout.size)) for start in range(0, layout.size, step)]
    assert b"".join(parts) == whole


def test_every_single_byte_can_be_asked_for() -> None:
    layout, whole = ArchiveLayout(SOME[:4], TOKEN), reference(SOME[:4])
    places = range(layout.size)
    assert b"".join(sliced(layout, at, at + 1) for at in places) == whole[: len(places)]


def test_a_slice_of_nothing_has_no_pieces() -> None:
    layout = ArchiveLayout(SOME, TOKEN)
    assert [list(layout.pieces(at, at)) for at in (0, 1, 512, layout.size)] == [[], [], [], []]


@given(trees())
def test_sizes_are_whole_blocks(entries: list[Entry]) -> None:
    layout = ArchiveLayout(entries, TOKEN)
    assert (layout.blocks.first + layout.blocks.second) * layout.blocks.size == layout.size
    assert layout.blocks.first >= 1
    assert (layout.chunks - 1) * CHUNK_SIZE < layout.size <= layout.chunks * CHUNK_SIZE


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        (0, (4096, 1, 0)),  # its header, the sentinel's and the end marker are 2 KiB
        (4096 - 4 * 512, (4096, 1, 0)),
        (4096 - 4 * 512 + 1, (4096, 2, 0)),
        (RECORD_SIZE - 2 * 512, (4096, 17, 0)),  # two headers and it are a record: with the end marker it is more
        (RECORD_SIZE - 2 * 512 + 1, (RECORD_SIZE, 2, 0)),
        (2 * RECORD_SIZE - 4 * 512, (RECORD_SIZE, 2, 0)),  # the end marker fills the record exactly
        (2 * RECORD_SIZE - 4 * 512 + 1, (RECORD_SIZE, 3, 0)),
    ],
)
def test_a_small_archive_is_filled_up_to_small_blocks_and_any_other_to_records(
    content: int, blocks: tuple[int, int, int]
) -> None:
    layout = ArchiveLayout([Entry(b"a", Kind.FILE, content)], TOKEN)
    assert layout.blocks == blocks


@pytest.mark.parametrize(
    ("entries", "has_second"),
    [
        (SOME, False),
        (SOME + LINKS, True),
        ([*SOME, Entry(b"link", Kind.SYMLINK, link=b"config/a")], False),  # in the destination, which is not ours
        ([Entry(b"sub/link", Kind.SYMLINK, link=b"a")], False),  # no directory is sent
    ],
)
def test_a_second_archive_settles_directories_that_hold_links(entries: list[Entry], has_second: bool) -> None:
    layout = ArchiveLayout(entries, TOKEN)
    assert (layout.blocks.second > 0) is has_second


def test_the_sentinel_is_the_last_member_of_each_archive() -> None:
    layout = ArchiveLayout(SOME + LINKS, TOKEN)
    border = layout.blocks.first * layout.blocks.size
    for start, stop in ((0, border), (border, layout.size)):
        *_, last = layout.pieces(start, stop)
        assert last.entry == sentinel(SOME + LINKS)
        assert last.stop == len(encode_header(last.entry))


@pytest.mark.parametrize(
    ("entries", "sent"),
    [
        ([], "0-0"),
        ([Entry(b"a", Kind.FILE, 7)], "1-7"),
        ([Entry(b"d", Kind.DIRECTORY), Entry(b"d/l", Kind.SYMLINK, link=b"../a")], "2-0"),
        ([Entry(b"a", Kind.FILE, 7), Entry(b"b", Kind.HARDLINK, link=b"a")], "2-14"),
        (SOME + LINKS, f"9-{1 + 512 + 70_000 + 513 + 1}"),
    ],
)
def test_the_sentinel_is_called_after_what_will_stand_in_the_pod(entries: list[Entry], sent: str) -> None:
    layout = ArchiveLayout(entries, TOKEN)
    assert layout.sent == sent
    *_, last = layout.pieces(0, layout.size)
    assert last.entry.path == f".asynccp-{TOKEN}-{sent}".encode()


def test_directories_come_again_deepest_first() -> None:
    layout = ArchiveLayout(SOME, TOKEN)
    paths = [piece.entry.path for piece in layout.pieces(0, layout.size)]
    assert paths == [entry.path for entry in SOME] + [b"config/sub", b"config", sentinel(SOME).path]


def test_a_file_of_any_size_is_placed_without_its_bytes() -> None:
    huge = Entry(b"huge", Kind.FILE, 9 * GIB + 1)
    small_file = Entry(b"small", Kind.FILE, 3)
    layout = ArchiveLayout([huge, small_file], TOKEN)
    after_huge = 512 + 9 * GIB + 512
    assert layout.size == -(-(after_huge + 1024 + 512 + 1024) // RECORD_SIZE) * RECORD_SIZE
    (piece,) = layout.pieces(8 * GIB, 8 * GIB + CHUNK_SIZE)
    assert (piece.entry, piece.offset, piece.start, piece.stop) == (huge, 0, 8 * GIB, 8 * GIB + CHUNK_SIZE)
    end, small, last = layout.pieces(after_huge - 10, layout.size)
    assert (end.entry, end.start, end.stop) == (huge, after_huge - 10, after_huge)
    assert (small.entry.path, small.offset) == (b"small", 10)
    assert (last.entry, last.offset) == (sentinel([huge, small_file]), 10 + 1024)


def lines_that_place(count: int) -> int:
    """Return how many lines of Python it takes to place so many entries, and to cut all that into chunks."""
    entries = [Entry(b"some/directory/%06d" % index, Kind.FILE, index % 2000) for index in range(count)]
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        layout = ArchiveLayout(entries, TOKEN)
        found = 0
        for index in range(layout.chunks):
            found += sum(1 for _ in layout.pieces(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE))
    finally:
        sys.settrace(before)
    assert count + 1 <= found <= count + 1 + 2 * layout.chunks  # a member at a border is in two slices
    return lines


def test_twice_the_entries_take_twice_the_work() -> None:
    assert lines_that_place(16_000) == pytest.approx(2 * lines_that_place(8_000), rel=0.1)


@pytest.mark.parametrize("size", [1, 3, 16, 10**6])
def test_parts_cover_the_whole_and_none_belongs_to_both_archives(size: int) -> None:
    late = [Entry(b"d", Kind.DIRECTORY), Entry(b"d/l", Kind.SYMLINK, link=b"a"), Entry(b"f", Kind.FILE, 900_000)]
    layout, step = ArchiveLayout(late, "0123456789abcdef"), size * RECORD_SIZE // 2
    assert layout.blocks.second > 0
    parts = [layout.part(index, step) for index in range(layout.parts(step))]
    assert [0, *(stop for _, stop, _ in parts)] == [*(start for start, _, _ in parts), layout.size]
    assert all(0 < stop - start <= step for start, stop, _ in parts)
    assert [stop for _, stop, last in parts if last] == [layout.blocks.first * layout.blocks.size, layout.size]
