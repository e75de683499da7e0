"""Messages: what a pod's script says on stdout around the archive, parsed once. Pure.

    pod → us   hello       before the archive, or instead of it: what stands in the way
    pod → us   received    a push: all that is going to be extracted is, beside its place
    pod → us   done        the last one

What a pod says is untrusted: a number that is none, or too long to be one, is as one that was not told.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

from msgspec import Struct

_MOST_DIGITS = 18
_MOST_ID = 2**32 - 2  # the next one says that there is none (chown(2))
_MOST_NAME = 60  # characters of a revision's


class Hello(Struct, frozen=True):
    """What the script has found.

    problem: why it can't do what was asked, None when it can. file_system: its type, where that is the problem.
    counter: the program that counts what the archive has, `dd` or `head`, or `none`: its end has to be told.
    checksum, codec: the programs that it has of those that were asked for; empty for none.
    is_busy: so is the node, and the codec was left out for that. is_named: a push's single entry gets the name that
    was written. tar: whose it is. resumes_at: records that a pull is continued behind; None where it starts over.
    is_directory: what a pull brings. counts, has_stat, names_all: it tells how many entries there are; can ask for
    their state; feeds tar their names, so that tar goes on behind what it can't read. compares: a listing follows, and
    what is to be sent is to be said before the next hello. sets: programs that set attributes, of those there are.
    lacks: `tar`, of a container that has none: what does its work is to be sent before the next hello.
    chooses: of a pull, likewise: what is to be packed. parts: it can be asked for so many bytes of a file.
    holds_bytes: a variable of its shell holds any bytes but NUL, not text alone.
    user: the target's uid and gid, where they are the problem. owner: those that were asked for, in numbers.
    revision: of a rollback, what is brought back. revisions: of a history, how many lines follow.
    """

    problem: str | None = None
    lacks: str = ""
    file_system: str = ""
    counter: str = ""
    checksum: str = ""
    codec: str = ""
    is_busy: bool = False
    is_named: bool = False
    tar: str = ""
    resumes_at: int | None = None
    is_directory: bool = False
    counts: bool = False
    has_stat: bool = True
    names_all: bool = False
    compares: bool = False
    sets: frozenset[str] = frozenset()
    chooses: bool = False
    parts: bool = False
    holds_bytes: bool = False
    user: tuple[int, int] | None = None
    owner: tuple[int, int] | None = None
    revision: str = ""
    revisions: int = 0

    @property
    def by_shell(self) -> bool:
        """Whether the shell packs, in place of a tar."""
        return self.tar == "sh"

    @property
    def is_alone(self) -> bool:
        """Whether nobody there speaks: there is a tar, but no shell (`remote.alone`)."""
        return self.tar == "alone"

    @classmethod
    def read(cls, facts: Mapping[str, str]) -> Self:
        return cls(
            problem=facts.get("problem"),
            lacks=facts.get("lacks", ""),
            file_system=facts.get("type", "?"),
            counter=facts.get("count", ""),
            checksum=facts.get("sum", ""),
            codec=facts.get("z", ""),
            is_busy=bool(facts.get("busy")),
            is_named=facts.get("named") == "yes",
            tar=facts.get("tar", ""),
            resumes_at=number(facts, "resume"),
            is_directory=facts.get("directory") == "yes",
            counts=facts.get("counts") == "yes",
            has_stat=facts.get("stat") != "",
            names_all=facts.get("lists") == "yes",
            compares=facts.get("compares") == "yes",
            chooses=facts.get("chooses") == "yes",
            parts=facts.get("parts") == "yes",
            holds_bytes=facts.get("holds") == "bytes",
            sets=frozenset(filter(None, facts.get("sets", "").split(","))),
            user=_ids(facts),
            owner=_owner(facts.get("owner", "")),
            revision=facts.get("revision", "")[:_MOST_NAME],
            revisions=number(facts, "revisions") or 0,
        )


class Received(NamedTuple):
    """What became of a push's archive. code: tar's; None when it wasn't told. has_last: the last member was extracted.

    entries, size: how many stand there now, and their bytes; None where nobody could count.
    """

    code: int | None = None
    has_last: bool = False
    entries: int | None = None
    size: int | None = None

    @classmethod
    def read(cls, facts: Mapping[str, str]) -> Self:
        return cls(
            code=number(facts, "rc"),
            has_last=facts.get("sentinel") == "yes",
            entries=number(facts, "entries"),
            size=number(facts, "bytes"),
        )


class Done(Struct, frozen=True):
    """How it ended. code: of the last program that counts; None when it wasn't told.

    settled: of a push, whether directories that were there got what was asked for; None of a pull. handed: whether what
    is new has the group that its directory hands down. barred, overwritten: how many entries were. is_hidden: of a
    pull, a file has content that its size doesn't tell. swapped: of a push or rollback that was to swap its place:
    `yes` or `no`. kept: the name of the backup that was made.
    """

    code: int | None = None
    settled: bool | None = None
    handed: bool = True
    barred: int = 0
    overwritten: int = 0
    is_hidden: bool = False
    swapped: str = ""
    kept: str = ""

    @classmethod
    def read(cls, facts: Mapping[str, str]) -> Self:
        return cls(
            code=number(facts, "rc"),
            settled=facts["settled"] == "yes" if "settled" in facts else None,
            handed=facts.get("handed", "yes") == "yes",
            barred=number(facts, "barred") or 0,
            overwritten=number(facts, "overwritten") or 0,
            is_hidden=bool(facts.get("hidden")),
            swapped=facts.get("swapped", ""),
            kept=facts.get("kept", "")[:_MOST_NAME],
        )


LastWord = Received | Done
"""A push that isn't whole in the pod ends with `received`, everything else with `done`."""


def _ids(facts: Mapping[str, str]) -> tuple[int, int] | None:
    uid, gid = number(facts, "uid"), number(facts, "gid")
    return None if uid is None or gid is None else (uid, gid)


def _owner(text: str) -> tuple[int, int] | None:
    uid, colon, gid = text.partition(":")
    found = _ids({"uid": uid, "gid": gid}) if colon else None
    return found if found and max(found) <= _MOST_ID else None


def number(facts: Mapping[str, str], key: str) -> int | None:
    """Return what a fact has as a decimal number."""
    text = facts.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
