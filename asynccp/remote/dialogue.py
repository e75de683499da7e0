"""The dialogue of one exec: the lines that the script in the pod says, around the archive.

    pod  → us   asynccp TOKEN hello lacks=tar        where it has none
    us   → pod  learn SIZE, and a script             likewise: what does its work
    pod  → us   asynccp TOKEN hello KEY=VALUE …      what it found; before any byte of the archive
    us   → pod  names, a line each, an empty line    of a push that compares
    pod  → us   what is there (`remote.listing`)     likewise
    us   → pod  heard, and questions about files     likewise
    us   → pod  send SIZE BLOCKS BLOCKS CODEC        likewise; another hello follows. Or `none`: then `done` does
    …the archive, one way or the other…
    pod  → us   asynccp TOKEN received KEY=VALUE …   a push: all was extracted, beside its place
    us   → pod  questions about files                if they are wanted (`remote.digests`)
    us   → pod  go                                   a push: put it in its place
    pod  → us   asynccp TOKEN done KEY=VALUE …       it is in its place; or, of a pull, how its tar ended
    us   → pod  questions about files                of a pull; of a push what to remove, and to set (`orders.sh`)
    us   → pod  one line on stdin                    we have it all: you may go

Of a listing that is `hello`, the names that are asked for, the listing (`remote.listing`), questions, and the one line.

What there is to tell beside the archive comes on stderr (`remote.notes`), the last of it `ended`, before `done`.

The process in the pod lives until it has our last line, so the API server's proxy never sees it end while bytes are
under way: that race cuts the tail of a pull (kubernetes #60140). TOKEN is new for each run: what else may stand on
stdout, such as the banner of a shell that is a wrapper, can't be taken for a line of the dialogue. A pod is not
trusted: every line is parsed as hostile input, and has a bound.
"""

from collections.abc import Mapping

from msgspec import Struct

from asynccp.archive.layout import Blocks
from asynccp.errors import (
    CommandFailed,
    CommandMissing,
    ConnectFailed,
    DestinationError,
    Knob,
    ProtocolViolation,
    SessionLost,
    ShellMissing,
    TransferError,
)
from asynccp.remote.messages import Done, LastWord, Received
from asynccp.remote.worker import TAR, Worker
from asynccp.status import ExitStatus
from asynccp.text import printable

ACKNOWLEDGEMENT = b"ok\n"  # a line on stdin
GO = b"go\n"  # likewise
HEARD = b"heard\n"  # likewise: all of a listing is here
EVERYTHING = b"all\n"  # likewise: of a pull: all is packed
NOTHING = b"none\n"  # likewise: nothing is sent
MAX_LINE_SIZE = 4096  # bytes; ours are below 200
MAX_PADDING_SIZE = 1024 * 1024  # bytes of zeros after the end marker; GNU tar and bsdtar write up to 10,240

MAX_BANNER_SIZE = 64 * 1024  # bytes on stdout before the hello: of a shell that greets
_BANNER_TAIL_SIZE = 200  # bytes of it that are kept

# "Wrote only": GNU tar names no reason when a write was cut short, which on a regular file means a full disk.
_FULL = ("No space left on device", "Disk quota exceeded", "Wrote only")


class Line(Struct, frozen=True):
    """One line of the dialogue: `hello` or `done`, and its facts."""

    word: str
    facts: Mapping[str, str]


class LineReader:
    """Cuts one line of the dialogue off the front of a byte stream.

    after_zeros: the line follows an archive, whose writer may fill its last record with zeros.
    banner: other text may stand before it; the end of what has come of that.
    """

    def __init__(self, token: str, word: str, *, after_zeros: bool = False, banner: bool = False) -> None:
        self._start = f"asynccp {token} {word} ".encode()
        self._word = word
        self.banner = b""
        self._banner_left = MAX_BANNER_SIZE if banner else 0
        self._zeros_left = MAX_PADDING_SIZE if after_zeros else 0
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> tuple[Line, bytes] | None:
        """Return the line and what follows it as soon as the line is whole, else None.

        Raises ProtocolViolation as soon as the bytes can't become the line.
        """
        self._buffer += self._unpadded(bytes(data))
        self._skip_banner()
        start = bytes(self._buffer[: len(self._start)])
        if not self._start.startswith(start):
            raise ProtocolViolation(
                f"the pod said '{printable(bytes(self._buffer), 200)}' where its {self._word} belongs"
            )
        end = self._buffer.find(b"\n", 0, MAX_LINE_SIZE)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_SIZE:
                raise ProtocolViolation(f"the pod's {self._word} line does not end")
            return None
        words = self._buffer[len(self._start) : end].decode("ascii", "replace").split()
        facts = dict(word.partition("=")[::2] for word in words)
        return Line(self._word, facts), bytes(self._buffer[end + 1 :])

    def _skip_banner(self) -> None:
        at = self._buffer.find(self._start)
        if at < 0:  # its end may be the beginning of the line
            at = max(0, len(self._buffer) - len(self._start) + 1)
            while not self._start.startswith(bytes(self._buffer[at:])):
                at += 1
        size = min(at, self._banner_left)
        self._banner_left -= size
        self.banner = (self.banner + bytes(self._buffer[:size]))[-_BANNER_TAIL_SIZE:]
        del self._buffer[:size]

    def _unpadded(self, data: bytes) -> bytes:
        if self._zeros_left == 0 or self._buffer:
            return data
        unpadded = data[: self._zeros_left].lstrip(b"\0") + data[self._zeros_left :]
        self._zeros_left -= len(data) - len(unpadded)
        return unpadded


def send_line(blocks: Blocks, codec: str) -> bytes:
    """Return the line that tells what a pod is sent after its listing, and whether packed."""
    return f"send {blocks.size} {blocks.first} {blocks.second} {codec or 'plain'}\n".encode()


def pack_line(size: int, *, compresses: bool) -> bytes:
    """Return the line before `size` bytes of names that a pull's pod is to pack (`remote.digests.encode_names`)."""
    return f"pack {size} {'compressed' if compresses else 'plain'}\n".encode()


class Ended(Struct, frozen=True):
    """How a transfer ended, as far as the pod has not told it.

    whole: everything was handed on. ending: how the session ended, in words, escaped; empty for a regular end.
    sent: `ENTRIES-BYTES` of a push. worker: who packed or unpacked in the pod.
    """

    whole: bool = True
    ending: str = ""
    sent: str = ""
    worker: Worker = TAR


def verdict(
    done: LastWord | None, status: ExitStatus | None, said: str, ended: Ended | None = None
) -> TransferError | None:
    """Return why a transfer is not complete, None when it is. The one place that decides it.

    Complete means all of: everything was handed on (the archive's end marker was decoded, or the last byte of
    a push was sent), the pod's `done` line came and says that its commands ended with 0, a push's sentinel was
    extracted, as many entries and bytes stand there as were sent, and what it came with was put in its place; and an
    explicit Success. How the connection ended proves nothing, so it decides nothing.

    A pull whose tar has ended with 1 or 2, but brought the archive's end marker, is judged by what the tar complained
    of (`remote.complaints`).

    done: the pod's last line, None when it never came. A push that isn't whole in the pod ends with `received`.
    status: None when the session ended without one. said: stderr's tail, escaped.
    """
    ended = ended or Ended()
    code = _exit_code(done, status)
    if code in (None, 0) and (done is None or status is None):
        if status is not None and status.code is None:
            return _not_run(status)
        return SessionLost(
            "the session ended before the pod had said its last word" + (f": {ended.ending}" if ended.ending else "")
        )
    if code is None:
        return SessionLost(f"the server does not know how the command ended: {status.message if status else ''}")
    if code != 0:
        settling = isinstance(done, Done) and done.settled is not None
        return _failed(code, said, ended.worker, settling=settling)  # the status would say our whole script again
    if isinstance(done, Received) and not done.has_last:
        return _not_whole(done, ended.sent, ended.worker)
    if isinstance(done, Received):
        return ProtocolViolation("the pod has everything, but did not put it in its place")
    if not ended.whole:
        return not_ended()
    return None


def not_ended() -> TransferError:
    """Return the error of a pull whose pod has said its last word before the archive's end."""
    return ProtocolViolation("the pod says that it is done, but the archive has not come to its end")


def differs(received: Received, sent: str) -> bool:
    """Tell whether a pod owns up to having other than it was sent, `ENTRIES-BYTES`, whatever else it says.

    More entries may be a file system's own.
    """
    entries, _, size = sent.partition("-")
    lacks = bool(entries) and received.entries is not None and received.entries < int(entries)
    return lacks or (bool(size) and received.size is not None and received.size != int(size))


def _not_whole(received: Received, sent: str, worker: Worker) -> TransferError:
    entries = "" if received.entries is None else str(received.entries)
    size = "" if received.size is None else str(received.size)
    sent_entries, _, sent_size = sent.partition("-")
    if not entries or (entries, size or sent_size) == (sent_entries, sent_size):
        return ProtocolViolation(
            f"{worker.name} ended without an error, but the last member of the archive was not extracted"
        )
    got = f"{entries} of {sent_entries} entries"
    got += f", {size} of {sent_size} bytes" if size else ""
    has_more = size.isdigit() and sent_size.isdigit() and int(size) > int(sent_size)
    what = "wrote more than was sent" if has_more else "left something out"
    return CommandFailed(
        f"{worker.name} ended without an error, but {what}: {got} came to stand in the container",
        hint=worker.merged,
    )


def tar_code(done: Done | None, status: ExitStatus | None) -> int | None:
    """Return the code with which a pull's tar ended, if pod and server say the same; None otherwise."""
    if done is None or status is None:
        return None
    return status.code if done.code == status.code else None


def _exit_code(done: LastWord | None, status: ExitStatus | None) -> int | None:
    """Return tar's own code if the pod told it and it is an error, else that of the whole command."""
    if done is not None and done.code is None:
        return 255  # the line came without a code: never a success
    return (done.code if done else None) or (status.code if status is not None else None)


# The node's runtime, or the way to it, was not there: what a restart of kubelet or containerd looks like from here.
_AWAY = (
    "error dialing backend",
    "connection refused",
    "connection reset",
    "unable to upgrade connection",
    "transport is closing",
    "context deadline exceeded",
    "context canceled",
    "unexpected EOF",
    "containerd.sock",
)


def _not_run(status: ExitStatus) -> TransferError:
    if "executable file not found" in status.message or "/sh: no such file or directory" in status.message:
        return ShellMissing(
            "there is no shell in the container",
            hint=f"name a container that has a shell and tar with {Knob.CONTAINER}, or copy through an ephemeral "
            f"container of an image that has them: {Knob.EPHEMERAL} IMAGE",
        )
    reason = "the command could not be run: " + status.message.replace("Internal error occurred: ", "")
    return ConnectFailed(reason) if any(sign in status.message for sign in _AWAY) else CommandFailed(reason)


def _failed(code: int, said: str, worker: Worker, *, settling: bool) -> TransferError:
    if code == 137:
        return CommandFailed(
            "the commands in the container were killed (137)" + (f": {said}" if said else ""),
            hint="the pod was deleted or restarted, or its memory limit was reached",
        )
    if code in (126, 127):
        return CommandMissing(f"a program could not be run in the container ({code}): {said or 'no reason given'}")
    if any(sign in said for sign in _FULL):
        return DestinationError(
            f"the disk in the container is full: {said}",
            hint="a push needs room for the old files and the new ones, until the new ones are in their place",
        )
    if settling:
        return DestinationError(
            f"what was received could not all be put in its place: {said or f'exit code {code}'}",
            hint="each file there is the old one or the new one, none is torn; push again when the cause is mended",
        )
    denied = "Permission denied" in said or "Operation not permitted" in said
    return CommandFailed(
        f"{worker.name} failed in the container with exit code {code}: {said or 'it said nothing'}",
        hint="the container's user may not do that" if denied else "",
    )
