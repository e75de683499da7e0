"""What a pull takes, by what the pod has and by what is here: by tables, and against a model of two disks."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccp.difference import Difference, Sign, Why
from asynccp.entry import Kind
from asynccp.options import Attributes, Collecting
from asynccp.plan.fetch import (
    MOST_CANDIDATES,
    NEVER_COPIED,
    Beginning,
    Fetch,
    Move,
    Range,
    Rules,
    Tail,
    beginnings,
    decide,
    ends,
    questionable,
    tally,
)
from asynccp.plan.manifest import Item

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
LARGE = 1_000_000
PLAIN, CHECKED, MIRROR = Rules(), Rules(checksum=True), Rules(collecting=Collecting(mirror=True))
TOP = Item(Kind.DIRECTORY, mtime_ns=NOW, mode=0o755)
FILE = Item(Kind.FILE, 3, NOW, 0o644)
LINK = Item(Kind.SYMLINK, mtime_ns=NOW, mode=0o777, link=b"a")


def log(size: int = LARGE, age_s: int = 0, inode: int = 0, mode: int = 0o644, names: int = 1) -> Item:
    return Item(Kind.FILE, size, NOW - age_s * SECOND, mode, device=1, inode=inode, names=names)


@pytest.mark.parametrize(
    ("item", "ours", "rules", "why"),
    [
        (FILE, {}, PLAIN, None),
        (FILE, {"mtime_ns": NOW + SECOND - 1}, PLAIN, None),
        (FILE, {"mtime_ns": NOW + SECOND}, PLAIN, (Why.TIME,)),
        (FILE, {"mtime_ns": NOW - 1}, PLAIN, (Why.TIME,)),
        (FILE, {"size": 4}, PLAIN, (Why.SIZE,)),
        (FILE, {"mode": 0o600}, PLAIN, (Why.MODE,)),
        (FILE._replace(mode=0o4666), {"mode": 0o644}, PLAIN._replace(modes=0o755), None),
        (FILE, {"mode": 0o600}, PLAIN._replace(attributes=Attributes(perms=False)), None),
        (FILE, {"uid": 7}, PLAIN, None),
        (FILE, {"uid": 7}, PLAIN._replace(attributes=Attributes(preserve_owner=True)), (Why.OWNER,)),
        (FILE, {"mtime_ns": 0}, PLAIN._replace(attributes=Attributes(times=False)), (Why.TIME,)),
        (FILE, {"mtime_ns": 0}, CHECKED._replace(attributes=Attributes(times=False)), None),
        (FILE, {"mtime_ns": 0}, CHECKED, (Why.TIME,)),
        (FILE, {}, PLAIN._replace(always=True), ()),
        (FILE, {"kind": Kind.DIRECTORY}, PLAIN, (Why.TYPE,)),
        (FILE, {"kind": None}, PLAIN, (Why.TYPE,)),
        (LINK, {"mtime_ns": 0, "mode": 0o755}, PLAIN, None),
        (LINK, {"link": b"b"}, PLAIN, (Why.LINK,)),
        (TOP, {}, PLAIN, None),
        (TOP, {"mtime_ns": 0, "mode": 0o700}, PLAIN, (Why.TIME, Why.MODE)),
        (TOP, {"kind": Kind.SYMLINK, "link": b"elsewhere"}, PLAIN, (Why.TYPE,)),
        (TOP, {}, PLAIN._replace(always=True), None),
    ],
)
def test_what_differs(item: Item, ours: dict[str, object], rules: Rules, why: tuple[Why, ...] | None) -> None:
    found = decide({b"a": item}, {b"a": item._replace(**ours)}, rules, lambda _: True)  # type: ignore[arg-type]
    assert [one.why for one in found.differences] == ([] if why is None else [why])
    assert found.same == (why is None)


def test_what_is_new_is_fetched_with_the_directories_above_it_and_nothing_else() -> None:
    there = {b"": TOP, b"d": TOP, b"d/e": TOP, b"d/e/new": FILE, b"d/old": FILE, b"other": TOP}
    here = {path: item for path, item in there.items() if path != b"d/e/new"}
    found = decide(there, here, PLAIN)
    assert found.whole == (b"", b"d", b"d/e", b"d/e/new")
    assert found.differences == (Difference(Sign.NEW, b"d/e/new", (), 3),)
    assert tally(found) == (1, 0, 0, 5, 0, 3, 0)


def test_an_unchanged_tree_needs_nothing() -> None:
    there = {b"": TOP, b"d": TOP, b"d/a": FILE, b"link": LINK, b"empty": TOP}
    assert decide(there, there, PLAIN) == Fetch(same=5, same_size=3)
    assert beginnings(there, there, PLAIN) == ()


def test_empty_directories_and_the_only_file_that_was_asked_for_are_fetched() -> None:
    assert decide({b"": TOP, b"empty": TOP}, {}, PLAIN).whole == (b"", b"empty")
    assert decide({b"": FILE}, {}, PLAIN).whole == (b"",)


def test_a_mode_is_set_and_the_file_not_fetched() -> None:
    found = decide({b"": TOP, b"a": FILE}, {b"": TOP, b"a": FILE._replace(mode=0o600)}, PLAIN)
    assert (found.whole, found.set, found.same_size) == ((), (b"a",), 3)
    assert (tally(found).set, tally(found).changed) == (1, 0)


def test_what_may_not_be_opened_here_is_fetched_rather_than_set() -> None:
    assert decide({b"a": FILE}, {b"a": FILE._replace(mode=0o200)}, PLAIN).whole == (b"a",)


def test_what_is_linked_elsewhere_here_is_fetched_rather_than_set() -> None:
    linked = FILE._replace(mode=0o600, names=2)
    assert decide({b"a": FILE}, {b"a": linked}, PLAIN).whole == (b"a",)
    assert decide({b"a": FILE._replace(names=2)}, {b"a": linked}, PLAIN).set == (b"a",), "the pod has it so, too"


def test_a_time_is_set_only_where_content_was_compared() -> None:
    there, here = {b"a": FILE}, {b"a": FILE._replace(mtime_ns=0)}
    assert decide(there, here, PLAIN).whole == (b"a",)
    assert questionable(there, here, CHECKED) == {b"a": 3}
    assert decide(there, here, CHECKED, lambda _: True).set == (b"a",)
    assert decide(there, here, CHECKED, lambda _: False).whole == (b"a",)


def test_only_files_of_the_same_size_are_worth_a_digest() -> None:
    there = {b"": TOP, b"same": FILE, b"longer": FILE, b"new": FILE, b"link": LINK}
    here = {b"": TOP, b"same": FILE, b"longer": log(4), b"link": LINK}
    assert questionable(there, here, CHECKED) == {b"same": 3}
    assert questionable(there, here, PLAIN) == {}
    assert questionable(there, here, CHECKED._replace(always=True)) == {}


@pytest.mark.parametrize(
    ("inodes", "size", "whole"),
    [((5, 5), 3, ()), ((5, 6), 3, (b"a", b"b")), ((5, 5), 4, (b"a", b"b")), ((5,), 3, (b"a", b"b"))],
    ids=["one file", "two files", "another content", "one name is missing"],
)
def test_names_of_one_file_are_fetched_together_or_not_at_all(
    inodes: tuple[int, ...], size: int, whole: tuple[bytes, ...]
) -> None:
    there = dict.fromkeys((b"a", b"b"), FILE._replace(device=1, inode=9, names=2))
    here = {
        path: FILE._replace(size=size, device=1, inode=inode) for path, inode in zip((b"a", b"b"), inodes, strict=False)
    }
    assert decide(there, here, PLAIN).whole == whole


def test_names_of_one_file_are_given_another_mode_together() -> None:
    there = dict.fromkeys((b"a", b"b"), FILE._replace(device=1, inode=9, names=2))
    here = dict.fromkeys((b"a", b"b"), FILE._replace(device=1, inode=5, mode=0o600))
    assert decide(there, here, PLAIN).set == (b"a", b"b")


def test_what_is_never_copied_is_named() -> None:
    ours = b".asynccp-0-12345-7.8/f"
    there = {b"": TOP, b"pipe": Item(None), b"d": TOP, b"d/.asynccp-1a2b.report": FILE, ours: FILE}
    found = decide(there, {b"": TOP, b"d": TOP, b"pipe": FILE}, MIRROR)
    assert [(one.path, one.reason) for one in found.left_out][-1] == (b"pipe", NEVER_COPIED)
    assert (len(found.left_out), found.whole, found.remove) == (3, (), ())


GROWN = Beginning(b"a.log", b"a.log", LARGE, LARGE + 5)


def test_of_a_file_that_grew_the_rest_is_fetched_once_its_beginning_is_proved() -> None:
    there, here = {b"": TOP, b"a.log": log(LARGE + 5)}, {b"": TOP, b"a.log": log(age_s=9)}
    assert beginnings(there, here, PLAIN) == (GROWN,)
    found = decide(there, here, PLAIN, proved=[GROWN])
    assert found.rest == (Range(b"a.log", LARGE, 5),)
    assert found.whole == (), "writing to a file changes no directory"
    assert (found.begun_size, tally(found).saved, tally(found).changed) == (LARGE, LARGE, 1)
    assert b"a.log" in decide(there, here, PLAIN).whole


@pytest.mark.parametrize(
    ("item", "ours", "rules"),
    [
        (log(LARGE), log(LARGE + 5), PLAIN),
        (log(LARGE), log(LARGE, age_s=9), PLAIN),
        (log(200), log(100), PLAIN),
        (log(LARGE + 5), Item(Kind.SYMLINK), PLAIN),
        (log(LARGE + 5), Item(Kind.DIRECTORY), PLAIN),
        (log(LARGE + 5), log(names=2), PLAIN),
        (log(LARGE + 5), log(mode=0o200), PLAIN),
        (log(LARGE + 5), log(), Rules(always=True)),
        (log(LARGE + 5), log(), Rules(collecting=Collecting(tail_size=4))),
    ],
    ids=[
        "truncated",
        "rewritten",
        "small",
        "a link",
        "a directory",
        "a second name here",
        "may not be read",
        "always",
        "more than is wanted of its end",
    ],
)
def test_where_nothing_can_have_grown_nobody_is_asked(item: Item, ours: Item, rules: Rules) -> None:
    assert beginnings({b"a.log": item}, {b"a.log": ours}, rules) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"app.log", b"app.log.1"),
        (b"app.log.1", b"app.log.2"),
        (b"app.log", b"app.log-20261129"),
        (b"app.log", b"app.log-20261129-1764400000"),
        (b"app.log", b"app.log.2026-11-29T10:00"),
        (b"app.log", b"app-2026-11-29.log"),
        (b"app.log", b"app.log.old"),
        (b"current", b"current.1"),
    ],
)
def test_a_rotated_log_is_known_by_its_name(old: bytes, new: bytes) -> None:
    """It was written to between the last pull and its rotation: neither size nor time are as they were."""
    there = {b"": TOP, b"d": TOP, b"d/" + old: log(5), b"d/" + new: log(LARGE + 9, 60)}
    here = {b"": TOP, b"d": TOP, b"d/" + old: log(age_s=70)}
    beginning = Beginning(b"d/" + new, b"d/" + old, LARGE, LARGE + 9)
    assert beginnings(there, here, PLAIN) == (beginning,)
    found = decide(there, here, PLAIN, proved=[beginning])
    assert found.moves == (Move(b"d/" + old, b"d/" + new, LARGE),)
    assert found.rest == (Range(b"d/" + new, LARGE, 9),)
    assert found.whole == (b"", b"d", b"d/" + old)


@pytest.mark.parametrize("new", [b"other.log", b"app.log.1.gz", b"e/app.log.1"])
def test_another_name_may_be_anything(new: bytes) -> None:
    there = {b"app.log": log(5), new: log(LARGE + 9, 60)}
    assert beginnings(there, {b"app.log": log(age_s=70)}, PLAIN) == ()


def test_equal_size_and_time_tell_wherever_it_went() -> None:
    there = {b"": TOP, b"a.log": log(5), b"old": TOP, b"old/x": log(age_s=60)}
    here = {b"": TOP, b"a.log": log(age_s=60)}
    beginning = Beginning(b"old/x", b"a.log", LARGE, LARGE)
    assert beginnings(there, here, PLAIN) == (beginning,)
    found = decide(there, here, PLAIN, proved=[beginning])
    assert found.moves == (Move(b"a.log", b"old/x", LARGE),)
    assert (found.rest, found.set, found.whole) == ((), (b"old/x",), (b"", b"a.log", b"old"))
    assert (tally(found).new, tally(found).changed, tally(found).set) == (2, 1, 0)


def test_a_name_that_the_pod_has_no_more_is_given_away_by_a_mirror_alone() -> None:
    there, here = {b"": TOP, b"a.log.1": log(age_s=60)}, {b"": TOP, b"a.log": log(age_s=60), b"keep": log(age_s=60)}
    assert beginnings(there, here, PLAIN) == (), "nothing is removed without it"
    mirror = MIRROR._replace(protected=lambda path, _: path == b"keep")
    beginning = Beginning(b"a.log.1", b"a.log", LARGE, LARGE)
    assert beginnings(there, here, mirror) == (beginning,)
    found = decide(there, here, mirror, proved=[beginning])
    assert (found.moves, found.remove) == ((Move(b"a.log", b"a.log.1", LARGE),), ())
    assert decide(there, here, mirror).remove == (b"a.log",)


def test_of_many_files_of_one_size_and_time_the_nearest_is_asked_about() -> None:
    """A thousand hosts rotate in the same second, and a release gets another directory."""
    here = {b"host%d/a.log" % number: log(age_s=60) for number in range(1000)}
    there = {path + b".1": item for path, item in here.items()} | dict.fromkeys(here, log(5))
    found = decide(there, here, PLAIN, proved=beginnings(there, here, PLAIN))
    assert {move.path for move in found.moves} == {path + b".1" for path in here}
    assert all(move.path == move.at + b".1" for move in found.moves)
    here = {b"v1/%d" % number: log() for number in range(1000)} | {b"": TOP}
    there = {path.replace(b"v1", b"v2"): item for path, item in here.items()}
    assert beginnings(there, here, MIRROR)[0] == Beginning(b"v2/0", b"v1/0", LARGE, LARGE)
    assert len(decide(there, here, MIRROR, proved=beginnings(there, here, MIRROR)).moves) == 1000


def test_what_has_a_second_name_here_is_given_no_other() -> None:
    """The time of the rotated file would be set under the second name, too."""
    here = {b"": TOP, b"a.log": log(age_s=60, names=2)}
    assert beginnings({b"": TOP, b"a.log": log(5), b"a.log.1": log(age_s=60)}, here, PLAIN) == ()


def test_an_inode_that_is_remembered_is_asked_about_first() -> None:
    there = {b"x": log(LARGE + 9, inode=7), b"a.log": log(5)}
    here = {b"a.log": log(age_s=9)}
    assert beginnings(there, here, PLAIN) == ()
    assert beginnings(there, here, PLAIN._replace(remembered={(1, 7): b"a.log"})) == (
        Beginning(b"x", b"a.log", LARGE, LARGE + 9),
    )


def test_a_thousand_logs_that_grow_are_asked_about_once_each() -> None:
    there = {b"host%d.log" % number: log(LARGE + number + 1) for number in range(1000)}
    here = {path: log(LARGE + 1, age_s=number) for number, path in enumerate(there)}
    asked = beginnings(there, here, PLAIN)
    assert all(one.path == one.at for one in asked)


def test_of_many_logs_with_one_stem_few_are_candidates() -> None:
    here = {b"a.log.%d" % number: log(LARGE + number, age_s=number) for number in range(1000)}
    there = {b"a.log-%d" % number: log(2 * LARGE) for number in range(1000)}
    assert len(beginnings(there, here, PLAIN)) <= MOST_CANDIDATES * len(there)


def test_a_chain_of_rotations_begins_at_its_end() -> None:
    here = {b"a.log": log(age_s=10), b"a.log.1": log(age_s=20), b"a.log.2": log(age_s=30), b"a.log.3": log(age_s=40)}
    there = {
        b"a.log": log(9),
        b"a.log.1": log(LARGE + 1, 9),
        b"a.log.2": here[b"a.log.1"],
        b"a.log.3": here[b"a.log.2"],
    }
    asked = beginnings(there, here, PLAIN)
    found = decide(there, here, PLAIN, proved=[one for one in asked if one.at != b"a.log.3"])
    assert found.moves == (
        Move(b"a.log.2", b"a.log.3", LARGE, replaces=True),
        Move(b"a.log.1", b"a.log.2", LARGE),
        Move(b"a.log", b"a.log.1", LARGE),
    )
    assert found.whole == (b"a.log",)


def test_two_files_that_have_changed_names_are_not_both_moved() -> None:
    here = {b"a": log(LARGE, 10), b"b": log(LARGE + 1, 20)}
    there = {b"a": here[b"b"], b"b": here[b"a"]}
    found = decide(there, here, PLAIN, proved=beginnings(there, here, PLAIN))
    assert (found.moves, found.whole) == ((Move(b"b", b"a", LARGE + 1, replaces=True),), (b"b",))


def test_what_has_grown_stays_what_it_is_though_another_begins_like_it() -> None:
    here = {b"b.log": log(age_s=9)}
    there = {b"a.log": log(LARGE + 1), b"b.log": log(LARGE + 5)}
    proved = [Beginning(path, b"b.log", LARGE, there[path].size) for path in there]
    found = decide(there, here, PLAIN, proved=proved)
    assert (found.moves, found.rest, found.whole) == ((), (Range(b"b.log", LARGE, 5),), (b"a.log",))


@pytest.mark.parametrize(
    "there",
    [{b"a.log": TOP, b"a.log/1": log(age_s=9)}, {b"d": log(1), b"a": log(age_s=9)}],
    ids=["a directory comes in its place", "a file in that of its directory"],
)
def test_a_file_that_has_to_make_room_is_no_beginning_of_another(there: dict[bytes, Item]) -> None:
    here = {b"": TOP, b"a.log": log(age_s=9)} if b"a.log" in there else {b"": TOP, b"d": TOP, b"d/x": log(age_s=9)}
    assert beginnings({b"": TOP, **there}, here, MIRROR) == ()


def test_of_a_long_file_the_end_is_fetched() -> None:
    there = {b"": TOP, b"a.log": log(), b"b.log": log(10), b"c.log": log()}
    here = {b"": TOP, b"c.log": log()}
    found = decide(there, here, Rules(collecting=Collecting(tail_size=10)))
    assert found.tails == (Tail(b"a.log", LARGE - 10, 10),)
    assert (found.whole, found.same) == ((b"", b"b.log"), 2)


@pytest.mark.parametrize(
    ("ours", "rules", "gone"),
    [
        ({b"d": TOP, b"d/x": FILE, b"d.x": LINK}, MIRROR, [b"d/x", b"d.x", b"d"]),
        ({b"d": TOP, b"d/keep": FILE, b"d/x": FILE}, MIRROR, [b"d/x"]),
        ({b"old": FILE, b"e": TOP, b"e/f": FILE}, MIRROR._replace(besides=(b"old", b"e/f")), []),
        ({b".asynccp-1a2b3c4d5e6f7a8b.partial": FILE}, MIRROR, []),
        ({b"A": FILE}, MIRROR._replace(folds_case=True), []),
        ({b"A": FILE}, MIRROR, [b"A"]),
        ({b"x": FILE}, PLAIN, []),
    ],
    ids=["content first", "protected", "in the pod, but not wanted", "unfinished", "one name here", "two names", "no"],
)
def test_what_a_mirror_removes(ours: Mapping[bytes, Item], rules: Rules, gone: list[bytes]) -> None:
    rules = rules._replace(protected=lambda path, _: path.endswith(b"/keep"))
    there = {b"": TOP, b"a": FILE}
    assert list(decide(there, {**there, **ours}, rules).remove) == gone


@pytest.mark.parametrize("there", [{}, {b"": FILE}, {b"a": FILE}])
def test_a_mirror_of_no_directory_removes_nothing(there: Mapping[bytes, Item]) -> None:
    assert decide(there, {b"": TOP, b"x": FILE, b"d": TOP}, MIRROR).remove == ()


def test_what_stands_in_the_way_goes_first_and_only_from_a_mirror() -> None:
    there = {b"": TOP, b"a": FILE, b"d": TOP, b"d/f": FILE}
    here = {b"": TOP, b"a": TOP, b"a/x": FILE, b"d": LINK, b"z": FILE}
    found = decide(there, here, MIRROR)
    assert (found.in_the_way, found.remove) == ((b"d", b"a/x", b"a"), (b"z",))
    assert tally(found).removed == 4
    assert decide(there, here, PLAIN).in_the_way == ()
    kept = MIRROR._replace(protected=lambda path, _: path == b"a/x")
    assert decide(there, here, kept).in_the_way == (b"d",)


class Disk(NamedTuple):
    """Content by path, and when each was written."""

    content: dict[bytes, bytes]
    written_s: dict[bytes, int]

    def manifest(self) -> dict[bytes, Item]:
        above = {path[:at] for path in self.content for at in range(len(path)) if path[at : at + 1] == b"/"}
        files = {
            path: Item(Kind.FILE, len(data), self.written_s[path] * SECOND, 0o644)
            for path, data in self.content.items()
        }
        return {b"": TOP, **dict.fromkeys(above, TOP), **files}

    def put(self, path: bytes, data: bytes, written_s: int) -> None:
        self.content[path] = data
        self.written_s[path] = written_s

    def rename(self, at: bytes, path: bytes) -> None:
        self.put(path, self.content.pop(at), self.written_s.pop(at))


NAMES = [b"a.log", b"a.log.1", b"a.log.2", b"b", b"d/a.log", b"d/a.log.1"]
names = st.sampled_from(NAMES)
contents = st.binary(max_size=4).map(lambda data: bytes(byte % 3 for byte in data))
steps = st.one_of(
    st.tuples(st.just("append"), names, contents),
    st.tuples(st.just("write"), names, contents),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("swap"), names, names),
    st.tuples(st.just("rotate"), st.just(b"a.log"), contents),
    st.tuples(st.just("remove"), names, contents),
)


def happens(disk: Disk, step: tuple[str, bytes, bytes], now_s: int) -> None:
    what, path, other = step
    if what == "write":
        disk.put(path, other, now_s)
    elif what == "rotate":
        for new, old in ((b"a.log.2", b"a.log.1"), (b"a.log.1", b"a.log")):
            if old in disk.content:
                disk.rename(old, new)
        disk.put(b"a.log", other, now_s)
    elif path not in disk.content:
        return
    elif what == "append" and other:
        disk.put(path, disk.content[path] + other, now_s)
    elif what == "rename":
        disk.rename(path, other)
    elif what == "swap" and other in disk.content:
        disk.content[path], disk.content[other] = disk.content[other], disk.content[path]
        disk.written_s[path], disk.written_s[other] = disk.written_s[other], disk.written_s[path]
    elif what == "remove":
        del disk.content[path], disk.written_s[path]


def carried_out(fetch: Fetch, pod: Disk, here: Disk, wanted: Mapping[bytes, Item]) -> None:
    """Do what a fetch says, as strictly as a disk does."""
    for path in fetch.in_the_way:
        here.content.pop(path, None)
    for move in fetch.moves:
        assert (move.path in here.content) == move.replaces, "something would be lost, or it isn't there to be replaced"
        assert len(here.content[move.at]) == move.size
        here.rename(move.at, move.path)
    for one in fetch.rest:
        assert len(here.content[one.path]) == one.offset
        here.content[one.path] += pod.content[one.path][one.offset : one.offset + one.size]
    for end in fetch.tails:
        begin = here.content[end.path][end.at :] if end.kept else b""
        assert len(begin) == end.kept
        here.content[end.path] = begin + pod.content[end.path][end.offset :]
    for path in fetch.whole:
        if path in pod.content:
            here.content[path] = pod.content[path]
    for path in {
        *fetch.set,
        *fetch.whole,
        *(one.path for one in fetch.rest),
        *(one.path for one in fetch.tails),
    } & wanted.keys():
        here.written_s[path] = pod.written_s.get(path, 0)
    for path in fetch.remove:
        here.content.pop(path, None)


@settings(max_examples=300)
@given(st.lists(steps, max_size=8), st.lists(steps, max_size=8), st.lists(steps, max_size=3), st.booleans())
def test_after_a_pull_here_is_what_the_pod_has_whatever_happened_to_both(
    before: Collection[tuple[str, bytes, bytes]],
    since: Collection[tuple[str, bytes, bytes]],
    here_too: Collection[tuple[str, bytes, bytes]],
    mirror: bool,
) -> None:
    pod = Disk({}, {})
    for at_s, step in enumerate(before):
        happens(pod, step, at_s)
    here = Disk(dict(pod.content), dict(pod.written_s))
    for at_s, step in enumerate(since):
        happens(pod, step, 100 + at_s)
    for at_s, step in enumerate(here_too):
        happens(here, step, 200 + at_s)
    rules = Rules(collecting=Collecting(mirror=mirror), small_size=0)
    there, ours, extra = pod.manifest(), here.manifest(), here.content.keys() - pod.content.keys()
    kept = {path: here.content[path] for path in extra}
    proved = [one for one in beginnings(there, ours, rules) if pod.content[one.path][: one.had] == here.content[one.at]]
    found = decide(there, ours, rules, proved=proved)
    carried_out(found, pod, here, there)
    assert here.content == ({} if mirror else kept) | pod.content
    again = decide(there, here.manifest(), rules)
    assert not {path for path in again.whole if path in pod.content}, "the next pull takes nothing"


def found_end(pod: bytes, here: bytes, path: bytes, at: bytes, most: int) -> Tail | None:
    """Return what of the last `most` bytes of a file is here, at its end."""
    end = pod[-most:]
    for kept in range(len(here), 0, -1):
        if here[-kept:] == end[:kept]:
            return Tail(path, len(pod) - len(end) + kept, len(end) - kept, len(here) - kept, kept)
    return None


@settings(max_examples=300)
# The end of it is kept, and gets another name:
@example([("rotate", b"a.log", b"\0\0\2")], [("rotate", b"a.log", b"\0\2\0")], 2)
@given(st.lists(steps, max_size=8), st.lists(steps, max_size=8), st.integers(1, 4))
def test_of_ends_only_what_is_new_is_fetched_and_they_are_ends(
    before: Collection[tuple[str, bytes, bytes]], since: Collection[tuple[str, bytes, bytes]], most: int
) -> None:
    pod, here = Disk({}, {}), Disk({}, {})
    rules = Rules(collecting=Collecting(tail_size=most), small_size=0)
    for some, began_s in ((before, 0), (since, 100), ((), 200)):
        for at_s, step in enumerate(some):
            happens(pod, step, began_s + at_s)
        there, ours = pod.manifest(), here.manifest()
        told = beginnings(there, ours, rules)
        proved = [one for one in told if pod.content[one.path][: one.had] == here.content[one.at]]
        kept = {}
        for path, at in ends(there, ours, rules, proved).items():
            had = here.content[at]
            end = found_end(pod.content[path], had, path, at, most)
            if end and end.kept == len(had) and not end.size:
                proved.append(Beginning(path, at, len(had), len(pod.content[path]), len(pod.content[path]) - len(had)))
            elif end and at == path:
                kept[path] = end
        found = decide(there, ours, rules, proved=proved, kept=kept)
        carried_out(found, pod, here, there)
        for path, content in pod.content.items():
            assert content.endswith(here.content[path])
            assert len(here.content[path]) >= min(most, len(content))
    assert not any((found.whole[1:], found.rest, found.tails, found.moves)), "nothing has changed since"
    assert set(found.cut) == {path for path in pod.content if len(here.content[path]) < len(pod.content[path])}


@pytest.mark.parametrize(
    ("there", "here", "found"),
    [
        ({b"a.log": log()}, {}, {}),
        ({b"a.log": log()}, {b"a.log": log(9)}, {b"a.log": b"a.log"}),
        ({b"a.log": log()}, {b"a.log": log(9, age_s=8)}, {b"a.log": b"a.log"}),
        ({b"a.log": log()}, {b"a.log": log(11)}, {}),
        ({b"a.log": log()}, {b"a.log": log(0)}, {}),
        ({b"a.log": log(10)}, {b"a.log": log(9)}, {}),
        (
            {b"a.log": log(age_s=0), b"a.log.1": log(age_s=8)},
            {b"a.log": log(9, age_s=8)},
            {b"a.log": b"a.log", b"a.log.1": b"a.log"},
        ),
        ({b"a.log.1": log()}, {b"a.log": log(9)}, {}),
        ({b"a.log": log(), b"b.log": log(age_s=8)}, {b"a.log": log(9, age_s=8)}, {b"a.log": b"a.log"}),
    ],
    ids=[
        "nothing here", "its end", "it has grown", "more than is asked for", "an empty one", "all is asked for",
        "rotated", "what is only here stays", "another log",
    ],
)  # fmt: skip
def test_what_may_be_the_end_of_a_file(
    there: dict[bytes, Item], here: dict[bytes, Item], found: dict[bytes, bytes]
) -> None:
    assert ends({b"": TOP, **there}, {b"": TOP, **here}, Rules(collecting=Collecting(tail_size=10)), ()) == found


@given(st.lists(steps, max_size=8), st.lists(st.tuples(st.just("append"), names, contents), max_size=8))
def test_of_logs_that_only_grow_only_what_is_new_moves(
    before: Collection[tuple[str, bytes, bytes]], since: Collection[tuple[str, bytes, bytes]]
) -> None:
    pod = Disk({}, {})
    for at_s, step in enumerate(before):
        happens(pod, step, at_s)
    here = Disk(dict(pod.content), dict(pod.written_s))
    for at_s, step in enumerate(since):
        happens(pod, step, 100 + at_s)
    rules = Rules(small_size=0)
    there, ours = pod.manifest(), here.manifest()
    proved = [one for one in beginnings(there, ours, rules) if pod.content[one.path][: one.had] == here.content[one.at]]
    found = decide(there, ours, rules, proved=proved)
    new = sum(len(data) - len(here.content[path]) for path, data in pod.content.items())
    taken = sum(one.size for one in found.rest) + sum(len(pod.content.get(path, b"")) for path in found.whole)
    assert taken == new


ANY = [b"", b"a", b"a/b", b"a/b/c", b"a.1", b"a.2", b"a/b.1", b".asynccp-1a2b.report", b"\xff\n", b"a.1/x"]
items = st.tuples(
    st.sampled_from([Kind.FILE, Kind.FILE, Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, None]),
    st.integers(0, 3),
    st.integers(-1, 2),
    st.sampled_from([0o644, 0o600, 0o200, 0o7777]),
    st.integers(0, 2),
    st.integers(1, 2),
).map(lambda of: Item(of[0], of[1], of[2] * SECOND, of[3], inode=of[4], names=of[5]))
manifests = st.dictionaries(st.sampled_from(ANY), items, max_size=9)


def possible(tree: Mapping[bytes, Item]) -> dict[bytes, Item]:
    """Return a tree that a disk can have: ours is one, whatever a pod says."""
    above = {path[:at] for path in tree for at in range(len(path)) if path[at : at + 1] == b"/"}
    return {**tree, **dict.fromkeys(above, TOP), **({b"": TOP} if tree.keys() - {b""} else {})}


@settings(max_examples=150)
@given(
    manifests,
    manifests.map(possible),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
    st.sets(st.sampled_from(ANY), max_size=2),
    st.sets(st.sampled_from(ANY), max_size=2),
)
def test_whatever_a_pod_says_and_proves_nothing_else_here_is_touched(
    there: dict[bytes, Item],
    here: dict[bytes, Item],
    mirror: bool,
    tail_size: int,
    checksum: bool,
    kept: set[bytes],
    besides: set[bytes],
) -> None:
    """Its listing may be of a tree that can't be, and it may lie about each digest."""
    besides = besides - there.keys()
    rules = Rules(
        collecting=Collecting(mirror=mirror, tail_size=tail_size),
        checksum=checksum,
        remembered={(0, inode): path for inode, path in enumerate(ANY)},
        besides=besides,
        protected=lambda path, _: path in kept,
        small_size=0,
    )
    asked = beginnings(there, here, rules, lambda _: True)
    found = decide(there, here, rules, lambda _: True, proved=asked)
    gone = [*found.in_the_way, *found.remove]
    assert gone == [] or mirror
    assert not {*gone} & {b"", *kept, *besides}
    assert {*found.remove} <= here.keys() - there.keys()
    left = set(here) - set(found.in_the_way)
    for move in found.moves:
        assert (here[move.at].kind, here[move.at].size) == (Kind.FILE, move.size)
        assert move.at in left
        assert move.at in there or (mirror and move.at not in kept | besides)
        assert (move.path in left) == move.replaces
        left = left - {move.at} | {move.path}
    for one in found.rest:
        assert one.path in left
        assert one.size > 0
    for path in found.remove:
        assert path in left
        assert not any(other.startswith(path + b"/") for other in left if other in here), "it is not empty"
        left.remove(path)
    written = [*found.whole, *(one.path for one in found.rest), *(one.path for one in found.tails), *found.set]
    assert len(written) == len(set(written)), "each is written once"
    assert {*written, *(move.path for move in found.moves)} <= there.keys()
    assert not any(there[path].kind is None for path in written)
