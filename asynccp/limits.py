"""Limits: how much one pod's archive may be.

A pull writes what a pod says, and a pod may say anything: a file that never ends, a million directories in a name, an
extension that fills the memory. Each limit is far above what honest trees have, and can be raised for the tree that
has more. A breach fails that pod alone and removes its unfinished file; files that were whole by then stay.
"""

import re
from typing import NamedTuple

from asynccp.errors import Knob, UsageError
from asynccp.text import printable

_SIZE = r"([0-9]{1,19})([KMGT]?)(?:iB)?"  # compiled when a size is read: a start needs none
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class Limits(NamedTuple):
    """Limits of one pod's archive.

    entries: names on the disk, directories included that are only parents of others. ext4 has room for about as many
        on 64 GiB (one inode for 16 KiB); to remember them takes 40 MB.
    size: bytes of content in all, holes too. A kubelet ends every connection after four hours; 4 TiB are 290 MiB/s for
        so long. The largest honest file of holes, a `lastlog` with 32-bit user ids, has 1.2 TiB.
    path_size: bytes of one name. PATH_MAX: on Linux no tar in a pod can open a longer one in one call.
    depth: components of one name. Deeper trees are attacks on recursion, and on our own walk.
    header_size: bytes of one tar extension (a long name, pax records, the map of a sparse file). Go's archive/tar has
        the same bound, after CVE-2022-2879 and CVE-2025-58183.
    memory: bytes for what must be remembered of archives until their end, of all pods of a run together
        (`engine.memory`): 10 for a name, 500 and its names for a directory or a link.
    """

    entries: int = 4_000_000
    size: int = 4 * 1024**4
    path_size: int = 4096
    depth: int = 256
    header_size: int = 1024 * 1024
    memory: int = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def raise_hint(limit: Knob) -> str:
    """Return the hint of an error about a limit."""
    return f"if the pod can be trusted with more, raise {limit}"


def parse_size(text: str) -> int:
    """Return the bytes that a person means by `10G`, `10GiB` or `4096`. Powers of 1024. Raises UsageError."""
    match = re.fullmatch(_SIZE, text, re.ASCII)
    if match is None:
        raise UsageError(f"'{printable(text)}' is no size", hint="write 4096, 512K, 10M, 10G or 2T")
    return int(match[1]) << _SHIFTS[match[2]]


def size_word(size: int) -> str:
    """Return a size as a person writes it: `10G`. What `parse_size` reads it as."""
    return next(f"{size >> shift}{unit}" for unit, shift in reversed(_SHIFTS.items()) if not size % (1 << shift))
