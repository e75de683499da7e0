"""Ledger: the memory that the results of a run take, of what pods have told of single entries.

A result is kept until the report, so a thousand pods that each tell of a thousand entries are a sum. Each may take as
much as half of what is left; the rest is counted, and the first few are always named. Digests of what a pod sent have
room of their own: they were all compared, but a pod may send any number of files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from asynccp.report import LeftOut, NotKept, Result, more_left_out, more_not_kept

SIZE = 16 * 1024 * 1024
LEAST_NAMED = 10  # entries, of each kind: what is shown of one pod
_COST = 200  # bytes for one, besides its name and words


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
        grown = self._told.first([len(path) for path in result.grown])
        left_out = self._told.first([len(one.path) + len(one.reason) for one in result.left_out])
        not_kept = self._told.first([len(one.path) + len(one.what) for one in result.not_kept])
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
        count = self._digests.first([len(path) + len(digest) for path, digest in result.digests.items()])
        if count == len(result.digests):
            return result
        first = dict(islice(result.digests.items(), count))
        return replace(result, digests=first, digests_unnamed=len(result.digests) - count)


class _Room:
    """`left` bytes."""

    def __init__(self, left: int) -> None:
        self._left = left

    def first(self, sizes: Sequence[int]) -> int:
        """Take room for the first of some things; return how many."""
        room = self._left // 2
        for count, size in enumerate(sizes):
            room -= size + _COST
            if room < 0 and count >= LEAST_NAMED:
                return count
            self._left -= size + _COST
        return len(sizes)


def _count(told: Iterable[LeftOut | NotKept]) -> int:
    return sum(one.count for one in told)
