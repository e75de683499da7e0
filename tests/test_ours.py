"""Names that asynccp gives to what is not finished: no other is taken for one, and none of them for a user's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.ours import is_kept, is_partial, ours_above, partial_name

STAGE = b".asynccp-0f3b-main-123.4567"


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        (b"log/app.log", None),
        (b"", None),
        (b".asynccp-0", None),
        (b".asynccp-notes.txt", None),
        (b".asynccp-/f", None),
        (b"a.asynccp-0badf00d.partial", None),
        (b".asynccp-0badf00d.partial", b".asynccp-0badf00d.partial"),
        (b".asynccp-0badf00d.report", b".asynccp-0badf00d.report"),
        (b".asynccp-0badf00d.partial.txt", None),
        (b"data/" + STAGE, b"data/" + STAGE),
        (b"data/" + STAGE + b"/new/f", b"data/" + STAGE),
        (STAGE + b"/new/" + STAGE, STAGE),
        (b".asynccp-0f3b-main-123.", b".asynccp-0f3b-main-123."),  # without /proc
        (STAGE + b".0123456789abcdef", STAGE + b".0123456789abcdef"),  # the plain name was taken
        (b".asynccp-2024-06-01", None),
    ],
)
def test_the_first_name_of_ours_in_a_path(path: bytes, ours: bytes | None) -> None:
    assert ours_above(path) == ours


def test_a_name_that_was_made_is_known_and_left_out_of_what_a_pod_sends() -> None:
    names = {partial_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(is_partial(name) and ours_above(name) == name for name in names)


@given(st.from_regex(rb"\A\.asynccp-[0-9a-f]{8,16}\.partial\Z") | st.binary())
def test_a_name_that_was_not_made_is_not_taken_for_one(name: bytes) -> None:
    assert not is_partial(name)  # but for one in 2^32


@given(st.integers(0, 15), st.sampled_from(b"0123456789abcdef"))
def test_one_digit_that_is_another_makes_it_somebody_elses(at: int, digit: int) -> None:
    name = partial_name()
    at += len(b".asynccp-")
    altered = name[:at] + bytes([digit]) + name[at + 1 :]
    assert is_partial(altered) == (altered == name)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (b".asynccp-backup", True),
        (b"a/.asynccp-backup/app/20261130T034501Z-0123ab/tree/x", True),
        (b".app.20261130T034501Z-0123ab", True),
        (b"a/.app.20261130T034501Z-0123ab.2/x", True),
        (b"asynccp-backup", False),
        (b".app.20261130T034501Z", False),
        (b"app.20261130T034501Z-0123ab", False),
        (b"x.asynccp-backup", False),
    ],
)
def test_what_a_push_keeps_is_known_by_its_name(path: bytes, kept: bool) -> None:
    assert is_kept(path) is kept
