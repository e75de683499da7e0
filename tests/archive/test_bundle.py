"""Bundles: small files of a container without tar, read as hostile input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.archive.bundle import MAX_SIZE, TYPEFLAG, read_bundle
from asynccp.archive.plain import Whole
from asynccp.archive.tar import Event, TarDecoder
from asynccp.entry import LeftOut
from asynccp.errors import AsyncCpError, ProtocolViolation, UnsafeEntry
from asynccp.limits import DEFAULT_LIMITS
from asynccp.text import printable
from tests.archives import archive, file

LINE = b"81a4 %d 1700000000 1000 100 64 7 1 2026-11-25 10:00:00.000000000 +0000 //./log/%b\n"


def bundle(*files: tuple[bytes, bytes], end: bytes = b".good\n") -> bytes:
    lines = b"".join(LINE % (len(content), name) for name, content in files)
    return lines + b"\n" + b"".join(content for _, content in files) + end


def member(content: bytes, typeflag: bytes = TYPEFLAG) -> bytes:
    return file(b"x", content, typeflag=typeflag)


def decoded(data: bytes, step: int = 1 << 30) -> list[Event]:
    decoder = TarDecoder(bundles=True)
    return [
        one if not isinstance(one, Whole) else Whole(one.entry, memoryview(bytes(one.content)))
        for at in range(0, len(data), step)
        for one in decoder.feed(data[at : at + step])
    ]


FILES = (b"a", b"x" * 100), (b"b//c", b"\n\nasynccp"), (b"last", b"\0\1")


@pytest.mark.parametrize("step", [1, 511, 513, 1 << 30])
def test_the_files_of_a_bundle_are_told_whole(step: int) -> None:
    events = decoded(archive(member(bundle(*FILES)), file(b"log/z", b"after")), step)
    found = [one for one in events if isinstance(one, Whole)]
    assert [(one.entry.path, bytes(one.content)) for one in found[:3]] == [
        (b"log/a", FILES[0][1]),
        (b"log/b/c", FILES[1][1]),
        (b"log/last", FILES[2][1]),
    ]
    entry = found[0].entry
    assert (entry.mode, entry.mtime_s, entry.uid, entry.gid, entry.size) == (0o644, 1_700_000_000, 1000, 100, 100)


def test_of_one_that_is_not_good_nothing_counts() -> None:
    for end in (b".else\n", b"!else\n"):
        assert read_bundle(bundle(*FILES, end=end)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n.good\n",
        bundle(*FILES)[:-1],
        bundle(*FILES) + b"\n",
        bundle(*FILES, end=b"xgood\n"),
        bundle(*FILES, end=b".fine\n"),
        bundle((b"a\n81a4 1 1 1 1 //./b", b"x")),
        bundle((b"a\0b", b"x")),
        bundle(*FILES).replace(b"81a4", b"41ed"),
        bundle(*FILES).replace(b"81a4", b"+1a4"),
        bundle(*FILES).replace(b" 1000 ", b" 4294967295 "),
        bundle(*FILES).replace(b" 1000 ", b" -1 "),
        bundle(*FILES).replace(b" 100 1700", b" 99 1700"),
        bundle(*FILES).replace(b" 100 1700", b" 99999999999 1700"),
        bundle(*FILES).replace(b" 100 1700", b" \xd9\xa3 1700"),
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_bundle(data)


@pytest.mark.parametrize("name", [b"../evil", b"/etc/passwd", b"..", b"a/../../b", b"", b"dir/", b"n" * 256])
def test_no_name_of_a_bundle_leads_out(name: bytes) -> None:
    data = bundle((b"NAME", b"x")).replace(b"./log/NAME", name)
    with pytest.raises((UnsafeEntry, ProtocolViolation)):
        decoded(archive(member(data)))


def test_a_name_of_ours_is_left_out_as_elsewhere() -> None:
    name = b".asynccp-0123456789abcdef.partial"
    events = decoded(archive(member(bundle((name, b"x"), (b"b", b"y")))))
    assert [type(one) for one in events[:2]] == [LeftOut, Whole]


def test_a_bundle_keeps_the_limits_of_an_archive() -> None:
    decoder = TarDecoder(DEFAULT_LIMITS._replace(size=150), bundles=True)
    with pytest.raises(UnsafeEntry):
        list(decoder.feed(member(bundle((b"a", b"x" * 100), (b"b", b"y" * 100)))))
    with pytest.raises(ProtocolViolation):
        decoded(member(b"x" * (MAX_SIZE + 1)))


def test_where_none_is_expected_it_is_of_an_unknown_kind() -> None:
    with pytest.raises(ProtocolViolation, match="unknown kind"):
        list(TarDecoder().feed(member(bundle(*FILES))))


def test_it_is_not_told_before_it_is_whole() -> None:
    data = member(bundle(*FILES))
    assert decoded(data[:-513]) == []


@given(st.binary(max_size=300))
def test_any_bytes_are_a_bundle_or_refused_in_words(noise: bytes) -> None:
    sound = bundle(*FILES)
    for data in (noise, sound[:80] + noise, sound + noise, noise + sound):
        said = ""
        try:
            read_bundle(data)
        except AsyncCpError as exc:
            said = str(exc)
        assert printable(said, len(said)) == said
