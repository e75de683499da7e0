"""Whether logs were rotated since they were listed."""

import pytest

from asynccp.entry import Kind
from asynccp.plan.manifest import Item
from asynccp.plan.rotation import (
    MOST_NUMBER,
    MOST_STEPS,
    MOST_WITNESSES,
    Named,
    family,
    gaps,
    is_active,
    names_after,
    renamed,
    rotated_name,
    seen_twice,
    sequences,
    unseen,
    witnesses,
)

LISTED = {b"app.log": Named(11, 50, 9), b"app.log.1": Named(12, 80, 7), b"app.log.2": Named(13, 80, 5)}
ACTIVE, FIRST, SECOND = LISTED.values()
NEW = Named(14, 3, 12)


def file(inode: int, time_s: int = 0) -> Item:
    return Item(Kind.FILE, 100, time_s * 1_000_000_000, inode=inode)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (LISTED, []),
        ({b"app.log": NEW, b"app.log.1": ACTIVE, b"app.log.2": FIRST}, [b"app.log.1", b"app.log.2"]),
        ({b"app.log": NEW, b"app.log.1": ACTIVE._replace(size=60, mtime_ns=11)}, [b"app.log.1"]),
        ({b"app.log": NEW, b"app.log.1": FIRST, b"app.log.2": SECOND}, []),
        ({b"app.log": ACTIVE, b"app.log.1": NEW, b"app.log.2": FIRST}, [b"app.log.2"]),
        ({b"app.log.1": ACTIVE}, [b"app.log.1"]),
        ({b"app.log": ACTIVE._replace(inode=12, mtime_ns=12), b"app.log.1": NEW}, []),
        ({b"app.log": Named(12, 3, 12)}, []),
        ({b"app.log": ACTIVE}, []),
        ({}, []),
    ],
    ids=[
        "nothing", "renamed", "and grown", "written anew", "copied and truncated", "moved on", "an inode given again",
        "and smaller", "removed", "all gone",
    ],
)  # fmt: skip
def test_one_listed_name_with_anothers_file_tells_a_rotation(now: dict[bytes, Named], found: list[bytes]) -> None:
    assert renamed(LISTED, now) == found


def test_names_of_one_file_are_no_rotation() -> None:
    listed = {b"app.log": ACTIVE, b"app.log.1": ACTIVE}
    assert renamed(listed, listed) == []


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ([b"app.log"], [b"app.log", b"app.log.1"]),
        ([b"app.log.1"], [b"app.log", b"app.log.1"]),
        ([b"", b"deep"], []),
        ([b"config"], []),
        ([b"deep/app.log"], []),
        ([b"not there"], []),
    ],
    ids=["the active one", "a rotated one", "directories", "one of its own", "alone in its directory", "unlisted"],
)
def test_a_log_is_asked_about_with_those_that_it_became(chosen: list[bytes], found: list[bytes]) -> None:
    directory = Item(Kind.DIRECTORY, inode=1)
    there = {b"": directory, b"deep": directory, b"app.log": file(2), b"app.log.1": file(3), b"config": file(4)}
    there |= {b"deep/app.log": file(5), b"app.log.2": Item(Kind.SYMLINK, inode=6), b"app.log.3": file(0)}
    assert sorted(witnesses(there, chosen)) == found


def test_of_very_many_the_newest_are_asked_about() -> None:
    there = {b"app.log.%d" % number: file(number + 1, time_s=number) for number in range(100_000)}
    assert witnesses(there, [b"app.log.5"]) == {
        b"app.log.%d" % number: Named(number + 1, 100, number * 10**9)
        for number in range(100_000 - MOST_WITNESSES, 100_000)
    }


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (b"app.log", [b"app.log", b"app.log.1", b"app.log.2", b"app.log.3"]),
        (b"a/app.log.9", [b"a/app.log.9", b"a/app.log.10", b"a/app.log.11", b"a/app.log.12"]),
        (b"app.1.log", [b"app.1.log", b"app.2.log", b"app.3.log", b"app.4.log"]),
        (b"w1/app.log", [b"w1/app.log", b"w1/app.log.1", b"w1/app.log.2", b"w1/app.log.3"]),
        (b"1", [b"1", b"1.1", b"1.2", b"1.3"]),
        (b"app.log-20261129", [b"app.log-%d" % number for number in range(20261129, 20261133)]),
        (b"app.log-123456789", [b"app.log-123456789" + more for more in (b"", b".1", b".2", b".3")]),
    ],
)
def test_the_names_that_a_log_gets(path: bytes, names: list[bytes]) -> None:
    assert names_after(path) == names


def test_a_file_that_was_renamed_while_it_was_listed_is_seen_twice() -> None:
    named_twice = file(4)._replace(names=2)
    there = {b"a": file(2), b"a.1": file(2), b"b": file(3), b"c": named_twice, b"d": named_twice}
    there |= {b"nobody told": file(0), b"nor here": file(0)}
    assert sorted(seen_twice(there)) == [b"a", b"a.1"]


X, Y, W, Z = (Named(inode, 10, 5) for inode in (1, 2, 3, 4))
LOGS = [b"app.log", b"app.log.1", b"app.log.2", b"app.log.3", b"app.log.4"]


@pytest.mark.parametrize(
    ("listed", "now", "found"),
    [
        ([X, W, Z], [X, W, Z], []),
        ([X, W, Z], [Y, X, W, Z], []),
        ([X, W], [Y, Z, X, W], []),
        ([X], [X._replace(size=4), W], []),
        ([X], [X._replace(size=12)], []),
        ([Y], [Y, X], [b"app.log.1"]),
        ([Y, W, Z], [Y, X, W, Z], [b"app.log.1"]),
        ([X, W], [Y, X, W, Z], [b"app.log.3"]),
        ([Y, X, Z], [Y, X, W, Z], [b"app.log.2"]),
        ([X._replace(size=4)], [X, W], [b"app.log.1"]),
        ([X, W], [Y, X._replace(inode=3, size=2), Z], []),
        ([], [X, W], []),
    ],
    ids=[
        "nothing", "rotated since", "and again", "truncated since", "grown", "its first rotation meanwhile",
        "when the active one was read last", "when it was read first", "in between", "truncated meanwhile",
        "an inode given again", "all new",
    ],
)  # fmt: skip
def test_a_log_behind_one_that_was_listed_has_been_overlooked(
    listed: list[Named], now: list[Named], found: list[bytes]
) -> None:
    assert unseen(LOGS, listed, dict(zip(LOGS, now, strict=False))) == found


@pytest.mark.parametrize(
    ("listed", "now", "found"),
    [
        ((0, 1, 2), (0, 1, 2, 3), []),
        ((0, 2, 3), (0, 1, 2, 3), [1]),
        ((1, 2), (0, 1, 2), [0]),
        ((0, 2), (0, 2), []),
        ((0, 1), (0, 1, 2), []),
    ],
    ids=["rotated since", "before the first was renamed", "before the active one was made", "removed", "added"],
)
def test_a_name_that_was_free_for_a_moment_tells_a_rotation(
    listed: tuple[int, ...], now: tuple[int, ...], found: list[int]
) -> None:
    assert gaps(LOGS, {LOGS[one] for one in listed}, {LOGS[one] for one in now}) == [LOGS[one] for one in found]


def test_a_log_that_was_truncated_since_and_is_read_by_its_name_is_in_its_copy_alone() -> None:
    now = {b"app.log": X._replace(size=4), b"app.log.1": W}
    assert unseen(LOGS, [X], now) == []
    assert unseen(LOGS, [X], now, {b"app.log"}) == [b"app.log.1"]


def test_of_many_logs_those_are_asked_about_that_are_rotated_and_written_to() -> None:
    many = [b"a%s.log" % bytes([letter]) for letter in range(97, 123)]
    there = {path: file(number, number) for number, path in enumerate(many, 1)}
    there |= {b"old.log": file(900, 0), b"old.log.1": file(901, 0)}
    found = sequences(family(there, there.keys()))
    assert [one[0] for one in found] == [b"old.log", *reversed(many)]


@pytest.mark.parametrize(
    ("listed", "last"),
    [
        ([b"app.log"], 1),
        ([b"app.log", b"app.log.1", b"app.log.2"], 2 + MOST_STEPS),
        ([b"app.log", b"app.log.7", b"app.log.20261130"], 7 + MOST_STEPS),
        ([b"app.log", b"app.log.900"], MOST_NUMBER + MOST_STEPS),
    ],
    ids=["never rotated", "rotated", "by day, too", "very often"],
)
def test_names_that_logs_go_through_are_known_by_the_active_one(listed: list[bytes], last: int) -> None:
    there = {b"d/" + path: file(number + 1) for number, path in enumerate(listed)}
    assert sequences(family(there, [b"d/app.log"])) == [
        [b"d/app.log", *(b"d/app.log.%d" % n for n in range(1, last + 1))]
    ]


@pytest.mark.parametrize("listed", [[b"job-1", b"job-2"], [b"job.7", b"job.8"], [b"app.log.2026-11-30"]])
def test_files_that_have_numbers_and_no_active_one_are_not_asked_about(listed: list[bytes]) -> None:
    there = {path: file(number + 1) for number, path in enumerate(listed)}
    assert sequences(family(there, listed)) == []


@pytest.mark.parametrize(
    ("path", "is_it"),
    [
        (b"app.log", True),
        (b"a/b/app.log", True),
        (b"app.log.1", False),
        (b"app.log.old", False),
        (b"a.1/app-2026-11-29.log", False),
        (b"a.1/app.log", True),
        (b"7", False),
    ],
)
def test_a_log_to_which_nothing_was_added_is_the_active_one(path: bytes, is_it: bool) -> None:
    assert is_active(path) is is_it


def test_a_log_has_the_number_of_its_rotations() -> None:
    assert [rotated_name(b"a/app.log", number) for number in (0, 1, 12)] == [
        b"a/app.log",
        b"a/app.log.1",
        b"a/app.log.12",
    ]
