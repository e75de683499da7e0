"""The decoder against generated archives. Random bytes never pass a checksum, so mutations get theirs mended."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asynccp.archive.header import BLOCK, END, encode_header, header_size, padding
from asynccp.archive.tar import ArchiveEnd, Data, Event, Hole, Member, MemberEnd, TarDecoder, member_path
from asynccp.entry import Entry, Kind
from asynccp.errors import AsyncCpError
from asynccp.ours import ours_above
from asynccp.text import printable
from tests import archives
from tests.archive.spelled import spelled
from tests.archive.test_tar import decode, rich_archive
from tests.archives import archive, mended

budget = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

RICH = rich_archive()
HEADERS = [position for position in range(0, len(RICH), BLOCK) if RICH[position + 257 :][:5] == b"ustar"]

components = st.binary(min_size=1, max_size=80).filter(
    lambda name: not set(name) & {0, 0x2F} and name not in (b".", b"..") and not ours_above(name)
)
paths = st.lists(components, min_size=1, max_size=5).map(b"/".join)
targets = st.binary(min_size=1, max_size=150).filter(lambda target: 0 not in target)
contents = st.binary(max_size=1500)


@st.composite
def entries(draw: st.DrawFn) -> tuple[Entry, bytes]:
    kind = draw(st.sampled_from(Kind))
    content = draw(contents) if kind is Kind.FILE else b""
    link = {Kind.SYMLINK: targets, Kind.HARDLINK: paths}.get(kind, st.just(b""))
    return (
        Entry(
            path=draw(paths),
            kind=kind,
            size=len(content),
            mode=draw(st.integers(0, 0o7777)),
            mtime_ns=draw(st.integers(-(2**40), 2**40)) * 10**9,
            uid=draw(st.integers(0, 2**32 - 2)),
            gid=draw(st.integers(0, 2**32 - 2)),
            link=draw(link),
        ),
        content,
    )


@budget
@given(st.lists(entries(), max_size=5))
def test_what_is_encoded_is_decoded_again(pairs: list[tuple[Entry, bytes]]) -> None:
    expected: list[Event | tuple[str, bytes]] = []
    data = b""
    for entry, content in pairs:
        assert len(encode_header(entry)) == header_size(entry)
        data += encode_header(entry) + content + bytes(padding(len(content)))
        expected += [Member(entry), *([("Data", content)] if content else []), MemberEnd()]
    assert decode(data + END) == [*expected, ArchiveEnd()]


@budget
@given(st.lists(st.integers(1, 2000), max_size=20))
def test_any_slicing_gives_the_same_events(sizes: list[int]) -> None:
    assert decode(RICH, sizes) == decode(RICH)


def drain(data: bytes) -> bool:
    """Decode what may be anything; return whether it is a whole archive. Checks what holds for every accepted one."""
    decoder, missing = TarDecoder(), 0
    words = ""
    try:
        for event in spelled(decoder.feed(data)):
            match event:
                case Member(entry):
                    assert entry.path == member_path(entry.path or b".", directory=True)
                    assert not entry.path.startswith(b"/")
                    assert b".." not in entry.path.split(b"/")
                    missing = entry.size
                case Data(piece):
                    missing -= len(piece)
                case Hole(size):
                    missing -= size
                case MemberEnd():
                    assert missing == 0
    except AsyncCpError as exc:
        words = str(exc)
    assert printable(words + decoder.describe(), 10_000) == words + decoder.describe()
    return decoder.ended and not words


@budget
@given(
    st.sampled_from(HEADERS),
    st.lists(st.tuples(st.integers(0, BLOCK - 1), st.binary(min_size=1, max_size=12)), min_size=1, max_size=4),
)
def test_headers_with_random_fields_raise_only_our_errors(position: int, changes: list[tuple[int, bytes]]) -> None:
    header = bytearray(RICH[position : position + BLOCK])
    for offset, field in changes:
        header[offset : offset + len(field)] = field
    drain(RICH[:position] + mended(bytes(header[:BLOCK])) + RICH[position + BLOCK :])


@budget
@given(st.sampled_from(HEADERS), st.sampled_from(b"01234567LKxgDMNSVX\0"), st.integers(-1, 2**70))
def test_headers_with_another_kind_and_size_raise_only_our_errors(position: int, typeflag: int, size: int) -> None:
    header = archives.block(b"./x", typeflag=bytes((typeflag,)), size=size, link=b"./d/f")
    drain(RICH[:position] + header + RICH[position + BLOCK :])


@budget
@given(st.lists(st.sampled_from([b"5 ", b"12 ", b"path=", b"size=", b"GNU.sparse.", b"x", b"\n", b"\0", b"=", b"9"])))
def test_random_pax_payloads_raise_only_our_errors(pieces: list[bytes]) -> None:
    drain(archive(archives.pax(b"".join(pieces)), archives.file(b"a", b"x")))


@budget
@given(st.integers(0, 2**62), st.lists(st.integers(0, 50) | st.just(2**63), max_size=8), st.integers(0, 600))
def test_random_sparse_maps_raise_only_our_errors(real_size: int, numbers: list[int], content_size: int) -> None:
    map_ = b"".join(b"%d\n" % number for number in [len(numbers) // 2, *numbers])
    drain(archive(archives.sparse(b"s", real_size, map_, bytes(content_size))))


@budget
@given(st.lists(st.integers(0, len(RICH) // BLOCK - 1), max_size=30))
def test_shuffled_blocks_raise_only_our_errors(order: list[int]) -> None:
    drain(b"".join(RICH[index * BLOCK : (index + 1) * BLOCK] for index in order))


@budget
@given(st.binary(max_size=3000))
def test_random_bytes_are_no_archive(data: bytes) -> None:
    assert not drain(data) or data.startswith(END)


@budget
@given(st.integers(0, len(RICH) - 1))
def test_a_cut_archive_has_not_ended(size: int) -> None:
    assert not drain(RICH[:size])
