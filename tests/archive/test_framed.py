"""Framed: which files come in a bundle, and how. Shells take them apart in tests/remote/test_without_tar.py."""

import re
from collections.abc import Mapping

import pytest

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.framed import FRAMED, FRAMED_TEXT, MOST_SIZE
from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind


def file(name: str, size: int) -> Entry:
    return Entry(name.encode(), Kind.FILE, size=size)


def framed(contents: Mapping[str, bytes | None], format_: ArchiveFormat = FRAMED) -> tuple[ArchiveFormat, bytes]:
    """Return a format fitted to files of such contents, and the archive of them. None: the file can't be read."""
    entries = [file(name, 1 if content is None else len(content)) for name, content in contents.items()]
    found = format_.fitted(entries, lambda entry: contents[entry.path.decode()])
    layout, archive = ArchiveLayout(entries, "0" * 16, found), b""
    for piece in layout.pieces(0, layout.size):
        content = contents.get(piece.entry.path.decode()) or bytes(piece.entry.size)
        is_encoded = piece.entry.path in found.encoded
        archive += found.encode_header(piece.entry) + (found.encode(content) if is_encoded else content)
    assert len(archive) == layout.size
    return found, archive


def bundles(archive: bytes) -> list[int]:
    """Return how many files each bundle has."""
    counts = []
    while found := re.search(rb"^b (\d+)\n", archive, re.MULTILINE):
        bundle, archive = archive[found.end() :][: int(found[1])], archive[found.end() + int(found[1]) :]
        assert bundle.endswith(b"\x01")
        counts.append(bundle.count(b"\x01") // 2)
    return counts


@pytest.mark.parametrize(
    ("content", "size", "is_bundled", "is_bundled_as_text"),
    [
        (b"text\n", 6, True, True),
        (b"\n\n\n\n", 5, True, True),
        (b"back\\slash", 12, True, True),
        (b"\xfftext", 6, True, False),
        (b"a\0b", 8, True, False),
        (b"a\1b", 8, True, False),
        (b"", 0, False, False),
        (None, 0, False, False),
        (b"x" * MOST_SIZE, MOST_SIZE + 1, True, True),
        (b"x" * (MOST_SIZE + 1), 0, False, False),
        (b"\\" * MOST_SIZE, 0, False, False),
        (b"\0" * (MOST_SIZE // 5), MOST_SIZE // 5 * 5 + 1, True, False),
        (b"\0" * (MOST_SIZE // 5 + 1), 0, False, False),
    ],
)
def test_a_small_file_is_bundled_if_it_stays_small(
    content: bytes | None, size: int, is_bundled: bool, is_bundled_as_text: bool
) -> None:
    for format_, expected in ((FRAMED, is_bundled), (FRAMED_TEXT, is_bundled_as_text)):
        found, _ = framed({"a": content}, format_)
        assert found.encoded == ({b"a": size} if expected else {})


def test_files_that_follow_each_other_share_a_bundle_as_long_as_a_shell_can_bear_it() -> None:
    few = {f"{number:03}": b"\xff" for number in range(5)}
    assert bundles(framed(few)[1]) == [5]
    assert bundles(framed({**few, "between": b"", **{f"{number:03}": b"x" for number in range(10, 12)}})[1]) == [5, 2]
    assert bundles(framed({f"{number:05}": b"x" for number in range(1000)})[1]) == [400, 400, 200]
    large = {f"{number:03}": b"x" * MOST_SIZE for number in range(40)}
    assert bundles(framed(large)[1]) == [15, 15, 10]
