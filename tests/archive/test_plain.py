"""Plain runs against the strict decoder alone: any archive is the same to both, event by event, or error by error.

Fed less than a block at a time, the decoder has no run that it could read, and is strict alone.
"""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asynccp.archive.header import BLOCK
from asynccp.archive.plain import SMALL_SIZE, Whole
from asynccp.archive.tar import Data, Rest, TarDecoder
from asynccp.errors import AsyncCpError
from asynccp.limits import DEFAULT_LIMITS, Limits
from tests import archives
from tests.archive.spelled import spelled
from tests.archives import GNU, POSIX, archive, block, directory, file, long_name, mended, padded, pax, symlink

LESS_THAN_A_HEADER = BLOCK - 1


def outcome(pieces: Iterable[bytes], limits: Limits = DEFAULT_LIMITS) -> tuple[list[object], str]:
    """Return the events, adjacent Data and Rest joined, and where it ended: the error, or what the decoder says."""
    decoder, told, content = TarDecoder(limits), list[object](), bytearray()
    try:
        for piece in pieces:
            for event in spelled(decoder.feed(piece)):
                if isinstance(event, Data | Rest):
                    content += event.data
                    continue
                told += [bytes(content), event]
                content.clear()
    except AsyncCpError as exc:
        return [*told, bytes(content)], f"{type(exc).__name__}: {exc} {exc.hint}"
    return [*told, bytes(content)], f"{decoder.offset} {decoder.memory} {decoder.ended} {decoder.describe()}"


def sliced(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def assert_the_same(data: bytes, limits: Limits = DEFAULT_LIMITS, sizes: Iterable[int] = ()) -> None:
    strict = outcome(sliced(data, LESS_THAN_A_HEADER), limits)
    for size in (len(data), *sizes):
        assert outcome(sliced(data, size), limits) == strict


def count(data: bytes) -> int:
    """Return how many files are read in runs."""
    return sum(isinstance(event, Whole) for event in TarDecoder().feed(data))


# What is read in runs


@pytest.mark.parametrize(
    "tar",
    [
        "tar",
        "tar --format=posix --pax-option=delete=atime,delete=ctime,delete=mtime",
        "busybox tar",
        "bsdtar",
        "toybox tar",
    ],
)
def test_small_files_of_every_tar_are_read_in_runs(tar: str, tmp_path: Path) -> None:
    names = [f"d/{name}" for name in "abcdefgh"]
    (tmp_path / "d").mkdir()
    for name in names:
        (tmp_path / name).write_text(name * 200)
    command = [*tar.split(), "-cf", "-", "d"]
    try:
        data = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True, timeout=30).stdout
    except FileNotFoundError:
        pytest.skip(f"{tar} is not installed")
    assert count(data) == len(names) - 1, "all but the first, from which the others are known"
    assert_the_same(data)


def test_what_is_read_in_runs_is_small_and_like_a_file_before() -> None:
    plain = [file(b"./d/%d" % number, bytes(number)) for number in range(200)]
    assert count(archive(directory(b"./d/"), *plain)) == 199
    assert count(archive(*plain[:3], file(b"./d/x", bytes(SMALL_SIZE)), file(b"./d/y", bytes(SMALL_SIZE + 1)))) == 3
    assert count(archive(*plain[:3], file(b"./d/x", mode=0o755), *plain[3:6], file(b"./d/y", mode=0o755))) == 6
    assert count(archive(*plain[:3], file(b"./e/x"), file(b"./e/y"))) == 3
    assert count(archive(file(b"x", prefix=b"a/b", magic=POSIX), file(b"y", prefix=b"a/b", magic=POSIX))) == 1


# What is not

_A, _SIZE, _TIME = b"./d/a", 124, 136


_PLAIN = block(b"./d/f")


def _with(field: bytes, offset: int, name: bytes = b"./d/b") -> bytes:
    header = bytearray(block(name))
    header[offset : offset + len(field)] = field
    return mended(bytes(header))


ALMOST_PLAIN = {
    "no name": file(b""),
    "directory's name": file(b"./d/"),
    "dot": file(b"./d/."),
    "dots": file(b"./d/.."),
    "dots and more": file(b"./d/..b"),
    "below": file(b"./d/e/f"),
    "climbs": file(b"./d/../f"),
    "absolute": file(b"/d/f"),
    "beside": file(b"./d"),
    "alike": file(b"./dd/f"),
    "without the dot": file(b"d/f"),
    "two slashes": file(b"./d//f"),
    "a name of ours": file(b"./d/.asynccp-0123456789abcdef.partial", b"x"),
    "nearly a name of ours": file(b"./d/.asynccp-notes"),
    "a zero in the name": file(b"./d/a\0b"),
    "a name without end": file(b"./d/" + b"x" * 96),
    "another kind": file(b"./d/f", typeflag=b"5"),
    "a link": file(b"./d/f", typeflag=b"1", link=b"./d/a"),
    "the old kind": file(b"./d/f", typeflag=b"\0"),
    "a device": file(b"./d/f", typeflag=b"3"),
    "an unknown kind": file(b"./d/f", typeflag=b"D"),
    "text for a link": file(b"./d/f", link=b"x"),
    "another format": file(b"./d/f", magic=POSIX),
    "a prefix": file(b"./d/f", magic=POSIX, prefix=b"p"),
    "a prefix of GNU's": file(b"./d/f", prefix=b"p"),
    "no format": file(b"./d/f", magic=archives.V7),
    "another mode": file(b"./d/f", mode=0o600),
    "an impossible mode": file(b"./d/f", mode=b"\xff" * 8),
    "a set-id bit": file(b"./d/f", mode=0o4755),
    "another owner": file(b"./d/f", uid=7),
    "an impossible owner": file(b"./d/f", gid=2**32 - 1),
    "a name for the owner": file(b"./d/f", uname=b"root"),
    "a bad name for the owner": file(b"./d/f", uname=b"a\0b"),
    "digits that are none": _with(b"00000000009", _SIZE),
    "a size in base 256": _with(b"\x80" + bytes(11), _SIZE),
    "a negative size": _with(b"\xff" * 12, _SIZE),
    "a size with blanks": _with(b"         0 \0", _SIZE),
    "a size with a sign": _with(b"-0000000001", _SIZE),
    "a size without end": _with(b"000000000001", _SIZE),
    "a size with text behind it": _with(b"00000000000x", _SIZE),
    "a size with a zero in it": _with(b"000\x0000000000", _SIZE),
    "an enormous size": _with(b"77777777777", _SIZE),
    "a time before 1970": _with(b"\xff" * 12, _TIME),
    "no time": _with(bytes(12), _TIME),
    "a time that is none": _with(b"8" * 11, _TIME),
    "a wrong checksum": _PLAIN[:148] + b"012345\0 " + _PLAIN[156:],
    "a checksum in another form": _PLAIN[:148] + b" " + _PLAIN[148:154] + b"\0" + _PLAIN[156:],
    "a long name": long_name(b"./d/" + b"x" * 120) + file(b"./d/" + b"x" * 96),
    "a pax header": pax({b"path": b"./d/z"}) + file(b"./d/f", magic=POSIX),
    "a name in pax, another in the header": pax({b"path": b"./d/y"}) + file(b"f") + file(b"g"),
    "a pax header for all": pax({b"comment": b"x"}, b"g") + file(b"./d/f"),
    "an extension for nothing": long_name(b"./d/" + b"x" * 120),
    "a zero block": bytes(BLOCK),
    "text": b"text ".ljust(BLOCK, b"."),
}  # fmt: skip


@pytest.mark.parametrize("part", ALMOST_PLAIN.values(), ids=ALMOST_PLAIN)
def test_what_is_only_almost_plain_is_the_strict_decoders(part: bytes) -> None:
    before, behind = file(_A, b"1"), file(b"./d/z", b"3")
    assert_the_same(archive(before, part, behind))
    assert_the_same(archive(before, file(b"./d/y", b"2"), part, behind), sizes=(BLOCK, 3 * BLOCK))


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 1100, 1500, 3000, 10_000])
def test_any_slicing_gives_the_same(size: int) -> None:
    data = archive(*(file(b"./d/%d" % number, b"x" * (number * 53 % 1400)) for number in range(60)))
    assert_the_same(data, sizes=(size,))


def test_a_header_that_came_in_part_is_read_to_its_end() -> None:
    sound, junk = b"".join(file(b"./d/" + name) for name in (b"a", b"b")), b"x" * 100
    data = sound + junk + archive(file(b"./d/c"))
    first = sound + junk
    assert outcome([first, data[len(first) :]]) == outcome(sliced(data, LESS_THAN_A_HEADER))


@pytest.mark.parametrize(
    "limits",
    [Limits(size=3), Limits(size=0), Limits(path_size=5), Limits(path_size=2), Limits(depth=2), Limits(depth=1)],
)
def test_limits_hold_in_runs(limits: Limits) -> None:
    assert_the_same(archive(*(file(b"./d/" + b"x" * size, b"12") for size in range(1, 9))), limits)
    assert_the_same(archive(*(file(b"x" * size, b"1") for size in range(1, 9))), limits)


def test_a_run_remembers_a_few_kinds_of_headers() -> None:
    modes = [0o600 + number for number in range(64)]
    assert_the_same(archive(*(file(b"./d/%d-%d" % (mode, turn), mode=mode) for turn in (0, 1) for mode in modes)))


# Anything

budget = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

names = st.builds(
    bytes.__add__,
    st.sampled_from([b"./a/"] * 9 + [b"", b"./", b"a/", b"./a/b/", b"a//b/", b"x" * 90 + b"/"]),
    st.sampled_from([b"f", b"g", b"h", b"i", b"\xff" * 9, b".f"])
    | st.sampled_from([b".", b"..", b"", b"a/f", b".asynccp-0f.report"]),
)
sizes = st.sampled_from([0, 0, 1, 10, 511, 512, 513, 1024, SMALL_SIZE, SMALL_SIZE + 1])


@st.composite
def members(draw: st.DrawFn) -> bytes:
    name, kind = draw(names), draw(st.sampled_from("f" * 20 + "dslp"))
    if kind == "d":
        return directory(name[:99] + b"/")
    if kind == "s":
        return symlink(name, b"a")
    content = draw(sizes) * b"c"
    magic, prefix = draw(st.sampled_from([(GNU, b"")] * 9 + [(POSIX, b""), (POSIX, b"p/q")]))
    mode = draw(st.sampled_from([0o644] * 9 + [0o755, 0o4755]))
    header = block(
        name[:100], size=len(content), mode=mode, magic=magic, prefix=prefix, mtime=draw(st.integers(0, 2**31))
    )
    before = {"l": long_name(name), "p": pax({b"path": name or b"f"})}.get(kind, b"")
    return before + header + padded(content)


changes = st.tuples(
    st.integers(0, 20),  # of which header
    st.integers(0, BLOCK - 1) | st.integers(0, 12) | st.integers(100, 160),
    st.sampled_from([b"\0", b" ", b"/", b".", b"/..", b"0", b"7", b"8", b"\x80", b"\xff"])
    | st.binary(min_size=1, max_size=3),
    st.booleans(),  # whether the checksum is mended
)
limits = st.sampled_from([DEFAULT_LIMITS] * 3 + [Limits(size=1500), Limits(path_size=8), Limits(depth=2)])


@budget
@given(st.lists(members(), min_size=2, max_size=8), st.lists(changes, max_size=2), limits, st.integers(1, 3000))
def test_any_archive_is_the_same_to_both(
    parts: list[bytes], changed: list[tuple[int, int, bytes, bool]], limits: Limits, size: int
) -> None:
    data = bytearray(archive(*parts))
    headers = [at for at in range(0, len(data), BLOCK) if data[at + 257 : at + 262] == b"ustar"]
    for number, offset, field, is_mended in changed:
        at = headers[number % len(headers)]
        header = bytearray(data[at : at + BLOCK])
        header[offset : offset + len(field)] = field
        data[at : at + BLOCK] = mended(bytes(header[:BLOCK])) if is_mended else header[:BLOCK]
    assert_the_same(bytes(data), limits, (size,))
