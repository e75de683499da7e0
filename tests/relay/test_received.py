"""What a relay pulls for this machine stands here as if it had been pulled from here; no relay writes anywhere else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from asynccp.entry import Entry, Kind, LeftOut
from asynccp.jsonlines import Malformed
from asynccp.limits import Limits
from asynccp.options import Options
from asynccp.plan.plan import Gather, PullPlan
from asynccp.relay.lines import Archived, load, sign_line
from asynccp.relay.received import Received
from asynccp.relay.sent import PIECE_SIZE, Piece, Sent
from asynccp.report import Outcome, Report, Result
from asynccp.sinks.base import Place
from asynccp.target import Target, Transfer

MTIME = 1_600_000_000 * 10**9
TRANSFER = Transfer(Target("shop", "web-0", "main"), "/var/log")
GATHER = Gather(TRANSFER, "web-0", "l\udcffg")
PLACE = Place("web-0", b"l\xffg")
COMPLETE = Result(TRANSFER, Outcome.COMPLETE, entries=1)
Lines = list[tuple[Archived, bytes]]


def archive(*entries: tuple[Entry, bytes | int], place: Place = PLACE, compresses: bool = True) -> Lines:
    """Return what a relay says of one pod's entries."""
    pieces: list[Piece] = []
    sink = Sent(pieces.append, lambda: False).open(place)
    for entry, content in entries:
        sink.begin(replace(entry, path=b"/".join(filter(None, (sink.name, entry.path)))))
        if isinstance(content, int):
            sink.hole(content)
        else:
            for at in range(0, len(content), PIECE_SIZE):
                sink.write(memoryview(content)[at : at + PIECE_SIZE])
        sink.end()
    list(sink.finish(()))
    return [one for piece in pieces for one in told(piece, compresses=compresses)]


def told(piece: Piece, *, compresses: bool) -> Iterator[tuple[Archived, bytes]]:
    lines = piece.lines(compresses=compresses)
    for line, data in zip(lines, lines, strict=True):
        sign = load(line)
        assert isinstance(sign, Archived)
        assert sign.size == len(data)
        yield sign, data


def file(path: bytes, content: bytes | int) -> tuple[Entry, bytes | int]:
    size = content if isinstance(content, int) else len(content)
    return Entry(path, Kind.FILE, size, 0o640, MTIME), content


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def received(destination: Path) -> Received:
    return Received(PullPlan(str(destination), (GATHER,), "0" * 16), Options(limits=Limits(entries=10)))


async def take(received: Received, lines: Lines) -> None:
    for sign, data in lines:
        await received.take(sign, data, lambda one: one == TRANSFER)


def below(top: Path) -> dict[bytes, bytes]:
    return {
        os.path.relpath(os.fsencode(path), os.fsencode(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("compresses", [True, False])
async def test_what_was_sent_stands_here(received: Received, destination: Path, compresses: bool) -> None:
    noise, text = os.urandom(3 * PIECE_SIZE), b"a line\n" * PIECE_SIZE
    lines = archive(
        (Entry(b"", Kind.DIRECTORY, mode=0o750, mtime_ns=MTIME), b""),
        file(b"noise", noise), file(b"text", text), file(b"empty", b""), file(b"hole", PIECE_SIZE + 5),
        (Entry(b"link", Kind.SYMLINK, link=b"text", mtime_ns=MTIME), b""),
        (Entry(b"name", Kind.HARDLINK, link=b"l\xffg/text"), b""),
        compresses=compresses,
    )  # fmt: skip
    assert {sign.codec for sign, _ in lines} == ({"", "zstd"} if compresses else {""})
    await take(received, lines)
    settled = await received.settled(replace(COMPLETE, entries=7))
    assert settled == replace(COMPLETE, entries=7)
    top = destination / "web-0" / "l\udcffg"
    assert below(top) == {
        b"noise": noise, b"text": text, b"empty": b"", b"hole": bytes(PIECE_SIZE + 5), b"link": text, b"name": text
    }  # fmt: skip
    assert (top / "name").samefile(top / "text")
    assert (top / "text").stat().st_mode & 0o777 == 0o640
    assert (top.stat().st_mode & 0o777, top.stat().st_mtime_ns) == (0o750, MTIME)
    assert await received.finish(Report("pull", [settled])) == Report("pull", [settled])
    await received.close()


async def test_what_a_lost_relay_left_torn_gives_way_to_the_next_ones(received: Received, destination: Path) -> None:
    await take(received, archive(file(b"large", bytes(3 * PIECE_SIZE)), file(b"b", b"old"), compresses=False)[:2])
    await take(received, archive(file(b"b", b"new")))
    assert (await received.settled(COMPLETE)).outcome is Outcome.COMPLETE
    assert below(destination) == {b"web-0/l\xffg/b": b"new"}
    await received.close()


async def test_an_archive_without_its_end_is_not_complete_whatever_the_relay_says(
    received: Received, destination: Path
) -> None:
    await take(received, archive(file(b"a", b"a"), file(b"large", bytes(3 * PIECE_SIZE)), compresses=False)[:-2])
    settled = await received.settled(COMPLETE)
    assert (settled.outcome, settled.error_class) == (Outcome.FAILED, "ProtocolViolation")
    assert below(destination) == {b"web-0/l\xffg/a": b"a"}, "and nothing torn stays"
    nothing = await received.settled(COMPLETE)
    assert nothing.outcome is Outcome.FAILED, "nor is one of which nothing came"
    failed = replace(COMPLETE, outcome=Outcome.FAILED, entries=0, error="gone")
    assert await received.settled(failed) == failed


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (file(b"../../escaped", b"x"), "UnsafeEntry"),
        (file(b"../other", b"x"), "UnsafeEntry"),
        ((Entry(b"name", Kind.HARDLINK, link=b"elsewhere"), b""), "UnsafeEntry"),
    ],
)
async def test_a_relay_is_believed_no_more_than_a_pod(
    received: Received, tmp_path: Path, entry: tuple[Entry, bytes | int], why: str
) -> None:
    await take(received, archive(entry, file(b"next", b"x")))
    settled = await received.settled(COMPLETE)
    assert (settled.outcome, settled.error_class) == (Outcome.FAILED, why)
    assert below(tmp_path) == {}


async def test_what_this_machine_leaves_out_is_named(received: Received) -> None:
    link = Entry(b"out", Kind.SYMLINK, link=b"../../../etc", mtime_ns=MTIME)
    await take(received, archive(file(b"a", b"a"), (link, b"")))
    settled = await received.settled(replace(COMPLETE, left_out=(LeftOut(b"pods", "why"),)))
    assert settled.outcome is Outcome.PARTIAL
    assert [one.path for one in settled.left_out] == [b"pods", b"l\xffg/out"]


async def test_a_disk_that_takes_nothing_is_the_pods_own_failure(received: Received, destination: Path) -> None:
    (destination / "web-0").mkdir(parents=True)
    (destination / "web-0" / "l\udcffg").write_text("a file")
    await take(received, archive(file(b"a", b"a"), file(b"b", b"b")))
    settled = await received.settled(COMPLETE)
    assert (settled.outcome, settled.error_class) == (Outcome.FAILED, "DestinationError")


async def test_what_nobody_asked_for_ends_the_relay(received: Received, tmp_path: Path) -> None:
    other = archive(file(b"a", b"a"), place=Place("../web-1", b"log"))
    with pytest.raises(Malformed):
        await take(received, other)
    headless = [(sign._replace(begins=False), data) for sign, data in archive(file(b"a", b"a"))]
    with pytest.raises(Malformed):
        await take(received, headless)
    assert below(tmp_path) == {}
    with pytest.raises(Malformed):
        await received.take(*archive(file(b"a", b"a"))[0], asked=lambda _: False)
    assert below(tmp_path) == {}


@pytest.mark.parametrize("more", ['"size": -1', '"size": 1e18', '"size": "1"', '"size": 99999999', '"name": []'])
def test_what_no_relay_would_say_is_not_believed(more: str) -> None:
    line = sign_line(Archived("d", "n", 5, "zstd", True)).replace("}", f", {more}}}")
    with pytest.raises(Malformed):
        load(line.encode())
