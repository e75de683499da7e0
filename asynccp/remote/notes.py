"""Notes: the lines of the dialogue that come on stderr, among the words of the programs in the pod. Pure.

    asynccp TOKEN WORD REST

stdout belongs to the archive while it flows; what a script has to tell beside it goes this way: how much there is, what
can't be put in place, that tar has ended. stderr may overtake stdout, and the other way round.

A note may come in the middle of another program's line: GNU tar writes each of its lines in several pieces, and bsdtar
has words that it ends with none.
"""

from collections.abc import Iterator

from msgspec import Struct

MAX_NOTE_SIZE = 8192  # bytes; a path has up to 4,096
_LAST = ("ended", "ran")  # notes that have all of the programs' own words before them


class Note(Struct, frozen=True):
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
        self._begun = b""  # a program's line that a note came into the middle of

    def feed(self, data: bytes | memoryview) -> Iterator[Note | bytes]:
        """Yield each note, and each other line, whole, with its end; a longer one in pieces."""
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[: end + 1])
            del self._line[: end + 1]
            before, found, text = line.partition(self._start)
            self._begun += before
            if not found:
                yield self._begun_line()
                continue
            note = _note(text)
            if note.word in _LAST and self._begun:
                yield self._begun_line()
            yield note
        if len(self._begun) + len(self._line) > MAX_NOTE_SIZE:
            yield self.rest()

    @property
    def held(self) -> bytes:
        """What has not ended with a line."""
        return self._begun + bytes(self._line)

    def rest(self) -> bytes:
        """Return what has not ended with a line."""
        rest, self._line = self._begun_line() + bytes(self._line), bytearray()
        return rest

    def _begun_line(self) -> bytes:
        line, self._begun = self._begun, b""
        return line


def _note(text: bytes) -> Note:
    word, _, rest = text.rstrip(b"\n").partition(b" ")
    return Note(word.decode("ascii", "replace"), rest)
