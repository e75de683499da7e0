"""Ledger: the memory that the results of a run take, of what pods have told of single entries.

A result is kept until the report, so a thousand pods that each tell of a thousand entries are a sum. Each may take as
much as half of what is left; the rest is counted, and the first few are always named. Digests of what a pod sent have
room of their own: they were all compared, but a pod may send any number of files.

What counts is not the result, but what it becomes when the report is written: text and JSON of the same, several times
over, with four characters for a byte that no terminal is to see. 130 pods that each told of thirty names of 4 KiB of
such bytes had a report of 100 MB, for which 240 MiB were taken.
"""

from collections.abc import Iterable
from itertools import islice

from msgspec.structs import replace

from asynccp.entry import LeftOut, NotKept, more_left_out, more_not_kept
from asynccp.report import Result
from asynccp.text import exact

SIZE = 48 * 1024 * 1024
LEAST_NAMED = 10  # entries, of each kind: what is shown of one pod
LEAST_SIZE = 300  # characters of a name and its words: a longer one has no right to be shown
_COST, _COPIES = 700, 5  # bytes for one, besides its name and words; and how often these are held
_DIGEST_COST = 550  # bytes for a digest and what it takes, besides its name


class Ledger:
    """`size` bytes for all results, `digests_size` for their digests; None: as many as there are."""

    def __init__(self, size: int = SIZE, digests_size: int | None = None) -> None:
        self._told = _Room(size)
        self._digests = None if digests_size is None else _Room(digests_size)

    def keep(self, result: Result) -> Result:
        """Return a result that may be kept: with so many names as there is room for, and the count of the others."""
        result = self._with_digests(result)
        if not (result.left_out or result.not_kept or result.grown):
            return result
        grown = self._told.first((path, "") for path in result.grown)
        left_out = self._told.first((one.path, one.reason) for one in result.left_out)
        not_kept = self._told.first((one.path, one.what) for one in result.not_kept)
        return replace(
            result,
            left_out=(*result.left_out[:left_out], *more_left_out(_count(result.left_out[left_out:]))),
            not_kept=(*result.not_kept[:not_kept], *more_not_kept(_count(result.not_kept[not_kept:]))),
            grown=result.grown[:grown],
            grown_unnamed=len(result.grown) - grown,
        )

    def _with_digests(self, result: Result) -> Result:
        if self._digests is None or not result.digests:
            return result
        count = self._digests.first(((path, "") for path in result.digests), _DIGEST_COST)
        if count == len(result.digests):
            return result
        first = dict(islice(result.digests.items(), count))
        return replace(result, digests=first, digests_unnamed=len(result.digests) - count)


class _Room:
    """`left` bytes."""

    def __init__(self, left: int) -> None:
        self._left = left

    def first(self, told: Iterable[tuple[bytes, str]], each: int = _COST) -> int:
        """Take room for the first of some names with their words; return how many."""
        room, count = self._left // 2, 0
        for path, words in told:
            size = len(exact(path)) + len(words)
            cost = each + _COPIES * size
            room -= cost
            if room < 0 and (count >= LEAST_NAMED or size > LEAST_SIZE):
                break
            self._left -= cost
            count += 1
        return count


def _count(told: Iterable[LeftOut | NotKept]) -> int:
    return sum(one.count for one in told)
