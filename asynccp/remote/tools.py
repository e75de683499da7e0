"""Tools: which programs a container has, and what a copy can do by them, as `asynccp check` tells it. Pure."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from asynccp.checksum import ALGORITHMS
from asynccp.remote.commands import TO_PUSH
from asynccp.remote.script import Command

_COUNTS, _COPIES = ("dd", "head"), ("dd", "head", "cat")
PROGRAMS = tuple(dict.fromkeys(("tar", *TO_PUSH, *_COPIES, *ALGORITHMS, "stat", "chmod", "touch")))
MOST_SIZE = 4096  # bytes that their names may take
_ASK = f"""\
command set +kt 2>/dev/null
for c in {" ".join(PROGRAMS)}; do command -v "$c" >/dev/null && echo "$c"; done
:"""


class Ability(NamedTuple):
    """What a container can do its part of a copy by, in words, and whether that is a push as well as a pull."""

    both_ways: bool
    words: str


TAR_ALONE = Ability(both_ways=False, words="by its tar, without a shell: a pull of all that is there, no push")


def tools_command(shell: str) -> Command:
    """Return the command that names the programs of `PROGRAMS` that there are, a line each. It reads nothing."""
    return Command((shell, "-c", _ASK), b"")


def ability(there: Collection[str]) -> Ability:
    """Return what a container with these programs can do."""
    has_tar, lacks = "tar" in there, list(_lacking(there))
    way = "by its tar" if has_tar else "by its shell, without tar"
    words = [way] if has_tar or len(lacks) < 2 else ["it has no tar"]
    words += ["compares what is there"] if "stat" in there else []
    words += ["digests"] if not set(there).isdisjoint(ALGORITHMS) else []
    if not has_tar:
        words += [f"keeps no {what}" for what, by in (("modes", "chmod"), ("times", "touch")) if by not in there]
    return Ability(not lacks, ", ".join(words + lacks))


def _lacking(there: Collection[str]) -> Iterator[str]:
    """Yield why one direction can't be had."""
    has_tar = "tar" in there
    push = [one for one in TO_PUSH if one not in there]
    push += ["tar or dd"] if not has_tar and set(there).isdisjoint(_COUNTS) else []
    pull = [] if has_tar or "stat" in there else ["tar or stat"]
    pull += ["tar or dd"] if not has_tar and set(there).isdisjoint(_COPIES) else []
    yield from (f"a {what} lacks {' and '.join(lacks)}" for what, lacks in (("push", push), ("pull", pull)) if lacks)
