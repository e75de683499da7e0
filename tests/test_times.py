"""Spans of time as people write them."""

import pytest

from asynccp.errors import UsageError
from asynccp.times import parse_span


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
        ("0s", 0),
    ],
)
def test_a_span_in_seconds(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2d", "-2h", "2 h", "2h 30m", "2h!", "yesterday", "2026-11-29", "٢h", "1e3s", "\x1b2h", "2H"]
)
def test_what_is_no_span_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is no span of time") as caught:
        parse_span(text)
    assert str(caught.value).isprintable()
