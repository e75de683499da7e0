"""Objects below a URL → entries, as `local.scan` makes them of files: `s3://bucket/config/` gives what is below it.

    modes, times    what the manifest of this prefix, or of one above it, tells of the object that stands there; else
                    the object's own metadata (`mtime`, `mode`: rclone's names), which is a question for each; else
                    0644, and when it was written
    directories     what the manifest tells, and what keys lie in; links: what the manifest tells
    left out        an object whose key others lie below; what consoles put there for empty directories is none

Calls block. A hundred thousand keys are listed in 100 requests.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from msgspec.structs import replace

from asynccp.entry import Entry, Kind, LeftOut, Origin, above, joined
from asynccp.errors import PlanError
from asynccp.objects import manifest
from asynccp.objects.manifest import Known, known_of
from asynccp.objects.object import Object
from asynccp.objects.rows import Rows
from asynccp.objects.store import Store, opened
from asynccp.objects.url import StoreUrl, parse_url
from asynccp.options import Filtering, Rule
from asynccp.plan.manifest import Item
from asynccp.report import ARCHIVED_NAME, MANIFEST_NAME

AT_ONCE = 32  # questions for metadata: a store takes 20 to 50 ms for each
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755


class Found(NamedTuple):
    """As `local.scan.Scanned`."""

    entries: list[Entry]
    left_out: list[LeftOut]
    excluded: int
    rules: dict[bytes, tuple[tuple[Rule, ...], ...]]


def scan(source: str, filtering: Filtering, store: Store | None = None) -> Found:
    """Return the entries of one URL. Raises PlanError, UsageError."""
    url = parse_url(source)
    if store is None:
        opened(url, patient=False).check()
        store = opened(url)
    is_named = bool(url.prefix) and not source.endswith("/")
    name = url.prefix.rpartition("/")[2].encode() if is_named else b""
    single, listed = store.head("") if is_named else None, list(store.list(""))
    if single and listed:
        raise PlanError(f"{url} is an object, and others lie below it", hint=f"{url}/ is those")
    if not single and not listed:
        raise PlanError(f"there is no object {url}, and none below it")
    known = _Known(store)
    if single:
        return Found([_Tree(store, known, name).file(single)], [], 0, {})
    tree = _Tree(store, known, name)
    tree.add(one for one in listed if one.key not in known.own)
    entries = [tree.entries[path] for path in sorted(tree.entries, key=lambda path: path.split(b"/"))]
    return _filtered(Found(entries, tree.left_out, 0, {name: (filtering.rules,)}), filtering, name)


class _Known:
    """What manifests tell of what is below a store's prefix. own: keys that are ours, and no content."""

    def __init__(self, store: Store) -> None:
        self.own: set[str] = set()
        self._rows, self._below = Rows(), ""
        for root, below in _above(store.url):
            pieces = Store(root, store.client).read(MANIFEST_NAME)
            rows = manifest.read(pieces or (), root.place(MANIFEST_NAME))
            if rows.count:
                self._rows, self._below = rows, below
                self.own = set() if below else {MANIFEST_NAME, ARCHIVED_NAME}
                return

    def __iter__(self) -> Iterator[Known]:
        """Yield what is told, by keys below the prefix, in order; the empty one is that itself."""
        start = self._below.encode()
        ends = (start + b"\0", start + b"/") if start else (b"",)
        for row in (row for end in ends for row in self._rows.beginning(end)):
            if known := known_of(row):
                yield known._replace(key=known.key[len(self._below) :].lstrip("/"))


def _above(url: StoreUrl) -> Iterator[tuple[StoreUrl, str]]:
    """Yield the prefix of a URL and those above it, each with the way back from there."""
    parts = [one for one in url.prefix.split("/") if one]
    for at in range(len(parts), -1, -1):
        yield url._replace(prefix="/".join(parts[:at])), "/".join(parts[at:])


class _Tree:
    """The entries of one source, by path. name: what it is called; empty for its contents."""

    def __init__(self, store: Store, known: _Known, name: bytes) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.left_out: list[LeftOut] = []
        self._store, self._name = store, name
        self._root = str(store.url).encode()
        self._known = {one.key: one for one in known}

    def file(self, one: Object) -> Entry:
        """Return the entry of an object that is a file."""
        about = self._told(one)
        return self._entry(one, about if about is not None else self._store.metadata(one.key) or {})

    def add(self, objects: Iterable[Object]) -> None:
        """Add objects, the directories that they lie in, and what the manifest tells besides."""
        files = {one.key: one for one in objects}
        inner = {key for one in files for key in _keys_above(one)}
        unknown = [one for key, one in files.items() if key not in inner and self._told(one) is None]
        with ThreadPoolExecutor(AT_ONCE) as asking:
            told = dict(zip((one.key for one in unknown), asking.map(self._metadata, unknown), strict=True))
        for key, one in files.items():
            path, about = self._path(key), self._told(one)
            if key in inner:
                if one.size:
                    self.left_out.append(LeftOut(path, "others lie below it: it can't be a file and a directory"))
            elif about is not None:
                self.entries[path] = self._entry(one, about)
            elif (metadata := told[key]) is not None:
                self.entries[path] = self._entry(one, metadata)
            else:  # its key ends with a slash, which no listing of ours tells: a console's empty directory
                self._add_directory(path, one.mtime_ns)
        self._add_known(files.keys())
        for path, entry in list(self.entries.items()):
            for directory in above(path):
                self._add_directory(directory, entry.mtime_ns)
        if self._name:
            self._add_directory(self._name, max(entry.mtime_ns for entry in self.entries.values()))

    def _add_known(self, files: Iterable[str]) -> None:
        """Add directories and links that the manifest tells of."""
        taken = set(files)
        for key, one in self._known.items():
            is_free = key not in taken and taken.isdisjoint(_keys_above(key))
            if one.item.kind in (Kind.DIRECTORY, Kind.SYMLINK) and is_free and (path := self._path(key)):
                item = one.item
                self.entries[path] = Entry(path, item.kind, 0, item.mode, item.mtime_ns, item.uid, item.gid, item.link)  # type: ignore[arg-type]

    def _add_directory(self, path: bytes, mtime_ns: int) -> None:
        if path not in self.entries:
            self.entries[path] = Entry(path, Kind.DIRECTORY, mode=DIRECTORY_MODE, mtime_ns=mtime_ns)

    def _path(self, key: str) -> bytes:
        return joined(self._name, key.encode())

    def _told(self, one: Object) -> Item | None:
        known = self._known.get(one.key)
        return known.item if known and known.is_of(one) else None

    def _metadata(self, one: Object) -> Mapping[str, str] | None:
        return self._store.metadata(one.key)

    def _entry(self, one: Object, about: Item | Mapping[str, str]) -> Entry:
        origin = Origin(self._root, one.key.encode(), 0, 0, one.mtime_ns, one.mtime_ns, one.etag)
        entry = Entry(self._path(one.key), Kind.FILE, one.size, FILE_MODE, one.mtime_ns, origin=origin)
        if isinstance(about, Item):
            return replace(entry, mode=about.mode, mtime_ns=about.mtime_ns, uid=about.uid, gid=about.gid)
        mode, mtime_ns = mode_of(about.get("mode", "")), mtime_ns_of(about.get("mtime", ""))
        return replace(
            entry,
            mode=entry.mode if mode is None else mode,
            mtime_ns=entry.mtime_ns if mtime_ns is None else mtime_ns,
            uid=_number(about.get("uid", "")),
            gid=_number(about.get("gid", "")),
        )


def mode_of(text: str) -> int | None:
    """Return the permissions that metadata tell: in octal as rclone has them, or in decimal, with the type, as s3fs."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    is_octal = (text.startswith("0") or len(text) < 5) and not {"8", "9"} & {*text}
    return stat.S_IMODE(int(text, 8 if is_octal else 10)) & 0o777


def mtime_ns_of(text: str) -> int | None:
    """Return the time that metadata tell, in seconds, perhaps with a fraction."""
    try:
        found = Decimal(text) if len(text) < 32 else None
    except InvalidOperation:
        return None
    if found is None or not found.is_finite() or not 0 <= found < 1 << 34:
        return None
    return int(found * 1_000_000_000)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0


def _keys_above(key: str) -> Iterator[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key


def _filtered(found: Found, filtering: Filtering, name: bytes) -> Found:
    if not filtering.rules:
        return found
    from asynccp.plan.filters import compiled, kept_of  # few need it

    at = len(name) + 1 if name else 0
    items = {one.path[at:]: Item(one.kind) for one in found.entries if one.path != name}
    kept = kept_of(items, compiled(filtering.rules))
    entries = [one for one in found.entries if one.path == name or one.path[at:] in kept]
    if not kept:
        raise PlanError(f"the filters leave nothing to push of {name.decode()}")
    return found._replace(entries=entries, excluded=len(found.entries) - len(entries))
