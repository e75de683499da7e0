"""Spans of time as people write them. Pure."""

import math
import re

from asynccp.errors import UsageError
from asynccp.text import printable

_PART = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|m|s)"  # compiled when a span is read: a start needs none
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}


def parse_span(text: str) -> int:
    """Return the seconds of `90s`, `10m`, `2h` or `1h30m`, as kubectl and Go write them (time.ParseDuration).

    Of a part of a second it is the next whole one. Raises UsageError.
    """
    parts = re.findall(_PART, text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"'{printable(text)}' is no span of time", hint="write 90s, 10m, 2h or 1h30m")
    return math.ceil(sum(float(number) * _SECONDS[unit] for number, unit in parts))
