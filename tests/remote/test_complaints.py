"""What the tars of this machine say of single entries, what is made of it, and that no pod can do harm with it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynccp.archive.tar import Member, TarDecoder
from asynccp.archive.watch import Fate
from asynccp.entry import Kind
from asynccp.errors import CommandFailed, Knob, ProtocolViolation, SourceChanged, SourceMissing
from asynccp.remote import complaints as module
from asynccp.remote.complaints import MAX_LINE_SIZE, Complaint, Complaints, changed, failure, judge, listed
from asynccp.report import Outcome
from tests.archive.spelled import spelled

GNU_END = b"tar: Exiting with failure status due to previous errors\n"
BUSYBOX_END = b"tar: error exit delayed from previous errors\n"
TOYBOX_END = b"tar: had errors\n"
BSDTAR_END = b"bsdtar: Error exit delayed from previous errors.\n"


def heard(said: bytes, requested: bytes = b"log") -> Complaints:
    complaints = Complaints(requested)
    complaints.feed(said)
    complaints.end()
    return complaints


def told(said: bytes) -> list[tuple[bytes, Fate, str]]:
    complaints = heard(said)
    assert (complaints.others, complaints.unnamed.total()) == (0, 0)
    return [(one.path, one.fate, one.reason) for one in complaints.told]


DENIED = "Permission denied"
READ_ERROR = b"tar: ./log/x: Read error at byte 19456, while reading 10240 bytes: Input/output error\n"

ONE = {
    b"tar: ./log/x: Cannot open: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"/usr/bin/tar: ./log/x: Cannot open: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"tar: ./log/x: Cannot stat: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"tar: ./log/x: Cannot readlink: Input/output error\n": (Fate.UNREADABLE, "Input/output error"),
    b"tar: ./log/x/: Cannot savedir: Input/output error\n": (Fate.UNREADABLE, "Input/output error"),
    b"tar: ./log/x: Cannot open: No such file or directory\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: File removed before we read it\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: file changed as we read it\n": (Fate.CHANGED, ""),
    b"tar: ./log/x: File shrank by 1 byte; padding with zeros\n": (Fate.SHRANK, ""),
    b"tar: ./log/x: File shrank by 3145728 bytes; padding with zeros\n": (Fate.SHRANK, ""),
    READ_ERROR: (Fate.DAMAGED, "Input/output error"),
    b"tar: ./log/x: socket ignored\n": (Fate.SOCKET, ""),
    b"tar: can't open './log/x': Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"tar: can't open './log/x': No such file or directory\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"tar: ./log/x: I/O error\n": (Fate.UNREADABLE, "I/O error"),
    b"tar: ./log/x: No such file or directory\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: Stale file handle\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: cannot read link: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"bsdtar: ./log/x: Cannot stat: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"bsdtar: ./log/x: Couldn't visit directory: Unknown error -1\n": (Fate.UNREADABLE, ""),
    b"bsdtar: Can't open `./log/x': Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"bsdtar: Couldn't open ./log/x: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"bsdtar: ./log/x: File removed before we read it: No such file or directory\n": (Fate.VANISHED, ""),
    b": ./log/x: pax format cannot archive sockets": (Fate.SOCKET, ""),
    b"find: './log/x': Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"find: ./log/x: Permission denied\n": (Fate.UNREADABLE, DENIED),
    b"find: './log/x': No such file or directory\n": (Fate.VANISHED, ""),
    b"tar: ./log/x: Permission denied\ntar: ./log/x: Permission denied\n": (Fate.UNREADABLE, DENIED),  # toybox
    b"tar: unknown file type '140000'\ntar: ./log/x: socket ignored\n": (Fate.SOCKET, ""),  # it, and the script
}


@pytest.mark.parametrize("said", ONE)
def test_what_a_tar_says_of_one_entry(said: bytes) -> None:
    assert told(said) == [(b"log/x", *ONE[said])]


@pytest.mark.parametrize(
    ("said", "paths"),
    [
        (
            b"tar: ./log/new\\nline\\\\\\a\\303\\251\\377 b\\: c\\177: Cannot open: x\n",
            [b"log/new\nline\\\a\xc3\xa9\xff b: c\x7f"],
        ),
        (b"tar: ./log/\\\\n: socket ignored\n", [b"log/\\n"]),
        (b"tar: ./log/a\\qb: socket ignored\n", [b"log/a\\qb"]),  # BusyBox: GNU tar would have written two
        (b"tar: ./log/caf\xc3\xa9\\n: socket ignored\n", [b"log/caf\xc3\xa9\\n"]),  # likewise: \303\251
        (b"tar: ./log/a\nb: c': Permission denied\n", [b"log/a\nb: c'"]),
        (b"tar: can't open './log/\n\n': Permission denied\n", [b"log/\n\n"]),
        (b"tar: can't open './log/it's': x': Permission denied\n", [b"log/it's': x"]),
        (b"tar: ./log/\\n: Permission denied\n", [b"log/\\n"]),
        (b"tar: .: Permission denied\n", [b""]),
        (b"find: './log/it\\'s\\n\\303\\251: x': Permission denied\n", [b"log/it's\n\xc3\xa9: x"]),
        (b"find: ./log/it's\n': y: Permission denied\n", [b"log/it's\n': y"]),
        (b"tar: ./log/./x//y/: Permission denied\n", [b"log/x/y"]),
        (b"bsdtar: Can't open `f3': Permission denied\n", [b"f3"]),
        (
            b"tar: ./log/a b ./log/c: File removed before we read it: No such file or directory\n",
            [b"log/a b", b"log/c"],
        ),
        (
            b": ./log/a: pax format cannot archive sockets: ./log/b\nc: pax format cannot archive sockets",
            [b"log/a", b"log/b\nc"],
        ),
        (
            b": Can't translate pathname './log/\xff/' to UTF-8bsdtar: ./log/new\nline: Cannot stat: x\n",
            [b"log/new\nline"],
        ),
    ],
)
def test_names_are_what_they_are_on_the_disk(said: bytes, paths: list[bytes]) -> None:
    assert [path for path, _, _ in told(said)] == paths


@pytest.mark.parametrize(
    ("said", "fate", "left_out"),
    [
        (b"tar: unknown file type '140000'\n", Fate.SOCKET, "log: 1 socket, which is never copied; not named"),
        (b": tar format cannot archive socket" * 3, Fate.SOCKET, "log: 3 sockets, which are never copied; not named"),
        (b"tar: readlink: Permission denied\n", Fate.UNREADABLE, "log: 1 entry that can't be read; not named"),
        (b"bsdtar: Couldn't read link data: No such file or directory\n", Fate.VANISHED, ""),
    ],
)
def test_an_entry_that_a_tar_does_not_name_is_counted(said: bytes, fate: Fate, left_out: str) -> None:
    complaints = heard(said)
    assert (complaints.told, complaints.others) == ([], 0)
    assert complaints.count(fate) == complaints.unnamed.total() > 0
    assert "".join(map(str, complaints.left_out)) == left_out


@pytest.mark.parametrize("said", [GNU_END, BUSYBOX_END, TOYBOX_END, b"", b": Can't translate uname '\xff' to UTF-8"])
def test_a_closing_line_is_no_complaint(said: bytes) -> None:
    complaints = heard(said)
    assert (complaints.told, complaints.others, complaints.stopped) == ([], 0, "")


NOT_UNDERSTOOD = [
    b"tar: short read\n",
    b"tar: write error: Broken pipe\n",
    b"tar: read error: Input/output error\n",
    b"bsdtar: (null)\n",
    b"tar: ./log/x: something new\n",
    b"tar: ./log/x: No space left on device\n",
    b"tar: ./log/x: socket ignored: Permission\n",
    b"tar: ./log/x\n",
    b"tar: Error is not recoverable: exiting now\n",
    b"zstd: error 70 : Write error : cannot write block : Broken pipe \n",
    b"./log/x: Cannot open: Permission denied\n",
    b"x\n",
]


@pytest.mark.parametrize("said", NOT_UNDERSTOOD)
def test_other_words_are_counted_and_quoted(said: bytes) -> None:
    complaints = heard(b"tar: ./log/y: Permission denied\n" + said + BUSYBOX_END)
    assert [one.path for one in complaints.told] == [b"log/y"]
    assert complaints.others == 1
    assert complaints.said == said.decode().strip()


def test_what_has_been_said_is_known_while_it_is_being_said() -> None:
    complaints = Complaints()
    assert complaints.said == ""
    complaints.feed(b"sh: can't create /x: ")
    assert complaints.said == "sh: can't create /x:"
    complaints.feed(b"Permission denied\nls: \x1b[2J\n")
    assert complaints.said == r"sh: can't create /x: Permission denied; ls: \x1b[2J"


def test_the_last_words_are_quoted_when_all_of_them_are_understood() -> None:
    assert heard(b"tar: ./log/x: Permission denied\n" + TOYBOX_END).said == (
        "tar: ./log/x: Permission denied; tar: had errors"
    )


UNREADABLE = b"tar: ./log/x: Cannot open: Permission denied\n"
VANISHED = b"tar: ./log/v: File removed before we read it\n"
SOCKET = b"tar: ./log/s: socket ignored\n"
CHANGED = b"tar: ./log/c: file changed as we read it\n"
SHRANK = b"tar: ./log/h: File shrank by 9 bytes; padding with zeros\n"
BSD_VANISHED = b"tar: ./log/v: File removed before we read it: No such file or directory\n"
STOPPED = b"bsdtar: Can't open `x': Permission denied\n" + BSDTAR_END

VERDICTS: list[tuple[str, int, bytes, Outcome]] = [
    ("all came", 0, b"", Outcome.COMPLETE),
    ("a shell talks, but all came", 0, b"some banner\n", Outcome.COMPLETE),
    ("GNU: unreadable", 2, UNREADABLE + GNU_END, Outcome.PARTIAL),
    ("BusyBox: unreadable", 1, b"tar: can't open './log/x': Permission denied\n" + BUSYBOX_END, Outcome.PARTIAL),
    ("toybox: unreadable", 1, b"tar: ./log/x: Permission denied\n" + TOYBOX_END, Outcome.PARTIAL),
    ("bsdtar: unreadable, and it stopped there", 1, STOPPED, Outcome.FAILED),
    ("GNU: a socket", 0, SOCKET, Outcome.PARTIAL),
    ("toybox: a socket", 1, b"tar: unknown file type '140000'\n" + TOYBOX_END, Outcome.PARTIAL),
    ("bsdtar: a socket", 0, b": ./log/s: pax format cannot archive sockets", Outcome.PARTIAL),
    ("GNU: vanished", 1, VANISHED, Outcome.CHANGED),
    ("BusyBox: vanished", 1, b"tar: ./log/v: No such file or directory\n" + BUSYBOX_END, Outcome.CHANGED),
    ("toybox: vanished", 1, b"tar: can't open './log/v': No such file or directory\n" + TOYBOX_END, Outcome.CHANGED),
    ("bsdtar: vanished", 0, BSD_VANISHED, Outcome.CHANGED),
    ("GNU: changed", 1, CHANGED, Outcome.CHANGED),
    ("GNU: shrank", 1, SHRANK, Outcome.CHANGED),
    ("GNU: a read error", 2, READ_ERROR + GNU_END, Outcome.PARTIAL),
    ("both kinds", 2, VANISHED + UNREADABLE + GNU_END, Outcome.PARTIAL),
    ("a directory changed, and nothing else", 1, b"tar: ./log/d: file changed as we read it\n", Outcome.COMPLETE),
    ("a directory changed, and a file vanished", 1, VANISHED + b"tar: ./log/d: file changed as we read it\n",
     Outcome.CHANGED),
    ("a directory that shrank is none", 1, b"tar: ./log/d: File shrank by 1 byte\n", Outcome.CHANGED),
    ("one word too many", 2, UNREADABLE + b"tar: ./log/y: something new\n" + GNU_END, Outcome.FAILED),
    ("failed without a word", 1, b"", Outcome.FAILED),
    ("failed with a closing line alone", 1, BUSYBOX_END, Outcome.FAILED),
    ("killed", 137, UNREADABLE, Outcome.FAILED),
    ("what was named can't be read", 2, b"tar: ./log: Cannot open: Permission denied\n" + GNU_END, Outcome.FAILED),
    ("what was named is a socket", 0, b"tar: ./log: socket ignored\n", Outcome.FAILED),
    ("what was named is gone", 1, b"tar: ./log: No such file or directory\n" + BUSYBOX_END, Outcome.FAILED),
    ("what was named changed", 1, b"tar: ./log: file changed as we read it\n", Outcome.CHANGED),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said", "outcome"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS])
def test_one_event_has_one_verdict_whichever_tar_it_was(code: int, said: bytes, outcome: Outcome) -> None:
    assert judge(code, True, heard(said), harmless={b"log/d"}) is outcome


@pytest.mark.parametrize("said", [row[2] for row in VERDICTS])
@pytest.mark.parametrize("code", [0, 1, 2])
def test_an_archive_without_an_end_is_a_failure_whatever_is_said(code: int, said: bytes) -> None:
    assert judge(code, False, heard(said)) is Outcome.FAILED


@pytest.mark.parametrize("said", NOT_UNDERSTOOD)
@pytest.mark.parametrize("before", [b"", UNREADABLE, VANISHED, SOCKET])
def test_words_that_are_not_understood_are_never_more_than_a_failure(before: bytes, said: bytes) -> None:
    assert judge(1, True, heard(before + said)) is Outcome.FAILED


def test_a_failure_names_the_entry_where_bsdtar_stopped() -> None:
    error = failure(1, heard(b": ./log/s: pax format cannot archive sockets" + STOPPED))
    assert isinstance(error, CommandFailed)
    assert str(error) == "tar stopped: x can't be read (Permission denied); what comes after it was not read"
    assert Knob.CONTAINER in error.hint


def test_bsdtar_that_is_told_each_name_goes_on() -> None:
    complaints = heard(b"bsdtar: Can't open `./log/x': Permission denied\n" + BSDTAR_END)
    assert complaints.stopped
    complaints.goes_on = True
    assert (complaints.stopped, judge(1, True, complaints)) == ("", Outcome.PARTIAL)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (b"tar: short read\n", "in a file that lost its end"),
        (UNREADABLE + b"/bin/tar: short read\n", "in a file that lost its end"),
        (b"bsdtar: (null)\n", "at a file that vanished, or can't be read to its end"),
        (b"tar: read error: Input/output error\ntar: short read\n", ""),
        (b"tar: short read: x\n", ""),
        (b"short read\n", ""),
        (UNREADABLE, ""),
        (b"", ""),
    ],
)
def test_a_tar_that_ends_because_a_file_changed_says_where(said: bytes, where: str) -> None:
    assert heard(said).ended_early == where


def test_a_failure_of_what_was_named_says_so_by_the_name_that_was_written() -> None:
    error = failure(0, heard(b"tar: ./log: socket ignored\n"), r"/var/log\x1b")
    assert (type(error), str(error)) == (SourceMissing, r"/var/log\x1b is a socket, which is never copied")


def test_a_failure_of_what_was_named_says_so() -> None:
    error = failure(2, heard(b"tar: ./log: Cannot open: Permission denied\n" + GNU_END))
    assert (type(error), str(error)) == (SourceMissing, "log can't be read (Permission denied)")
    error = failure(0, heard(b"tar: .: socket ignored\n", requested=b""))
    assert (type(error), str(error)) == (SourceMissing, ". is a socket, which is never copied")


def test_a_failure_quotes_what_is_not_understood() -> None:
    error = failure(1, heard(UNREADABLE + b"tar: \x1b[2J\n" + GNU_END))
    assert str(error) == r"tar failed in the container with exit code 1: tar: \x1b[2J"
    assert str(failure(3, heard(b""))) == "tar failed in the container with exit code 3: it said nothing"


def test_what_changed_is_named_but_for_what_is_harmless() -> None:
    complaints = heard(VANISHED + SHRANK + CHANGED + b"tar: ./log/d: file changed as we read it\n")
    error = changed(complaints, harmless={b"log/d"})
    assert isinstance(error, SourceChanged)
    assert str(error) == (
        "sources changed while they were pulled: log/v vanished before it was read, "
        "log/h shrank while it was read, log/c changed while it was read"
    )


def test_ten_names_are_enough_for_a_message() -> None:
    many = [Complaint(b"f%d\x1b" % index, Fate.VANISHED) for index in range(12)]
    words = listed(many, more=3)
    assert words.startswith(r"f0\x1b vanished")
    assert words.endswith(r"f9\x1b vanished before it was read, and 5 more")


def test_what_did_not_come_is_left_out_and_what_is_gone_is_not() -> None:
    assert list(map(str, heard(UNREADABLE + VANISHED + SOCKET + CHANGED + SHRANK + READ_ERROR).left_out)) == [
        "log/x: it can't be read: Permission denied",
        "log/s: a socket is never copied",
        "log/x: it can't be read to its end, where zeros stand here: Input/output error",
    ]


def test_no_more_names_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOLD", 3)
    complaints = heard(b"".join(b"tar: ./log/%d: Permission denied\n" % index for index in range(10)))
    assert [one.path for one in complaints.told] == [b"log/0", b"log/1", b"log/2"]
    assert complaints.count(Fate.UNREADABLE) == 10
    assert str(complaints.left_out[-1]) == "log: 7 entries that can't be read; not named"
    assert judge(1, True, complaints) is Outcome.PARTIAL


def test_no_more_bytes_of_names_are_kept_than_the_bound() -> None:
    names = [b"./log/%d/" % index + b"n" * 4000 for index in range(1000)]
    complaints = heard(b"".join(b"tar: %b: Permission denied\n" % name for name in names))
    assert complaints.count(Fate.UNREADABLE) == 1000
    assert sum(len(one.path) for one in complaints.told) <= module.MAX_TOLD_SIZE


def test_a_line_that_is_too_long_is_still_a_verdict() -> None:
    gone = b"bsdtar: " + b" ".join([b"./log/%d" % index for index in range(20_000)])
    complaints = Complaints(b"log")
    for start in range(0, len(gone), 4096):
        complaints.feed(gone[start : start + 4096])
    complaints.feed(b": File removed before we read it: No such file or directory\n" + SOCKET)
    complaints.end()
    assert complaints.unnamed == {Fate.VANISHED: 1}
    assert [one.path for one in complaints.told] == [b"log/s"]


def test_a_thousand_sockets_without_a_newline_are_all_named() -> None:
    said = b"".join(b": ./log/%05d: pax format cannot archive sockets" % index for index in range(2000))
    assert len(said) > MAX_LINE_SIZE
    complaints = Complaints(b"log")
    for start in range(0, len(said), 4096):
        complaints.feed(said[start : start + 4096])
    complaints.end()
    assert [one.path for one in complaints.told] == [b"log/%05d" % index for index in range(2000)]


pieces = st.sampled_from(
    [*ONE, *NOT_UNDERSTOOD, GNU_END, BSDTAR_END, b"\n", b"tar: ./a\n", b"\0", b": ", b"'", b"./", b"\\303", b": ./a"]
) | st.binary(max_size=40)


@given(st.lists(pieces, max_size=12).map(b"".join), st.data())
@example(b"tar: ./a\n" * 9, None)
def test_it_is_all_the_same_how_stderr_is_cut_into_messages(said: bytes, data: st.DataObject | None) -> None:
    whole, cut, start = heard(said), Complaints(b"log"), 0
    while start < len(said):
        size = data.draw(st.integers(1, 30)) if data else 1
        cut.feed(memoryview(said)[start : start + size])
        start += size
    cut.end()
    assert (cut.told, cut.unnamed, cut.others, cut.stopped) == (
        whole.told, whole.unnamed, whole.others, whole.stopped,
    )  # fmt: skip
    assert cut.said == whole.said
    assert not re.search("[\x00-\x1f\x7f-\x9f]", cut.said)


# What the tars of this machine do, and not only what they are known to say.

TOLD = "bsdtar, told each name"
TARS = {
    "GNU tar": ["tar"],
    "BusyBox": ["busybox", "tar"],
    "bsdtar": ["bsdtar"],
    "toybox": ["toybox", "tar"],
    TOLD: ["bsdtar"],
}
HERE = [name for name, argv in TARS.items() if shutil.which(argv[0])]
GOES_ON = [name for name in HERE if name != "bsdtar"]
NOBODY = 65534

every_tar = pytest.mark.parametrize("tar", HERE)
every_tar_that_goes_on = pytest.mark.parametrize("tar", GOES_ON)
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")


class Archived:
    """One run of a tar: its code, the entries that came, and what it complained of."""

    def __init__(self, tar: str, directory: Path, requested: str = "log", user: int | None = None) -> None:
        self.complaints = Complaints(os.fsencode(requested))
        self._as: dict[str, Any] = {"cwd": directory, "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}, "user": user}
        with tempfile.TemporaryFile() as names:
            operands = self._told_by_find(requested, names) if tar == TOLD else [f"./{requested}"]
            self._process = subprocess.Popen(
                [*TARS[tar], "cf", "-", *operands],
                stdin=names,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                **self._as,
            )
        self.paths: list[bytes] = []
        self.files: list[bytes] = []
        self._decoder = TarDecoder()
        self.code = -1

    def _told_by_find(self, requested: str, names: IO[bytes]) -> list[str]:
        find = ["find", f"./{requested}", "-print0"]
        said = subprocess.run(find, stdout=names, stderr=subprocess.PIPE, check=False, **self._as)
        names.seek(0)
        self.complaints.feed(said.stderr)
        self.complaints.goes_on = True
        return ["-n", "--null", "-T", "-"]

    def first_file(self) -> bytes:
        """Read no further than to where the first file begins."""
        assert self._process.stdout
        while not self.files and (data := self._process.stdout.read(512)):
            self._take(data)
        return self.files[0]

    def to_the_end(self) -> "Archived":
        out, err = self._process.communicate(timeout=60)
        self._take(out)
        self.complaints.feed(err)
        self.complaints.end()
        self.code = self._process.returncode
        return self

    def _take(self, data: bytes) -> None:
        entries = [event.entry for event in spelled(self._decoder.feed(data)) if isinstance(event, Member)]
        self.paths += [entry.path for entry in entries]
        self.files += [entry.path for entry in entries if entry.kind is Kind.FILE]

    @property
    def whole(self) -> bool:
        return self._decoder.ended

    @property
    def outcome(self) -> Outcome:
        return judge(self.code, self.whole, self.complaints, harmless={b"log"})


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory `log` that anybody may enter."""
    tmp_path.chmod(0o755)
    (tmp_path / "log").mkdir(mode=0o755)
    return tmp_path


def paths(complaints: Sequence[Complaint]) -> set[bytes]:
    return {one.path for one in complaints}


@only_root
@every_tar_that_goes_on
def test_a_tar_passes_over_what_may_not_be_read_and_names_it(tar: str, here: Path) -> None:
    for name, mode in (("a", 0o644), ("b", 0o600), ("sub", 0o755), ("sub/c", 0o600), ("sub/d", 0o644)):
        (here / "log" / name).mkdir() if name == "sub" else (here / "log" / name).write_text(name)
        (here / "log" / name).chmod(mode)
    (here / "log/lost+found").mkdir(mode=0o700)
    archived = Archived(tar, here, user=NOBODY).to_the_end()
    assert archived.outcome is Outcome.PARTIAL
    assert {b"log/a", b"log/sub/d"} <= set(archived.paths)
    unreadable = {b"log/b", b"log/sub/c", b"log/lost+found"}
    assert paths(archived.complaints.of(Fate.UNREADABLE)) == unreadable
    assert {one.path for one in archived.complaints.left_out} == unreadable


@only_root
@pytest.mark.skipif("bsdtar" not in HERE, reason="there is no bsdtar")
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_bsdtar_stops_at_what_may_not_be_read_and_that_is_a_failure(kind: str, here: Path) -> None:
    for index in range(9):
        (here / "log" / f"d{index}").mkdir(mode=0o755 if kind == "file" else 0o700)
        (here / "log" / f"d{index}" / "f").write_text("x")
        (here / "log" / f"d{index}" / "f").chmod(0o600)
    archived = Archived("bsdtar", here, user=NOBODY).to_the_end()
    assert archived.whole, "it says that the archive is whole all the same"
    assert archived.outcome is Outcome.FAILED
    assert archived.complaints.count(Fate.UNREADABLE) == 1, "of nine"
    assert "was not read" in str(failure(archived.code, archived.complaints))


@only_root
@every_tar_that_goes_on
def test_every_name_that_a_file_system_takes_is_read_back(tar: str, here: Path) -> None:
    names = [bytes([byte]) for byte in range(1, 256) if byte not in b"/."]
    names += [b"new\nline\n", b"a: b", b"it's", b"\\n", b"\\101", b"caf\xc3\xa9", b": x", b"a': x", b"x" * 90]
    for name in names:
        path = Path(os.fsdecode(bytes(here) + b"/log/" + name))
        path.write_bytes(b"x")
        path.chmod(0o600)
    archived = Archived(tar, here, user=NOBODY).to_the_end()
    assert paths(archived.complaints.told) == {b"log/" + name for name in names}
    assert archived.outcome is Outcome.PARTIAL


@every_tar
def test_a_socket_is_named_where_a_tar_names_it(tar: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "log")  # the path of a socket has at most 107 bytes
    (here / "log/a").touch()
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        one.bind("one.sock")
        other.bind("other")
    archived = Archived(tar, here).to_the_end()
    assert archived.outcome is Outcome.PARTIAL
    assert b"log/a" in archived.paths
    assert archived.complaints.count(Fate.SOCKET) == 2
    if tar != "toybox":
        assert paths(archived.complaints.told) == {b"log/one.sock", b"log/other"}


@every_tar
def test_a_socket_that_was_named_is_a_failure(tar: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "log")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("x")
    archived = Archived(tar, here, requested="log/x").to_the_end()
    assert archived.paths == []
    if tar != "toybox":  # it doesn't say of what
        assert archived.outcome is Outcome.FAILED


@every_tar
def test_what_was_named_and_is_not_there_is_a_failure(tar: str, here: Path) -> None:
    archived = Archived(tar, here, requested="nowhere").to_the_end()
    assert archived.outcome is Outcome.FAILED
    assert "nowhere vanished" in str(failure(archived.code, archived.complaints))


BIG = 2_000_000  # bytes, of which a pipe holds 64 KiB: a tar that nobody reads is held up in such a file


def held_up(tar: str, here: Path) -> tuple[Archived, Path, list[Path]]:
    """Return a tar in the middle of its first file, that file, and those whose turn comes, in their order."""
    for index in range(6):
        (here / "log" / f"big{index}").write_bytes(bytes([index]) * BIG)
    names = os.listdir(here / "log")
    archived = Archived(tar, here)
    first = os.fsdecode(archived.first_file())
    assert first == f"log/{names[0]}", "tars take a directory in the order in which the system lists it"
    return archived, here / first, [here / "log" / name for name in names[1:]]


@every_tar
def test_files_that_vanish_are_a_change_with_their_names(tar: str, here: Path) -> None:
    archived, _, later = held_up(tar, here)
    for path in later[:-1]:  # of those at the very end bsdtar says nothing
        path.unlink()
    archived.to_the_end()
    assert archived.outcome is Outcome.CHANGED
    assert paths(archived.complaints.of(Fate.VANISHED)) == {os.fsencode(f"log/{path.name}") for path in later[:-1]}
    assert archived.complaints.left_out == []


@every_tar
def test_a_directory_in_which_an_entry_comes_to_be_is_complete(tar: str, here: Path) -> None:
    archived, _, _ = held_up(tar, here)
    (here / "log/new").touch()
    assert archived.to_the_end().outcome is Outcome.COMPLETE
    assert paths(archived.complaints.told) == ({b"log"} if tar == "GNU tar" else set())


# The others end inside the file.
SHRANK_OUTCOMES = {"GNU tar": Outcome.CHANGED, "bsdtar": Outcome.COMPLETE, TOLD: Outcome.COMPLETE}


@every_tar
def test_a_file_that_shrinks_is_never_taken_for_whole_where_the_tar_knows(tar: str, here: Path) -> None:
    archived, under_way, _ = held_up(tar, here)
    os.truncate(under_way, 1_000_000)
    archived.to_the_end()
    assert archived.outcome is SHRANK_OUTCOMES.get(tar, Outcome.FAILED)
    assert archived.whole == (tar in SHRANK_OUTCOMES)
    if tar == "GNU tar":
        assert paths(archived.complaints.of(Fate.SHRANK)) == {os.fsencode(f"log/{under_way.name}")}


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@every_tar
@pytest.mark.parametrize("change", [rewrite, append])
def test_gnu_tar_alone_tells_of_a_file_that_is_written_to(tar: str, here: Path, change: Callable[[Path], None]) -> None:
    archived, under_way, _ = held_up(tar, here)
    change(under_way)
    archived.to_the_end()
    if tar == "GNU tar":
        assert archived.outcome is Outcome.CHANGED
        assert paths(archived.complaints.of(Fate.CHANGED)) == {os.fsencode(f"log/{under_way.name}")}
    else:
        assert archived.outcome is Outcome.COMPLETE


@only_root
@pytest.mark.skipif("toybox" not in HERE, reason="there is no toybox")
def test_toybox_gives_no_file_the_long_name_of_one_that_it_could_not_read(here: Path) -> None:
    """It writes the name before it opens the file; what follows would come under it, and be called complete."""
    for index in range(30):
        name = f"{index}" if index % 2 else f"{index}".ljust(120, "n")
        (here / "log" / name).write_text(name)
        (here / "log" / name).chmod(0o644 if index % 2 else 0o600)
    with pytest.raises(ProtocolViolation, match=r"has two names|follows another one|belongs to no member"):
        Archived("toybox", here, user=NOBODY).to_the_end()
