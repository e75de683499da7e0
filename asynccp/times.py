"""Spans and moments of time as people write them. Pure."""

import math
import re
from datetime import UTC, datetime, timedelta

from asynccp.errors import UsageError
from asynccp.text import printable

# Compiled when they are read: a start needs none.
_PART = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(d|h|ms|m|s)"
_MOMENT = r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_span(text: str) -> int:
    """Return the seconds of `90s`, `10m`, `2h` or `1h30m`, as kubectl and Go write them (time.ParseDuration).

    A day, `2d`, is 24 hours: Go has none, but people do. Of a part of a second it is the next whole one. Raises
    UsageError.
    """
    parts = re.findall(_PART, text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"'{printable(text)}' is no span of time", hint="write 90s, 10m, 2h, 1h30m or 2d")
    return math.ceil(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def parse_moment(text: str) -> int:
    """Return the nanoseconds since 1970 of `2026-11-29T10:00:00Z`, a date and time of RFC 3339. Raises UsageError."""
    match = re.fullmatch(_MOMENT, text, re.ASCII)
    try:
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(match[1].upper() + match[3].upper())
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{printable(text)}' is no date and time of RFC 3339", hint="write 2026-11-29T10:00:00Z, or +01:00 for Z"
        ) from None
    return seconds * 1_000_000_000 + int((match[2] or "0").ljust(9, "0"))
