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


class Difference(NamedTuple):
    """One entry that differs. why: empty for one that is at one end only. size: bytes of content that
    would be sent; of an extra one, that are there.
    """

    sign: Sign
    path: bytes
    why: tuple[Why, ...] = ()
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "path": exact(self.path),
            "difference": self.sign.name.lower(),
            "why": [one.value for one in self.why],
            "bytes": self.size,
        }
