"""Uploads: objects on their way into a store, many at a time, in threads.

    small files    whole, from a queue: a store takes 20 to 100 ms for each, however small, so many go at once
    large ones     in parts, as their content comes, each in a thread of its own, which waits for more of it. With a
                   bound on those threads, pods that wait for one would hold the sessions that others need to go on
    one key        is never written by two at once, and in the order in which it was asked for: a transfer that starts
                   over may meet what its last attempt has under way

What waits is bounded: while there is more, sinks are full, and no pod is read.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Condition, Lock, Thread, current_thread
from time import monotonic
from typing import NamedTuple

from asynccp.objects.errors import StoreError
from asynccp.objects.store import Store
from asynccp.text import printable

QUEUED_SIZE, QUEUED = 32 * 1024 * 1024, 4096
"""Bytes, and objects, that wait to be put."""

STREAM_SIZE = 1024 * 1024
"""Bytes of one large file that wait for its thread."""

AT_ONCE = 32
"""Small objects on their way: a store that takes 50 ms has 640 of them in a second."""

PARTS = 8
"""Parts of large files on their way, of all together, but for one of each: one file alone gets all of a fast line, and
64 of them together take 10 MiB of memory each."""

CLOSE_S = 10.0
"""Seconds that uploads are given to be aborted at the end: an aborted one leaves no parts that somebody pays for."""

_ZEROS = bytes(256 * 1024)


class Aborted(Exception):
    """This upload is not wanted any more."""


class Stream:
    """The content of one object, as it comes. digest: of what was taken."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._news = Condition()
        self._pieces: deque[bytes | int] = deque()  # an int: so many zeros
        self._waiting_size = 0
        self._ended = self._aborted = False

    def feed(self, piece: bytes | int) -> None:
        """Add bytes, or a number of zeros."""
        with self._news:
            if not self._aborted:
                self._pieces.append(piece)
                self._waiting_size += piece if isinstance(piece, int) else len(piece)
                self._news.notify()

    def end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify()

    def abort(self) -> None:
        """Have the upload aborted. Harmless when called again, and when it is over."""
        with self._news:
            self._aborted = True
            self._pieces.clear()
            self._waiting_size = 0
            self._news.notify()

    def is_full(self) -> bool:
        return self._waiting_size > STREAM_SIZE

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._next()) is not None:
            for part in [piece] if isinstance(piece, bytes) else _zeros(piece):
                self.digest.update(part)
                yield part
                if self._aborted:
                    raise Aborted

    def _next(self) -> bytes | int | None:
        with self._news:
            self._news.wait_for(lambda: self._pieces or self._ended or self._aborted)
            if self._aborted:
                raise Aborted
            if not self._pieces:
                return None
            piece = self._pieces.popleft()
            self._waiting_size -= piece if isinstance(piece, int) else len(piece)
            return piece


def _zeros(size: int) -> Iterator[bytes]:
    for begin in range(0, size, len(_ZEROS)):
        yield _ZEROS[: size - begin]


class Job(NamedTuple):
    """One object. put: what puts it, and returns its etag; done: called with that, never by two threads at once."""

    lot: "Lot"
    key: str
    size: int
    put: Callable[[Store], str]
    done: Callable[[str], None]


class Uploads:
    """All uploads of a run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._work, self._settled = Condition(self._lock), Condition(self._lock)  # there is more of it · less
        self._queue: deque[Job] = deque()
        self._queued_size = 0
        self._busy: set[str] = set()  # keys
        self._workers: list[Thread] = []
        self._streams: dict[Thread, Stream] = {}
        self._idle = 0  # workers
        self._closed = False

    def lot(self) -> "Lot":
        return Lot(self)

    def is_full(self) -> bool:
        return self._queued_size > QUEUED_SIZE or len(self._queue) > QUEUED

    def parts_at_once(self) -> int:
        """Return how many parts of one more large file may be on their way."""
        return max(1, PARTS // (1 + len(self._streams)))

    def queue(self, job: Job) -> None:
        """Have a whole object put when its turn comes."""
        with self._lock:
            job.lot.pending += 1
            self._queue.append(job)
            self._queued_size += job.size
            if not self._idle and len(self._workers) < AT_ONCE:
                self._workers.append(_started(self._carry_out))
            self._work.notify()

    def start(self, job: Job, stream: Stream) -> None:
        """Have an object put as its content comes."""
        with self._lock:
            job.lot.pending += 1
            self._streams[_started(lambda: self._carry(job, stream))] = stream

    def drop(self, lot: "Lot") -> None:
        """Forget what waits of a lot."""
        with self._lock:
            dropped = [one for one in self._queue if one.lot is lot]
            if dropped:
                self._queue = deque(one for one in self._queue if one.lot is not lot)
                self._queued_size -= sum(one.size for one in dropped)
                lot.pending -= len(dropped)

    def wait(self, lot: "Lot", timeout_s: float) -> bool:
        """Wait a moment for a lot; tell whether nothing of it is under way. Raises what went wrong with it."""
        with self._lock:
            self._settled.wait_for(lambda: not lot.pending or lot.error, timeout_s)
            lot.check()
            return not lot.pending

    def close(self) -> None:
        """Abort what is under way, and end the threads; those that a store keeps longer than CLOSE_S are left alone."""
        with self._lock:
            self._closed = True
            self._queue.clear()
            streams = dict(self._streams)
            self._work.notify_all()
        for stream in streams.values():
            stream.abort()
        until_s = monotonic() + CLOSE_S
        for thread in (*self._workers, *streams):
            thread.join(max(0.0, until_s - monotonic()))

    def _carry_out(self) -> None:
        while job := self._next():
            self._do(job)

    def _next(self) -> Job | None:
        """Return a job whose key nobody else is at; None when there will be no more."""
        with self._lock:
            while not self._closed:
                for at, job in enumerate(self._queue):
                    if job.key not in self._busy:
                        del self._queue[at]
                        self._queued_size -= job.size
                        self._busy.add(job.key)
                        return job
                self._idle += 1
                self._work.wait()
                self._idle -= 1
        return None

    def _carry(self, job: Job, stream: Stream) -> None:
        with self._lock:
            self._settled.wait_for(lambda: job.key not in self._busy)
            self._busy.add(job.key)
        self._do(job)
        stream.abort()  # if it has failed, nobody takes what comes
        with self._lock:
            self._streams.pop(current_thread(), None)

    def _do(self, job: Job) -> None:
        error: StoreError | None = None
        etag = ""
        try:
            etag = job.put(self._store)
        except StoreError as exc:
            error = exc
        except Aborted:
            error = StoreError(f"{self._store.url.place(job.key)} was given up")
        except Exception as exc:  # whatever it is: those who wait must hear of it
            error = StoreError(f"{self._store.url.place(job.key)} can't be written: {printable(repr(exc), 200)}")
        with self._lock:
            self._busy.discard(job.key)
            job.lot.pending -= 1
            if error:
                job.lot.error = job.lot.error or error
            else:
                job.done(etag)
            self._settled.notify_all()
            if self._queue:
                self._work.notify()  # who waited for this key


def _started(work: Callable[[], None]) -> Thread:
    thread = Thread(target=work, name="asynccp upload", daemon=True)
    thread.start()
    return thread


class Lot:
    """What one sink sends. pending: how many objects of it are under way. error: of the first that failed."""

    def __init__(self, uploads: Uploads) -> None:
        self.pending = 0
        self.error: StoreError | None = None
        self._uploads = uploads
        self._stream: Stream | None = None

    def put(self, key: str, content: bytes, attributes: dict[str, str], done: Callable[[str], None]) -> None:
        """Have a whole object put. Raises StoreError if one of this lot has failed."""
        self.check()
        job = Job(self, key, len(content), lambda store: store.put(key, content, attributes), done)
        self._uploads.queue(job)

    def copy(self, source: str, key: str, done: Callable[[str], None]) -> None:
        """Have what is there put under another key, too."""

        def copied(store: Store) -> str:
            store.copy(source, key)
            made = store.head(key)
            return made.etag if made else ""

        self._uploads.queue(Job(self, key, 0, copied, done))

    def stream(self, key: str, size: int, attributes: dict[str, str], done: Callable[[str, str], None]) -> Stream:
        """Begin an object whose content is to come. done: gets the etag, and the digest. Raises as `put`."""
        self.check()
        stream = self._stream = Stream()

        def over(etag: str) -> None:
            done(etag, stream.digest.hexdigest())

        at_once = self._uploads.parts_at_once()
        job = Job(self, key, size, lambda store: store.put_parts(key, stream, size, attributes, at_once), over)
        self._uploads.start(job, stream)
        return stream

    def check(self) -> None:
        if self.error:
            raise self.error

    def is_full(self) -> bool:
        if self.error:
            return False
        return self._uploads.is_full() or (self._stream is not None and self._stream.is_full())

    def is_settled(self, timeout_s: float) -> bool:
        """Wait a moment; tell whether all is in the store. Raises StoreError."""
        return self._uploads.wait(self, timeout_s)

    def abort(self, patience_s: float) -> None:
        """Give up what is not in the store, and wait a little for what is on its way."""
        if self._stream:
            self._stream.abort()
        self._uploads.drop(self)
        until_s = monotonic() + patience_s
        with suppress(StoreError):
            while self.pending and monotonic() < until_s and not self._uploads.wait(self, patience_s):
                pass
