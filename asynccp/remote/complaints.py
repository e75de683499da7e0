"""Complaints: what the tar in a pod says on stderr about single entries, and what that makes of a pull.

Four tars, four ways to say that an entry was passed over; by experiment, with LC_ALL=C (GNU 1.34, BusyBox 1.35,
toybox 0.8.9, bsdtar 3.6), each with its exit code, and with a `|` where the archive has no end marker:

    what happened         GNU                             BusyBox, toybox               bsdtar
    no permission         2 NAME: Cannot open: WHY        1 can't open 'NAME': WHY      1 stops; no directory named
    … for a directory     2 the same                      1 NAME: WHY                   1 stops
    vanished              1 NAME: File removed before …   1 NAME: No such file …        0 all in one line, or silent
    a socket              0 NAME: socket ignored          0 the same; toybox 1, no name 0 without a newline
    grew, was rewritten   1 NAME: file changed as …       0 silent                      0 silent
    … a directory         1 the same                      0 silent                      0 silent
    shrank                1 NAME: File shrank by …        1| short read                 0 silent
    can't be read on      2 NAME: Read error at byte …    1| read error, short read     1| (null)

GNU pads what it can't read with zeros, so does bsdtar with a file that shrank: it stands in the archive, whole in size.
bsdtar goes on only where it ends with 0; but told every name by find, it goes on behind each, and says `1 NAME: Cannot
stat: WHY` of what vanished; what may not be entered, find names then. BusyBox and toybox ignore an error of readdir()
as if the directory ended.

GNU's tar and find write names as C would (`\\n`, `\\303`; `\\:`, `\\'`), the others as they are, with newlines and all.
Where there is no tar the shell says it in GNU's words (`remote/scripts/pack.sh`). All of it is hostile input: what is
remembered has a bound, and whatever isn't understood makes a tar that failed a failure, never less.
"""

import functools
import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from asynccp.archive.watch import Fate
from asynccp.entry import LeftOut
from asynccp.errors import CommandFailed, Knob, SourceChanged, SourceMissing, TransferError
from asynccp.remote.worker import TAR, Worker
from asynccp.report import Outcome
from asynccp.text import counted, printable

MAX_TOLD = 10_000  # entries that are remembered by name; more are counted
MAX_TOLD_SIZE = 4 * 1024 * 1024  # bytes of memory for them
_TOLD_COST = 500  # bytes for one, besides its name
MAX_LINE_SIZE = 64 * 1024  # bytes; only bsdtar's line of all that vanished is ever longer than two names
_TAIL_SIZE = 200  # bytes that are kept of a longer line
_MAX_BREAKS = 4  # newlines in a name; each costs another look at the whole line
_WORDS_SIZE = 600  # bytes of one line, and of all, that an error quotes
_NAMED = 10  # entries that an error names


class Complaint(Struct, frozen=True):
    """One entry, by its path in the archive. reason: in words, escaped; empty where the tar gave none."""

    path: bytes
    fate: Fate
    reason: str = ""

    def __str__(self) -> str:
        return f"{printable(self.path, 200) or '.'} {describe(self.fate, self.reason)}"


def describe(fate: Fate, reason: str = "") -> str:
    """Return what became of an entry, to be read behind its name."""
    because = f" ({reason})" if reason else ""
    return {
        Fate.UNREADABLE: f"can't be read{because}",
        Fate.VANISHED: "vanished before it was read",
        Fate.SOCKET: "is a socket, which is never copied",
        Fate.CHANGED: "changed while it was read",
        Fate.SHRANK: "shrank while it was read",
        Fate.DAMAGED: f"can't be read to its end{because}",
        Fate.REPLACED: "was changed or removed before the pull ended",
    }[fate]


class Complaints:
    """Reads the stderr of one pull. Feed it, then `end` it; `said` is good at any time.

    requested: the path that was asked for, as the archive has it; empty for a directory's contents.
    goes_on: libarchive's tar is told each name, so that it does not end at one.
    has_room: tells whether there is memory for one more name.

    told: entries, by name. unnamed: how many more there are, because a tar says no name, or there are too many.
    others: lines that aren't understood.
    """

    def __init__(self, requested: bytes = b"") -> None:
        self.requested = requested
        self.goes_on = False
        self.has_room: Callable[[], bool] = _always
        self.told: list[Complaint] = []
        self.unnamed: Counter[Fate] = Counter()
        self.others = 0
        self._stopped = ""
        self._latest = ""  # in words: what was complained of last
        self._size = 0  # of the names in `told`
        self._known: set[tuple[bytes, Fate]] = set()
        self._rest = b""  # the line that isn't whole yet
        self._cut = False  # its beginning has been dropped
        self._held = b""  # lines that the next one may make a sentence of: a name with a newline in it
        self._last: deque[bytes] = deque(maxlen=5)  # lines, whatever they say
        self._last_others: deque[bytes] = deque(maxlen=5)

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of stderr."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if len(self._rest) > MAX_LINE_SIZE and not self._cut:
            self._rest = self._without_unended(self._rest)
        if len(self._rest) > MAX_LINE_SIZE:
            self._rest, self._cut = self._rest[-_TAIL_SIZE:], True

    def end(self) -> None:
        """No more comes."""
        line, self._rest = self._rest, b""
        if line:
            self._take_line(line)
        self._give_up()

    def of(self, *fates: Fate) -> list[Complaint]:
        """Return the complaints that have named an entry, for some fates."""
        return [one for one in self.told if one.fate in fates]

    def count(self, fate: Fate) -> int:
        """Return how many entries met a fate, named or not."""
        return len(self.of(fate)) + self.unnamed[fate]

    @property
    def said(self) -> str:
        """The last words that aren't understood, or the last of all, escaped, on one line."""
        unread = [line for line in (self._held, self._rest) if line]
        lines = [*(self._last_others or ([] if unread else self._last)), *unread]
        return printable(b"; ".join(line.strip()[:_WORDS_SIZE] for line in lines[-5:]), _WORDS_SIZE)

    @property
    def memory(self) -> int:
        """Bytes that what is remembered takes."""
        return self._size

    @property
    def stopped(self) -> str:
        """The entry at which the tar has ended, and why, in words; empty if it went on."""
        return "" if self.goes_on else self._stopped

    @property
    def ended_early(self) -> str:
        """At which file a tar has ended, in words, if that changed under its hands, and there was no other reason."""
        found = _ENDED_EARLY.compiled.fullmatch(self._last_others[-1]) if self.others == 1 else None
        return _EARLY[found["why"]] if found else ""

    @property
    def left_out(self) -> list[LeftOut]:
        """What is there, but did not come, or not all of it."""
        named = [LeftOut(one.path, _reason(one)) for one in self.of(*_LEFT_OUT)]
        counts = [(self.unnamed[fate], *nouns) for fate, nouns in _LEFT_OUT.items()]
        return named + [LeftOut(self.requested, f"{counted(*one)}; not named") for one in counts if one[0]]

    def _take_line(self, line: bytes) -> None:
        self._last.append(line[:_WORDS_SIZE])
        if self._cut:
            self._take_tail(line)
            return
        if self._held:
            if not _PROGRAM.compiled.match(line):
                self._take(self._held + b"\n" + line)
                return
            self._give_up()
        self._take(line)

    def _take(self, text: bytes) -> None:
        text = self._without_unended(text)
        self._held = b""
        if not text or self._understood(text):
            return
        if _MAY_GO_ON.compiled.match(text) and text.count(b"\n") < _MAX_BREAKS and len(text) <= MAX_LINE_SIZE:
            self._held = text
        else:
            self._add_other(text)

    def _take_tail(self, line: bytes) -> None:
        self._cut = False
        if _REMOVED_TAIL.compiled.search(line):
            self.unnamed[Fate.VANISHED] += 1  # at least
        else:
            self._add_other(line)

    def _give_up(self) -> None:
        """Nothing more makes a sentence of what is held."""
        held, self._held = self._held, b""
        if held:
            self._add_other(held)

    def _add_other(self, text: bytes) -> None:
        self.others += 1
        self._last_others.append(text[:_WORDS_SIZE])

    def _without_unended(self, text: bytes) -> bytes:
        """Take what bsdtar says without a newline behind it off the front of a line."""
        at = 0
        while found := _UNENDED.compiled.match(text, at):
            at = found.end()
            if found["socket"]:
                self._add(found["name"], Fate.SOCKET)
        return text[at:]

    def _understood(self, line: bytes) -> bool:
        """Return whether a line says something that is known here, and take it in."""
        program = _PROGRAM.compiled.match(line)
        if program is None:
            return False
        words = line[program.end() :]
        if words in _CLOSING:
            self._stopped = self._latest if words == _BSDTAR_STOPPED else ""
            return True
        for form, fate, escaped in _FORMS:
            if found := form.compiled.fullmatch(words):
                facts = found.groupdict()
                why, name = facts.get("why", b""), facts.get("name")
                names = _BETWEEN_NAMES.compiled.split(facts["names"]) if "names" in facts else [name]
                for one in names:
                    self._add(_unescaped(one) if one and escaped else one, fate or _fate_of(why), why)
                return True
        return False

    def _add(self, name: bytes | None, fate: Fate, why: bytes = b"") -> None:
        reason = "" if fate in (Fate.VANISHED, Fate.SOCKET) else printable(why, 100)
        path = _path(name or b"")
        one = Complaint(path, fate, reason)
        self._latest = str(one) if name is not None else f"an entry without a name that {describe(fate, reason)}"
        is_full = len(self.told) >= MAX_TOLD or self._size + len(path) > MAX_TOLD_SIZE or not self.has_room()
        if name is None or is_full:
            self.unnamed[fate] += 1
        elif (path, fate) not in self._known:  # toybox says of a directory twice that it can't be read
            self._known.add((path, fate))
            self._size += len(path) + _TOLD_COST
            self.told.append(one)
            if (
                fate is Fate.SOCKET and self.unnamed[fate]
            ):  # toybox doesn't say which; the script does, when it has ended
                self.unnamed[fate] -= 1


def _always() -> bool:
    return True


def judge(code: int, whole: bool, complaints: Complaints, harmless: Collection[bytes] = ()) -> Outcome:
    """Return how a pull has ended, by the words of its tar. One event has one verdict, whichever tar it was.

    code: tar's own. whole: the archive's end marker has come.
    harmless: paths of which GNU tar may say that they changed: directories, where an entry came or went, and files that
    were appended to.

    PARTIAL means that all came but what is named, CHANGED that nothing is amiss but what moved under tar's hands. What
    can't be known to be either is FAILED: an archive without an end, a tar that stopped, words that aren't understood.
    """
    fates = {one.fate for one in complaints.told if one.fate is not Fate.CHANGED or one.path not in harmless}
    fates |= {fate for fate, count in complaints.unnamed.items() if count}
    if not whole or code not in (0, 1, 2) or complaints.stopped or _named_is_missing(complaints):
        return Outcome.FAILED
    if code and (complaints.others or not (complaints.told or fates)):
        return Outcome.FAILED
    if fates & {Fate.UNREADABLE, Fate.SOCKET, Fate.DAMAGED}:
        return Outcome.PARTIAL
    return Outcome.CHANGED if fates else Outcome.COMPLETE


def failure(code: int, complaints: Complaints, path: str = "", worker: Worker = TAR) -> TransferError:
    """Return the error of a pull that `judge` calls FAILED. path: what was asked for, as it was written, escaped.

    worker: who packed.
    """
    if missing := _named_is_missing(complaints):
        return SourceMissing(f"{path} {describe(missing.fate, missing.reason)}" if path else str(missing))
    if complaints.stopped:
        return CommandFailed(
            f"tar stopped: {complaints.stopped}; what comes after it was not read",
            hint="libarchive's tar goes on only if find tells it each name, and the container has none: add find, "
            f"pull what can be read by its name, or name a container that has another tar with {Knob.CONTAINER}",
        )
    said = complaints.said or "it said nothing"
    return CommandFailed(f"{worker.name} failed in the container with exit code {code}: {said}")


def changed(complaints: Complaints, harmless: Collection[bytes] = ()) -> SourceChanged:
    """Return the error of a pull that `judge` calls CHANGED: it names what has changed, and how."""
    told = [
        one
        for one in complaints.of(Fate.VANISHED, Fate.SHRANK, Fate.CHANGED, Fate.REPLACED)
        if one.fate is not Fate.CHANGED or one.path not in harmless
    ]
    return SourceChanged(f"sources changed while they were pulled: {listed(told, complaints.unnamed.total())}")


def listed(told: Sequence[Complaint], more: int = 0) -> str:
    """Return the first few of them, and how many there are besides."""
    more += max(0, len(told) - _NAMED)
    return ", ".join([*map(str, told[:_NAMED]), *([f"and {more} more"] if more else [])])


def _named_is_missing(complaints: Complaints) -> Complaint | None:
    """Return what was said of the very path that was asked for, if it brought nothing."""
    nothing = complaints.of(Fate.UNREADABLE, Fate.VANISHED, Fate.SOCKET)
    return next((one for one in nothing if one.path == complaints.requested), None)


_LEFT_OUT = {
    Fate.UNREADABLE: ("entry that can't be read", "entries that can't be read"),
    Fate.SOCKET: ("socket, which is never copied", "sockets, which are never copied"),
    Fate.DAMAGED: ("file that can't be read to its end", "files that can't be read to their end"),
}


def _reason(one: Complaint) -> str:
    because = f": {one.reason}" if one.reason else ""
    return {
        Fate.UNREADABLE: f"it can't be read{because}",
        Fate.SOCKET: "a socket is never copied",  # as `archive.tar` says it of devices and FIFOs
        Fate.DAMAGED: f"it can't be read to its end, where zeros stand here{because}",
    }[one.fate]


class _Pattern:
    """A pattern, in which a dot is any byte. Compiled when a tar first complains: all take 4 ms, of a start of 170."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    @functools.cached_property
    def compiled(self) -> re.Pattern[bytes]:
        return re.compile(self.text, re.DOTALL)


_GONE = {b"No such file or directory", b"Not a directory", b"Stale file handle", b"Stale NFS file handle"}
# BusyBox and toybox say nothing but a name and strerror(), in the words of glibc or musl; only these may follow a name.
_WHYS = rb"|".join(map(re.escape, sorted(_GONE))) + (
    rb"|Permission denied|Operation not permitted|Input/output error|I/O error|Remote I/O error"
    rb"|Too many levels of symbolic links|Symbolic link loop|File name too long|Filename too long"
    rb"|No such device or address|No such device|Device or resource busy|Resource busy|Text file busy"
    rb"|Transport endpoint is not connected|Socket not connected|Host is down|Required key not available"
    rb"|Structure needs cleaning|Bad message|Value too large for (?:defined )?data type|Invalid argument"
    rb"|Too many open files|No file descriptors available|Cannot allocate memory|Out of memory|Connection timed out"
)

_PROGRAM = _Pattern(rb"(?:[^\s:]*/)?(?:[a-z]*tar|find): ")
_ENDED_EARLY = _Pattern(rb"(?:[^\s:]*/)?[a-z]*tar: (?P<why>short read|\(null\))")
_EARLY = {
    b"short read": "in a file that lost its end",  # BusyBox, toybox
    b"(null)": "at a file that vanished, or can't be read to its end",  # libarchive, which would say so, but can't
}
_NAME = rb"(?P<name>\.(?:/.*)?)"
_BSDTAR_STOPPED = b"Error exit delayed from previous errors."
_CLOSING = {  # each tar's last line, when it has complained before
    b"Exiting with failure status due to previous errors",
    b"error exit delayed from previous errors",
    b"had errors",
    _BSDTAR_STOPPED,
}


def _form(form: bytes, fate: Fate | None = None, *, escaped: bool = False) -> tuple[_Pattern, Fate | None, bool]:
    return _Pattern(form), fate, escaped


# What follows the program's name. fate: None where the system's reason decides. escaped: GNU tar says it (two of them
# bsdtar and BusyBox say as well, with the name as it is). The first that fits counts.
_FORMS = (
    _form(_NAME + rb": Cannot (?:open|stat|readlink|savedir|close): (?P<why>.+)", escaped=True),
    _form(_NAME + rb": File removed before we read it", Fate.VANISHED, escaped=True),
    _form(_NAME + rb": file changed as we read it", Fate.CHANGED, escaped=True),
    _form(_NAME + rb": File shrank by [0-9]+ bytes?(?:; padding with zeros)?", Fate.SHRANK, escaped=True),
    _form(
        _NAME + rb": Read error at byte [0-9]+, (?:while )?reading [0-9]+ bytes?: (?P<why>.+)",
        Fate.DAMAGED,
        escaped=True,
    ),
    _form(_NAME + rb": socket ignored", Fate.SOCKET, escaped=True),
    _form(rb"(?P<names>\./.*): File removed before we read it: .+", Fate.VANISHED),
    _form(_NAME + rb": Couldn't visit directory: .+", Fate.UNREADABLE),
    _form(rb"can't open '" + _NAME + rb"': (?P<why>.+)"),
    _form(rb"Can't open `(?P<name>.+)': (?P<why>.+)"),
    _form(rb"Couldn't open (?P<name>.+): (?P<why>.+)"),
    _form(_NAME + rb": cannot read link: (?P<why>.+)"),
    _form(rb"unknown file type '140000'", Fate.SOCKET),
    _form(rb"(?:readlink|Couldn't read link data): (?P<why>.+)"),
    _form(rb"'(?P<name>\..*)': (?P<why>" + _WHYS + rb")", escaped=True),
    _form(_NAME + rb": (?P<why>" + _WHYS + rb")"),
)

_MAY_GO_ON = _Pattern(rb": |" + _PROGRAM.text + rb"(?:\.|can't open '|Can't open `|Couldn't open )")
_UNENDED = _Pattern(
    rb": (?:Can't translate [a-z]+ '.*?' to UTF-8"
    rb"|(?:(?P<name>\./.*?): )?(?P<socket>[a-z]+ format cannot archive sockets?))",
)
_BETWEEN_NAMES = _Pattern(rb" (?=\./)")
_REMOVED_TAIL = _Pattern(rb": File removed before we read it: [A-Za-z/ ]+\Z")

_ESCAPE = _Pattern(rb"\\(?:([0-7]{3})|([abfnrtv\\:']))")
_WRITTEN = _Pattern(rb"(?:[\x20-\x5b\x5d-\x7e]|" + _ESCAPE.text + rb")*")  # all that GNU makes of any name
_LETTERS = dict(zip(b"abfnrtv\\:'", (b"\a", b"\b", b"\f", b"\n", b"\r", b"\t", b"\v", b"\\", b":", b"'"), strict=True))


def _unescaped(name: bytes) -> bytes:
    """Return a name as it is on the disk. One that GNU tar can't have written is taken as it is."""
    return _ESCAPE.compiled.sub(_letter, name) if _WRITTEN.compiled.fullmatch(name) else name


def _letter(found: re.Match[bytes]) -> bytes:
    octal, letter = found.groups()
    return bytes([int(octal, 8) & 0xFF]) if octal else _LETTERS[letter[0]]


def _path(name: bytes) -> bytes:
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))


def _fate_of(why: bytes) -> Fate:
    return Fate.VANISHED if why in _GONE else Fate.UNREADABLE
