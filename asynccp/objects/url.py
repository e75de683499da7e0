"""StoreUrl: `s3://bucket/run-1/`, as the store and the beginning of every key. Pure."""

import re
from typing import NamedTuple

from asynccp.errors import UsageError
from asynccp.text import printable

_URL = re.compile(r"(?P<scheme>s3|gs|az)://(?P<bucket>[^/]*)(?P<path>/.*)?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{1,254}")  # none of the three allows more

MOST_KEY_SIZE = 1024
"""Bytes of a key, in UTF-8 (S3, Google: so many bytes; Azure: so many characters)."""


class StoreUrl(NamedTuple):
    """scheme: `s3`, `gs` or `az`. bucket: a container, in Azure's words. prefix: of every key; empty for none."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return self.place("")

    def place(self, key: str) -> str:
        """Return where an object stands, for people. key: below the prefix."""
        path = "/".join(filter(None, (self.prefix, key)))
        return printable(f"{self.scheme}://{self.bucket}" + (f"/{path}" if path else ""))


def parse_url(text: str) -> StoreUrl:
    """Return what a URL names. Raises UsageError."""
    match = _URL.fullmatch(text)
    if not match or not _BUCKET.fullmatch(match["bucket"]):
        raise UsageError(f"{printable(text)!r} names no bucket", hint="write s3://BUCKET/PREFIX, gs://… or az://…")
    parts = [one for one in (match["path"] or "").split("/") if one]
    prefix = "/".join(parts)
    if why := unfit(prefix):
        raise UsageError(f"{printable(text)!r} can't be the beginning of keys: {why}", hint="name another prefix")
    return StoreUrl(match["scheme"], match["bucket"], prefix)


def unfit(key: str) -> str:
    """Return why no object can have this key; empty if one can.

    Control characters no store's own tools show, and XML 1.0, in which keys are listed, can't say them.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "its name is no UTF-8, which the name of an object must be"
    if size > MOST_KEY_SIZE:
        return f"the object's name would have {size} bytes, and a store takes {MOST_KEY_SIZE}"
    if any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in key):
        return "its name has control characters, which the name of an object can't have"
    if "\\" in key:
        return "its name has a backslash, which some stores take for a slash, so that two files might be one object"
    if {".", ".."} & {*key.split("/")}:
        return "its name has . or .. in it, which the name of an object can't have"
    return ""
