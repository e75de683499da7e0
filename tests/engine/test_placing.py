"""Placing: what a pod tells of how a push was put in its place, and what is made of it: a table, and its bounds."""

import pytest

from asynccp.engine.placing import MAX_TOLD, OVERWRITTEN, Placing, unsettled
from asynccp.errors import DestinationError
from asynccp.remote.messages import Done
from asynccp.remote.notes import Note


def done(**facts: str) -> Done:
    return Done.read({"rc": "0", "settled": "yes", "handed": "yes", "barred": "0", "overwritten": "0"} | facts)


def placing(*notes: Note) -> Placing:
    found = Placing()
    for note in notes:
        found.hear(note)
    return found


def barred(path: bytes, why: bytes = b"mounted") -> Note:
    return Note("barred", why + b" " + path)


MOUNTED = "it is mounted there (a ConfigMap's or Secret's key, or a file of the runtime's)"


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (b"mounted", MOUNTED),
        (b"directory", "a directory is in its place"),
        (b"file", "a file or a dangling link is in its place"),
        (b"closed", "the directory that it belongs in may not be written"),
        (b"\x1b[2J", "it can't be put in its place"),
        (b"", "it can't be put in its place"),
    ],
)
def test_what_is_in_the_way_is_told_in_words(why: bytes, reason: str) -> None:
    (one,) = placing(barred(b"a b\\n", why)).left_out(done(barred="1"), "/etc")
    assert (one.path, one.reason) == (b"a b\\n", reason)


@pytest.mark.parametrize(
    ("notes", "line", "refused"),
    [
        ([barred(b"a")], done(rc="1", barred="1"), True),
        ([barred(b"a")], done(rc="0", barred="1"), False),  # the rest is in its place
        ([barred(b"a")], done(rc="1", barred="0"), False),  # it failed for another reason
        ([barred(b"a")], done(rc="1", barred="x"), False),  # that is no number
        ([barred(b"a")], done(rc="1", barred="9" * 30), False),
        ([], done(rc="1", barred="1"), False),
        ([barred(b"a")], None, False),
        ([barred(b"a")], Done(), False),
    ],
)
def test_a_push_is_refused_only_for_what_was_in_the_way(notes: list[Note], line: Done | None, refused: bool) -> None:
    error = placing(*notes).refusal(line)
    assert (type(error) is DestinationError) is refused


def test_a_push_whose_rest_could_not_be_put_in_place_either_has_changed_something() -> None:
    one = Placing(partial=True)
    one.hear(barred(b"a"))
    assert one.refusal(done(rc="1", barred="1")) is None


@pytest.mark.parametrize(
    ("count", "told", "says"),
    [
        (1, "1", f"a0: {MOUNTED}"),
        (3, "3", f"a0: {MOUNTED}; a1: {MOUNTED}; a2: {MOUNTED}"),
        (4, "4", f"a2: {MOUNTED}; and 1 more"),
        (3, "5000", f"a2: {MOUNTED}; and 4997 more"),
    ],
)
def test_a_refusal_names_the_first_and_counts_the_rest(count: int, told: str, says: str) -> None:
    error = placing(*(barred(b"a%d" % number) for number in range(count))).refusal(done(rc="1", barred=told))
    assert error is not None
    assert str(error).startswith("nothing was changed, because some of it can't be put in its place: a0: ")
    assert str(error).endswith(says)


def test_a_name_in_a_refusal_is_escaped() -> None:
    error = placing(barred(b"\x1b[2J\xff")).refusal(done(rc="1", barred="1"))
    assert "\\x1b[2J\\xff: it is mounted" in str(error)


def test_nothing_is_told_of_a_push_that_went_well() -> None:
    one = placing()
    assert (one.left_out(done(), "/etc"), one.not_kept(done(), "/etc"), unsettled(done(), "")) == ([], [], "")
    assert one.refusal(done()) is None


def test_a_done_line_that_tells_less_is_no_trouble() -> None:
    line = Done(code=0)
    assert (placing().left_out(line, "/etc"), placing().not_kept(line, "/etc"), unsettled(line, "")) == ([], [], "")


def test_more_than_the_bound_is_counted() -> None:
    words = [Note("overwritten", b"o%d" % number) for number in range(2 * MAX_TOLD)]
    bars = [barred(b"b%d" % number) for number in range(2 * MAX_TOLD)]
    line = done(barred=str(2 * MAX_TOLD + 1), overwritten=str(2 * MAX_TOLD))
    left_out, not_kept = placing(*words, *bars).left_out(line, "/etc"), placing(*words).not_kept(line, "/etc")
    assert len(left_out) == len(not_kept) == MAX_TOLD + 1
    assert str(left_out[-1]) == f"/etc: {MAX_TOLD + 1} more entries can't be put in place"
    assert str(not_kept[-1]) == f"/etc: {MAX_TOLD} more files were {OVERWRITTEN}"


@pytest.mark.parametrize("note", [Note("busy", b""), Note("ended", b""), Note("census", b"entries=3"), Note("", b"")])
def test_other_notes_are_not_placings(note: Note) -> None:
    assert placing(note).left_out(done(), "/etc") == []


@pytest.mark.parametrize(
    ("settled", "said", "told"),
    [
        ("yes", "chmod: x", ""),
        ("no", "", "the modes and times of directories that were there before could not all be set"),
        ("no", "chmod: x", "the modes and times of directories that were there before could not all be set: chmod: x"),
        ("\x1b", "", "the modes and times of directories that were there before could not all be set"),
    ],
)
def test_directories_that_could_not_be_settled_are_told(settled: str, said: str, told: str) -> None:
    assert unsettled(done(settled=settled), said) == told
