"""What of a pod a pull takes: by age and size, and what it says of the rest."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.entry import Kind
from asynccp.options import Collecting
from asynccp.plan.collect import MOST_NAMED, Collected, Promised, Room, bid, collected, shared, too_much
from asynccp.plan.manifest import Item

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND
TOP = Item(Kind.DIRECTORY, mtime_ns=NOW)


def file(size: int, age_s: float = 0, **facts: int) -> Item:
    return Item(Kind.FILE, size, NOW - int(age_s * SECOND), 0o644, **facts)  # type: ignore[arg-type]


PODS = {
    b"": TOP,
    b"new": TOP,
    b"new/a": file(10, 1),
    b"old": TOP,
    b"old/b": file(10, 100),
    b"old/empty": TOP,
    b"link": Item(Kind.SYMLINK, mtime_ns=NOW - 50 * SECOND, link=b"new/a"),
    b"pipe": Item(None, mtime_ns=NOW),
}


def taken(found: Collected) -> set[bytes]:
    return {path for path, item in found.kept.items() if item.kind is Kind.FILE}


def test_without_limits_all_is_taken() -> None:
    assert collected(PODS, Collecting(), Room()) == (PODS, 20, ())


@pytest.mark.parametrize(
    ("age_s", "kept"),
    [
        (10, [b"", b"new", b"new/a", b"pipe"]),
        (50, [b"", b"new", b"new/a", b"link", b"pipe"]),
        (100, [b"", b"new", b"new/a", b"old", b"old/b", b"link", b"pipe"]),
        (-10, [b""]),
    ],
)
def test_what_is_older_is_not_taken_nor_are_directories_without_anything(age_s: int, kept: list[bytes]) -> None:
    found = collected(PODS, Collecting(newer_than_ns=NOW - age_s * SECOND), Room())
    assert (list(found.kept), found.left_out) == (kept, ()), "it wasn't asked for, so it isn't named"


def test_a_pod_that_tells_whole_seconds_loses_nothing() -> None:
    pods = {b"": TOP, b"a": file(1, 0)}
    assert taken(collected(pods, Collecting(newer_than_ns=NOW + 999_999_999), Room())) == {b"a"}
    assert taken(collected(pods, Collecting(newer_than_ns=NOW + SECOND), Room())) == set()


def test_an_old_file_that_was_asked_for_by_its_name_is_not_taken() -> None:
    assert collected({b"": file(1, 9)}, Collecting(newer_than_ns=NOW - SECOND), Room()).kept == {}
    assert list(collected({b"": file(1)}, Collecting(newer_than_ns=NOW - SECOND), Room()).kept) == [b""]


FOUR = {b"": TOP, b"a": file(40, 4), b"b": file(30, 3), b"c": file(20, 2), b"d": file(10, 1)}


@pytest.mark.parametrize(
    ("collecting", "names"),
    [
        (Collecting(most_file_size=20), {b"c", b"d"}),
        (Collecting(most_file_size=20, tail_size=20), {b"a", b"b", b"c", b"d"}),
        (Collecting(most_pod_size=60), {b"b", b"c", b"d"}),
        (Collecting(most_pod_size=59), {b"c", b"d"}),
        (Collecting(most_pod_size=35, tail_size=5), {b"a", b"b", b"c", b"d"}),
        (Collecting(most_pod_size=9), set()),
        (Collecting(most_file_size=35, most_pod_size=100, newer_than_ns=NOW - 2 * SECOND), {b"c", b"d"}),
    ],
)
def test_limits_of_one_pod(collecting: Collecting, names: set[bytes]) -> None:
    found = collected(FOUR, collecting, Room())
    assert taken(found) == names
    gone = {
        path for path, item in FOUR.items() if path and path not in names and item.mtime_ns >= collecting.newer_than_ns
    }
    assert {one.path for one in found.left_out} == gone
    assert found.kept[b""] == TOP


def test_an_older_file_that_still_fits_is_taken() -> None:
    pods = {b"": TOP, b"large": file(50, 1), b"small": file(5, 2)}
    found = collected(pods, Collecting(most_pod_size=10), Room())
    assert taken(found) == {b"small"}


def test_why_something_is_left_out_names_the_limit() -> None:
    room = Room(1024)
    big = {b"": TOP, b"a": file(2048)}
    some = collected(big, Collecting(most_file_size=1024), Room()).left_out
    assert [str(one) for one in some] == ["a: larger than the 1K that one file may have"]
    some = collected(big, Collecting(most_pod_size=1024), Room()).left_out
    assert [one.reason for one in some] == ["no room for it beside newer files in the 1K that one pod may have"]
    some = collected(big, Collecting(most_total_size=1024), room).left_out
    assert [one.reason for one in some] == ["no room left for it in the 1K that all pods may have together"]


def test_all_pods_share_one_room_and_a_second_try_gives_its_own_back() -> None:
    room, collecting = Room(150), Collecting(most_total_size=150)
    first = collected(FOUR, collecting, room)
    assert (first.size, taken(first)) == (100, {b"a", b"b", b"c", b"d"})
    assert taken(collected(FOUR, collecting, room)) == {b"c", b"d"}, "50 are left: for 10, and 20, but not 30"
    room = Room(150)
    first = collected(FOUR, collecting, room)
    room.give_back(first.size)
    assert collected(FOUR, collecting, room) == first


MANY = Collecting(most_total_size=100)


@pytest.mark.parametrize(
    ("pods", "collecting", "shares"),
    [
        ([], MANY, []),
        ([[]], MANY, [0]),
        ([[(60, 1), (60, 3)], [(40, 2)]], MANY, [60, 40]),
        ([[(60, 3), (60, 4)], [(40, 2), (70, 1)]], MANY, [0, 70]),
        ([[(60, 3)], [(90, 1), (10, 4)]], MANY, [0, 100]),
        ([[(60, 1)], [(60, 1)]], MANY, [60, 0]),
        ([[(50, 1), (50, 2)], [(50, 3)]], MANY._replace(most_pod_size=60), [50, 50]),
        ([[(101, 1)], [(50, 3)]], MANY, [0, 50]),
        ([[(80, 1)], [(30, 3)]], MANY._replace(most_file_size=50), [0, 30]),
        ([[(80, 1)], [(80, 2)]], MANY._replace(tail_size=50), [50, 50]),
        ([[(80, 1)], [(80, 9)]], MANY._replace(newer_than_ns=NOW - 5 * SECOND), [80, 0]),
    ],
    ids=[
        "no pods", "a pod that has nothing", "by age, over all pods", "the newest alone", "an older one that fits",
        "of one age, the first pod's", "a pod's own limit leaves room to others", "too large for all", "a file's limit",
        "of ends so much as is taken", "what is too old asks for nothing",
    ],
)  # fmt: skip
def test_what_each_pod_is_promised(
    pods: list[list[tuple[int, float]]], collecting: Collecting, shares: list[int]
) -> None:
    manifests = [{b"%d" % n: file(size, age_s) for n, (size, age_s) in enumerate(one)} for one in pods]
    assert shared([bid(one, collecting) for one in manifests], collecting) == shares


def test_a_promise_is_kept_apart_from_what_is_left_for_all() -> None:
    common = Room(10)
    one, other = Promised(50, common), Promised(0, common)
    assert one.take(55)
    assert not other.take(6)
    assert other.take(5)
    other.give_back(5)
    one.give_back(55)
    assert not other.take(11), "of what another one was promised nobody takes"
    assert (other.take(10), one.take(50), one.take(1)) == (True, True, False)


def test_names_of_one_file_count_once_and_go_together() -> None:
    two = dict.fromkeys((b"x", b"y"), file(10, 0, device=1, inode=5, names=2))
    assert collected(two, Collecting(most_pod_size=10), Room()).size == 10
    assert [one.path for one in collected(two, Collecting(most_pod_size=9), Room()).left_out] == [b"x", b"y"]


def test_of_very_many_that_are_left_out_the_first_are_named() -> None:
    many = {b"%05d" % number: file(9) for number in range(MOST_NAMED + 5)}
    found = collected(many, Collecting(most_file_size=8), Room())
    assert len(found.left_out) == MOST_NAMED + 1
    assert sum(one.count for one in found.left_out) == len(many)


sizes = st.dictionaries(
    st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name),
    st.tuples(st.integers(0, 100), st.integers(0, 5)),
    max_size=20,
)


@given(st.lists(sizes, max_size=4), st.integers(1, 150), st.integers(1, 300))
def test_no_limit_is_ever_exceeded_and_each_file_is_taken_or_named(
    pods: list[dict[bytes, tuple[int, int]]], most_pod_size: int, most_total_size: int
) -> None:
    room, collecting = Room(most_total_size), Collecting(most_pod_size=most_pod_size, most_total_size=most_total_size)
    total = 0
    for one in pods:
        manifest = {path: file(size, age_s) for path, (size, age_s) in one.items()}
        found = collected(manifest, collecting, room)
        assert found.size == sum(item.size for item in found.kept.values()) <= most_pod_size
        assert {*found.kept, *(left.path for left in found.left_out)} == manifest.keys()
        total += found.size
    assert total <= most_total_size


@given(st.lists(sizes, max_size=4), st.integers(1, 150), st.integers(1, 300), st.randoms())
def test_pods_take_the_newest_of_all_in_whichever_order_they_come(
    pods: list[dict[bytes, tuple[int, int]]], most_pod_size: int, most_total_size: int, random: Random
) -> None:
    collecting = Collecting(most_pod_size=most_pod_size, most_total_size=most_total_size)
    manifests = [{path: file(size, age_s) for path, (size, age_s) in one.items()} for one in pods]
    newest = sorted((age_s, n, path, size) for n, one in enumerate(pods) for path, (size, age_s) in one.items())
    rooms, total, expected = [Room(most_pod_size) for _ in pods], Room(most_total_size), set()
    for _, n, path, size in newest:
        if not too_much(size, collecting, rooms[n], total):
            expected.add((n, path))
    shares = shared([bid(one, collecting) for one in manifests], collecting)
    common = Room(most_total_size)
    assert all(map(common.take, shares))
    found, order = set(), list(range(len(pods)))
    random.shuffle(order)
    for n in order:
        found |= {(n, path) for path in collected(manifests[n], collecting, Promised(shares[n], common)).kept}
    assert found == expected
