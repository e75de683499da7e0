"""Decisions: what is to be done about pods that have the same is decided once.

Most pods of a fleet have nothing yet, or what the last push left there. To compare 200 entries took 0.5 to 1.4 ms for
each of them, and to count what is to be sent half of that: a fifth of a small push's CPU.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from anyio import to_thread

from asynccp.entry import Entry, Kind
from asynccp.plan.delta import Delta, Effect, Rules, compare, effect
from asynccp.plan.manifest import Item, Same

MOST_KEPT = 8
"""Decisions that are remembered, each with the manifest that it is about. Where every pod has something else, none of
them is found again."""

SMALL = 1000
"""Entries that are looked through without a thread: a tenth of a millisecond."""


class Decision(NamedTuple):
    """delta: what is to be done. effect: what that comes to."""

    delta: Delta
    effect: Effect


class Decisions:
    """Those of one push."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Sequence[Entry], Decision]] = {}

    async def decided(
        self, entries: Sequence[Entry], there: Mapping[bytes, Item], rules: Rules, same: Same | None = None
    ) -> Decision:
        """Return what is to be done, as `plan.delta.compare`. same: None where no content was asked for."""
        if same or not _is_shared(entries, rules):
            return await to_thread.run_sync(_decide, entries, there, rules, same)
        few = len(there) <= SMALL
        key = _key(there, rules) if few else await to_thread.run_sync(_key, there, rules)
        known = self._kept.get(key)
        if known and known[0] is entries:
            return known[1]
        decision = await to_thread.run_sync(_decide, entries, there, rules, None)
        for oldest in list(self._kept)[: len(self._kept) - MOST_KEPT + 1]:
            del self._kept[oldest]
        self._kept[key] = entries, decision
        return decision


def _decide(entries: Sequence[Entry], there: Mapping[bytes, Item], rules: Rules, same: Same | None) -> Decision:
    delta = compare(entries, there, rules, same or (lambda _: None))
    return Decision(delta, effect(delta))


def _is_shared(entries: Sequence[Entry], rules: Rules) -> bool:
    """Tell whether a decision holds for all pods that have the same: where no mount point and no inode matters."""
    return not rules.extras and not rules.sync.delete and not any(one.kind is Kind.HARDLINK for one in entries)


def _key(there: Mapping[bytes, Item], rules: Rules) -> Hashable:
    """Return all that a decision depends on, besides the entries and what is the same for a whole push."""
    by_kind_alone = not rules.attributes.dir_perms
    items = (
        (path, item.kind if by_kind_alone and item.kind is Kind.DIRECTORY else item[: Item._fields.index("device")])
        for path, item in there.items()
    )
    return frozenset(rules.can_set), frozenset(rules.changed), frozenset(items)
