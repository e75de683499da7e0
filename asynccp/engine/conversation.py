"""Conversation: one exec session as push and pull see it: stdout to read, what stderr says, and how it ended.

It also watches the clock: a session in which nothing moves is pinged, and after the deadline ended.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio

from asynccp.chunk import Chunk
from asynccp.engine.group import single_error
from asynccp.errors import ConnectFailed, Knob, ProtocolViolation, SessionLost, ShellMissing, Stalled, TransferError
from asynccp.kube.base import Session
from asynccp.kube.exec import Event, Stderr, Stdout
from asynccp.options import (
    CLOSE_GRACE_S,
    LEAST_RATE_PER_S,
    LOOK_EVERY_S,
    PING_AFTER_S,
    RATE_DEADLINES,
    Options,
)
from asynccp.remote.complaints import Complaints
from asynccp.remote.dialogue import ACKNOWLEDGEMENT, Ended, Line, LineReader, not_ended, verdict
from asynccp.remote.messages import Done, Hello, LastWord, Received, number
from asynccp.remote.notes import Note, NoteReader
from asynccp.remote.problems import elsewhere, refusal
from asynccp.remote.worker import TAR
from asynccp.status import ExitStatus
from asynccp.target import Target
from asynccp.text import printable

LEAST_SIZE = 1024 * 1024  # bytes that a move counts for which is none of the pod's output: what we send, or work here
_MOST_EARLY = 100  # notes that are kept until somebody takes them
_UNENDED_SIZE = 600  # bytes that are told of a line that has not ended
_MOST_LAST_SIZE = 128  # bytes of stdout that came last: the last word of a pull's pod has half as many


class Conversation:
    """One session, and what has been heard in it.

    worker: who packs and unpacks in the pod.
    status: how the command ended, None before. last_word: the last message of the pod's but for its hello.
    complaints: what the pod's programs said on stderr. That is no progress: who only complains stands still.
    ended: whether the last of both has come. brings: an archive is under way to us. places: the pod puts one in its
    place, and says now and then that it does. overdue: tells what a pod should have said at once that says nothing;
    empty as long as it may be silent.
    extra_stall_s: seconds beyond the deadline, while the pod has silent work to do.
    """

    def __init__(self, session: Session, token: str, options: Options) -> None:
        self.status: ExitStatus | None = None
        self.last_word: LastWord | None = None
        self.extra_stall_s = 0.0
        self.session = session
        self.worker = TAR
        self.token = token
        self.complaints = Complaints()
        self._early: list[Note] = []  # stderr may overtake the hello
        self._on_note: Callable[[Note], None] | None = None  # until somebody takes them
        self._take_words: Callable[[bytes], None] | None = None  # in place of `complaints`
        self._hear_first: Callable[[Note], bool] | None = None
        self.ended = False
        self.brings = False
        self.places = False
        self.overdue: Callable[[], str] = str
        self._options = options
        self._notes = NoteReader(token)
        self._ahead = b""
        self._hears = False  # waits for the next message
        self._let_go_at: float | None = None
        self._last = b""  # of stdout
        self._moves = 0  # a count, not a time: on the path of a byte the clock cost an eighth of a pull's CPU
        self._moved_size = 0

    @property
    def stderr_tail(self) -> str:
        """The last words on stderr, escaped, on one line; of a line that has not ended, what is there."""
        words = self.complaints.said, printable(self._notes.held.strip(), _UNENDED_SIZE)
        return "; ".join(filter(None, words))

    @property
    def ending(self) -> str:
        """How the session ended, in words; empty for a regular end."""
        return self.session.ending

    async def hello(self, path: str, target: Target, *, extra_stall_s: float = 0.0) -> Hello:
        """Return the pod's first line; raise what stands in the way when the pod can't do it.

        extra_stall_s: how much longer than usual it may take, because the pod has work to do before it speaks.
        """
        reader = LineReader(self.token, "hello", banner=True)
        timeout_s, self.extra_stall_s = self._options.deadlines.open_timeout_s + extra_stall_s, extra_stall_s
        with anyio.move_on_after(timeout_s) as limit:
            line = await self._next(reader)
        self.extra_stall_s = 0.0
        if limit.cancelled_caught:
            raise ConnectFailed(f"the pod did not answer within {timeout_s:.0f} s")
        if line is None:
            raise self._no_hello(reader.banner, target)
        hello = Hello.read(line.facts)
        if hello.problem is not None:
            with anyio.move_on_after(CLOSE_GRACE_S):  # for its last words
                await self.acknowledge()
                await self.drain()
        if problem := refusal(hello, printable(path), self.stderr_tail, target.others, self.worker):
            raise problem
        return hello

    async def received(self) -> Received | None:
        """Return what the pod says of the archive that it was sent, None when the session ends before it."""
        if line := await self._next(LineReader(self.token, "received")):
            self.last_word = received = Received.read(line.facts)
            return received
        return None

    async def done(self) -> Done | None:
        """Return the pod's last message, None when the session ends before it."""
        if line := await self._next(LineReader(self.token, "done")):
            self.last_word = done = Done.read(line.facts)
            return done
        return None

    async def answered(self, word: str) -> int | None:
        """Return the code with which a step of the pod's has ended, None when the session ends before it says so."""
        facts = await self.facts(word)
        if facts is None:
            return None
        code = number(facts, "rc")
        return 255 if code is None else code

    async def facts(self, word: str) -> Mapping[str, str] | None:
        """Return what the pod's next line tells, None when the session ends before it."""
        line = await self._next(LineReader(self.token, word))
        return line.facts if line else None

    def error(self, *, whole: bool = True, sent: str = "") -> TransferError | None:
        """Return what the end of the session means, as `remote.dialogue.verdict`."""
        ended = Ended(whole=whole, ending=self.ending, sent=sent, worker=self.worker)
        return verdict(self.last_word, self.status, self.stderr_tail, ended)

    async def _next(self, reader: LineReader) -> Line | None:
        while (data := await self.stdout()) is not None:
            if found := reader.feed(data):
                line, self._ahead = found
                return line
        return None

    async def stdout(self) -> bytes | memoryview | None:
        """Return the next bytes of stdout, None when the session is over."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        while (event := await self._event()) is not None:
            if output := self._taken(event):
                return output
        self._take_rest_of_stderr()
        return None

    def _taken(self, event: Event) -> memoryview | None:
        """Take an event in; return what it has of stdout."""
        match event:
            case Stdout(payload):
                if self.status:
                    raise ProtocolViolation("the server sent output after the command's end")
                self.record_progress(len(payload))
                self._last = (self._last + payload[-_MOST_LAST_SIZE:])[-_MOST_LAST_SIZE:]
                return payload
            case Stderr(payload):
                self._take_stderr(payload)
            case ExitStatus() as status:
                self.record_progress()
                self.status = status
        return None

    async def _event(self) -> Event | None:
        self._hears = True
        try:
            return await self.session.receive()
        finally:
            self._hears = False

    def _take_stderr(self, data: bytes | memoryview) -> None:
        for one in self._notes.feed(data):
            if isinstance(one, Note):
                if self._hear_first and self._hear_first(one):
                    continue
                self.ended = self.ended or one.word == "ended"
                if self.places and one.word == "busy":
                    self.record_progress(1)  # not for ever: it is below the least rate
                (self._on_note or self._keep)(one)
            else:
                (self._take_words or self.complaints.feed)(one)

    def _keep(self, note: Note) -> None:
        if len(self._early) < _MOST_EARLY:
            self._early.append(note)

    def hear_notes(self, take: Callable[[Note], None]) -> None:
        """Call `take` with what the pod's script says on stderr, and with what it has said there until now."""
        self._on_note = take
        for one in self._early:
            take(one)

    @contextmanager
    def listening(self, take: Callable[[bytes], None], hear: Callable[[Note], bool]) -> Iterator[None]:
        """Hand what stderr says to `take` meanwhile; and notes to `hear`, which tells whether they are its own."""
        self._take_words, self._hear_first = take, hear
        try:
            yield
        finally:
            self._take_words = self._hear_first = None

    def _take_rest_of_stderr(self) -> None:
        self.complaints.feed(self._notes.rest())
        self.complaints.end()
        self.ended = True

    def forget(self) -> None:
        """Let go of what was heard, and of who hears: the session has ended, but others may hold it for a while.

        A task that was cancelled is a cycle of references (its error, the error's frames), which the collector finds
        late; 1,000 pods whose programs lied had left 0.5 MiB each in there.
        """
        self._on_note = self._take_words = self._hear_first = None
        self.overdue = str
        self.complaints, self._notes = Complaints(), NoteReader(self.token)
        self._early.clear()

    async def hear_stderr_out(self) -> None:
        """Wait until the pod's own last word on stderr has come: stdout may have overtaken it."""
        await self.hear_until(lambda: self.ended)

    async def hear_until(self, heard: Callable[[], bool]) -> None:
        """Hear stderr until `heard()`, or the session's end."""
        while not heard() and (event := await self._event()) is not None:
            if self._taken(event):
                raise ProtocolViolation("the pod sent output after its last word")

    async def drain(self) -> None:
        """Hear the session out: its status, and what is left on stderr."""
        while await self.stdout() is not None:
            pass

    def record_progress(self, size: int = LEAST_SIZE) -> None:
        """Something moved, `size` bytes or what counts as enough: the deadline starts again."""
        self._moves += 1
        self._moved_size += size

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let the session be silent: nothing is wanted of it meanwhile."""
        self.extra_stall_s = math.inf
        try:
            yield
        finally:
            self.extra_stall_s = 0.0
            self.record_progress()

    async def send(self, data: bytes) -> None:
        await self.session.send(data)
        self.record_progress()

    async def send_chunk(self, chunk: Chunk) -> None:
        await self.session.send_chunk(chunk)
        self.record_progress()

    async def acknowledge(self) -> None:
        """Let the process in the pod go."""
        await self.tell(ACKNOWLEDGEMENT)

    async def tell(self, line: bytes) -> None:
        """Send what needs no answer. If the session is gone, whoever hears it out is told why."""
        with suppress(SessionLost):
            await self.session.send(line)

    async def close_stdin(self) -> None:
        """End stdin, as `tell`."""
        with suppress(SessionLost):
            await self.session.close_stdin()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch the session while something goes on in it. Raises as `watch`, and then ends what goes on."""
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.watch)
                yield
                tasks.cancel_scope.cancel()

    async def watch(self) -> None:
        """Run beside the transfer: ping while nothing flows, and raise Stalled at the deadline.

        So it does when over RATE_DEADLINES deadlines less came than LEAST_RATE_PER_S: a byte now and then is no copy.

        A pod whose tar has ended, but which sends no more of an archive that isn't whole, is let go (`_let_go`), and
        Stalled is raised soon where it has nothing to do but speak (`overdue`).
        """
        moves, moved_at = self._moves, anyio.current_time()
        ping_at = moved_at + PING_AFTER_S
        window_s = RATE_DEADLINES * self._options.deadlines.stall_after_s
        size, since = self._moved_size, moved_at
        while True:
            now = anyio.current_time()
            if moves != self._moves:
                moves, moved_at, ping_at = self._moves, now, now + PING_AFTER_S
            left_s = moved_at + self._options.deadlines.stall_after_s + self.extra_stall_s - now
            if left_s <= 0:
                raise Stalled(
                    f"nothing moved for {now - moved_at:.0f} s" + (f": {self.stderr_tail}" if self.stderr_tail else ""),
                    hint=f"raise {Knob.STALL_AFTER} if the pod's disk is that slow; "
                    "or its memory limit has ended the command",
                )
            if self.extra_stall_s or self._moved_size - size >= window_s * LEAST_RATE_PER_S:
                size, since = self._moved_size, now
            elif now - since >= window_s:
                raise Stalled(
                    f"only {self._moved_size - size} bytes moved in {now - since:.0f} s",
                    hint=f"raise {Knob.STALL_AFTER} if the way to the pod is that slow",
                )
            late_s = now - moved_at - self._options.deadlines.late_after_s
            if self._hears and late_s >= 0 and (overdue := self.overdue()):
                raise Stalled(overdue)
            if self.ended and self.brings and self._hears:
                await self._let_go(moved_at, is_late=late_s >= 0)
            if now >= ping_at:
                ping_at = now + PING_AFTER_S
                with anyio.move_on_after(LOOK_EVERY_S):  # what takes no bytes takes no ping either
                    await self.session.ping()
            await anyio.sleep(min(LOOK_EVERY_S, max(left_s, 0.01)))

    async def _let_go(self, moved_at: float, *, is_late: bool) -> None:
        """Let a pod go whose tar has ended, once nothing more can come of its archive.

        That is so when its last word is what came last on stdout: had the archive ended before it, it would have been
        taken for that. Else when nothing has come for a while. Raises ProtocolViolation or SessionLost if it stays.
        """
        now = anyio.current_time()
        if self._let_go_at is None:
            self.last_word = self._last_word()
            if self.last_word or is_late:
                self._let_go_at = now
                await self.acknowledge()
        elif now - max(self._let_go_at, moved_at) >= CLOSE_GRACE_S:
            if self.last_word:
                raise not_ended()
            raise SessionLost("the pod says that it has sent everything, but the end of it does not come")

    def _last_word(self) -> Done | None:
        """Return the pod's last word if that is what came last on stdout."""
        begins, line = self._last.rpartition(f"asynccp {self.token} done ".encode())[1:]
        found = LineReader(self.token, "done").feed(begins + line) if begins else None
        return Done.read(found[0].facts) if found and not found[1] else None

    def _no_hello(self, banner: bytes, target: Target) -> TransferError:
        if self.status and self.status.code == 0 and banner:  # it never came to our script
            return ProtocolViolation(f"the pod said '{printable(banner.strip(), 200)}' where its hello belongs")
        said = self.stderr_tail or printable(banner.strip(), 200)
        error = verdict(None, self.status, said, Ended(ending=self.ending))  # its banner is a part of it
        if isinstance(error, ShellMissing):
            hint = (
                f"{elsewhere(target.others)}, or copy through an ephemeral container of an image that has a shell and "
                f"tar: {Knob.EPHEMERAL} IMAGE"
            )
            return ShellMissing(str(error), hint=hint)
        return error or SessionLost("the session ended before the pod spoke")
