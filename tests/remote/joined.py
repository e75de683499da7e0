"""python -m tests.remote.joined DIRECTORY: write the scripts, joined, as push.sh, pull.sh …, to be read by shellcheck.

Its parts share variables, so it must see all of them. Before them stand those that the command's words set, or any name
would do for one; what is never a mistake here is not told.
"""

import sys
from pathlib import Path

import asynccp.remote
from asynccp.archive.layout import Blocks
from asynccp.remote.commands import (
    CHOOSE_PARTS,
    FORESEEING,
    LIST_PARTS,
    PACK_PARTS,
    PULL_PARTS,
    PUSH_PARTS,
    ROLLBACK_PARTS,
    ROLLING_OUT,
    SYNC_PARTS,
    UNPACK_PARTS,
    ListRequest,
    PullRequest,
    PushRequest,
    RollbackRequest,
    Swapping,
    lesson,
    list_command,
    pull_command,
    push_command,
    rollback_command,
    with_parts,
)
from asynccp.remote.rooted import ROOTED
from asynccp.remote.script import Command, command, load

SCRIPTS = Path(asynccp.remote.__file__).parent / "scripts"
_PUSH, _PULL = PushRequest("0" * 16, "/a", Blocks(512, 1, 0)), PullRequest(token="0" * 16, path="/a")
_SYNC, _CHOOSE, _LIST = _PUSH._replace(question=b"\n"), _PULL._replace(chooses=True), ListRequest("0" * 16, "/a")
_SWAPPING = Swapping("directory", "20261130T000000Z-000000", 3, "user=x")
_SWAP, _ROLLBACK = _PUSH._replace(swapping=_SWAPPING), RollbackRequest("0" * 16, "/a", _SWAPPING)


def _learned(request: PushRequest | PullRequest, asked: Command) -> Command:
    return asked._replace(script=lesson(request).partition(b"\n")[2])


def _taught(parts: tuple[str, ...], learned: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a script with what it learns, where it does."""
    at = parts.index("request") + 1
    return (*parts[:at], *learned, *parts[at:])


COMMANDS: dict[str, tuple[tuple[str, ...], Command]] = {
    "push": (PUSH_PARTS, push_command(_PUSH)),
    "sync": (SYNC_PARTS, push_command(_SYNC)),
    "unpack": (_taught(PUSH_PARTS, UNPACK_PARTS), _learned(_PUSH, push_command(_PUSH))),
    "owners": (with_parts(SYNC_PARTS, "owners"), push_command(_SYNC._replace(chown="a:b"))),
    "pull": (PULL_PARTS, pull_command(_PULL)),
    "choose": (CHOOSE_PARTS, pull_command(_CHOOSE)),
    "pack": (_taught(PULL_PARTS, PACK_PARTS), _learned(_PULL, pull_command(_PULL))),
    "list": (LIST_PARTS, list_command(_LIST)),
    "swap": (with_parts(PUSH_PARTS, *ROLLING_OUT), push_command(_SWAP)),
    "sync-swap": (with_parts(SYNC_PARTS, *ROLLING_OUT), push_command(_SWAP._replace(question=b"\n"))),
    "foresee": (
        with_parts(SYNC_PARTS, *ROLLING_OUT, FORESEEING),
        push_command(_SWAP._replace(question=b"\n", foresees=True)),
    ),
    "rollback": (ROLLBACK_PARTS, rollback_command(_ROLLBACK)),
    "rooted-push": (with_parts(PUSH_PARTS, "rooted"), push_command(_PUSH, texts=ROOTED)),
    "rooted-sync": (with_parts(SYNC_PARTS, "rooted"), push_command(_SYNC, texts=ROOTED)),
    "rooted-owners": (
        with_parts(SYNC_PARTS, "rooted", "owners"),
        push_command(_SYNC._replace(chown="a:b"), texts=ROOTED),
    ),
    "rooted-pull": (with_parts(PULL_PARTS, "rooted"), pull_command(_PULL, texts=ROOTED)),
    "rooted-choose": (with_parts(CHOOSE_PARTS, "rooted"), pull_command(_CHOOSE, texts=ROOTED)),
    "rooted-list": (with_parts(LIST_PARTS, "rooted"), list_command(_LIST, texts=ROOTED)),
}
ALONE: dict[str, tuple[tuple[str, ...], Command]] = {
    "reach": (("reach",), command("0" * 16, load("reach"), ("id", "uid/containers/main"))),
    "lease": (("lease",), Command((), load("lease") + b"#\n")),
}
EVERY = COMMANDS | ALONE
"""With those that take no words of ours."""
NEVER_A_MISTAKE = {
    "SC1007": "`a= b=` empties both",
    "SC2034": "a part is for several scripts, but not all of it",
    "SC2119": "who passes arguments may be called through `piped`",
    "SC2120": "likewise",
    "SC2209": "the name of a program is a value",
    "SC2329": "likewise; and what a trap or `later` is told is called",
}


def words(command: Command) -> list[str]:
    """Return the names of the variables that a command sets."""
    return [word.partition("=")[0] for word in command.argv[8:]]


def travelling(kind: str) -> str:
    """Return a script as it travels, without what may stand behind it."""
    return EVERY[kind][1].script.decode().partition("\n#")[0] + "\n"


def joined(kind: str) -> str:
    """Return a script with its comments, behind what a checker must know."""
    parts, command = EVERY[kind]
    given = " ".join(f"{word}=" for word in words(command))
    head = f"#!/bin/sh\n# shellcheck disable={','.join(NEVER_A_MISTAKE)}\n{given}\n"
    return head + "".join(f"# --- {part}.sh\n{(SCRIPTS / f'{part}.sh').read_text()}" for part in parts)


if __name__ == "__main__":
    for name in EVERY:
        Path(sys.argv[1], f"{name}.sh").write_text(joined(name))
