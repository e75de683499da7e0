"""Placing: what a pod tells of how a push was put in its place. Pure.

Before anything is, the pod looks for what can't be (`remote/scripts/publish.sh`): a mounted file, a directory where a
file belongs. Then nothing is changed, or with `Publishing.partial` all but that.
"""

import os

from asynccp.entry import LeftOut, NotKept
from asynccp.errors import DestinationError, Knob, TransferError
from asynccp.remote.messages import Done, LastWord
from asynccp.remote.notes import Note
from asynccp.text import counted

MAX_TOLD = 1000  # entries, as many as the script names
_NAMED = 3  # in an error

_OBSTACLES = {
    b"mounted": "it is mounted there (a ConfigMap's or Secret's key, or a file of the runtime's)",
    b"directory": "a directory is in its place",
    b"file": "a file or a dangling link is in its place",
    b"link": "a link out of the destination is in its place, and another user of the container can turn it round",
    b"closed": "the directory that it belongs in may not be written",
}
_PROGRAMS = {b"chmod": "the mode", b"touch": "the time"}  # what a shell without tar can't keep without them
OVERWRITTEN = "overwritten in place, not at once: its mode and time stay, and a copy that is cut leaves it torn"


class Placing:
    """Hears the notes of one push. partial: as in `Options`; then the rest is put in place."""

    def __init__(self, *, partial: bool = False) -> None:
        self._partial = partial
        self._barred: list[LeftOut] = []
        self._overwritten: list[bytes] = []
        self._lacks: set[bytes] = set()

    def hear(self, note: Note) -> None:
        """Take a note of the pod's."""
        if note.word == "barred" and len(self._barred) < MAX_TOLD:
            why, _, path = note.rest.partition(b" ")
            self._barred.append(LeftOut(path, _OBSTACLES.get(why, "it can't be put in its place")))
        elif note.word == "overwritten" and len(self._overwritten) < MAX_TOLD:
            self._overwritten.append(note.rest)
        elif note.word == "lacks" and note.rest in _PROGRAMS:
            self._lacks.add(note.rest)

    def refusal(self, done: LastWord | None) -> TransferError | None:
        """Return the error of a push that changed nothing, because some of it can't be put in its place."""
        if self._partial or not self._barred or not isinstance(done, Done) or done.code == 0:
            return None
        if not done.barred:
            return None
        more = done.barred - _NAMED
        named = "; ".join(map(str, self._barred[:_NAMED])) + (f"; and {more} more" if more > 0 else "")
        return DestinationError(
            f"nothing was changed, because some of it can't be put in its place: {named}",
            hint=f"{Knob.PARTIAL} puts the rest in its place, {Knob.IN_PLACE} overwrites files that may be written",
        )

    def left_out(self, done: Done, path: str) -> list[LeftOut]:
        """Return what was not put in its place below `path`, when the rest was."""
        more = done.barred - len(self._barred)
        what = f"{counted(more, 'more entry', 'more entries')} can't be put in place"
        return self._barred + ([LeftOut(os.fsencode(path), what)] if more > 0 else [])

    def not_kept(self, done: Done, path: str) -> list[NotKept]:
        """Return what could not be kept of entries below `path` that were put in their place."""
        told = [NotKept(one, OVERWRITTEN) for one in self._overwritten]
        more = done.overwritten - len(told)
        what = f"{counted(more, 'more file was', 'more files were')} {OVERWRITTEN}"
        told += [NotKept(os.fsencode(path), what)] if more > 0 else []
        for program in sorted(self._lacks):
            what = f"{_PROGRAMS[program]}: the container has neither tar nor {program.decode()}"
            told.append(NotKept(os.fsencode(path), what))
        if not done.handed:
            what = "the group that the set-group-id bit of its directory hands down could not be given to all of it"
            told.append(NotKept(os.fsencode(path), what))
        return told


def unsettled(done: Done, said: str) -> str:
    """Return what of the directories that were there before could not be set; empty when all was. said: why."""
    if done.settled is not False:
        return ""
    what = "the modes and times of directories that were there before could not all be set"
    return f"{what}: {said}" if said else what


def unswapped(done: LastWord | None, said: str) -> TransferError | None:
    """Return the error of a push whose place could not be replaced as a whole. said: why."""
    if not isinstance(done, Done) or not done.swapped or done.code == 0:
        return None
    why = f": {said}" if said else ""
    if done.swapped == "yes":
        return None
    return DestinationError(f"nothing was changed, because the directory could not be replaced{why}")
