"""Links: what of a listing can be copied in which each symbolic link was told as what it leads to. Pure.

As with `-L` of find(1) and of a tree here (`local.scan`): a link that leads nowhere, or back to a directory that it is
in, is left out. So is what is on pseudo file systems, into which a link may lead wherever they are mounted.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from asynccp.entry import LEADS_BACK, Kind, above, is_in_itself, is_pseudo, leads_nowhere
from asynccp.plan.manifest import Item, Manifest


class Followed(NamedTuple):
    """manifest: without what is below something that can't be copied; that itself is of no kind.

    reasons: why it can't, by path.
    """

    manifest: Manifest
    reasons: dict[bytes, str]


class Ways(NamedTuple):
    """Where links may lead. pseudo: the types of pseudo file systems, by their devices. mounted: where such ones are
    mounted below what was listed, which is no link's doing. links: those among which are all that weren't listed,
    because they lead back.
    """

    pseudo: Mapping[int, str] = {}
    mounted: Collection[bytes] = ()
    links: Collection[bytes] = ()


def followed(listed: Manifest, ways: Ways) -> Followed:
    """Return what can be copied."""
    reasons, kept = dict[bytes, str](), dict[bytes, Item]()
    entered: dict[bytes, tuple[int, int]] = {}  # directories, by path
    told: dict[bytes, Item | None] = {**dict.fromkeys(ways.links), **listed}
    for path, item in sorted(told.items()):
        if not reasons.keys().isdisjoint(above(path)):
            continue
        if why := _why_not(path, item, ways, entered):
            reasons[path], kept[path] = why, Item(None)
        elif item:
            kept[path] = item
    return Followed(kept, reasons)


def _why_not(path: bytes, item: Item | None, ways: Ways, entered: dict[bytes, tuple[int, int]]) -> str:
    if item is None:
        return "a symbolic link leads back to itself, or to a directory above it"
    if item.kind is Kind.DIRECTORY and is_in_itself(path, (item.device, item.inode), entered):
        return LEADS_BACK
    if item.kind is Kind.SYMLINK:
        return leads_nowhere(item.link)
    if path and item.kind and item.device in ways.pseudo and path not in ways.mounted:
        return is_pseudo(ways.pseudo[item.device])
    return ""
