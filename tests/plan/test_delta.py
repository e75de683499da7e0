"""What a push would change, by what a pod has: by tables, and against a model of paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.difference import Difference, Sign, Why
from asynccp.entry import Entry, Kind
from asynccp.options import Attributes, Sync
from asynccp.plan.delta import MOST_SET, Delta, Rules, compare, moved, questionable, tally
from asynccp.plan.manifest import Item

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def file(path: bytes, size: int = 3, **facts: object) -> Entry:
    return Entry(path, Kind.FILE, size, mtime_ns=NOW, **facts)  # type: ignore[arg-type]


def directory(path: bytes) -> Entry:
    return Entry(path, Kind.DIRECTORY, mode=0o755, mtime_ns=NOW)


def stands(entry: Entry, **other: object) -> Item:
    """Return what a pod has of an entry, but for some of it."""
    return Item(entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.uid, entry.gid, entry.link)._replace(**other)  # type: ignore[arg-type]


A, LINK, TOP = file(b"app/a"), Entry(b"app/link", Kind.SYMLINK, link=b"a", mtime_ns=NOW), directory(b"app")
CHECKED, WITH_OWNERS, WITH_DIRECTORIES = (
    Rules(checksum=True),
    Rules(attributes=Attributes(preserve_owner=True)),
    Rules(attributes=Attributes(dir_perms=True)),
)


@pytest.mark.parametrize(
    ("entry", "there", "rules", "why"),
    [
        (A, {}, Rules(), ()),
        (A, {"mtime_ns": NOW + SECOND - 1}, Rules(), ()),
        (A, {"mtime_ns": NOW + SECOND}, Rules(), (Why.TIME,)),
        (A, {"mtime_ns": NOW - 1}, Rules(), (Why.TIME,)),
        (A, {"size": 4}, Rules(), (Why.SIZE,)),
        (A, {"size": 4, "mode": 0o600}, Rules(), (Why.SIZE, Why.MODE)),
        (A, {"mode": 0o600}, Rules(), (Why.MODE,)),
        (A, {"uid": 7}, Rules(), ()),
        (A, {"uid": 7}, WITH_OWNERS, (Why.OWNER,)),
        (A, {"kind": Kind.SYMLINK, "link": b"b"}, Rules(), (Why.TYPE,)),
        (A, {"kind": None}, Rules(), (Why.TYPE,)),
        (A, {"kind": Kind.DIRECTORY}, Rules(), (Why.TYPE,)),
        (A, {"mtime_ns": 0}, CHECKED, (Why.TIME,)),
        (A, {"size": 4, "mtime_ns": 0}, CHECKED, (Why.SIZE, Why.TIME)),
        (LINK, {}, Rules(), ()),
        (LINK, {"mtime_ns": 0, "mode": 0o777}, Rules(), ()),
        (LINK, {"link": b"b"}, Rules(), (Why.LINK,)),
        (TOP, {"mtime_ns": 0, "mode": 0o700, "uid": 7}, WITH_OWNERS, ()),
        (TOP, {"mtime_ns": 0, "mode": 0o700}, WITH_DIRECTORIES, (Why.TIME, Why.MODE)),
        (TOP, {"kind": Kind.SYMLINK, "link": b"elsewhere"}, Rules(), ()),
        (TOP, {"kind": Kind.FILE}, Rules(), (Why.TYPE,)),
    ],
)
def test_what_differs(entry: Entry, there: dict[str, object], rules: Rules, why: tuple[Why, ...]) -> None:
    found = compare([entry], {entry.path: stands(entry, **there)}, rules, lambda _: True)
    assert [one.why for one in found.differences] == ([why] if why else [])
    assert found.same == (not why)


def test_what_is_not_there_is_sent_with_the_directories_above_it_and_nothing_else() -> None:
    deep = [directory(b"app"), directory(b"app/b"), file(b"app/b/new"), file(b"app/old")]
    there = {one.path: stands(one) for one in deep if one.path != b"app/b/new"}
    found = compare(deep, there, Rules())
    assert [entry.path for entry in found.send] == [b"app", b"app/b", b"app/b/new"]
    assert found.differences == (Difference(Sign.NEW, b"app/b/new", (), 3),)
    assert tally(found) == (1, 0, 0, 3, 0, 3, 0)


def test_a_mode_is_set_and_the_file_not_sent() -> None:
    found = compare([A], {A.path: stands(A, mode=0o600)}, Rules())
    assert (found.send, [tuple(one) for one in found.settings]) == ((), [(Why.MODE, "0644", (A.path,))])
    assert moved(found) == []
    assert (tally(found).set, tally(found).saved) == (1, 3)


def test_a_time_is_set_only_where_content_was_compared() -> None:
    there = {A.path: stands(A, mtime_ns=0)}
    assert compare([A], there, Rules()).send == (A,)
    found = compare([A], there, CHECKED, lambda _: True)
    assert (found.send, [tuple(one) for one in found.settings]) == ((), [(Why.TIME, "1700000000", (A.path,))])
    assert compare([A], there, CHECKED, lambda _: False).send == (A,)


def test_a_new_owner_takes_set_id_bits_away_so_the_mode_comes_after_it() -> None:
    found = compare([A], {A.path: stands(A, uid=7)}, WITH_OWNERS)
    assert [(one.what, one.value) for one in found.settings] == [(Why.OWNER, "0:0"), (Why.MODE, "0644")]


def test_what_the_pod_has_no_program_to_set_is_sent() -> None:
    found = compare([A], {A.path: stands(A, mode=0o600)}, Rules(can_set=()))
    assert (found.send, found.settings) == ((A,), ())


def test_of_very_many_modes_those_of_small_files_are_sent() -> None:
    many = [file(b"%d" % number) for number in range(MOST_SET + 1)]
    large = file(b"large", 10_000_000)
    found = compare([*many, large], {one.path: stands(one, mode=0o600) for one in [*many, large]}, Rules())
    assert len(found.send) == len(many)
    assert [one.paths for one in found.settings] == [(b"large",)]


@pytest.mark.parametrize(
    ("inode", "size", "sent"),
    [(7, 3, []), (8, 3, [b"a", b"b"]), (7, 4, [b"a", b"b"]), (None, 3, [b"a", b"b"])],
    ids=["one file", "two files", "another content", "one name is missing"],
)
def test_names_of_one_file_are_sent_together_or_not_at_all(inode: int | None, size: int, sent: list[bytes]) -> None:
    entries = [file(b"a"), Entry(b"b", Kind.HARDLINK, mtime_ns=NOW, link=b"a")]
    there = {b"a": stands(entries[0], inode=7, size=size)}
    if inode is not None:
        there[b"b"] = stands(entries[0], inode=inode, size=size)
    assert [one.path for one in compare(entries, there, Rules()).send] == sent


def test_only_files_of_the_same_size_are_worth_a_digest() -> None:
    entries = [file(b"same"), file(b"longer"), file(b"new"), directory(b"d")]
    there = {b"same": stands(entries[0]), b"longer": stands(entries[1], size=4), b"d": stands(entries[3])}
    assert questionable(entries, there, CHECKED) == {b"same": 3}
    assert questionable(entries, there, Rules()) == {}


@pytest.mark.parametrize(
    ("sync", "sent"),
    [
        (Sync(), [b"new", b"older", b"newer"]),
        (Sync(existing=True), [b"older", b"newer"]),
        (Sync(ignore_existing=True), [b"new"]),
        (Sync(update=True), [b"new", b"older"]),
        (Sync(always=True), [b"new", b"older", b"newer", b"same"]),
    ],
    ids=["", "existing", "ignore_existing", "update", "always"],
)
def test_what_is_passed_over(sync: Sync, sent: list[bytes]) -> None:
    entries = [file(name) for name in (b"new", b"older", b"newer", b"same")]
    ages = {b"older": -SECOND, b"newer": SECOND, b"same": 0}
    there = {one.path: stands(one, mtime_ns=NOW + ages[one.path]) for one in entries[1:]}
    found = compare(entries, there, Rules(sync=sync))
    assert [one.path for one in found.send] == sent
    assert found.passed_over + len(moved(found)) + found.same == len(entries)
    assert found.same_size == 3 * found.same, "what is passed over was not there to be saved"


DELETING = Rules(sync=Sync(delete=True), roots=(b"app",))


def removed(there: dict[bytes, Kind | None], rules: Rules = DELETING) -> Delta:
    return compare([TOP, A], {b"app": stands(TOP), b"app/a": stands(A)} | {p: Item(k) for p, k in there.items()}, rules)


@pytest.mark.parametrize(
    ("there", "gone"),
    [
        ({b"app/b": Kind.FILE, b"other": Kind.FILE, b"apps": Kind.FILE}, [b"app/b"]),
        ({b"app/d": Kind.DIRECTORY, b"app/d/x": Kind.FILE, b"app/d.x": None}, [b"app/d/x", b"app/d.x", b"app/d"]),
        ({b"app/d": Kind.DIRECTORY, b"app/d/keep": Kind.FILE, b"app/d/x": Kind.FILE}, [b"app/d/x"]),
        ({b"app/.asynccp-u-1.2": Kind.DIRECTORY, b"app/.asynccp-u-1.2/new": Kind.DIRECTORY}, []),
        ({b"app/d": Kind.DIRECTORY, b"app/d/.asynccp-u-1.2": Kind.DIRECTORY}, []),
    ],
    ids=["only below the root", "content first", "what is protected keeps its directory", "a stage", "above a stage"],
)
def test_what_is_removed(there: dict[bytes, Kind | None], gone: list[bytes]) -> None:
    rules = DELETING._replace(protected=lambda path, _: path.endswith(b"/keep"))
    assert list(removed(there, rules).remove) == gone


def test_nothing_is_removed_unless_asked_but_it_may_be_told() -> None:
    there: dict[bytes, Kind | None] = {b"app/b": Kind.FILE}
    found = removed(there, Rules(roots=(b"app",), extras=True))
    assert (found.remove, [one.path for one in found.differences]) == ((), [b"app/b"])
    assert removed(there, Rules(roots=(b"app",))).differences == ()


def test_what_stands_in_the_way_goes_first() -> None:
    there = {
        b"app": stands(TOP),
        b"app/a": Item(Kind.DIRECTORY),
        b"app/a/x": Item(Kind.FILE),
        b"app/z": Item(Kind.FILE),
    }
    found = compare([TOP, A], there, DELETING)
    assert (found.remove, found.in_the_way) == ((b"app/z", b"app/a/x", b"app/a"), (b"app/a/x", b"app/a"))
    assert compare([TOP, A], there, Rules()).remove == ()


names = st.sampled_from([b"a", b"b", b"c", b"d.x", b"\xff\n"])
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
trees = st.dictionaries(paths, st.sampled_from([Kind.FILE, Kind.SYMLINK, None]), max_size=12)


def with_parents(tree: dict[bytes, Kind | None]) -> dict[bytes, Kind | None]:
    """Return a tree that can stand on a disk: what is above something is a directory."""
    above = {path[:at] for path in tree for at in range(len(path)) if path[at : at + 1] == b"/"}
    return tree | dict.fromkeys(above, Kind.DIRECTORY)


@given(trees, trees, st.sets(paths, max_size=3), st.sampled_from([(b"",), (b"a",), (b"a/b",), ()]))
def test_removal_against_a_model(
    here: dict[bytes, Kind | None], pod: dict[bytes, Kind | None], kept: set[bytes], roots: tuple[bytes, ...]
) -> None:
    """Whatever both have: nothing outside goes, nothing protected, and each directory is empty when it is its turn."""
    here, pod = with_parents(here), with_parents(pod)
    entries = [Entry(path, kind or Kind.FILE, mtime_ns=NOW) for path, kind in sorted(here.items())]

    def is_protected(path: bytes, is_directory: bool) -> bool:
        return any(path == one or path.startswith(one + b"/") for one in kept)

    rules = Rules(sync=Sync(delete=True), roots=roots, protected=is_protected)
    found = compare(entries, {path: Item(kind) for path, kind in pod.items()}, rules)
    left = dict(pod)
    for path in found.remove:
        assert not is_protected(path, False) or path in here, "what the source has may have to make room"
        assert path in here or any(not root or path.startswith(root + b"/") for root in roots)
        assert not any(one.startswith(path + b"/") for one in left) or path in here, "it is not empty"
        del left[path]
    for path in left.keys() - here.keys():
        inside = any(not root or path.startswith(root + b"/") for root in roots)
        has_kept = any(is_protected(one, False) or one in here for one in left if one.startswith(path + b"/"))
        assert not inside or is_protected(path, False) or has_kept, "it should have gone"
