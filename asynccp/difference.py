"""Difference: one entry that is not the same at both ends, and why."""

from enum import Enum
from typing import Any, NamedTuple

from asynccp.text import exact


class Why(Enum):
    """What of an entry differs. The words are for people and for JSON."""

    SIZE = "size"
    TIME = "time"
    MODE = "mode"
    OWNER = "owner"
    CONTENT = "content"
    LINK = "link"  # a symbolic link's text, or which file has this name
    TYPE = "type"


class Sign(Enum):
    """What a push would do with an entry."""

    NEW = "+"
    CHANGED = ">"
    EXTRA = "-"


class Text(NamedTuple):
    """How the text of a file differs, or why that is not shown.

    lines: a unified diff, from the pod's file to the one here, each line safe for a terminal. note: why there is none,
    or what of it is cut; empty where there is nothing to say. digest: the SHA-256 of what the pod has, by which two
    files differ that look the same when they are cut; empty where it was not read.
    """

    lines: tuple[str, ...] = ()
    note: str = ""
    digest: str = ""

    def to_json(self) -> dict[str, str | None]:
        return {
            "unified": "".join(f"{line}\n" for line in self.lines),
            "note": self.note or None,
            "pod_sha256": self.digest or None,
        }


class Difference(NamedTuple):
    """One entry that differs. why: empty for one that is at one end only. size: bytes of content that
    would be sent; of an extra one, that are there. text: where it was asked for, and the entry is a file.
    """

    sign: Sign
    path: bytes
    why: tuple[Why, ...] = ()
    size: int = 0
    text: Text | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "path": exact(self.path),
            "difference": self.sign.name.lower(),
            "why": [one.value for one in self.why],
            "bytes": self.size,
            **({"text": self.text.to_json()} if self.text else {}),
        }
