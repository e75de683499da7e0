"""Census: how many entries an archive lacks, by what the pod has counted: a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.remote.census import missing


@pytest.mark.parametrize(
    ("counts", "members", "passed_over", "lacks"),
    [
        (["10", "10"], 10, 0, 0),
        (["10", "10"], 9, 0, 1),
        (["10", "10"], 8, 1, 1),
        (["10", "10"], 9, 1, 0),
        (["10", "10"], 9, 5, 0),
        (["10", "10"], 11, 0, 0),  # more came than were counted
        (["10", "8"], 8, 0, 0),  # two went meanwhile
        (["8", "10"], 8, 0, 0),  # two came
        (["10", "8"], 7, 0, 1),
        (["10", "10"], 0, 0, 10),
        (["10", "10", "8"], 8, 0, 0),  # only eight were there all the time
        (["10", "10", "9"], 8, 0, 1),
        (["10", "10", ""], 8, 0, 2),  # of which nobody can tell
        (["", "10"], 1, 0, 0),  # who can't count knows nothing
        (["10", ""], 1, 0, 0),
        (["", ""], 1, 0, 0),
        (["10"], 1, 0, 0),
        (["ten", "10"], 1, 0, 0),
        (["-10", "10"], 1, 0, 0),
        (["\u0663", "10"], 1, 0, 0),
        (["1e3", "1e3"], 1, 0, 0),
        (["9" * 12, "9" * 12], 1, 0, 0),
        (["99999999999", "10"], 9, 0, 1),
        (["0010", "10"], 9, 0, 1),
    ],
)
def test_what_an_archive_lacks(counts: list[str], members: int, passed_over: int, lacks: int) -> None:
    assert missing(members, passed_over, *counts) == lacks


@given(st.integers(0, 100), st.integers(0, 100), st.lists(st.text(max_size=15), max_size=3))
def test_whatever_a_pod_says_it_is_a_number(members: int, passed_over: int, counts: list[str]) -> None:
    assert missing(members, passed_over, *counts) >= 0
