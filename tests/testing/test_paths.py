"""A pod's paths on this machine, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.testing.paths import RootEraser, inside, words_inside

ROOT = b"/tmp/c/default/web-1/main"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (b"/", b"/"),
        (b"/etc/passwd", b"/etc/passwd"),
        (b"/etc/", b"/etc/"),
        (b"//etc/./x", b"//etc/./x"),
        (b"/..", b"/"),
        (b"/../../etc", b"/etc"),
        (b"/a/../b", b"/a/../b"),
        (b"/a/../../b", b"/a/../b"),
        (b"/./../a", b"/./a"),
        (b"/...", b"/..."),
    ],
)
def test_an_absolute_path_stays_in_the_root(word: bytes, expected: bytes) -> None:
    assert inside(ROOT, word) == ROOT + expected


@pytest.mark.parametrize("word", [b"", b"etc", b"./etc", b"-C", b"--directory=/etc", b"cat /etc/passwd", b"../x"])
def test_any_other_word_stays_as_it_is(word: bytes) -> None:
    assert inside(ROOT, word) == word


def test_the_first_word_is_the_program() -> None:
    assert words_inside(ROOT, [b"/bin/ls", b"/bin"]) == [b"/bin/ls", ROOT + b"/bin"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ([b"tar", b"cf", b"-", b"/var/log"], [b"tar", b"cf", b"-", b"var/log"]),  # kubectl cp, from a pod
        ([b"tar", b"cf", b"-", b"/"], [b"tar", b"cf", b"-", b"."]),
        ([b"tar", b"cf", b"-", b"/../x"], [b"tar", b"cf", b"-", b"x"]),
        ([b"tar", b"xmf", b"-", b"-C", b"/srv"], [b"tar", b"xmf", b"-", b"-C", ROOT + b"/srv"]),  # and to one
    ],
)
def test_tar_names_members_as_in_the_pod(command: list[bytes], expected: list[bytes]) -> None:
    assert words_inside(ROOT, command) == expected


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"tar: " + ROOT + b"/etc: No such file\n", b"tar: /etc: No such file\n"),
        (b"can't cd to " + ROOT, b"can't cd to /"),
        (b"'" + ROOT + b"': denied", b"'/': denied"),
        (ROOT + b"/a " + ROOT + b"/b", b"/a /b"),
        (b"/tmp/c/default/other", b"/tmp/c/default/other"),
        (b"/tmp/c/defa", b"/tmp/c/defa"),
        (b"ends with /", b"ends with /"),
        (b"", b""),
    ],
)
def test_the_root_is_taken_out_of_what_is_said(said: bytes, heard: bytes) -> None:
    for size in (1, 2, 7, len(said) + 1):
        assert erased([said[start : start + size] for start in range(0, len(said), size)]) == heard


@given(st.lists(st.sampled_from([ROOT, ROOT + b"/", b"/tmp", b"/", b"x", b" ", b"main"]), max_size=8), st.data())
def test_where_the_pieces_end_does_not_matter(parts: list[bytes], data: st.DataObject) -> None:
    text = b" ".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert erased(pieces) == erased([text])
    assert ROOT not in erased(pieces)


def erased(pieces: list[bytes]) -> bytes:
    eraser = RootEraser(ROOT)
    return b"".join([eraser.feed(piece) for piece in pieces]) + eraser.flush()
