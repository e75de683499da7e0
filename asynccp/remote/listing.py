"""Listing: what is below a directory of a container, as its script tells it (`scripts/listing.sh`). Pure.

    pod  → us   asynccp TOKEN listing how=HOW
    pod  → us   items, one for each object
    pod  → us   //asynccp TOKEN listed rc=N

GNU find ends each of its words with NUL. Others know no NUL: their items begin with two slashes, which no path has in
a row; the text of a link, which may have them, is as long as the link's size says.

A pod is not trusted: an item is whole and about what was asked for, or the listing is refused. It may still lie about
its own files, tell of one twice, or never end: who collects the items bounds how many they are.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from asynccp.entry import Kind
from asynccp.errors import ProtocolViolation
from asynccp.plan.manifest import Item
from asynccp.remote import stattime
from asynccp.remote.dialogue import LineReader
from asynccp.remote.messages import number
from asynccp.text import printable

MAX_MOUNTS = 10_000  # a container has some dozens
MAX_UNLISTED = MAX_LINKS = 1000  # that are named
_MARK = b"//"  # before the last line, and before what is not ended by NUL
_PATH_MAX = 4096  # bytes of a path, and of a link's text (limits.h(0p), as Linux has it)
_MAX_HEAD_SIZE = 300  # bytes of an item before its path: ten numbers of up to 20 digits
_MAX_ITEM_SIZE = 3 * _PATH_MAX + _MAX_HEAD_SIZE  # a path comes twice where a link is quoted

_NUMBERS = rb" (\d{1,20})" * 5 + b" "  # uid, gid, device, inode, names
_NUL_ITEM = re.compile(
    rb"([A-Za-z?])([0-7]{1,5}) (\d{1,20}) (-?\d{1,20})\.(\d{9})\d{0,9}" + _NUMBERS + rb"([^\0]+)\0([^\0]{0,4096})\0"
)
_SLASHES_HEAD = re.compile(rb"//([0-9a-f]{1,8}) (\d{1,20}) (" + stattime.PATTERN + rb")" + _NUMBERS)
_WORD = rb"(mount|unlisted|link|pseudo|hollow [0-9a-z_]{1,20}) "
_DEVICE = re.compile(rb"(\d{1,7}):(\d{1,7}) ([0-9a-z_]{1,20})")
_NUL_WORD = re.compile(_WORD + rb"([^\0]+)\0\0")
_SLASHES_WORD = re.compile(rb"//" + _WORD)
_UNSAFE = re.compile(rb"/\.{0,2}(?:/|\Z)|\0")  # an empty component, `.` or `..`

# How a name is quoted, and a link's, with its text between the last two: by BusyBox, toybox, and GNU as we ask it to.
_QUOTES = ((b"'", b"' -> '", b"'\n"), (b"", b" -> '", b"'\n"), (b"", b" -> ", b"\n"))
_MAX_QUOTES_SIZE = max(len(b"".join(quotes)) for quotes in _QUOTES)
_LETTERS = {b"f": Kind.FILE, b"d": Kind.DIRECTORY, b"l": Kind.SYMLINK}
_TYPES = {0o100000: Kind.FILE, 0o040000: Kind.DIRECTORY, 0o120000: Kind.SYMLINK}

_Told = tuple[bytes, Item | bytes, int]
"""An item: its path as it was said; what stands there, or one of our own words; where the item ends."""


class ListingReader:
    """Reads one listing, as it comes.

    names: what was asked for; empty is everything. how: in which way the pod lists, `none` if it can't, `absent` if
    nothing is there; empty until it has said so. code: 0 when it could tell of all there is; 1 when not, `unlisted`, or
    something went meanwhile; None until the end. rest: what follows the end.

    mounts: the mount points below the directory that was listed. hollow: those of pseudo file systems, in which nothing
    is listed, with their types. unlisted: the first directories whose content could not be seen, unlisted_count: how
    many there were. Where links are followed, pseudo: the types of pseudo file systems by their devices, wherever they
    are mounted; links: the first of those among which are all that could not be followed.
    """

    def __init__(self, token: str, names: Sequence[bytes] = ()) -> None:
        self.how, self.rest = "", b""
        self.code: int | None = None
        self.mounts: set[bytes] = set()
        self.hollow: dict[bytes, str] = {}
        self.pseudo: dict[int, str] = {}
        self.links: list[bytes] = []
        self.unlisted: list[bytes] = []
        self.unlisted_count = 0
        self._token = token
        self._names = frozenset(names)
        self._begin = LineReader(token, "listing")
        self._end = _MARK + f"asynccp {token} listed ".encode()
        self._item: Callable[[bytes, int], _Told | None] = _no_item
        self._buffer = b""  # no more than an item, and what is being fed

    @property
    def ended(self) -> bool:
        return self.code is not None

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[bytes, Item]]:
        """Yield each path, relative to the directory that was listed, and what stands there. To be iterated to its end.

        Raises ProtocolViolation for what can't be a listing of what was asked for.
        """
        if self.ended:
            self.rest += data
            return
        if not self.how:
            found = self._begin.feed(data)
            if found is None:
                return
            line, data = found
            self._begin_items(line.facts.get("how", ""))
        self._buffer += data
        at = 0
        while not self._buffer.startswith(self._end, at) and (told := self._item(self._buffer, at)):
            said, what, at = told
            if isinstance(what, Item):
                path = _relative(said)
                self._check_asked(path)
                yield path, what
            else:
                self._hear(what, said)
        self._buffer = self._buffer[at:]
        if self._buffer.startswith(self._end):
            self._read_end()
        elif len(self._buffer) > _MAX_ITEM_SIZE:
            raise _no_listing(self._buffer)

    def _begin_items(self, how: str) -> None:
        forms = {
            "printf": _nul_item,
            "xargs": _slashes_item,
            "walk": _slashes_item,
            "none": _no_item,
            "absent": _no_item,
        }
        if how not in forms:
            raise ProtocolViolation(f"the pod lists in a way that is not known here: '{printable(how, 60)}'")
        self.how, self._item = how, forms[how]

    def _read_end(self) -> None:
        found = LineReader(self._token, "listed").feed(self._buffer[len(_MARK) :])
        if found is not None:
            line, self.rest = found
            self._buffer = b""
            code = number(line.facts, "rc")
            self.code = 1 if code is None else code

    def _check_asked(self, path: bytes) -> None:
        if not self._names or path in self._names:
            return
        at = path.find(b"/")
        while at >= 0:
            if path[:at] in self._names:
                return
            at = path.find(b"/", at + 1)
        raise ProtocolViolation(f"the pod lists '{printable(path, 200)}', which was not asked for")

    def _hear(self, word: bytes, said: bytes) -> None:
        """Take one of our own words."""
        if word == b"pseudo":
            self._add_device(said)
            return
        path = _relative(said)
        if word == b"mount":
            self._add_mount(path)
        elif word.startswith(b"hollow "):
            self._add_mount(path)
            self.hollow[path] = word.rpartition(b" ")[2].decode()
        elif word == b"link":
            self._check_asked(path)
            if len(self.links) < MAX_LINKS:
                self.links.append(path)
        else:
            self._check_asked(path)
            self._add_unlisted(path)

    def _add_mount(self, path: bytes) -> None:
        self.mounts.add(path)
        if len(self.mounts) > MAX_MOUNTS:
            raise ProtocolViolation(f"the pod lists more than {MAX_MOUNTS:,} mount points")

    def _add_device(self, said: bytes) -> None:
        found = _DEVICE.fullmatch(said)
        if found is None or len(self.pseudo) >= MAX_MOUNTS:
            raise _no_listing(said)
        major, minor, fs_type = found.groups()
        self.pseudo[_device(int(major), int(minor))] = fs_type.decode()

    def _add_unlisted(self, path: bytes) -> None:
        self.unlisted_count += 1
        if len(self.unlisted) < MAX_UNLISTED:
            self.unlisted.append(path)


def _device(major: int, minor: int) -> int:
    """Return the number that stat has for a device, on Linux (makedev(3), as glibc has it), wherever this runs."""
    return (major & ~0xFFF) << 32 | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (minor & 0xFF)


def _relative(said: bytes) -> bytes:
    if said == b".":
        return b""
    if not said.startswith(b"./") or len(said) > _PATH_MAX + 2 or _UNSAFE.search(said, 1):
        raise ProtocolViolation(f"the pod lists '{printable(said, 200)}', which is no path below a directory")
    return said[2:]


def _no_listing(said: bytes) -> ProtocolViolation:
    return ProtocolViolation(f"the pod said '{printable(said[:200], 200)}' where it lists what is there")


def _no_item(_buffer: bytes, _at: int) -> None:
    return None


def _nul_item(buffer: bytes, at: int) -> _Told | None:
    if found := _NUL_ITEM.match(buffer, at):
        letter, mode, size, seconds, fraction, *numbers, path, link = found.groups()
        mtime_ns = int(seconds) * 1_000_000_000 + int(fraction)  # before 1970, too, the fraction is added
        return path, _item(_LETTERS.get(letter), int(mode, 8), int(size), mtime_ns, numbers, link), found.end()
    if found := _NUL_WORD.match(buffer, at):
        return found[2], found[1], found.end()
    end = buffer.find(b"\0", at)
    if end >= 0 and buffer.find(b"\0", end + 1) >= 0:
        raise _no_listing(buffer[at:])
    return None


def _slashes_item(buffer: bytes, at: int) -> _Told | None:
    found = _SLASHES_HEAD.match(buffer, at)
    if found is None:
        return _slashes_word(buffer, at)
    start = found.end()
    end = buffer.find(b"//", start)
    if end < 0:
        return None
    mode, size, time, *numbers = found.groups()
    try:
        mtime_ns = stattime.nanoseconds(time)
    except ValueError:
        raise _no_listing(time) from None
    bits = int(mode, 16)
    kind = _TYPES.get(bits & 0o170000)
    path = buffer[start:end]
    quoted = _quoted(buffer, end + 2, path, int(size) if kind is Kind.SYMLINK else None)
    if quoted is None:
        return None
    link, end = quoted
    return path, _item(kind, bits, int(size), mtime_ns, numbers, link), end


def _slashes_word(buffer: bytes, at: int) -> _Told | None:
    if found := _SLASHES_WORD.match(buffer, at):
        end = buffer.find(b"\n//", found.end())
        return (buffer[found.end() : end], found[1], end + 1) if end >= 0 else None
    if len(buffer) - at > _MAX_HEAD_SIZE:
        raise _no_listing(buffer[at:])
    return None


def _quoted(buffer: bytes, at: int, path: bytes, size: int | None) -> tuple[bytes, int] | None:
    """Return a link's text, and where its item ends; None when not all of it is here.

    size: of the text; 0 where the file system does not tell (proc(5)); None if it is no link.
    """
    if (size or 0) > _PATH_MAX:
        raise _no_listing(buffer[at:])
    if len(buffer) < at + len(path) + (size or 0) + _MAX_QUOTES_SIZE:  # whatever the quotes are: the end line is longer
        return None
    if size is not None:
        for before, between, after in _QUOTES:
            if buffer.startswith(before + path + between, at):
                start = at + len(before + path + between)
                end = start + size if size else buffer.find(after + b"//", start)
                if end < 0:
                    return None
                if buffer.startswith(after, end):
                    return buffer[start:end], end + len(after)
    for name in (b"'" + path + b"'\n", path + b"\n", b"\n"):  # also of a link whose text can't be read; so BusyBox
        if buffer.startswith(name, at):
            return b"", at + len(name)
    raise _no_listing(buffer[at:])


def _item(kind: Kind | None, mode: int, size: int, mtime_ns: int, numbers: Sequence[bytes], link: bytes) -> Item:
    uid, gid, device, inode, names = map(int, numbers)
    size = size if kind is Kind.FILE else 0
    link = link if kind is Kind.SYMLINK else b""
    return Item(kind, size, mtime_ns, mode & 0o7777, uid, gid, link, device, inode, names)
