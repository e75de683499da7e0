"""What came of single entries, as the lines under a pod's line say it."""

import pytest

from asynccp.entry import LeftOut, NotKept
from asynccp.report import Outcome, Result, Tally
from asynccp.ui.entries import grown_lines, left_out_lines, not_kept_lines, notes, tally_words

from .screen import pod

FIFO, OUT = "a FIFO, which is never copied", "its target, /dev/stdout, leads out of the pod's directory"


TEN = "p0, p1, p2, p3, p4, p5, p6, p7, p8, p9"


def paths(count: int) -> list[bytes]:
    return [f"p{number}".encode() for number in range(count)]


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        ([], []),
        ([(b"f/p", FIFO)], [f"left out f/p: {FIFO}"]),
        ([(b"f/p", FIFO), (b"f/l", OUT)], [f"left out f/p: {FIFO}", f"left out f/l: {OUT}"]),
        ([(b"a", FIFO), (b"l", OUT), (b"b", FIFO)], [f"left out a, b: {FIFO}", f"left out l: {OUT}"]),
        ([(path, FIFO) for path in paths(10)], [f"left out {TEN}: {FIFO}"]),
        (
            [(path, FIFO) for path in paths(300)],
            [f"left out {TEN}: {FIFO}", "left out 290 more (-o json has all)"],
        ),
        (
            [(path, path.decode()) for path in paths(12)],
            [*(f"left out p{number}: p{number}" for number in range(10)), "left out 2 more (-o json has all)"],
        ),
    ],
)
def test_the_first_ten_that_were_left_out_are_named_with_the_reason(
    left_out: list[tuple[bytes, str]], expected: list[str]
) -> None:
    assert left_out_lines([LeftOut(path, reason) for path, reason in left_out]) == expected


@pytest.mark.parametrize(
    ("not_kept", "expected"),
    [
        ([], []),
        ([(b"bin/su", "set-id bits")], ["not kept: bin/su: set-id bits"]),
        ([(b"a", "set-id bits"), (b"b", "set-id bits")], ["not kept: set-id bits of 2 entries: a, b"]),
        ([(path, "set-id bits") for path in paths(12)], ["not kept: set-id bits of 12 entries: p0, p1, p2 and 9 more"]),
        (
            [(b"a", "set-id bits"), (b"c", "the sticky bit"), (b"b", "set-id bits")],
            ["not kept: set-id bits of 2 entries: a, b", "not kept: c: the sticky bit"],
        ),
        (
            [(path, f"mode {path.decode()}") for path in paths(12)],
            [
                *(f"not kept: p{number}: mode p{number}" for number in range(10)),
                "not kept: other things of 2 entries (-o json has all)",
            ],
        ),
    ],
)
def test_what_was_not_kept_is_said_once_for_each_kind(not_kept: list[tuple[bytes, str]], expected: list[str]) -> None:
    assert not_kept_lines([NotKept(path, what) for path, what in not_kept]) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, ["1 file grew while it was read, complete up to the size it had: p0"]),
        (2, ["2 files grew while they were read, complete up to the size they had: p0, p1"]),
        (
            12,
            [f"12 files grew while they were read, complete up to the size they had: {TEN} and 2 more"],
        ),
    ],
)
def test_files_that_grew_are_named(count: int, expected: list[str]) -> None:
    assert grown_lines(paths(count)) == expected


def test_what_was_copied_is_never_called_left_out() -> None:
    result = Result(pod(), Outcome.COMPLETE, not_kept=(NotKept(b"bin/su", "set-id bits"),), grown=(b"log",))
    assert len(notes(result)) == 2
    assert "left out" not in "".join(notes(result))


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\r\nb", "\u202egpj", "\x9b31m", "\xad\u200b"])
def test_no_name_and_no_reason_reaches_the_terminal_raw(hostile: str) -> None:
    raw = hostile.encode()
    result = Result(
        pod(), Outcome.PARTIAL, grown=(raw, b"\xff"), left_out=(LeftOut(raw, hostile),),
        not_kept=(NotKept(raw, hostile), NotKept(b"x", hostile)),
    )  # fmt: skip
    assert all(line.isprintable() for line in notes(result))


def test_a_million_entries_cost_a_few_lines() -> None:
    many = tuple(NotKept(b"a/" * 2000, "set-id bits") for _ in range(100_000))
    (line,) = not_kept_lines(many)
    assert line.startswith("not kept: set-id bits of 100000 entries: a/a/")
    assert len(line) < 4000


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(), []),
        (Tally(new=3), []),
        (Tally(same=3), ["3 the same"]),
        (Tally(new=1, same=3, saved=2048), ["1 new", "3 the same", "2.0 KiB saved"]),
        (Tally(changed=1, saved=1024), ["1 changed", "1.0 KiB saved"]),
        (
            Tally(1, 2, 3, 4, 5, 6, 7),
            ["1 new", "2 changed", "3 only set", "5 removed", "4 the same", "7 passed over", "6 B saved"],
        ),
    ],
)
def test_what_was_there_already_is_said_where_there_was_something(tally: Tally, words: list[str]) -> None:
    assert tally_words(tally) == words
