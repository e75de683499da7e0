"""Revisions: what a push has replaced in a pod and kept there, and what is written down with it. Pure.

    .asynccp-backup/NAME/REVISION/tree      the directory as it was, beside NAME
                                 /about     one line: user=… host=… by=… digest=… entries=…

They stand beside the directory and not in it, so that nobody who reads it finds them, and a swap need not carry them
along. A revision's name is when it was replaced, in UTC, and by which run; names in their order are the order of time.
Whoever writes in the pod may have written anything there.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from asynccp.archive.printf import for_printf
from asynccp.remote.messages import number
from asynccp.report import Revision
from asynccp.text import printable

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}(\.[0-9]{1,3})?")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@:/+")
_ESCAPE = re.compile(r"\\0([0-7]{3})")
_MOST_SIZE = 200  # bytes of a user's or host's name


def revision_name(now_s: float, chance: str, number: int = 1) -> str:
    """Return the name of a job's revision in each pod. now_s: since 1970. chance: six hexadecimal digits. number: how
    many it has had there with this one."""
    more = f".{number}" if number > 1 else ""
    return f"{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%SZ}-{chance}{more}"


def is_revision(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def about(user: str, host: str, by: str, digest: str) -> str:
    """Return what is written down with a backup, as words. by: the command. digest: of the sources."""
    return f"user={_word(user)} host={_word(host)} by={by} digest={digest}"


def _word(text: str) -> str:
    return for_printf(text.encode("utf-8", "surrogateescape")[:_MOST_SIZE], _PLAIN).decode("ascii")


def read_revision(facts: Mapping[str, str]) -> Revision | None:
    """Return what a pod tells of a backup; None if that is none."""
    name = facts.get("rev", "")
    if not is_revision(name):
        return None
    try:
        when = datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:  # a day that there is not
        return None
    user, host, by, digest = (_text(facts.get(key, "")) for key in ("user", "host", "by", "digest"))
    return Revision(name, f"{when:%Y-%m-%dT%H:%M:%SZ}", user, host, by, digest, number(facts, "entries"))


def _text(word: str) -> str:
    data = _ESCAPE.sub(lambda found: chr(int(found[1], 8) & 0xFF), word[: 4 * _MOST_SIZE]).encode("latin-1", "replace")
    return printable(data, _MOST_SIZE)
