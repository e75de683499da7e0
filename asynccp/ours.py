"""Names of ours: what asynccp calls a file or directory that isn't finished. It may stand there while others look.

    .asynccp-RRRRRRRRCCCCCCCC.partial       a file of a pull, on this machine
    .asynccp-RRRRRRRR.report                a report, on this machine
    .asynccp-WHOSE-PROCESS.SINCE[.TOKEN]    all of a push, in a pod (`remote/scripts/stage.sh`)

    .asynccp-backup                         what pushes have replaced, in a pod (`remote/scripts/swap.sh`)
    .NAME.TIME-CHANCE                       what a link NAME that a push has swapped leads to, or has led to

    asynccp-N                               an ephemeral container in a pod (`kube/ephemeral.py`)

What a killed run leaves goes when the next one comes, so who has a file of his own under such a name would lose it.
Therefore none is copied from a pod; it is named as left out. And a pull removes a file only if its name proves that a
pull gave it: C is a checksum of R, which is random. Of all other names of that form, one in 2^32 does.
"""

import re
import secrets
import zlib

UNFINISHED = "a name that asynccp gives to what is not finished yet"

_PREFIX = b".asynccp-"
_OURS = re.compile(rb"\.asynccp-([0-9a-f]+\.(partial|report)|.+-[0-9]+\.[0-9]*(\.[0-9a-f]+)?)", re.DOTALL)
_PARTIAL = re.compile(rb"\.asynccp-([0-9a-f]{8})([0-9a-f]{8})\.partial")

_REVISION = re.compile(rb"\.[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_LINKED = re.compile(rb"\..+\.[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}(\.[0-9]{1,3})?", re.DOTALL)
EPHEMERAL = re.compile(r"asynccp-([0-9]{1,6})")


def ours_above(path: bytes) -> bytes | None:
    """Return the part of a path that ends with a name of ours, the first of several; None if it has none."""
    if _PREFIX not in path:
        return None
    parts = path.split(b"/")
    return next((b"/".join(parts[: at + 1]) for at, name in enumerate(parts) if _OURS.fullmatch(name)), None)


def is_kept(path: bytes) -> bool:
    """Tell whether a path is what a push has replaced and keeps in a pod, or in that.

    It is copied as anything else, but for a push of what it stands in it is nothing that there is too much.
    """
    if b".asynccp-backup" not in path and not _REVISION.search(path):
        return False
    return any(name == b".asynccp-backup" or _LINKED.fullmatch(name) for name in path.split(b"/"))


def partial_name() -> bytes:
    """Return a new name for a file of a pull."""
    chance = secrets.token_hex(4).encode()
    return b"%b%b%08x.partial" % (_PREFIX, chance, zlib.crc32(chance))


def is_partial(name: bytes) -> bool:
    """Tell whether `partial_name` has made this name."""
    found = _PARTIAL.fullmatch(name)
    return found is not None and zlib.crc32(found[1]) == int(found[2], 16)
