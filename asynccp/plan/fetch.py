"""Fetch: what a pull takes from one pod, decided by what the pod has and by what is here already. Pure.

A file of the same size and time is the same and not fetched (rsync(1), "QUICK CHECK"), in whole seconds, as tar headers
carry them; by `checksum` content decides, of files that have the same size. What is here in part is completed:

    grown    a file that is shorter here: if what is here is its beginning, the rest is fetched (rsync(1),
             --append-verify)
    moved    a file that is new or changed, whose beginning is here under another name: a log that was rotated
    ends     a file of which only the end is here, and wanted: what is in its end still is kept, what follows is fetched

Size and time, or a name, only suggest such a `Beginning`; the pod proves it by the digest of so many bytes, or the file
is fetched anew. So a decision has three steps: `questionable` and `beginnings` are what to ask the pod, `decide` hears
the answers.

Names of one file (hard links) are fetched together, or none of them: tar sends the content with the first.

Nothing that is only here goes or changes without `mirror`: a name that the pod has no more is no rotation's beginning
then. Files that have several names here alone stay as they are, and are replaced: who linked them (`cp -al`) wants to
keep what they were.
"""

import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from asynccp.difference import Difference, Sign, Why
from asynccp.entry import Kind, LeftOut
from asynccp.options import Attributes, Collecting
from asynccp.ours import UNFINISHED, ours_above
from asynccp.plan.manifest import Item, Manifest, Same, otherwise
from asynccp.plan.rotation import Stem, stem
from asynccp.report import Tally

SMALL_SIZE = 32 * 1024
"""Bytes of a file that is sent in less time than the two programs take to start that digest its beginning."""

MOST_CANDIDATES = 2
"""Files here, at most, that a pod is asked about for one that may have been rotated: each costs it the reading of so
much. What is rotated a second time has the size and time that it had; so only the newest can have grown meanwhile."""

LINE_SIZE = 64 * 1024
"""Bytes of a file's end in which the beginning of a line is looked for."""

_LOOKED_AT = 16  # files of one stem, the newest, that may be candidates: a directory may have a million

NEVER_COPIED = "a device, a FIFO or a socket, which is never copied"


class Rules(NamedTuple):
    """By which rules manifests are compared.

    always: all is fetched. whole: what differs is, also where it could be completed or set.
    checksum: content decides, as `Same` tells.
    modes: bits of a mode that files may have here. small_size: of a file that has no more here, no beginning is told.
    remembered: files here, by the device and inode that they had in the pod when they were fetched.
    besides: what the pod has, and nobody asked for: none of it is removed. protected: tells of a path, and whether it
    is a directory, that it is none of ours to remove. folds_case: names here that differ in case are one.
    """

    collecting: Collecting = Collecting()
    attributes: Attributes = Attributes()
    always: bool = False
    whole: bool = False
    checksum: bool = False
    modes: int = 0o777
    remembered: Mapping[tuple[int, int], bytes] = {}
    besides: Collection[bytes] = ()
    protected: Callable[[bytes, bool], bool] = lambda _path, _is_directory: False
    folds_case: bool = False
    small_size: int = SMALL_SIZE


class Beginning(NamedTuple):
    """That a file in the pod begins with all `had` bytes of a file here. at: the path of that one, perhaps the same.

    size: of the one in the pod, at least `had`. offset: where it has them; other than 0 where it ends with them, since
    the file here is an end.
    """

    path: bytes
    at: bytes
    had: int
    size: int
    offset: int = 0


class Move(NamedTuple):
    """A file here that gets another name. size: its bytes. replaces: what has that name here, and is needed no more."""

    at: bytes
    path: bytes
    size: int
    replaces: bool = False


class Range(NamedTuple):
    """Bytes of one file in a pod. size: how many, from `offset` on."""

    path: bytes
    offset: int
    size: int


class Tail(NamedTuple):
    """The end of one file in a pod, to be a file of its own. size: bytes that are fetched, from `offset` on.

    kept: what comes before them and is here already: so many bytes of the file of that name, from `at` on to its end.
    """

    path: bytes
    offset: int
    size: int
    at: int = 0
    kept: int = 0


class Fetch(NamedTuple):
    """What differs, and what is to be done about it, in this order.

    differences: in the order of paths, as of a push: new is what is only in the pod.
    in_the_way: what has to go before what is fetched can take its place. moves: after them nothing that is needed is
    lost, in this order. whole: what the pod's tar is to send, parents before what is in them. Of a directory its mode
    and time, since it is new, they differ, or something in it gets another name, which changes its time; and nothing
    below it that isn't named itself. rest: what follows the beginning of a file that is here under this name by now.
    tails: ends of files, to be files of their own; cut: files whose end is here already, as it is.
    set: what has all its content, but not its mode or time.
    remove: what is removed besides, what is in a directory before the directory.
    left_out: what can't be copied. same, same_size: how many entries are the same, and their bytes. begun_size: bytes
    of others that need not be fetched, because they are here.
    """

    differences: tuple[Difference, ...] = ()
    in_the_way: tuple[bytes, ...] = ()
    moves: tuple[Move, ...] = ()
    whole: tuple[bytes, ...] = ()
    rest: tuple[Range, ...] = ()
    tails: tuple[Tail, ...] = ()
    cut: tuple[bytes, ...] = ()
    set: tuple[bytes, ...] = ()
    remove: tuple[bytes, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    same: int = 0
    same_size: int = 0
    begun_size: int = 0


def questionable(there: Manifest, here: Manifest, rules: Rules) -> dict[bytes, int]:
    """Return the files whose content decides whether they are the same, with their bytes."""
    if not rules.checksum or rules.always:
        return {}
    return {
        path: item.size
        for path, item in there.items()
        if item.kind is Kind.FILE and (found := here.get(path)) and (found.kind, found.size) == (item.kind, item.size)
    }


def beginnings(there: Manifest, here: Manifest, rules: Rules, same: Same = lambda _: None) -> tuple[Beginning, ...]:
    """Return what a pod is asked to prove: in the order of paths, and for one path the likeliest first."""
    if rules.always or rules.whole:
        return ()
    differing = _differing(there, here, rules, same)
    extras = _extras(there, here, rules)
    blocked = _blocked(there, here)
    linked = {path for paths in _linked(there) for path in paths}

    def is_open(path: bytes) -> bool:
        return path in differing and not _is_only_set(there[path], here.get(path), differing[path], rules)

    pods = {
        path: item
        for path, item in sorted(there.items())
        if item.kind is Kind.FILE and is_open(path) and path not in linked and path not in blocked
    }
    ours = {
        path: item
        for path, item in here.items()
        if item.kind is Kind.FILE
        and item.size > rules.small_size
        and item.names == 1
        and _is_readable(item)
        and (path in extras or is_open(path))
        and blocked.isdisjoint((path, *_above(path)))
    }
    most = rules.collecting.tail_size
    if not most:
        return tuple(_likely(pods, ours, rules))
    left = {path: item for path, item in pods.items() if not _is_end(item, here.get(path), rules)}
    return tuple(one for one in _likely(left, ours, rules) if one.size - one.had <= most)


def ends(there: Manifest, here: Manifest, rules: Rules, proved: Collection[Beginning]) -> dict[bytes, bytes]:
    """Return the files whose end is wanted, and of which it may be here; under which name.

    That is their own, or that of a file of the same log and time, which was rotated.
    """
    if rules.always or rules.whole or not rules.collecting.tail_size:
        return {}
    settled = {path for one in proved for path in (one.path, one.at)}
    by_time = {
        (stem(at), item.mtime_s): at for at, item in here.items() if item.kind is Kind.FILE and at not in settled
    }
    found: dict[bytes, bytes] = {}
    for path, item in sorted(there.items()):
        at = by_time.get((stem(path), item.mtime_s), path)
        for one in (path, at) if at == path or at in there else (path,):
            if path not in settled and _is_end(item, here.get(one), rules):
                found[path] = one
    return found


def decide(
    there: Manifest,
    here: Manifest,
    rules: Rules,
    same: Same = lambda _: None,
    proved: Collection[Beginning] = (),
    kept: Mapping[bytes, Tail] = {},
) -> Fetch:
    """Return what a pull takes where `there` is what is wanted of a pod's, and `here` is what stands in its place.

    Paths are those below the path that was asked for; the empty one is that itself. proved: of `beginnings`.
    kept: of `ends`, as they were found.
    """
    differing = _differing(there, here, rules, same)
    cut = {one.path: one.had for one in proved if one.offset}
    still = {
        one.path for one in proved if one.path in cut and one.at == one.path and differing.get(one.path) == (Why.SIZE,)
    }
    differing = {path: why for path, why in differing.items() if path not in still}
    proved = [one for one in proved if one.path not in still]
    set_paths = {path for path, why in differing.items() if _is_only_set(there[path], here.get(path), why, rules)}
    extras = _extras(there, here, rules)
    begun = _without_circles(_consistent(proved))
    moves = _moves(begun, here)
    moved = {one.at for one in moves}
    extras = extras - moved
    kept = {path: one for path, one in kept.items() if path not in moved}
    in_the_way = _in_the_way(there, here, extras, rules) if rules.collecting.mirror else set()
    sent = differing.keys() - set_paths - begun.keys()
    tails = {path for path in sent if _is_too_long(there[path], rules)}
    written = {*sent, *extras, *in_the_way, *(path for one in moves for path in (one.at, one.path))}
    whole = (sent - tails) | {above for path in written for above in _above(path) if _is_directory(there.get(above))}
    complete = {path for path, one in begun.items() if one.offset + one.had == one.size}
    same_paths = [path for path, item in there.items() if path not in differing and not _why_never(path, item)]
    return Fetch(
        differences=tuple(_differences(differing, extras, there, here)),
        in_the_way=tuple(sorted(in_the_way, reverse=True)),
        moves=moves,
        whole=tuple(sorted(whole)),
        rest=tuple(Range(path, one.had, one.size - one.had) for path, one in begun.items() if path not in complete),
        tails=tuple(kept.get(path) or _end(path, there[path], rules) for path in sorted(tails)),
        cut=tuple(sorted(cut.keys() & (begun.keys() | still))),
        set=tuple(sorted(set_paths | complete)),
        remove=tuple(sorted(extras - in_the_way, reverse=True)),
        left_out=tuple(LeftOut(path, why) for path, item in sorted(there.items()) if (why := _why_never(path, item))),
        same=len(same_paths),
        same_size=sum(cut.get(path, there[path].size) for path in {*same_paths, *set_paths}),
        begun_size=sum(one.had for one in begun.values()) + sum(kept[path].kept for path in tails & kept.keys()),
    )


def tally(fetch: Fetch) -> Tally:
    """Return the numbers of a fetch."""
    only_set = set(fetch.set) - {one.path for one in fetch.moves}
    signs = Counter(one.sign for one in fetch.differences if one.path not in only_set)
    return Tally(
        new=signs[Sign.NEW],
        changed=signs[Sign.CHANGED],
        set=len(only_set),
        same=fetch.same,
        removed=len(fetch.in_the_way) + len(fetch.remove),
        saved=fetch.same_size + fetch.begun_size,
    )


def _why_never(path: bytes, item: Item) -> str:
    """Return why something is never copied; empty for all else."""
    if item.kind is None:
        return NEVER_COPIED
    return UNFINISHED if ours_above(path) is not None else ""


def _differing(there: Manifest, here: Manifest, rules: Rules, same: Same) -> dict[bytes, tuple[Why, ...]]:
    """Return what differs, in the order of paths, and why; what isn't here for no reason."""
    found: dict[bytes, tuple[Why, ...]] = {}
    for path, item in sorted(there.items()):
        if _why_never(path, item):
            continue
        ours = here.get(path)
        why = tuple(_reasons(path, item, ours, rules, same)) if ours else ()
        if not ours or why or (rules.always and item.kind is not Kind.DIRECTORY):
            found[path] = why
    _join_links(there, here, found)
    return found


def _reasons(path: bytes, item: Item, ours: Item, rules: Rules, same: Same) -> Iterator[Why]:
    if item.kind is not ours.kind:
        yield Why.TYPE
        return
    yield from otherwise(path, item, ours, same if rules.checksum else None)
    if item.kind is not Kind.SYMLINK:
        # A copy that keeps no times has none to set; by size alone nobody can tell what is the same.
        is_time_wanted = rules.attributes.times or (item.kind is Kind.FILE and not rules.checksum)
        if is_time_wanted and item.mtime_s != ours.mtime_s:
            yield Why.TIME
        if (rules.attributes.perms or rules.attributes.chmod) and _mode(item, ours, rules) != ours.mode:
            yield Why.MODE
    if rules.attributes.preserve_owner and (item.uid, item.gid) != (ours.uid, ours.gid):
        yield Why.OWNER


def _mode(item: Item, ours: Item, rules: Rules) -> int:
    """Return the mode that an item has here. Where modes aren't kept, one that is here already stays as it is."""
    mode = item.mode & rules.modes if rules.attributes.perms else ours.mode
    if not rules.attributes.chmod:
        return mode
    from asynccp.modes import mode_after  # few ask for it

    is_directory = item.kind is Kind.DIRECTORY
    return mode_after(mode, rules.attributes.chmod, is_directory=is_directory, umask=~rules.modes & 0o777) & 0o777


def _join_links(there: Manifest, here: Manifest, found: dict[bytes, tuple[Why, ...]]) -> None:
    """Make all names of a file differ where they are not alike, or no names of one file here."""
    for paths in _linked(there):
        files = {(item.device, item.inode) if (item := here.get(path)) else None for path in paths}
        if len(files) == 1 and len({found.get(path) for path in paths}) == 1:
            continue
        for path in paths:
            found[path] = (*found.get(path, ()), Why.LINK) if path in here else ()


def _linked(there: Manifest) -> list[list[bytes]]:
    """Return the names of each file that has several."""
    names: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for path, item in there.items():
        if item.kind is Kind.FILE and item.names > 1 and item.inode and not _why_never(path, item):
            names[item.device, item.inode].append(path)
    return [paths for paths in names.values() if len(paths) > 1]


def _is_only_set(item: Item, ours: Item | None, why: Collection[Why], rules: Rules) -> bool:
    can_set = {Why.MODE, Why.OWNER, *([Why.TIME] if rules.checksum else [])}
    if rules.always or rules.whole:
        return False
    if ours is None or not item.kind is ours.kind is Kind.FILE or not _is_readable(ours):
        return False
    return bool(why) and can_set.issuperset(why) and ours.names <= item.names


def _is_readable(ours: Item) -> bool:
    """Tell whether its owner can open a file here: its attributes are set, and its content is read, by descriptor."""
    return bool(ours.mode & 0o400)


def _is_too_long(item: Item, rules: Rules) -> bool:
    return item.kind is Kind.FILE and 0 < rules.collecting.tail_size < item.size


def _end(path: bytes, item: Item, rules: Rules) -> Tail:
    return Tail(path, item.size - rules.collecting.tail_size, rules.collecting.tail_size)


def _is_end(item: Item, ours: Item | None, rules: Rules) -> bool:
    """Tell whether a file here may be an end of one in a pod."""
    if ours is None or not item.kind is ours.kind is Kind.FILE or not _is_too_long(item, rules):
        return False
    return 0 < ours.size <= rules.collecting.tail_size and ours.names == item.names == 1 and _is_readable(ours)


def _differences(
    differing: Mapping[bytes, tuple[Why, ...]], extras: Collection[bytes], there: Manifest, here: Manifest
) -> list[Difference]:
    signs = {path: Sign.CHANGED if path in here else Sign.NEW for path in differing}
    found = [Difference(sign, path, differing[path], there[path].size) for path, sign in signs.items()]
    found += [Difference(Sign.EXTRA, path, (), here[path].size) for path in extras]
    return sorted(found, key=lambda one: one.path)


def _likely(pods: Manifest, ours: Manifest, rules: Rules) -> Iterator[Beginning]:
    """Yield what may be the beginnings of files in a pod; no more is known than their sizes, times and names."""
    twins = _twins(pods, ours)
    gone = {at for some in twins.values() for at in some}
    stems = _by_stem(ours, gone)
    for path, item in pods.items():
        found = twins[path]
        known = rules.remembered.get((item.device, item.inode), path) if item.inode else path
        if known != path and known in ours and ours[known].size <= item.size:
            found = list(dict.fromkeys([known, *found]))
        if not found:
            found = _grown(path, item, ours, gone)
            found += _rotated(path, item, ours, stems, only_active=bool(found), times=rules.attributes.times)
        yield from (Beginning(path, at, ours[at].size, item.size) for at in found)


def _twins(pods: Manifest, ours: Manifest) -> dict[bytes, list[bytes]]:
    """Return the files here of the same size and time, by the path of one in a pod; not that of its own path.

    Those in the same directory come first, then those of the same name: very many files may be of one size and time.
    """
    index: dict[tuple[object, ...], list[bytes]] = defaultdict(list)
    for at, item in sorted(ours.items()):
        for key in _alike(at, item):
            index[key].append(at)
    found = {}
    for path, item in pods.items():
        some = (at for key in _alike(path, item) for at in index.get(key, ()) if at != path)
        found[path] = list(dict.fromkeys(islice(some, MOST_CANDIDATES)))
    return found


def _alike(path: bytes, item: Item) -> Iterator[tuple[object, ...]]:
    directory, _, name = path.rpartition(b"/")
    yield item.size, item.mtime_s, directory, b""
    yield item.size, item.mtime_s, b"", name
    yield item.size, item.mtime_s


def _grown(path: bytes, item: Item, ours: Manifest, gone: Collection[bytes]) -> list[bytes]:
    return [path] if path in ours and path not in gone and ours[path].size < item.size else []


def _by_stem(ours: Manifest, gone: Collection[bytes]) -> dict[Stem, list[tuple[int, bytes]]]:
    """Return files by their stem, with their time, the oldest first, but for those that are gone to another name."""
    found: dict[Stem, list[tuple[int, bytes]]] = defaultdict(list)
    for at, item in ours.items():
        if at not in gone:
            found[stem(at)].append((item.mtime_s, at))
    for some in found.values():
        some.sort()
    return found


def _rotated(
    path: bytes,
    item: Item,
    ours: Manifest,
    stems: Mapping[Stem, list[tuple[int, bytes]]],
    *,
    only_active: bool,
    times: bool,
) -> list[bytes]:
    """Return which files may have become this one, the newest first.

    only_active: look only at the log that has nothing added to its name. Of a thousand growing files `host1.log`,
    `host2.log` … none has become another. times: files here have those that they had in the pod.
    """
    its = stem(path)
    some = stems.get(its, [])
    until = bisect_right(some, item.mtime_s, key=lambda one: one[0]) if times else len(some)
    newest = [at for _, at in reversed(some[max(0, until - _LOOKED_AT) : until])]
    found = [at for at in newest if at != path and ours[at].size <= item.size]
    if only_active:
        found = [at for at in found if at.rpartition(b"/")[2] == its[1]]
    return found[:MOST_CANDIDATES]


def _consistent(proved: Collection[Beginning]) -> dict[bytes, Beginning]:
    """Return one for each path, so that no file here is wanted twice; what has only grown stays what it is."""
    found: dict[bytes, Beginning] = {}
    used: set[bytes] = set()
    for one in sorted(proved, key=lambda one: one.at != one.path):
        if one.path not in found and one.at not in used:
            found[one.path] = one
            used.add(one.at)
    return dict(sorted(found.items()))


def _without_circles(begun: Mapping[bytes, Beginning]) -> dict[bytes, Beginning]:
    """Return those that can all be had by moves: where names go round in a circle, the smallest file is left out."""
    left, seen = dict(begun), set[bytes]()
    for path in begun:
        chain: list[bytes] = []
        while path in left and path not in seen and left[path].at != path:
            seen.add(path)
            chain.append(path)
            path = left[path].at
        if path in chain:
            del left[min(chain[chain.index(path) :], key=lambda one: left[one].had)]
    return left


def _moves(begun: Mapping[bytes, Beginning], here: Manifest) -> tuple[Move, ...]:
    """Return the moves in an order that loses nothing: what has a name goes elsewhere before the name is given anew."""
    to = {one.at: path for path, one in begun.items() if one.at != path}
    ordered: dict[bytes, None] = {}  # paths
    for first in to.values():
        chain: list[bytes] = []
        path: bytes | None = first
        while path is not None and path not in ordered:
            chain.append(path)
            path = to.get(path)
        ordered.update(dict.fromkeys(reversed(chain)))
    return tuple(
        Move(begun[path].at, path, begun[path].had, replaces=path in here and path not in to) for path in ordered
    )


def _extras(there: Manifest, here: Manifest, rules: Rules) -> set[bytes]:
    """Return what a mirror removes: nothing that the pod has, nothing that is protected, nor what is above these."""
    if not rules.collecting.mirror or not _is_directory(there.get(b"")):
        return set()
    known = {*there, *rules.besides}
    if rules.folds_case:
        known |= set(map(_folded, known))
    stays = {above for path in known for above in _above(path)}
    extras = set()
    for path in sorted(here, reverse=True):  # what is in a directory comes before it
        name = _folded(path) if rules.folds_case else path
        if not path or name in known or name in stays:
            continue
        if path in stays or ours_above(path) is not None or rules.protected(path, _is_directory(here[path])):
            stays.update(_above(path))
        else:
            extras.add(path)
    return extras


def _folded(path: bytes) -> bytes:
    """Return a path as a disk that folds case and normalises compares it (Unicode, D145)."""
    text = path.decode("utf-8", "surrogateescape").casefold()
    return unicodedata.normalize("NFD", text).encode("utf-8", "surrogateescape")


def _blocked(there: Manifest, here: Manifest) -> set[bytes]:
    """Return the paths here whose place no rename can take (rename(2): a directory and something else)."""
    return {
        path
        for path, item in there.items()
        if (ours := here.get(path)) and _is_directory(item) != _is_directory(ours) and not _why_never(path, item)
    }


def _in_the_way(there: Manifest, here: Manifest, extras: Collection[bytes], rules: Rules) -> set[bytes]:
    """Return what goes first; of a directory that has to go and can't be emptied nothing."""
    blocked = _blocked(there, here) - {b""}
    stays = {above for path in here if path not in extras and path not in blocked for above in _above(path)}
    blocked = {path for path in blocked - stays if not rules.protected(path, _is_directory(here[path]))}
    return blocked | {path for path in extras if not blocked.isdisjoint(_above(path))}


def _is_directory(item: Item | None) -> bool:
    return item is not None and item.kind is Kind.DIRECTORY


def _above(path: bytes) -> Iterator[bytes]:
    """Yield the directories that a path is in, from below, up to the one that was asked for."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path
