"""The dialogue: lines of a pod, read as hostile input, and the one place that says whether a transfer is complete."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.errors import (
    CommandFailed,
    CommandMissing,
    DestinationError,
    ProtocolViolation,
    SessionLost,
    SourceChanged,
    SourceMissing,
    TransferError,
)
from asynccp.wire.dialogue import MAX_LINE_SIZE, MAX_PADDING_SIZE, Line, LineReader, refusal, verdict
from asynccp.wire.exec import ExitStatus

TOKEN = "0123456789abcdef"
HELLO = b"asynccp 0123456789abcdef hello count=dd tar=gnu\n"
DONE = b"asynccp 0123456789abcdef done rc=0 sentinel=yes\n"


def hello_reader() -> LineReader:
    return LineReader(TOKEN, "hello")


def trailer_reader() -> LineReader:
    return LineReader(TOKEN, "done", after_zeros=True)


def feed_again_and_again(reader: LineReader, piece: bytes, size: int) -> None:
    """Feed pieces until they are `size` bytes."""
    for _ in range(-(-size // len(piece))):
        assert reader.feed(piece) is None


def test_a_line_that_comes_whole() -> None:
    assert hello_reader().feed(HELLO) == (Line("hello", {"count": "dd", "tar": "gnu"}), b"")


def test_a_line_that_comes_byte_by_byte() -> None:
    reader = hello_reader()
    assert [reader.feed(HELLO[index : index + 1]) for index in range(len(HELLO) - 1)] == [None] * (len(HELLO) - 1)
    assert reader.feed(HELLO[-1:]) == (Line("hello", {"count": "dd", "tar": "gnu"}), b"")


@pytest.mark.parametrize("rest", [b"\0" * 512, b"./a\0\0", HELLO, b"\n"])
def test_what_follows_the_line_is_handed_on(rest: bytes) -> None:
    assert hello_reader().feed(HELLO + rest) == (Line("hello", {"count": "dd", "tar": "gnu"}), rest)


def test_what_follows_is_handed_on_when_the_line_came_in_parts() -> None:
    reader = hello_reader()
    assert reader.feed(HELLO[:20]) is None
    assert reader.feed(memoryview(HELLO[20:] + b"rest")) == (Line("hello", {"count": "dd", "tar": "gnu"}), b"rest")


@given(st.integers(0, 3000), st.binary(max_size=50), st.lists(st.integers(1, 700)))
def test_zeros_before_the_trailer_are_skipped_however_they_are_cut(zeros: int, rest: bytes, sizes: list[int]) -> None:
    stream, reader, found = bytes(zeros) + DONE + rest, trailer_reader(), None
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        if found := reader.feed(piece):
            break
    assert found is not None
    line, after = found
    assert line == Line("done", {"rc": "0", "sentinel": "yes"})
    assert after + stream == rest


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", {}),
        ("rc=0", {"rc": "0"}),
        ("rc=", {"rc": ""}),
        ("rc", {"rc": ""}),
        ("rc=0=1", {"rc": "0=1"}),
        ("  rc=0   sentinel=yes ", {"rc": "0", "sentinel": "yes"}),
        ("=5", {"": "5"}),
        ("rc=0 rc=2", {"rc": "2"}),
        ("rc=\u0660", {"rc": "\ufffd\ufffd"}),
        ("rc=0\r", {"rc": "0"}),
    ],
)
def test_facts_of_a_line(text: str, facts: dict[str, str]) -> None:
    found = LineReader(TOKEN, "done").feed(f"asynccp {TOKEN} done {text}\n".encode())
    assert found == (Line("done", facts), b"")


@pytest.mark.parametrize(
    "said",
    [
        b"welcome to our shell\n",
        b"\n",
        b"asynccp\n",
        b"asynccp fedcba9876543210 hello count=dd\n",  # another run's
        b"asynccp 0123456789abcdef done rc=0\n",  # the wrong word
        b"asynccp 0123456789abcdef hello\n",
        b" " + HELLO,
        b"\0" + HELLO,  # zeros stand only behind an archive
        b"\xff",
        b"X",
    ],
)
def test_what_cannot_become_the_line_is_a_violation_at_once(said: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="where its hello belongs"):
        hello_reader().feed(said)


def test_noise_is_told_escaped_and_short() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        hello_reader().feed(b"\x1b[2J" + b"x" * 100_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_noise_behind_the_archive_is_a_violation() -> None:
    reader = trailer_reader()
    assert reader.feed(bytes(1024)) is None
    with pytest.raises(ProtocolViolation, match="where its done belongs"):
        reader.feed(bytes(512) + b"./another-archive")


def test_zeros_inside_the_trailer_are_a_violation() -> None:
    reader = trailer_reader()
    assert reader.feed(b"\0" + DONE[:5]) is None
    with pytest.raises(ProtocolViolation):
        reader.feed(b"\0" + DONE[5:])


@pytest.mark.parametrize("step", [1, 100, MAX_LINE_SIZE, 10 * MAX_LINE_SIZE])
def test_a_line_without_an_end_is_a_violation(step: int) -> None:
    reader = hello_reader()
    reader.feed(HELLO[:-1])
    with pytest.raises(ProtocolViolation, match="hello line does not end"):
        feed_again_and_again(reader, b"x" * step, MAX_LINE_SIZE)


def test_a_line_whose_end_comes_too_late_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation, match="does not end"):
        hello_reader().feed(HELLO[:-1] + b"x" * MAX_LINE_SIZE + b"\n")


@pytest.mark.parametrize("step", [511, 512, 32 * 1024, 2 * MAX_PADDING_SIZE])
def test_zeros_without_an_end_are_a_violation(step: int) -> None:
    with pytest.raises(ProtocolViolation, match="where its done belongs"):
        feed_again_and_again(trailer_reader(), bytes(step), MAX_PADDING_SIZE + 1)


def test_as_many_zeros_as_are_allowed_are_skipped() -> None:
    assert trailer_reader().feed(bytes(MAX_PADDING_SIZE) + DONE) is not None


@pytest.mark.parametrize(
    ("facts", "kind", "says"),
    [
        ({"problem": "no-tar"}, CommandMissing, "there is no tar"),
        ({"problem": "no-mv"}, CommandMissing, "there is no mv"),
        ({"problem": "no-\x1b"}, ProtocolViolation, r"not known here: no-\\x1b"),
        ({"problem": "missing"}, SourceMissing, "/var/log does not exist"),
        ({"problem": "unreadable"}, SourceMissing, "/var/log may not be read"),
        ({"problem": "not-a-directory"}, DestinationError, "/var/log is not a directory"),
        ({"problem": "cannot-create"}, DestinationError, "/var/log can't be created"),
        ({"problem": "not-writable"}, DestinationError, "/var/log is not writable"),
        ({"problem": "\x1b[2Jx"}, ProtocolViolation, r"not known here: \\x1b\[2Jx"),
        ({"problem": ""}, ProtocolViolation, "not known here"),
    ],
)
def test_a_hello_with_a_problem_is_an_error_that_names_it(
    facts: dict[str, str], kind: type[TransferError], says: str
) -> None:
    error = refusal(Line("hello", facts), "/var/log", "")
    assert type(error) is kind
    with pytest.raises(kind, match=says):
        raise error


@pytest.mark.parametrize("problem", ["missing", "unreadable", "cannot-create"])
def test_the_systems_own_reason_is_told(problem: str) -> None:
    error = refusal(Line("hello", {"problem": problem}), "/etc", "mkdir: Read-only file system")
    assert str(error).endswith("(mkdir: Read-only file system)")


@pytest.mark.parametrize("facts", [{}, {"count": "dd"}, {"count": "none", "size": "12"}])
def test_a_hello_without_a_problem_is_none(facts: dict[str, str]) -> None:
    assert refusal(Line("hello", facts), "/etc", "") is None


def done(rc: str | None = "0", sentinel: str | None = "yes") -> Line:
    facts = {"rc": rc, "sentinel": sentinel}
    return Line("done", {key: value for key, value in facts.items() if value is not None})


CHANGED = "tar: ./a.log: file changed as we read it"
FULL = "tar: ./a: Cannot write: No space left on device"
LOST = ExitStatus(None, "error reading from error stream: unexpected EOF")
DONES = {
    "none": None,
    "0": done(),
    "0, no sentinel": done(sentinel="no"),
    "0, sentinel garbage": done(sentinel="maybe"),
    "0, sentinel empty": done(sentinel=""),
    **{code: done(code) for code in ("1", "2", "126", "127", "137", "", "x", "-1", "0x0", "+0", "0.0", "\ufffd")},
    "missing": done(None),
}
STATUSES = {
    "none": None,
    "lost": LOST,
    **{str(code): ExitStatus(code, f"exit status {code}" if code else "") for code in (0, 1, 2, 126, 127, 137, -1)},
}


@pytest.mark.parametrize("said", ["", CHANGED, FULL])
@pytest.mark.parametrize("whole", [True, False])
def test_complete_means_every_witness_says_so(said: str, whole: bool) -> None:
    complete = [
        (what, how)
        for (what, line), (how, status) in itertools.product(DONES.items(), STATUSES.items())
        if verdict(line, status, said, whole=whole) is None
    ]
    assert complete == ([("0", "0")] if whole else [])


def test_a_pull_has_no_sentinel() -> None:
    assert verdict(done(sentinel=None), ExitStatus(0), "", whole=True) is None


MISSING_SHELL = ExitStatus(None, 'exec: "sh": executable file not found in $PATH')
MISSING_BINARY = ExitStatus(None, "OCI runtime exec failed: stat /bin/sh: no such file or directory")


@pytest.mark.parametrize(
    ("line", "status", "said", "whole", "kind", "says"),
    [
        (None, None, "", True, SessionLost, "before the pod had said its last word"),
        (None, ExitStatus(0), "", True, SessionLost, "last word"),  # kubelet lost: reported as success
        (done(), None, "", True, SessionLost, "last word"),
        (None, ExitStatus(1), "sh: syntax error", True, CommandFailed, "sh: syntax error"),
        (None, ExitStatus(137, "exit status 137"), "", True, CommandFailed, r"killed \(137\)$"),
        (None, ExitStatus(127), "sh: tar: not found", True, CommandMissing, r"\(127\): sh: tar: not found"),
        (None, ExitStatus(126), "", True, CommandMissing, r"\(126\): no reason given"),
        (None, MISSING_SHELL, "", True, CommandMissing, "there is no shell"),
        (None, MISSING_BINARY, "", True, CommandMissing, "there is no shell"),
        (None, ExitStatus(None, "container not running"), "", True, CommandFailed, "container not running"),
        (done("2"), ExitStatus(2), "tar: ./x: Permission denied", True, CommandFailed, "code 2: tar: ./x: Permission"),
        (done("2"), ExitStatus(0), "", True, CommandFailed, "code 2: it said nothing"),
        (done("2"), None, "", True, CommandFailed, "code 2"),
        (done("2"), ExitStatus(2), FULL, True, DestinationError, "disk in the container is full"),
        (done("1"), ExitStatus(1), "Disk quota exceeded", True, DestinationError, "disk in the container is full"),
        (done("1"), ExitStatus(1), CHANGED, True, SourceChanged, "a.log"),
        (done("1"), None, CHANGED, True, SourceChanged, "a.log"),
        (done("1"), ExitStatus(1), "tar: a: File removed before we read it", True, SourceChanged, "removed"),
        (done("1"), ExitStatus(1), "tar: a: File shrank by 5 bytes; padding", True, SourceChanged, "shrank"),
        (done("2"), ExitStatus(2), CHANGED, True, CommandFailed, "code 2"),  # 2 is fatal, whatever else it says
        (done("137"), ExitStatus(137), "", True, CommandFailed, r"killed \(137\)"),
        (done("127"), ExitStatus(127), "", True, CommandMissing, r"\(127\)"),
        (done(), ExitStatus(137), "", True, CommandFailed, r"killed \(137\)"),
        (done(None), ExitStatus(0), "", True, CommandFailed, "code 255"),
        (done("x"), ExitStatus(0), "", True, CommandFailed, "code 255"),
        (done(sentinel="no"), ExitStatus(0), "", True, ProtocolViolation, "last member of the archive was not extr"),
        (done(sentinel=None), ExitStatus(0), "", False, ProtocolViolation, "has not come to its end"),
    ],
)
def test_what_is_not_complete_says_why(
    line: Line | None, status: ExitStatus | None, said: str, whole: bool, kind: type[TransferError], says: str
) -> None:
    error = verdict(line, status, said, whole=whole)
    assert type(error) is kind
    with pytest.raises(kind, match=says):
        raise error


def test_a_lost_end_after_the_done_line_is_told_in_words() -> None:
    error = verdict(done(), LOST, "")
    assert isinstance(error, SessionLost)
    assert "unexpected EOF" in str(error)
    assert "None" not in str(error)


def test_what_helps_is_told() -> None:
    for status in (MISSING_SHELL, ExitStatus(137)):
        error = verdict(None, status, "")
        assert error is not None
        assert error.hint
