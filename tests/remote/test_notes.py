"""Notes: what a script says on stderr, told from what the programs in the pod say there, however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.remote.notes import MAX_NOTE_SIZE, Note, NoteReader

TOKEN = "0123456789abcdef"
START = b"asynccp 0123456789abcdef "


def read(*pieces: bytes) -> list[Note | bytes]:
    reader = NoteReader(TOKEN)
    found = [one for piece in pieces for one in reader.feed(piece)]
    return [*found, rest] if (rest := reader.rest()) else found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (START + b"busy\n", [Note("busy", b"")]),
        (START + b"ended rc=1 entries=3\n", [Note("ended", b"rc=1 entries=3")]),
        (START + b"barred mounted a b\\n\xff\n", [Note("barred", b"mounted a b\\n\xff")]),
        (START + b"barred  two\n", [Note("barred", b" two")]),
        (START + b"\n", [Note("", b"")]),
        (START.rstrip() + b"\n", [START.rstrip() + b"\n"]),
        (b"tar: a\n" + START + b"busy\ntar: b\n", [b"tar: a\n", Note("busy", b""), b"tar: b\n"]),
        (b"tar: kil" + START + b"busy\nled\n", [Note("busy", b""), b"tar: killed\n"]),
        (b"tar: kil" + START + b"ended rc=137\n", [b"tar: kil", Note("ended", b"rc=137")]),
        (b"asynccp fedcba9876543210 busy\n", [b"asynccp fedcba9876543210 busy\n"]),
        (b"\n\n", [b"\n", b"\n"]),
        (b"no end", [b"no end"]),
        (START + b"busy", [START + b"busy"]),
        (b"", []),
    ],
)
def test_a_note_is_a_line_with_the_runs_own_token(said: bytes, found: list[Note | bytes]) -> None:
    assert read(said) == found


LINES = [b"tar: a: x\n", START + b"busy\n", START + b"ended rc=0 entries=\n", b"\n", b"\xff\0\n", b"x" * 100 + b"\n"]


@given(st.lists(st.sampled_from(LINES), max_size=20), st.lists(st.integers(1, 40)))
def test_it_is_all_the_same_how_stderr_is_cut_into_messages(lines: list[bytes], sizes: list[int]) -> None:
    stream = whole = b"".join(lines)
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    assert read(*pieces, stream) == read(whole)


@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_nothing_is_lost_or_kept_whatever_is_said(pieces: list[bytes]) -> None:
    reader = NoteReader(TOKEN)
    words = b""
    for piece in pieces:
        words += b"".join(one for one in reader.feed(piece) if isinstance(one, bytes))
        assert len(reader.held) <= MAX_NOTE_SIZE
    assert words + reader.rest() == b"".join(pieces)


def test_a_line_without_an_end_is_handed_on_in_pieces() -> None:
    reader = NoteReader(TOKEN)
    assert list(reader.feed(b"x" * MAX_NOTE_SIZE)) == []
    assert reader.held == b"x" * MAX_NOTE_SIZE
    assert list(reader.feed(b"xy")) == [b"x" * (MAX_NOTE_SIZE + 1) + b"y"]
    assert reader.held == b""


@pytest.mark.parametrize(
    ("rest", "facts"),
    [
        (b"entries=3 bytes=7", {"entries": "3", "bytes": "7"}),
        (b"entries= bytes=", {"entries": "", "bytes": ""}),
        (b"entries", {"entries": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1 a=2", {"a": "2"}),
        ("a=\u0663".encode(), {"a": "\ufffd\ufffd"}),
        (b"", {}),
    ],
)
def test_facts_of_a_note(rest: bytes, facts: dict[str, str]) -> None:
    assert Note("census", rest).facts == facts
