"""Delta: what a push would change in one pod, decided by two manifests. Pure.

rsync's quick check: a file of the same size and time is the same (rsync(1), "QUICK CHECK"); times in whole seconds, as
tar headers carry them. By `checksum` content decides instead, of files that have the same size, and a time that differs
is only set. What is the same but for its mode, time or owner gets these set, and is not sent.

A directory that is there keeps its attributes unless `dir_perms` says otherwise. Where the pod has a symbolic link to a
directory the push goes through it, as `mv` and tar would; what is behind it was not listed, so all of it is sent.

Names of one file (hard links) are sent together, or none of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from asynccp.difference import Difference, Sign, Why
from asynccp.entry import Entry, Kind, above
from asynccp.options import Attributes, Sync
from asynccp.ours import is_kept, ours_above
from asynccp.plan.manifest import Item, Manifest, Same, manifest_of, otherwise
from asynccp.report import Tally


class Setting(NamedTuple):
    """One attribute of entries, to be set where they stand. value: an octal mode, seconds since 1970, or UID:GID."""

    what: Why
    value: str
    paths: tuple[bytes, ...]


class Delta(NamedTuple):
    """What differs, and what is to be done about it, in this order.

    differences: in the order of paths. send: the entries of the archive. settings: what is only set. remove: what is
    removed, what is in a directory before the directory. in_the_way: those of them that have to go before what is sent
    can take its place. same, same_size: how many entries are the same, and their bytes.
    passed_over: entries that were not looked at, because of `existing`, `ignore_existing` or `update`.
    names: what the pod calls entries that have another name there; the paths above are all ours.
    """

    differences: tuple[Difference, ...] = ()
    send: tuple[Entry, ...] = ()
    settings: tuple[Setting, ...] = ()
    remove: tuple[bytes, ...] = ()
    in_the_way: tuple[bytes, ...] = ()
    same: int = 0
    same_size: int = 0
    passed_over: int = 0
    names: Mapping[bytes, bytes] = MappingProxyType({})


class Rules(NamedTuple):
    """By which rules manifests are compared.

    checksum: content decides, as `Same` tells. sync, attributes: as in `Options`.
    roots: below which the pod may have what the sources don't, a path without a slash at its end, empty for all of it.
    extras: what it has more is told. protected: tells of a path, and whether it is a directory, that it is none of ours
    to remove. can_set: attributes that the pod has programs for; for others a file is sent.
    changed: files that are known to be others than the pod was sent: within one second two may have one size and time.
    """

    checksum: bool = False
    sync: Sync = Sync()
    attributes: Attributes = Attributes()
    roots: Collection[bytes] = ()
    extras: bool = False
    can_set: Collection[Why] = (Why.OWNER, Why.MODE, Why.TIME)
    protected: Callable[[bytes, bool], bool] = lambda _path, _is_directory: False
    changed: Collection[bytes] = ()


MOST_SET = 200
"""Entries whose attributes are set one by one: each takes a program in the pod, or two. Beyond, what is small is sent
instead."""

SMALL_SIZE = 16 * 1024
"""Bytes of a file that is sent in less time than a program takes to start."""


def compare(entries: Sequence[Entry], there: Manifest, rules: Rules, same: Same = lambda _: None) -> Delta:
    """Return what a push of `entries` would change where `there` is what stands at its destination."""
    wanted = manifest_of(entries)
    found: dict[bytes, Difference] = {}
    skipped: set[bytes] = set()
    for path, item in wanted.items():
        if _is_skipped(item, there.get(path), rules.sync):
            skipped.add(path)
        elif difference := _difference(path, item, there.get(path), rules, same):
            found[path] = difference
    _join_links(entries, there, found)
    settings = _settings(wanted, found, rules)
    set_paths = {path for one in settings for path in one.paths}
    send = _with_parents(entries, found.keys() - set_paths)
    extras = _extras(wanted, there, rules) if rules.extras or rules.sync.delete else []
    remove, in_the_way = _removed(wanted, there, extras) if rules.sync.delete else ((), ())
    differences = [*found.values(), *(Difference(Sign.EXTRA, path, (), there[path].size) for path in extras)]
    passed_over = skipped - found.keys()  # other names of what is sent are sent with it
    same_paths = wanted.keys() - found.keys() - passed_over
    return Delta(
        tuple(sorted(differences, key=lambda one: one.path)),
        send,
        settings,
        remove,
        in_the_way,
        len(same_paths),
        sum(entry.size for entry in entries if entry.path in set_paths or entry.path in same_paths),
        len(passed_over),
    )


class Effect(Struct, frozen=True):
    """What a delta comes to. entries, size: what differs and is sent, and its bytes of content."""

    entries: int
    size: int
    tally: Tally


def effect(delta: Delta) -> Effect:
    """Return what a delta comes to."""
    sent = {one.path for one in moved(delta)}
    return Effect(len(sent), sum(entry.size for entry in delta.send if entry.path in sent), tally(delta))


def moved(delta: Delta) -> list[Difference]:
    """Return what differs and is sent."""
    set_paths = {path for one in delta.settings for path in one.paths}
    return [one for one in delta.differences if one.sign is not Sign.EXTRA and one.path not in set_paths]


def tally(delta: Delta) -> Tally:
    """Return the numbers of a delta."""
    signs = [one.sign for one in moved(delta)]
    new = sum(sign is Sign.NEW for sign in signs)  # to count in a dictionary has each hashed, in Python
    return Tally(
        new=new,
        changed=len(signs) - new,
        set=len({path for one in delta.settings for path in one.paths}),
        same=delta.same,
        removed=len(delta.remove),
        saved=delta.same_size,
        passed_over=delta.passed_over,
    )


def questionable(entries: Iterable[Entry], there: Manifest, rules: Rules) -> dict[bytes, int]:
    """Return the files whose content decides whether they are the same, with their bytes."""
    if not rules.checksum:
        return {}
    return {
        path: item.size
        for path, item in manifest_of(entries).items()
        if item.kind is Kind.FILE
        and (found := there.get(path))
        and (found.kind, found.size) == (item.kind, item.size)
        and not _is_skipped(item, found, rules.sync)
    }


def _is_skipped(item: Item, there: Item | None, sync: Sync) -> bool:
    if there is None:
        return sync.existing
    if sync.ignore_existing:
        return (item.kind, there.kind) != (Kind.DIRECTORY, Kind.DIRECTORY)
    return sync.update and item.kind is there.kind is Kind.FILE and there.mtime_s > item.mtime_s


def _difference(path: bytes, item: Item, there: Item | None, rules: Rules, same: Same) -> Difference | None:
    if there is None:
        return Difference(Sign.NEW, path, (), item.size)
    why = tuple(_reasons(path, item, there, rules, same))
    is_sent_again = rules.sync.always and item.kind is not Kind.DIRECTORY
    return Difference(Sign.CHANGED, path, why, item.size) if why or is_sent_again else None


def _reasons(path: bytes, item: Item, there: Item, rules: Rules, same: Same) -> Iterator[Why]:
    if item.kind is not there.kind:
        if (item.kind, there.kind) != (Kind.DIRECTORY, Kind.SYMLINK):
            yield Why.TYPE
        return
    other = tuple(otherwise(path, item, there, same if rules.checksum else None))
    yield from other or ((Why.CONTENT,) if path in rules.changed and item.kind is Kind.FILE else ())
    if item.kind is Kind.DIRECTORY and not rules.attributes.dir_perms:
        return
    # A copy that keeps no times has none to set; by size alone nobody can tell what is the same, so it is all sent.
    is_time_wanted = rules.attributes.times or not rules.checksum
    if item.kind is not Kind.SYMLINK and item.mtime_s != there.mtime_s and is_time_wanted:
        yield Why.TIME
    if item.kind is not Kind.SYMLINK and item.mode != there.mode:
        yield Why.MODE
    if rules.attributes.sets_owner and (item.uid, item.gid) != (there.uid, there.gid):
        yield Why.OWNER


def _join_links(entries: Sequence[Entry], there: Manifest, found: dict[bytes, Difference]) -> None:
    """Make all names of a file differ where one does, or where they are no names of one file in the pod."""
    names: dict[bytes, list[Entry]] = {}
    sizes = {entry.path: entry.size for entry in entries}
    for entry in entries:
        if entry.kind is Kind.HARDLINK:
            names.setdefault(entry.link, []).append(entry)
    for file, links in names.items():
        paths = [file, *(entry.path for entry in links)]
        objects = {(item.device, item.inode) for path in paths if (item := there.get(path))}
        if len(objects) == 1 and not any(path in found for path in paths):
            continue
        for path in paths:
            if path not in found and path in there:
                found[path] = Difference(Sign.CHANGED, path, (Why.LINK,), sizes[file])
            elif path not in found:
                found[path] = Difference(Sign.NEW, path, (), sizes[file])


def _settings(wanted: Manifest, found: Mapping[bytes, Difference], rules: Rules) -> tuple[Setting, ...]:
    """Return what is set and not sent."""
    if rules.sync.always:
        return ()
    of_directories = set(rules.can_set)
    of_files = of_directories if rules.checksum else of_directories - {Why.TIME}
    some = [
        one
        for one in found.values()
        if one.why and set(one.why) <= (of_directories if wanted[one.path].kind is Kind.DIRECTORY else of_files)
    ]
    if len(some) > MOST_SET:
        some = [one for one in some if wanted[one.path].kind is Kind.DIRECTORY or one.size > SMALL_SIZE]
    alike: dict[tuple[Why, str], list[bytes]] = {}
    for what in (Why.OWNER, Why.MODE, Why.TIME):  # chown takes set-id bits away
        for one in some:
            item = wanted[one.path]
            with_mode = what is Why.MODE and Why.OWNER in one.why and item.kind is not Kind.SYMLINK
            if what in one.why or with_mode:
                alike.setdefault((what, _value(item, what)), []).append(one.path)
    return tuple(Setting(what, value, tuple(paths)) for (what, value), paths in alike.items())


def _value(item: Item, what: Why) -> str:
    if what is Why.OWNER:
        return f"{item.uid}:{item.gid}"
    return f"{item.mode:04o}" if what is Why.MODE else str(item.mtime_s)


def _with_parents(entries: Sequence[Entry], paths: Collection[bytes]) -> tuple[Entry, ...]:
    """Return the entries of these paths, and of the directories above them, in their order."""
    chosen = set(paths)
    for path in paths:
        while b"/" in path and (path := path.rpartition(b"/")[0]) not in chosen:
            chosen.add(path)
    return tuple(entry for entry in entries if entry.path in chosen)


def _extras(wanted: Manifest, there: Manifest, rules: Rules) -> list[bytes]:
    """Return what the pod has and the sources don't, below the roots, in the order of paths; nothing that is protected,
    nor a directory with something in it that stays.
    """
    stays = {one for path in wanted for one in above(path)}
    extras = []
    for path in sorted(there, reverse=True):  # what is in a directory comes before it
        if not path or path in wanted or path in stays or not _is_below(path, rules.roots):
            continue
        is_ours = ours_above(path) is not None or is_kept(path)
        if is_ours or rules.protected(path, there[path].kind is Kind.DIRECTORY):
            stays.update(above(path))
        else:
            extras.append(path)
    return extras[::-1]


def _is_below(path: bytes, roots: Collection[bytes]) -> bool:
    return any(not root or path.startswith(root + b"/") for root in roots)


def _removed(wanted: Manifest, there: Manifest, extras: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return what is removed, deepest first, and what of it stands in the way of what is sent."""
    blocked = {path for path, item in wanted.items() if path in there and _is_in_the_way(item, there[path])}
    in_the_way = {path for path in extras if not blocked.isdisjoint(above(path))} | blocked
    remove = sorted({*extras, *blocked}, reverse=True)
    return tuple(remove), tuple(path for path in remove if path in in_the_way)


def _is_in_the_way(item: Item, there: Item) -> bool:
    """Tell whether no rename can put an entry there (rename(2): a directory and something else)."""
    if item.kind is Kind.DIRECTORY:
        return there.kind not in (Kind.DIRECTORY, Kind.SYMLINK)
    return there.kind is Kind.DIRECTORY
