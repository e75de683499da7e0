"""Questions for digests, and the answers of several kinds of sha256sum, md5sum and cksum, read as hostile input."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.checksum import ALGORITHMS, Cksum
from asynccp.errors import ProtocolViolation
from asynccp.remote.digests import MAX_NAMES, MAX_NAMES_SIZE, AnswerReader, encode_question, questions

TOKEN = "0123456789abcdef"
END = b"asynccp 0123456789abcdef summed\n"
A, B = "a" * 64, "b" * 64
NASTY = [b"plain", b"new\nline", b"back\\slash", b"c\rr", b"two  spaces", b"\xff\x80", b"*", b"\n\\\r\n", b" "]

paths = st.lists(st.binary(min_size=1, max_size=30).map(lambda name: name.replace(b"\0", b"x")), unique=True)


def coreutils(digest: str, path: bytes) -> bytes:
    name = b"./" + path
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"" if escaped == name else b"\\") + digest.encode() + b"  " + escaped + b"\n"


def older_coreutils(digest: str, path: bytes) -> bytes:
    name = b"./" + path
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return (b"" if escaped == name else b"\\") + digest.encode() + b"  " + escaped + b"\n"


def busybox(digest: str, path: bytes) -> bytes:
    return digest.encode() + b"  ./" + path + b"\n"


PRINTERS = [coreutils, older_coreutils, busybox]


@pytest.mark.parametrize("printed", PRINTERS)
@given(paths, st.lists(st.integers(1, 50)))
def test_an_answer_is_read_to_the_byte_however_it_is_cut(printed, names: list[bytes], sizes: list[int]) -> None:  # type: ignore[no-untyped-def]
    digests = [hashlib.sha256(name).hexdigest() for name in names]
    stream = b"".join(map(printed, digests, names)) + END
    reader, found = AnswerReader(TOKEN, names, "sha256sum"), None
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        if found := reader.feed(piece):
            break
    assert found == (digests, b"")


def test_what_follows_an_answer_is_handed_on() -> None:
    reader = AnswerReader(TOKEN, [b"a"], "sha256sum")
    assert reader.feed(busybox(A, b"a") + END + b"asynccp") == ([A], b"asynccp")


@pytest.mark.parametrize("missing", [[b"plain"], [b"new\nline", b"*"], NASTY])
def test_a_file_that_the_pod_can_not_read_has_no_digest_and_the_others_have(missing: list[bytes]) -> None:
    stream = b"".join(busybox(A, name) for name in NASTY if name not in missing) + END
    assert AnswerReader(TOKEN, NASTY, "sha256sum").feed(stream) == (
        [None if name in missing else A for name in NASTY],
        b"",
    )


@pytest.mark.parametrize(
    "said",
    [
        b"hello\n",
        busybox(A, b"b"),
        busybox(A, b"a") * 2,
        busybox(A, b"a") + b"\n",
        busybox(A, b"a").rstrip(b"\n"),
        busybox("\x1b[2J", b"a"),
        b"  ./a\n",
    ],
)
def test_what_is_no_answer_to_the_question_is_a_violation(said: bytes) -> None:
    reader = AnswerReader(TOKEN, [b"a"], "sha256sum")
    with pytest.raises(ProtocolViolation, match="where a digest belongs") as caught:
        reader.feed(said + END)
    assert "\x1b" not in str(caught.value)


def test_an_answer_without_an_end_is_a_violation() -> None:
    reader = AnswerReader(TOKEN, [b"a"], "sha256sum")
    with pytest.raises(ProtocolViolation, match="does not end"):
        reader.feed(b"x" * 10_000)


def test_a_cksum_has_two_words() -> None:
    reader = AnswerReader(TOKEN, [b"a b", b"c"], "cksum")
    assert reader.feed(b"123 45 ./a b\n6 7 ./c\n" + END) == (["123 45", "6 7"], b"")


@pytest.mark.parametrize(
    ("what", "said", "told"),
    [
        ("state", b"4096 1000000000  ./a\n0 0  ./b c\n", ["4096 1000000000", "0 0"]),
        ("state", b"7 -86400  ./a\n", ["7 -86400", None]),  # before 1970
        ("state", b"7 3  ./b c\n", [None, "7 3"]),
        ("state", b"", [None, None]),
        ("old", b"12  ./a\n", ["12", None]),
    ],
)
def test_an_answer_of_another_kind_has_the_same_form(what: str, said: bytes, told: list[str | None]) -> None:
    assert AnswerReader(TOKEN, [b"a", b"b c"], what).feed(said + END) == (told, b"")


@pytest.mark.parametrize("said", [b"7  ./a\n", b"7 3 9  ./a\n", b"7 $(id)  ./a\n", b"7 --3  ./a\n", b"7 - ./a\n"])
def test_what_is_no_state_is_a_violation(said: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="where a digest belongs"):
        AnswerReader(TOKEN, [b"a"], "state").feed(said + END)


@pytest.mark.parametrize("what", ["state", "head 4096", "old"])
def test_a_question_of_another_kind_has_its_word_in_front(what: str) -> None:
    assert encode_question([b"a"], what) == what.encode() + b"\n./a\n\n"


def test_a_question_is_lines_that_any_shell_can_read() -> None:
    assert encode_question([b"a b", b"\xff\n\\"]) == b"sum\n./a b\n./\\0377\\0012\\0134\n\n"


@given(st.lists(st.integers(1, 4096), max_size=400))
def test_questions_are_short_and_leave_nothing_out(sizes: list[int]) -> None:
    names = [b"%d" % number + b"x" * size for number, size in enumerate(sizes)]
    groups = list(questions(names))
    assert [name for group in groups for name in group] == names
    assert all(len(group) <= MAX_NAMES for group in groups)
    assert all(len(group) == 1 or sum(map(len, group)) <= MAX_NAMES_SIZE for group in groups)


@pytest.mark.parametrize("program", sorted(ALGORITHMS))
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536, 1_000_001])
def test_digests_are_those_of_the_programs(program: str, size: int, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"this machine has no {program}")
    content = bytes(number * 7 % 256 for number in range(size))
    (tmp_path / "x").write_bytes(content)
    said = subprocess.run([program, "./x"], cwd=tmp_path, capture_output=True, check=True).stdout
    digest = ALGORITHMS[program]()
    for at in range(0, size, 1000):
        digest.update(memoryview(content)[at : at + 1000])
    assert AnswerReader(TOKEN, [b"x"], program).feed(said + END) == ([digest.hexdigest()], b"")


def test_the_cksum_of_nothing_is_that_of_posix() -> None:
    assert Cksum().hexdigest() == "4294967295 0"
