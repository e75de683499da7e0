"""Whether logs were rotated since they were listed."""

import pytest

from asynccp.entry import Kind
from asynccp.plan.manifest import Item
from asynccp.plan.rotation import MOST_WITNESSES, Named, renamed, witnesses

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
