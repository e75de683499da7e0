"""Watch: which entries a pod is asked about, and what its answer means: tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.archive.watch import FRESH_S, MOST_FRESH, Change, Fate, State, Watch, change, fate
from asynccp.entry import Entry, Kind

NOW_S = 1_700_000_000
OLD, YOUNG = NOW_S - int(FRESH_S) - 1, NOW_S - int(FRESH_S)


def entry(name: bytes = b"log/a", kind: Kind = Kind.FILE, size: int = 10, mtime_s: int = OLD) -> Entry:
    return Entry(name, kind, size if kind is Kind.FILE else 0, mtime_ns=mtime_s * 1_000_000_000)


def seen(watch: Watch, *entries: Entry, ends_with_zero: bool = False) -> dict[bytes, State]:
    for one in entries:
        watch.begin(one)
        watch.ends_with_zero = ends_with_zero
        watch.end()
    return watch.states


DIRECTORY = entry(b"log", Kind.DIRECTORY)
LINK, NAME = entry(b"log/l", Kind.SYMLINK, mtime_s=NOW_S), entry(b"log/h", Kind.HARDLINK, mtime_s=NOW_S)


@pytest.mark.parametrize(
    ("watch", "one", "ends_with_zero", "is_watched"),
    [
        (Watch(since_s=NOW_S), entry(mtime_s=OLD), False, False),
        (Watch(since_s=NOW_S), entry(mtime_s=YOUNG), False, True),
        (Watch(since_s=NOW_S), entry(mtime_s=NOW_S + 5), False, True),
        (Watch(since_s=NOW_S), entry(kind=Kind.DIRECTORY, mtime_s=NOW_S), False, False),
        (Watch(since_s=NOW_S), LINK, False, False),
        (Watch(since_s=NOW_S), entry(mtime_s=OLD), True, False),
        (Watch(since_s=NOW_S, pads=True), entry(mtime_s=OLD), True, True),
        (Watch(since_s=NOW_S, pads=True), entry(mtime_s=OLD), False, False),
        (Watch(since_s=NOW_S, pads=True), DIRECTORY, True, False),
        (Watch(every=True), entry(mtime_s=OLD), False, True),
        (Watch(every=True), DIRECTORY, False, True),
        (Watch(every=True), LINK, False, False),
        (Watch(every=True), NAME, False, False),
        (Watch(), entry(mtime_s=NOW_S), True, False),
    ],
)
def test_who_is_worth_a_question(watch: Watch, one: Entry, ends_with_zero: bool, is_watched: bool) -> None:
    assert bool(seen(watch, one, ends_with_zero=ends_with_zero)) is is_watched
    assert watch.padded == ({one.path} if is_watched and ends_with_zero else set())


def test_each_name_of_a_file_is_worth_the_same_question() -> None:
    again = Entry(b"log/b", Kind.HARDLINK, mtime_ns=NOW_S * 1_000_000_000, link=b"log/a")
    third = Entry(b"log/c", Kind.HARDLINK, mtime_ns=NOW_S * 1_000_000_000, link=b"log/b")
    states = seen(Watch(every=True), entry(), again, third)
    assert states == dict.fromkeys((b"log/a", b"log/b", b"log/c"), State(10, OLD))
    assert len(seen(Watch(since_s=NOW_S), entry(mtime_s=NOW_S), again)) == 1, "if it isn't all, one name will do"


def test_a_link_to_what_is_no_file_is_worth_no_question() -> None:
    assert b"log/d" not in seen(Watch(every=True), DIRECTORY, Entry(b"log/d", Kind.HARDLINK, link=b"log"))


def test_what_the_archive_said_is_remembered() -> None:
    watch = Watch(every=True)
    assert seen(watch, DIRECTORY, entry()) == {b"log": State(None, OLD), b"log/a": State(10, OLD)}
    assert watch.files == {b"log/a": 10}


def test_a_zero_of_one_member_is_not_that_of_the_next() -> None:
    watch = Watch(pads=True)
    watch.begin(entry(b"a"))
    watch.ends_with_zero = True
    watch.begin(entry(b"b"))
    assert watch.end() == 0


def test_a_tree_that_has_just_been_made_costs_one_question() -> None:
    watch = Watch(since_s=NOW_S)
    assert len(seen(watch, *(entry(b"%d" % index, mtime_s=NOW_S) for index in range(1000)))) == MOST_FRESH


def test_what_is_to_be_remembered_is_told_by_its_size() -> None:
    watch = Watch(every=True)
    watch.begin(entry(b"log/abc"))
    assert watch.end() == 7


FILE, FOLDER = State(10, NOW_S), State(None, NOW_S)


@pytest.mark.parametrize(
    ("came", "told", "what"),
    [
        (FILE, f"10 {NOW_S}", Change.NONE),
        (FILE, f"11 {NOW_S}", Change.GREW),
        (FILE, f"11 {NOW_S + 1}", Change.GREW),
        (FILE, f"9 {NOW_S}", Change.SHRANK),
        (FILE, f"0 {NOW_S + 1}", Change.SHRANK),
        (FILE, f"10 {NOW_S + 1}", Change.OTHER),
        (FILE, f"10 {NOW_S - 1}", Change.OTHER),
        (FILE, None, Change.GONE),
        (FILE, "", Change.GONE),
        (FILE, "ten 1", Change.GONE),
        (FILE, "\u0663 1", Change.GONE),
        (FILE, "9" * 30, Change.GONE),
        (FOLDER, f"4096 {NOW_S}", Change.NONE),
        (FOLDER, f"4096 {NOW_S + 1}", Change.OTHER),
        (State(10, None), f"10 {NOW_S + 1}", Change.NONE),  # nobody knows the time it had
        (State(10, None), f"11 {NOW_S + 1}", Change.GREW),
        (State(10, 0), "10 -315619200", Change.NONE),  # BusyBox's tar has no time before 1970
        (State(10, -315619200), "10 -315619200", Change.NONE),
    ],
)
def test_what_an_answer_means(came: State, told: str | None, what: Change) -> None:
    assert change(came, told) is what


@given(st.builds(State, st.none() | st.integers(0, 2**63), st.none() | st.integers(-(2**63), 2**63)), st.text())
def test_no_answer_is_too_odd(came: State, told: str) -> None:
    assert isinstance(change(came, told), Change)


FATES: list[tuple[Change, bool, bool, bool, Fate | None]] = [
    # what, differs, may be padded, strict
    (Change.NONE, False, False, True, None),
    (Change.NONE, True, True, True, None),
    (Change.GREW, False, False, False, None),
    (Change.GREW, True, True, False, None),
    (Change.GREW, False, False, True, Fate.CHANGED),
    (Change.SHRANK, False, True, False, Fate.SHRANK),
    (Change.SHRANK, True, True, True, Fate.SHRANK),
    (Change.SHRANK, False, False, False, None),  # when tar was done with it: rotated, written anew
    (Change.SHRANK, True, False, False, Fate.REPLACED),
    (Change.OTHER, False, False, False, None),
    (Change.OTHER, False, True, False, None),
    (Change.OTHER, True, False, False, Fate.REPLACED),
    (Change.OTHER, False, False, True, Fate.REPLACED),
    (Change.GONE, False, False, False, None),
    (Change.GONE, True, False, False, Fate.REPLACED),
    (Change.GONE, False, False, True, Fate.REPLACED),
]


@pytest.mark.parametrize(("what", "differs", "is_padded", "strict", "expected"), FATES)
def test_what_is_complained_of(
    what: Change, differs: bool, is_padded: bool, strict: bool, expected: Fate | None
) -> None:
    of = {b"a"}
    found = fate(b"a", what, differ=of if differs else (), padded=of if is_padded else (), strict=strict)
    assert found is expected
