"""Stat time: a moment as `stat -c %y` prints it in UTC, which every `stat` does to the nanosecond. Pure."""

from datetime import date
from functools import lru_cache

PATTERN = rb"-?\d{1,10}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} \+0000"


@lru_cache(maxsize=16384)  # a fleet has the same files
def nanoseconds(said: bytes) -> int:
    """Return nanoseconds since 1970 of what matches the pattern. Raises ValueError for a day that there is not."""
    day, clock, _ = said.split()
    time_s = _midnight_s(day) + int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8])
    return time_s * 1_000_000_000 + int(clock[9:])


@lru_cache(maxsize=4096)
def _midnight_s(day: bytes) -> int:
    """Return when a day of any year began, in seconds since 1970. All is the same again after 400 years."""
    year, month, of_month = (int(word) for word in day.rsplit(b"-", 2))
    cycles, year = divmod(year, 400)
    days = date(year + 400, month, of_month).toordinal() - date(1970, 1, 1).toordinal() + (cycles - 1) * 146_097
    return days * 86_400
