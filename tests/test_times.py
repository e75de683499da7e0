"""Spans and moments of time as people write them."""

import pytest

from asynccp.errors import UsageError
from asynccp.times import parse_moment, parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1.5h", 5400),
        ("100ms", 1),
        ("1001ms", 2),
        ("2d", 172_800),
        ("1d12h", 129_600),
        ("0s", 0),
    ],
)
def test_a_span_in_seconds(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2w", "-2h", "2 h", "2h 30m", "2h!", "yesterday", "2026-11-29", "٢h", "1e3s", "\x1b2h", "2H"]
)
def test_what_is_no_span_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is no span of time") as caught:
        parse_span(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01t01:00:00+01:00", 0),
        ("1970-01-01 00:00:00z", 0),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2026-11-29T10:00:00-02:30", 1_795_955_400_000_000_000),
    ],
)
def test_a_moment_in_nanoseconds(text: str, nanoseconds: int) -> None:
    assert parse_moment(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-29",
        "2026-11-29T10:00:00",
        "2026-11-29T10:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T10:00:00+0100",
        "2026-11-29T10:00:00+99:00",
        "2026-11-29T10:00:00Z\n",
        "2026-W48-7T10:00:00Z",
        "٢026-11-29T10:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_moment_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is no date and time of RFC 3339") as caught:
        parse_moment(text)
    assert str(caught.value).isprintable()


def test_the_first_hour_of_all_is_a_moment() -> None:
    assert parse_moment("0001-01-01T00:00:00+01:00") < 0
