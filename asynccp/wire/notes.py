"""Notes: the lines of the dialogue that come on stderr, among the words of the programs in the pod. Pure.

    asynccp TOKEN WORD REST

stdout belongs to the archive while it flows; what a script has to tell beside it goes this way: how much there is, what
can't be put in place, that tar has ended. stderr may overtake stdout, and the other way round.
"""

from collections.abc import Iterator
from typing import NamedTuple

MAX_NOTE_SIZE = 8192  # bytes; a path has up to 4,096


class Note(NamedTuple):
    """One line: `word`, and what follows it."""

    word: str
    rest: bytes

    @property
    def facts(self) -> dict[str, str]:
        """The rest as KEY=VALUE words."""
        words = self.rest.decode("ascii", "replace").split()
        return dict(word.partition("=")[::2] for word in words)


class NoteReader:
    """Tells notes from what else is on stderr."""

    def __init__(self, token: str) -> None:
        self._start = f"asynccp {token} ".encode()
        self._line = bytearray()  # that has not ended; at most MAX_NOTE_SIZE and one message of the server

    def feed(self, data: bytes | memoryview) -> Iterator[Note | bytes]:
        """Yield each note, and each other line, whole, with its end; a longer one in pieces."""
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[: end + 1])
            del self._line[: end + 1]
            yield self._note(line) or line
        if len(self._line) > MAX_NOTE_SIZE:
            yield self.rest()

    def rest(self) -> bytes:
        """Return what has not ended with a line."""
        rest, self._line = bytes(self._line), bytearray()
        return rest

    def _note(self, line: bytes) -> Note | None:
        # A program that was killed in mid line leaves its words before ours.
        _, found, text = line.partition(self._start)
        if not found:
            return None
        word, _, rest = text.rstrip(b"\n").partition(b" ")
        return Note(word.decode("ascii", "replace"), rest)
