"""Which texts are shown, and how they differ: by tables, and GNU patch is the judge of a whole difference."""

import difflib
import hashlib
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.difference import Difference, Sign, Text, Why
from asynccp.entry import Kind
from asynccp.plan.manifest import Item
from asynccp.plan.unified import MOST_FILES, MOST_LINES, MOST_POD_SIZE, MOST_SIZE, notes, unified

NAMES = ("/etc/app/a", "config/a")
HEAD = ("--- /etc/app/a", "+++ config/a")
LINES = [b"line %d\n" % number for number in range(20)]


def changed(path: bytes, *why: Why) -> Difference:
    return Difference(Sign.CHANGED, path, why)


def file(size: int) -> Item:
    return Item(Kind.FILE, size)


@pytest.mark.parametrize(
    ("difference", "ours", "theirs", "note"),
    [
        (changed(b"a", Why.SIZE), file(3), file(4), ""),
        (changed(b"a", Why.TIME), file(3), file(3), ""),
        (changed(b"a", Why.CONTENT, Why.MODE), file(3), file(3), ""),
        (changed(b"a"), file(3), file(3), ""),  # with --ignore-times
        (changed(b"a", Why.MODE, Why.OWNER), file(3), file(3), None),
        (changed(b"a", Why.TYPE), file(3), Item(Kind.SYMLINK), None),
        (changed(b"a", Why.TYPE), Item(Kind.DIRECTORY), file(3), None),
        (changed(b"a", Why.SIZE), file(0), file(1), ""),
        (changed(b"a", Why.SIZE), file(MOST_SIZE), file(1), ""),
        (changed(b"a", Why.SIZE), file(MOST_SIZE + 1), file(1), "not shown: larger than 64.0 KiB"),
        (changed(b"a", Why.SIZE), file(1), file(MOST_SIZE + 1), "not shown: larger than 64.0 KiB"),
        (Difference(Sign.NEW, b"a"), file(3), None, ""),
        (Difference(Sign.NEW, b"a"), file(0), None, None),
        (Difference(Sign.NEW, b"a"), Item(Kind.DIRECTORY), None, None),
        (Difference(Sign.EXTRA, b"a"), None, file(3), ""),
        (Difference(Sign.EXTRA, b"a"), None, Item(None), None),
    ],
)
def test_the_text_is_shown_of_small_files_whose_content_may_differ(
    difference: Difference, ours: Item | None, theirs: Item | None, note: str | None
) -> None:
    found = notes([difference], {b"a": ours} if ours else {}, {b"a": theirs} if theirs else {})
    assert found.get(b"a") == note


@pytest.mark.parametrize(("size", "most"), [(MOST_SIZE, MOST_POD_SIZE // MOST_SIZE), (1, MOST_FILES)])
def test_of_one_pod_no_more_is_asked_than_its_share(size: int, most: int) -> None:
    extra = [Difference(Sign.EXTRA, b"%06d" % number) for number in range(most + 2)]
    found = notes(extra, {}, {one.path: file(size) for one in extra})
    assert list(found.values()) == [""] * most + ["not shown: the pod's others have 1.0 MiB, or are 100"] * 2


@pytest.mark.parametrize(
    ("theirs", "ours", "lines"),
    [
        (b"a\n", b"b\n", ("@@ -1 +1 @@", "-a", "+b")),
        (b"a", b"a\n", ("@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+a")),
        (b"a\r\nb\n", b"a\nb\n", ("@@ -1,2 +1,2 @@", "-a\\r", "+a", " b")),
        (b"a\rb\n", b"a\n", ("@@ -1 +1 @@", "-a\\rb", "+a")),
        (b"", b"a\nb\n", ("@@ -0,0 +1,2 @@", "+a", "+b")),
        (b"\x1b[2J\xff\n", b"", ("@@ -1 +0,0 @@", "-\\x1b[2J\\xff")),
        ("ümläut\n".encode(), b"+\n", ("@@ -1 +1 @@", "-ümläut", "++")),
    ],
)
def test_lines_that_differ_are_shown_and_safe(theirs: bytes, ours: bytes, lines: tuple[str, ...]) -> None:
    assert unified(theirs, ours, NAMES) == Text((*HEAD, *lines), "", hashlib.sha256(theirs).hexdigest())


def test_what_is_not_there_has_the_name_of_nothing() -> None:
    assert unified(None, b"a\n", NAMES).lines[:2] == ("--- /dev/null", "+++ config/a")
    assert unified(b"a\n", None, NAMES).lines[:2] == ("--- /etc/app/a", "+++ /dev/null")
    assert unified(b"a\n", b"b\n", ("a\nb", "c\x1b")).lines[:2] == ("--- a\\nb", "+++ c\\x1b")


@pytest.mark.parametrize(
    ("theirs", "ours", "note"),
    [
        (b"a\0", b"a", "not shown: binary in the pod, or not readable in full"),
        (b"a", b"\0a", "not shown: binary"),
        (b"a", b"a", "the content is the same"),
    ],
)
def test_what_is_not_shown_says_why(theirs: bytes, ours: bytes, note: str) -> None:
    found = unified(theirs, ours, NAMES)
    assert (found.lines, found.note) == ((), note)


def test_what_is_cut_says_so_and_is_not_the_same_as_another() -> None:
    theirs = b"".join(b"%d\n" % number for number in range(900))
    found = unified(theirs + b"x" * 500 + b"a", b"", NAMES)
    assert (len(found.lines), found.note) == (2 + MOST_LINES, "403 more lines not shown")
    assert found != unified(theirs + b"x" * 500 + b"b", b"", NAMES)
    long = unified(b"x" * 401, b"x" * 400, NAMES)
    assert long.note == "1 line cut after 400 characters"
    assert {len(line) for line in long.lines[3::2]} == {402, 401}


line = st.sampled_from([b"a\n", b"b\n", b"c c\n", b"- d\n", b"@@ -1 +1 @@\n", b"\n"])
text = st.builds(lambda lines, end: b"".join(lines) + end, st.lists(line, max_size=30), st.sampled_from([b"", b"end"]))


@given(text, text)
def test_it_is_what_difflib_writes(theirs: bytes, ours: bytes) -> None:
    names = [name.encode() for name in NAMES]
    wanted = difflib.diff_bytes(
        difflib.unified_diff, theirs.splitlines(True), ours.splitlines(True), names[0], names[1], lineterm=b"\n"
    )
    lines = [one for line in wanted for one in line.removesuffix(b"\n").decode().split("\n")]
    shown = [one for one in unified(theirs, ours, NAMES).lines if not one.startswith("\\ No newline")]
    assert shown == lines


@pytest.mark.skipif(not shutil.which("patch"), reason="patch is the judge")
@pytest.mark.parametrize("end", [b"", b"no newline"])
def test_patch_makes_ours_of_theirs(tmp_path: Path, end: bytes) -> None:
    ours = b"".join(LINES) + end
    theirs = b"".join([*LINES[:3], b"new\n", *LINES[3:10], *LINES[12:]])
    (tmp_path / "a").write_bytes(theirs)
    shown = "".join(f"{line}\n" for line in unified(theirs, ours, ("a", "a")).lines)
    subprocess.run(["patch", "-p0"], cwd=tmp_path, input=shown.encode(), check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "a").read_bytes() == ours


def test_a_text_made_to_be_compared_for_ever_is_not() -> None:
    """Lines that each occur just as often as difflib still looks at."""
    theirs = b"".join(b"%x\n" % (number % 100) for number in range(20_000))
    ours = b"".join(b"%x\n" % (number * 7 % 100) for number in range(20_000))
    begun = time.thread_time()
    found = unified(theirs, ours, NAMES)
    assert found.lines
    assert time.thread_time() - begun < 5, "seconds of CPU; without a bound it is minutes"
