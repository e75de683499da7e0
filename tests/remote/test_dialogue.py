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
    ShellMissing,
    TransferError,
)
from asynccp.remote.dialogue import (
    MAX_BANNER_SIZE,
    MAX_LINE_SIZE,
    MAX_PADDING_SIZE,
    Ended,
    Line,
    LineReader,
    tar_code,
    verdict,
)
from asynccp.remote.messages import Done, LastWord, Received
from asynccp.remote.worker import SHELL
from asynccp.status import ExitStatus

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


BANNERS = [
    b"",
    b"Welcome!\n",
    b"$ ",
    b"asynccp asynccp 0123",
    b"a" * 100,
    b"\0\xff\n",
    HELLO[:-20] + b"\n",
    b"x" * 9000,
]


@given(st.sampled_from(BANNERS), st.binary(max_size=50), st.lists(st.integers(1, 60)))
def test_a_banner_is_skipped_however_it_is_cut(banner: bytes, rest: bytes, sizes: list[int]) -> None:
    stream, found = banner + HELLO + rest, None
    reader = LineReader(TOKEN, "hello", banner=True)
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        if found := reader.feed(piece):
            break
    assert found is not None
    line, after = found
    assert line.facts == {"count": "dd", "tar": "gnu"}
    assert after + stream == rest
    assert reader.banner == banner[-200:]


@pytest.mark.parametrize("step", [1, 35, 4096, 100_000])
def test_a_banner_without_an_end_is_a_violation(step: int) -> None:
    reader = LineReader(TOKEN, "hello", banner=True)
    with pytest.raises(ProtocolViolation, match="where its hello belongs"):
        feed_again_and_again(reader, b"la" * step, MAX_BANNER_SIZE + 100)


def test_a_banner_of_the_largest_size_is_skipped() -> None:
    reader = LineReader(TOKEN, "hello", banner=True)
    assert reader.feed(b"x" * MAX_BANNER_SIZE) is None
    assert reader.feed(HELLO) is not None


def test_no_other_line_has_a_banner() -> None:
    with pytest.raises(ProtocolViolation, match="where its received belongs"):
        LineReader(TOKEN, "received").feed(b"noise\nasynccp 0123456789abcdef received rc=0\n")


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


def done(rc: str | None = "0") -> Done:
    return Done.read({} if rc is None else {"rc": rc})


def received(rc: str = "0", sentinel: str = "yes") -> Received:
    return Received.read({"rc": rc, "sentinel": sentinel})


WORDS = "tar: ./a.log: file changed as we read it"
FULL = "tar: ./a: Cannot write: No space left on device"
LOST = ExitStatus(None, "error reading from error stream: unexpected EOF")
DONES = {
    "none": None,
    "0": done(),
    "received": received(),
    "no sentinel": received(sentinel="no"),
    "sentinel garbage": received(sentinel="maybe"),
    "sentinel empty": received(sentinel=""),
    **{code: done(code) for code in ("1", "2", "126", "127", "137", "", "x", "-1", "0x0", "+0", "0.0", "\ufffd")},
    "missing": done(None),
}
STATUSES = {
    "none": None,
    "lost": LOST,
    **{str(code): ExitStatus(code, f"exit status {code}" if code else "") for code in (0, 1, 2, 126, 127, 137, -1)},
}


@pytest.mark.parametrize("said", ["", WORDS, FULL])
@pytest.mark.parametrize("whole", [True, False])
def test_complete_means_every_witness_says_so(said: str, whole: bool) -> None:
    complete = [
        (what, how)
        for (what, line), (how, status) in itertools.product(DONES.items(), STATUSES.items())
        if verdict(line, status, said, Ended(whole=whole)) is None
    ]
    assert complete == ([("0", "0")] if whole else [])


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
        (None, MISSING_SHELL, "", True, ShellMissing, "there is no shell"),
        (None, MISSING_BINARY, "", True, ShellMissing, "there is no shell"),
        (None, ExitStatus(None, "container not running"), "", True, CommandFailed, "container not running"),
        (done("2"), ExitStatus(2), "tar: ./x: Permission denied", True, CommandFailed, "code 2: tar: ./x: Permission"),
        (done("2"), ExitStatus(0), "", True, CommandFailed, "code 2: it said nothing"),
        (done("2"), None, "", True, CommandFailed, "code 2"),
        (done("2"), ExitStatus(2), FULL, True, DestinationError, "disk in the container is full"),
        (done("1"), ExitStatus(1), "Disk quota exceeded", True, DestinationError, "disk in the container is full"),
        (done("1"), ExitStatus(1), WORDS, True, CommandFailed, "code 1: tar: ./a.log: file changed"),
        (done("2"), ExitStatus(2), WORDS, True, CommandFailed, "code 2"),
        (done("137"), ExitStatus(137), "", True, CommandFailed, r"killed \(137\)"),
        (done("127"), ExitStatus(127), "", True, CommandMissing, r"\(127\)"),
        (done(), ExitStatus(137), "", True, CommandFailed, r"killed \(137\)"),
        (done(None), ExitStatus(0), "", True, CommandFailed, "code 255"),
        (done("x"), ExitStatus(0), "", True, CommandFailed, "code 255"),
        (
            received(sentinel="no"),
            ExitStatus(0),
            "",
            True,
            ProtocolViolation,
            "last member of the archive was not extr",
        ),
        (done(), ExitStatus(0), "", False, ProtocolViolation, "has not come to its end"),
    ],
)
def test_what_is_not_complete_says_why(
    line: LastWord | None, status: ExitStatus | None, said: str, whole: bool, kind: type[TransferError], says: str
) -> None:
    error = verdict(line, status, said, Ended(whole=whole))
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


SENT = "12-3456"


@pytest.mark.parametrize(
    ("entries", "size", "kind", "says"),
    [
        ("11", "3456", CommandFailed, "left something out: 11 of 12 entries, 3456 of 3456 bytes came to stand"),
        ("12", "3000", CommandFailed, "12 of 12 entries, 3000 of 3456 bytes came to stand"),
        ("11", "", CommandFailed, "left something out: 11 of 12 entries came to stand"),
        ("13", "", CommandFailed, "13 of 12 entries"),
        ("12", "3457", CommandFailed, "wrote more than was sent: 12 of 12 entries, 3457 of 3456 bytes"),
        ("12", "3456", ProtocolViolation, "the last member of the archive was not extracted"),
        ("12", "", ProtocolViolation, "the last member of the archive was not extracted"),
        ("", "", ProtocolViolation, "the last member of the archive was not extracted"),
        ("", "3000", ProtocolViolation, "the last member of the archive was not extracted"),
        ("\x1b[2J", "\u202e", ProtocolViolation, "the last member"),
    ],
)
def test_what_a_tar_left_out_of_a_push_without_a_word_is_told_in_numbers(
    entries: str, size: str, kind: type[TransferError], says: str
) -> None:
    received = Received.read({"rc": "0", "sentinel": "no", "entries": entries, "bytes": size})
    error = verdict(received, ExitStatus(0), "", Ended(sent=SENT))
    assert type(error) is kind
    with pytest.raises(kind, match=says):
        raise error
    assert bool(error.hint) is (kind is CommandFailed)


@pytest.mark.parametrize(
    "line",
    [
        done("2"),
        Received.read({"rc": "1", "sentinel": "no"}),
        Received.read({"rc": "0", "sentinel": "no", "entries": "11", "bytes": "3456"}),
        Received.read({"rc": "0", "sentinel": "no"}),
    ],
)
def test_where_there_is_no_tar_none_is_blamed(line: LastWord) -> None:
    error = verdict(line, ExitStatus(line.code), "", Ended(sent=SENT, worker=SHELL))
    assert str(error).startswith("the shell ")
    assert error is not None
    assert "tar" not in str(error) + error.hint


@pytest.mark.parametrize(("rc", "received", "error"), [("1", "no", CommandFailed), ("0", "yes", ProtocolViolation)])
def test_numbers_are_told_only_of_a_tar_that_ended_well(rc: str, received: str, error: type[TransferError]) -> None:
    line = Received.read({"rc": rc, "sentinel": received, "entries": "3", "bytes": ""})
    found = verdict(line, ExitStatus(int(rc)), "", Ended(sent=SENT))
    assert type(found) is error
    assert "of 12 entries" not in str(found)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (done("0"), ExitStatus(0), 0),
        (done("1"), ExitStatus(1), 1),
        (done("2"), ExitStatus(2), 2),
        (done("2"), ExitStatus(0), None),  # one of them is wrong
        (done("0"), ExitStatus(2), None),
        (done("2"), None, None),
        (None, ExitStatus(2), None),
        (done("2"), LOST, None),
        (done("x"), ExitStatus(0), None),
        (done("x"), ExitStatus(255), None),
        (done("None"), LOST, None),
        (done(None), ExitStatus(0), None),
    ],
)
def test_a_tars_code_is_what_pod_and_server_both_say(
    line: Done | None, status: ExitStatus | None, code: int | None
) -> None:
    assert tar_code(line, status) == code
