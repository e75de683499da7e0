"""Store: one object store and a prefix in it, by obstore; its errors in words. Calls block: in threads only.

obstore is Rust's object_store: one client for S3 and what speaks like it, Google's and Azure's, whose uploads in parts
are ended or aborted, and whose requests are tried again. It is not installed with asynccp, for its 15 MB.

    put     a whole object at once, or one in parts: nothing stands under its key before it is whole
    errors  of a store quote XML and URLs, in which there may be a signature: only the store's own code and message go
            on, as `text.printable` shows them
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from asynccp.errors import UsageError
from asynccp.objects.credentials import is_plain, settings
from asynccp.objects.errors import StoreError
from asynccp.objects.object import Object, Part
from asynccp.objects.url import StoreUrl
from asynccp.text import printable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PART_SIZE = 5 * 1024 * 1024
"""Bytes of a part, at least: S3 takes none that is smaller, but for the last."""

_MOST_PARTS = 9_000  # S3 takes 10,000
_REQUEST_S = 300  # for a part of 5 MiB that is 17 KiB/s
_CONNECT_S = 10
_RETRIES, _RETRY_S = 6, 60  # as long as a load balancer takes to change its mind
_READ_SIZE = 1024 * 1024

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([^<]{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,400})</Message>")
_FULL = ("InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge", "TotalStorageLimitExceeded")


class Store:
    """url: what of the store this is. client: obstore's."""

    def __init__(self, url: StoreUrl, client: "ObjectStore") -> None:
        self.url = url
        self.client = client

    def put(self, key: str, content: bytes, attributes: Mapping[str, str] | None = None) -> str:
        """Put a whole object; return its etag. Raises StoreError."""
        import obstore

        with self._translated(key):
            made = obstore.put(
                self.client, self._path(key), content, attributes=dict(attributes or {}), use_multipart=False
            )
        return made["e_tag"] or ""

    def put_parts(
        self, key: str, pieces: Iterable[bytes], size: int, attributes: Mapping[str, str], at_once: int = 1
    ) -> str:
        """Put an object whose content comes in pieces, of about `size` bytes in all; return its etag.

        at_once: parts on their way while the next one is filled, each 5 MiB of memory. What iterating raises aborts the
        upload, and is raised here. Raises StoreError.
        """
        import obstore

        part_size = max(PART_SIZE, size // _MOST_PARTS)
        with self._translated(key):
            made = obstore.put(
                self.client,
                self._path(key),
                iter(pieces),
                attributes=dict(attributes),
                chunk_size=part_size,
                max_concurrency=at_once,
            )
        return made["e_tag"] or ""

    def read(self, key: str) -> Iterator[bytes] | None:
        """Return the content of an object in pieces; None if there is none. Raises StoreError, also meanwhile."""
        import obstore

        with self._translated(key):
            try:
                found = obstore.get(self.client, self._path(key))
            except FileNotFoundError as exc:
                if self._is_bucket_missing(exc):
                    raise
                return None
        return self._pieces(key, found)

    def _pieces(self, key: str, found: Any) -> Iterator[bytes]:
        with self._translated(key):
            for piece in found.stream(min_chunk_size=_READ_SIZE):
                yield bytes(piece)

    def head(self, key: str) -> Object | None:
        """Return what there is under a key; None for nothing. Raises StoreError."""
        import obstore

        with self._translated(key):
            try:
                return self._object(obstore.head(self.client, self._path(key)))
            except FileNotFoundError:
                return None

    def metadata(self, key: str) -> dict[str, str] | None:
        """Return what was told of an object by who put it there; None if there is none. Raises StoreError."""
        import obstore

        with self._translated(key):
            try:
                found = obstore.get(self.client, self._path(key), options={"head": True})
            except FileNotFoundError:
                return None
            return {name.lower(): value for name, value in found.attributes.items()}

    def part(self, key: str, offset: int, size: int, *, etag: str) -> Part | None:
        """Return a part of an object; None if it is not that one any more. Raises StoreError."""
        import obstore
        from obstore.exceptions import PreconditionError

        options: Any = {"if_match": etag} if etag else {}
        options |= {"range": (offset, offset + size)} if size else {"head": True}
        with self._translated(key):
            try:
                found = obstore.get(self.client, self._path(key), options=options)
                content = bytes(found.bytes()) if size else b""
            except (FileNotFoundError, PreconditionError):
                return None
            meta = self._object(found.meta)
            return Part(content, meta.size, meta.mtime_ns) if len(content) == size else None

    def list(self, below: str) -> Iterator[Object]:
        """Yield what stands below a key, not what has that very key; of the empty one all. Raises StoreError."""
        import obstore

        with self._translated(below):
            for page in obstore.list(self.client, self._path(below) or None):
                yield from map(self._object, page)

    def copy(self, source: str, key: str) -> None:
        """Put what stands under one key under another one as well, in the store itself. Raises StoreError."""
        import obstore

        with self._translated(key):
            obstore.copy(self.client, self._path(source), self._path(key))

    def remove(self, key: str) -> None:
        """Remove what stands under a key, if anything does. Raises StoreError."""
        import obstore

        with self._translated(key):
            try:
                obstore.delete(self.client, self._path(key))
            except FileNotFoundError as exc:
                if self._is_bucket_missing(exc):
                    raise

    def check(self) -> None:
        """Raise StoreError when the store is not reached, or does not let us look."""
        for _ in self.list(""):
            return

    def _path(self, key: str) -> str:
        return "/".join(filter(None, (self.url.prefix, key)))

    def _object(self, meta: Any) -> Object:
        at = len(self.url.prefix) + 1 if self.url.prefix else 0
        when_ns = int(meta["last_modified"].timestamp()) * 1_000_000_000
        return Object(meta["path"][at:], meta["size"], meta["e_tag"] or "", when_ns)

    def _is_bucket_missing(self, exc: BaseException) -> bool:
        return _code(exc) in ("NoSuchBucket", "ContainerNotFound")

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        """The one place where an error of the store becomes ours."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as exc:
            raise store_error(self.url, key, exc) from None


def store_error(url: StoreUrl, key: str, exc: BaseException) -> StoreError:
    """Return what an error of obstore means."""
    text, code = str(exc), _code(exc)
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    said = _MESSAGE.search(text)
    words = printable(": ".join(filter(None, (code, said[1] if said else ""))), 300)
    bucket = f"{url.scheme}://{url.bucket}"
    if code in ("NoSuchBucket", "ContainerNotFound"):
        return StoreError(f"there is no bucket {bucket}", hint="make it, or name another one")
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken") or status == 401:
        why = words or "it does not know the credentials"
        return StoreError(f"{bucket} refuses the credentials: {why}", hint="see which ones the environment has")
    if status == 507 or code in _FULL:
        return StoreError(f"{bucket} is full: {words}", hint="remove something there, or name another bucket")
    if status == 403 or type(exc).__name__ == "PermissionDeniedError":
        return StoreError(f"access to {url.place(key)} is denied: {words or 'the store does not say why'}")
    if "redirect without LOCATION" in text:
        return StoreError(f"{bucket} is in another region", hint="set AWS_REGION")
    if status:
        return StoreError(f"{url.place(key)} can't be used: the store says {status} {words}".rstrip())
    if why := _unreachable(text):
        return StoreError(f"{bucket} can't be reached: {why}", hint="see AWS_ENDPOINT_URL, proxies and the network")
    return StoreError(f"{url.place(key)} can't be used: {printable(text.splitlines()[0] if text else repr(exc), 200)}")


def _code(exc: BaseException) -> str:
    found = _CODE.search(str(exc))
    return found[1] if found else ""


def _unreachable(text: str) -> str:
    """Return why no answer came; empty if one did."""
    if "ConnectionRefused" in text:
        return os.strerror(errno.ECONNREFUSED).lower()
    if "dns error" in text or "failed to lookup" in text:
        return "its name is not known"
    if "certificate" in text.lower():
        return "its certificate is not trusted"
    if "TimedOut" in text or "timed out" in text:
        return "it does not answer"
    if "error sending request" in text or "ConnectionReset" in text or "connection closed" in text:
        return "the connection failed"
    return ""


def opened(url: StoreUrl, *, patient: bool = True) -> Store:
    """Return a store. Raises UsageError without obstore, StoreError without credentials.

    patient: requests are tried again for a while, rather than once.
    """
    try:
        from obstore import store as stores
    except ImportError:
        raise UsageError(
            f"{url.scheme}:// takes obstore, which is not installed", hint="pip install 'asynccp[objects]'"
        ) from None
    config: Any = settings(url, os.environ, _file)
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)}
    if not patient:
        retries = {"max_retries": 1, "retry_timeout": timedelta(seconds=_CONNECT_S)}
    options: Any = {
        "timeout": timedelta(seconds=_REQUEST_S if patient else _CONNECT_S),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        "allow_http": is_plain(config, os.environ),
    }
    if url.scheme == "s3":  # one request for one object, as every store that speaks S3 has it
        config |= {"disable_bulk_delete": True}
    made: Any = {"s3": stores.S3Store, "gs": stores.GCSStore, "az": stores.AzureStore}[url.scheme]
    try:
        return Store(url, made(url.bucket, config=config, client_options=options, retry_config=retries))
    except Exception as exc:  # whatever is wrong with what the environment says
        raise store_error(url, "", exc) from None


def _file(path: str) -> str | None:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None
