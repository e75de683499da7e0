"""Stat time: a moment as `stat -c %y` prints it in UTC, which every `stat` does to the nanosecond. Pure."""

from datetime import date
from functools import lru_cache

PATTERN = rb"(-?\d{1,10}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)\.(\d{9}) \+0000"
"""Its groups are what `nanoseconds` takes."""


def nanoseconds(day: bytes, hours: bytes, minutes: bytes, seconds: bytes, fraction: bytes) -> int:
    """Return nanoseconds since 1970. Raises ValueError for a day that there is not."""
    time_s = _midnight_s(day) + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return time_s * 1_000_000_000 + int(fraction)


@lru_cache(maxsize=4096)
def _midnight_s(day: bytes) -> int:
    """Return when a day of any year began, in seconds since 1970. All is the same again after 400 years."""
    year, month, of_month = (int(word) for word in day.rsplit(b"-", 2))
    cycles, year = divmod(year, 400)
    days = date(year + 400, month, of_month).toordinal() - date(1970, 1, 1).toordinal() + (cycles - 1) * 146_097
    return days * 86_400
