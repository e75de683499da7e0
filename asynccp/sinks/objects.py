"""An object store as a destination: an object for each file, its key what its path would be in a directory.

    files       small ones whole, large ones in parts as they come: nothing stands under a key before it is whole
    metadata    `mtime` (seconds since 1970), `mode` (octal, with the type's bits), `uid` and `gid` if owners are kept:
                rclone's names, which `rclone copy --metadata` sets again; and `sha256`, where all of the content is
                here before the object is begun
    directories, symbolic links    no objects, but lines of the manifest, which has all times and digests
    hard links  objects of their own, which the store copies itself
    names       that no key can have are left out, and named

The manifest (`objects.manifest`) and `report.json` come last, and the report of an earlier run goes before the first
object comes: a prefix without one is not complete. What the manifest has is here already, if the object that stands
there is still the one that it tells of. So a second run moves what is new, also after a run that was killed.

Of several processes that pull into one prefix each has a part: what it has put there is taken down in the store, as
lines of the manifest under PARTS_NAME, before its pod counts as complete. When all are done, one of them `concludes`.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from asynccp.entry import Entry, Kind, LeftOut, joined
from asynccp.errors import DestinationError
from asynccp.objects import manifest
from asynccp.objects.errors import StoreError
from asynccp.objects.manifest import Known
from asynccp.objects.object import Object
from asynccp.objects.rows import Rows, merged
from asynccp.objects.store import Store, opened
from asynccp.objects.uploads import Lot, Stream, Uploads
from asynccp.objects.url import StoreUrl, unfit
from asynccp.options import Attributes
from asynccp.plan.manifest import Item
from asynccp.report import ARCHIVED_NAME, MANIFEST_NAME, PARTS_NAME, Report
from asynccp.sinks.base import Place, Sink

WHOLE_SIZE = 1024 * 1024
"""Bytes of a file that is kept until all of it is here: 64 pods at once may have 64 MiB of them."""

_LOOK_S = 0.02  # how long a step waits for what is on its way
_ABORT_S = 0.5


class Objects:
    """A prefix of a store, as a Destination. store: None opens it when the first pod's files come, or are asked for.

    is_part: others put objects there as well, and one of them writes manifest and report.
    """

    def __init__(
        self, url: StoreUrl, attributes: Attributes, store: Store | None = None, *, is_part: bool = False
    ) -> None:
        self._url = url
        self._attributes = attributes
        self._store = store
        self.is_part = is_part
        self._lock = Lock()
        self._uploads: Uploads | None = None
        self._known: Rows | None = None
        self._new: list[Rows] = []  # of each sink, the oldest first
        self._begun = False

    @property
    def prefix(self) -> str:
        return self._url.prefix

    @property
    def store(self) -> Store:
        """Raises StoreError, UsageError."""
        with self._lock:
            self._store = self._store or opened(self._url)
            return self._store

    def holds(self, place: Place) -> bool:
        return any(self.known_below(joined(os.fsencode(place.directory), place.name)))

    def open(self, place: Place) -> Sink:
        with _translated():
            store = self.store
            with self._lock:
                self._uploads = self._uploads or Uploads(store)
            return ObjectsSink(self, self._uploads.lot(), place, self._attributes)

    def known_below(self, path: bytes) -> Iterator[bytes]:
        """Yield the rows of what the manifest has under a path, and below it. Raises DestinationError."""
        with _translated():
            known = self._all_known()
        if path:
            yield from known.beginning(path + b"\0")
        yield from known.beginning(path + b"/" if path else b"")

    def _all_known(self) -> Rows:
        store = self.store
        with self._lock:
            if self._known is None:
                pieces = store.read(MANIFEST_NAME)
                self._known = manifest.read(pieces or (), self._url.place(MANIFEST_NAME))
            return self._known

    def begin(self) -> None:
        """Something will be written: the prefix is not complete any more. Raises StoreError."""
        store = self.store
        with self._lock:
            if not self._begun:
                store.remove(ARCHIVED_NAME)
                self._begun = True

    def keep(self, rows: Rows) -> None:
        """Take down what a sink has put there."""
        with self._lock:
            if rows.count:
                self._new.append(rows.ordered())

    def finish(self, report: Report) -> Report:
        """Write the manifest, if anything is new, then the report. Of a run that had nothing to write there is none."""
        try:
            self._end_uploads()
            if self.is_part:
                self._keep_part()
                return report
            self._write(report.dumps(), is_nothing=report.is_nothing)
        except DestinationError as exc:
            return report.spoiled(exc)
        return report

    def _write(self, report: str, *, is_nothing: bool) -> None:
        """Write what comes last, if there is anything that it would tell of. Raises DestinationError."""
        if is_nothing and not self._new:
            return
        with _translated():
            store = self.store
            known = self._all_known()
            if self._new or not known.count:
                self.begin()
                rows = merged(known, *self._new)
                store.put_parts(MANIFEST_NAME, manifest.written(rows), 0, {})
            store.put(ARCHIVED_NAME, report.encode() + b"\n")

    def _keep_part(self) -> None:
        """Take down in the store what transfers have put there that were not complete."""
        with _translated():
            for rows in self._new:
                self.store.put(_part_key(is_whole=False), b"".join(manifest.written(rows)))

    def conclude(self, report: str, *, is_nothing: bool) -> None:
        """Write the manifest and the report of a run whose parts others have put there, and remove these.

        is_nothing: no pod was complete. Raises DestinationError.
        """
        with _translated():
            parts = sorted(one.key for one in self.store.list(PARTS_NAME))
            for key in parts:
                self.keep(manifest.read(self.store.read(key) or (), self._url.place(key)))
        self._write(report, is_nothing=is_nothing)
        with _translated():
            for key in parts:
                self.store.remove(key)

    def close(self) -> None:
        self._end_uploads()

    def _end_uploads(self) -> None:
        uploads, self._uploads = self._uploads, None
        if uploads:
            uploads.close()


class ObjectsSink(Sink):
    """One pod's objects."""

    continues = True
    completes = False
    masks_modes = False

    def __init__(self, destination: Objects, lot: Lot, place: Place, attributes: Attributes) -> None:
        self.name = place.name
        self.own_depth = int(place.shares)
        self._destination = destination
        self._lot = lot
        self._above = os.fsencode(place.directory)
        self._attributes = attributes
        self._rows = Rows()
        self._entry = Entry(b"", Kind.DIRECTORY)  # the one under way
        self._key = ""  # its key; empty where it has none
        self._content: bytearray | Stream = bytearray()
        self._links: list[Entry] = []  # hard ones
        self._left_out: list[LeftOut] = []
        self._is_finishing = False

    def begin(self, entry: Entry) -> None:
        self._entry, self._key = entry, self._key_of(entry.path)
        if why := self._unfit():
            self._left_out.append(LeftOut(entry.path, why))
            self._key = ""
            return
        with _translated():
            self._destination.begin()
            match entry.kind:
                case Kind.FILE:
                    self._content = bytearray() if entry.size <= WHOLE_SIZE else self._stream(entry)
                case Kind.HARDLINK:
                    self._links.append(entry)
                case _:
                    self._stands(entry)

    def write(self, data: memoryview) -> None:
        if not self._key:
            return
        if isinstance(self._content, bytearray):
            self._content += data
        else:
            with _translated():
                self._lot.check()
            self._content.feed(bytes(data))

    def hole(self, size: int) -> None:
        if not self._key:
            return
        if isinstance(self._content, bytearray):
            self.write(memoryview(bytes(size)))  # no more than the file is long
        else:
            self._content.feed(size)

    def end(self) -> None:
        if not self._key or self._entry.kind is not Kind.FILE:
            return
        entry, content = self._entry, self._content
        if isinstance(content, bytearray):
            self._put(entry, bytes(content))
        else:
            content.end()
        self._content = bytearray()

    def put(self, entry: Entry, content: memoryview) -> None:
        self.begin(entry)
        if self._key:
            self._put(entry, bytes(content))

    def standing(self, wanted: Collection[bytes] | None, most: int) -> Mapping[bytes, Item]:  # noqa: ARG002 (no mirror)
        top = joined(self._above, self.name)
        known = {one.key: one for row in self._destination.known_below(top) if (one := manifest.known_of(row))}
        if not known:
            return {}
        with _translated():
            there = {one.key: one for one in self._listed(os.fsdecode(top)) if one.key in known}
        found = {}
        for key, one in known.items():
            path = os.fsencode(key)[len(top) :].lstrip(b"/")
            if (wanted is None or path in wanted) and (one.item.kind is not Kind.FILE or one.is_of(there.get(key))):
                found[path] = one.item
        return found

    def is_full(self) -> bool:
        return self._is_finishing or self._lot.is_full()

    def finish(self, directories: Iterable[Entry]) -> Iterator[int | LeftOut]:
        """Wait until everything is in the store."""
        self._is_finishing = True
        yield from self._settled()
        if self._links:
            yield from self._copied()
        for entry in directories:
            self._stands(entry, counts=False)
        if self._destination.is_part:
            yield from self._taken_down()
        yield from self._left_out
        self._left_out.clear()
        self._is_finishing = False

    def abort(self, directories: Iterable[Entry]) -> None:  # noqa: ARG002 (they are no objects)
        self._lot.abort(_ABORT_S)
        rows, self._rows = self._rows, Rows()
        self._destination.keep(rows)

    def _taken_down(self) -> Iterator[int]:
        """Have it stand in the store what stands there."""
        rows, self._rows = self._rows.ordered(), Rows()
        if rows.count:
            with _translated():
                self._lot.put(_part_key(is_whole=True), b"".join(manifest.written(rows)), {}, _nothing)
        yield from self._settled()

    def _settled(self) -> Iterator[int]:
        with _translated():
            while not self._lot.is_settled(_LOOK_S):
                yield 0

    def _copied(self) -> Iterator[int]:
        """Have the store copy what has several names."""
        wanted = {self._key_of(one.link) for one in self._links}
        files = {one.key: one for row in self._rows if (one := manifest.known_of(row)) and one.key in wanted}
        for entry in self._links:
            key, source = self._key_of(entry.path), files.get(self._key_of(entry.link))
            if not source:
                self._left_out.append(LeftOut(entry.path, "the file that it is another name of was left out"))
                continue
            self._copy(source, key)
        self._links.clear()
        yield from self._settled()

    def _copy(self, source: Known, key: str) -> None:
        def copied(etag: str) -> None:
            self._rows.append(manifest.row_of(source._replace(key=key, etag=etag)))
            self.entries += 1

        self._lot.copy(source.key, key, copied)

    def _key_of(self, path: bytes) -> str:
        return os.fsdecode(joined(self._above, path))

    def _unfit(self) -> str:
        """Return why the entry under way can't have its key; empty if it can."""
        if self._key in (MANIFEST_NAME, ARCHIVED_NAME) or self._key.startswith(f"{PARTS_NAME}/"):
            return "what a pull writes last has this name in the store"
        prefix = f"{self._destination.prefix}/" if self._destination.prefix else ""
        return unfit(prefix + self._key)

    def _stream(self, entry: Entry) -> Stream:
        key = self._key
        return self._lot.stream(
            key, entry.size, self._metadata(entry), lambda etag, digest: self._stored(entry, key, digest, etag)
        )

    def _put(self, entry: Entry, content: bytes) -> None:
        key, digest = self._key, hashlib.sha256(content).hexdigest()
        metadata = self._metadata(entry) | {"sha256": digest}
        with _translated():
            self._lot.put(key, content, metadata, lambda etag: self._stored(entry, key, digest, etag))

    def _stored(self, entry: Entry, key: str, digest: str, etag: str) -> None:
        self._rows.append(manifest.row_of(Known(key, self._item(entry), digest, etag)))
        self.entries += 1
        self.size += entry.size

    def _stands(self, entry: Entry, *, counts: bool = True) -> None:
        """Take down what is no object."""
        key = self._key_of(entry.path)
        if key and not unfit(key):
            self._rows.append(manifest.row_of(Known(key, self._item(entry))))
        self.entries += counts

    def _item(self, entry: Entry) -> Item:
        link = entry.link if entry.kind is Kind.SYMLINK else b""
        return Item(entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.uid, entry.gid, link)

    def _metadata(self, entry: Entry) -> dict[str, str]:
        kept = self._attributes
        found = (
            {"mtime": f"{entry.mtime_ns // 1_000_000_000}.{entry.mtime_ns % 1_000_000_000:09d}"} if kept.times else {}
        )
        if kept.perms:
            found["mode"] = f"0{stat.S_IFREG | entry.mode:o}"
        if kept.preserve_owner:
            found |= {"uid": str(entry.uid), "gid": str(entry.gid)}
        return found

    def _listed(self, top: str) -> Iterator[Object]:
        """Yield the object of a key, and what is below it."""
        store = self._destination.store
        if top and (one := store.head(top)):
            yield one
        yield from store.list(top)


def _part_key(*, is_whole: bool) -> str:
    """Return a key for lines of the manifest that no other has. is_whole: of a transfer that is complete; they are
    newer than those of its attempts that were not, and come behind them.
    """
    return f"{PARTS_NAME}/{int(is_whole)}-{secrets.token_hex(16)}"


def _nothing(_: str) -> None:
    """Hear that it is there."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreError as exc:
        raise DestinationError(str(exc), hint=exc.hint) from exc
