"""Sources: what a push would send, of this machine and of object stores, as one tree. Calls block."""

from collections.abc import Sequence

from asynccp.entry import Entry, Kind
from asynccp.errors import UsageError
from asynccp.local.scan import Scanned, scan
from asynccp.options import Filtering
from asynccp.target import is_store
from asynccp.text import printable


def scanned(sources: Sequence[str], follow: bool, filtering: Filtering) -> Scanned:
    """Return the entries of all sources. Raises PlanError, UsageError."""
    if not any(map(is_store, sources)):
        return scan(sources, follow, filtering)
    from asynccp.objects.scan import scan as scan_store  # few need it

    here = [one for one in sources if not is_store(one)]
    found = scan(here, follow, filtering) if here else Scanned([], [], [], 0, {})
    for one in filter(is_store, sources):
        more = scan_store(one, filtering)
        rules = found.rules | {name: (*found.rules.get(name, ()), *some) for name, some in more.rules.items()}
        found = found._replace(
            entries=_together(found.entries, more.entries),
            left_out=[*found.left_out, *more.left_out],
            excluded=found.excluded + more.excluded,
            rules=rules,
        )
    return found


def _together(first: list[Entry], second: list[Entry]) -> list[Entry]:
    """Return the entries of both: two directories are one. Raises UsageError for anything else of one name."""
    kinds = {one.path: one.kind for one in first}
    for one in second:
        if one.path in kinds and (kinds[one.path], one.kind) != (Kind.DIRECTORY, Kind.DIRECTORY):
            raise UsageError(f"two sources land on one name: {printable(one.path)}", hint="push one after the other")
    return [*first, *(one for one in second if one.path not in kinds)]
