"""Uploads: in the order of each key, bounded, and given up without a trace."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Event

import pytest
from obstore.store import MemoryStore

from asynccp.objects import uploads
from asynccp.objects.errors import StoreError
from asynccp.objects.store import PART_SIZE, Store
from asynccp.objects.uploads import Lot, Uploads
from asynccp.objects.url import parse_url

URL = parse_url("s3://bucket/p")


class Slow(Store):
    """A store that takes nothing before it is told to, and fails for keys that end with `bad`."""

    def __init__(self) -> None:
        super().__init__(URL, MemoryStore())
        self.go, self.begun = Event(), Event()

    def put(self, key: str, content: bytes, attributes: Mapping[str, str] | None = None) -> str:
        self.begun.set()
        assert self.go.wait(30)
        if key.endswith("bad"):
            raise StoreError("it is full")
        return super().put(key, content, attributes)

    def put_parts(
        self, key: str, pieces: Iterable[bytes], size: int, attributes: Mapping[str, str], at_once: int = 1
    ) -> str:
        self.begun.set()
        return super().put_parts(key, pieces, size, attributes, at_once)

    def content(self, key: str) -> bytes | None:
        found = self.read(key)
        return None if found is None else b"".join(found)


@pytest.fixture
def store() -> Slow:
    return Slow()


@pytest.fixture
def under_way(store: Slow) -> Iterator[Uploads]:
    made = Uploads(store)
    yield made
    store.go.set()
    made.close()


def nothing(*_: str) -> None:
    pass


def settled(lot: Lot) -> bool:
    return lot.is_settled(30)


def test_of_one_key_the_last_that_was_asked_for_stands(store: Slow, under_way: Uploads) -> None:
    lot, told = under_way.lot(), list[str]()
    done: Callable[[str], None] = told.append
    for number in range(40):
        lot.put("a", b"%d" % number, {}, done)
        lot.put(f"b{number}", b"x", {}, done)
    store.go.set()
    assert settled(lot)
    assert (len(told), store.content("a")) == (80, b"39")


def test_one_that_fails_fails_its_own_lot(store: Slow, under_way: Uploads) -> None:
    first, second = under_way.lot(), under_way.lot()
    first.put("bad", b"x", {}, nothing)
    second.put("good", b"x", {}, nothing)
    store.go.set()
    with pytest.raises(StoreError, match="full"):
        settled(first)
    assert settled(second)
    assert not first.is_full()


def test_sinks_are_full_while_a_store_takes_nothing(
    store: Slow, under_way: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "QUEUED_SIZE", 1000)
    lot = under_way.lot()
    for number in range(uploads.AT_ONCE + 2):
        lot.put(f"a{number}", bytes(600), {}, nothing)
    assert lot.is_full()
    store.go.set()
    assert settled(lot)
    assert not lot.is_full()


def test_a_large_file_goes_as_it_comes_with_its_digest_and_its_holes(store: Slow, under_way: Uploads) -> None:
    lot, told = under_way.lot(), list[tuple[str, str]]()
    stream = lot.stream("large", PART_SIZE * 2, {"mtime": "1"}, lambda etag, digest: told.append((etag, digest)))
    stream.feed(b"x")
    stream.feed(PART_SIZE)
    stream.feed(b"y")
    assert store.content("large") is None
    stream.end()
    assert settled(lot)
    assert store.content("large") == b"x" + bytes(PART_SIZE) + b"y"
    assert told[0][1] == hashlib.sha256(b"x" + bytes(PART_SIZE) + b"y").hexdigest()


def test_what_is_given_up_stands_nowhere_and_its_key_is_free_for_the_next(store: Slow, under_way: Uploads) -> None:
    lot = under_way.lot()
    stream = lot.stream("large", PART_SIZE * 2, {}, nothing)
    stream.feed(bytes(PART_SIZE))
    lot.put("small", b"x", {}, nothing)
    lot.abort(0.0)
    again = under_way.lot()
    second = again.stream("large", 1, {}, nothing)
    second.feed(b"second")
    second.end()
    store.go.set()
    assert settled(again)
    assert store.content("large") == b"second"


def test_a_large_file_that_fails_takes_no_memory_any_more(under_way: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Store, key: str, pieces: Iterable[bytes], *_: object) -> str:
        next(iter(pieces))
        raise StoreError("it is full")

    monkeypatch.setattr(Slow, "put_parts", failing)
    lot = under_way.lot()
    stream = lot.stream("large", PART_SIZE * 2, {}, nothing)
    stream.feed(b"x")
    with pytest.raises(StoreError):
        settled(lot)
    stream.feed(bytes(10 * uploads.STREAM_SIZE))
    assert not lot.is_full(), "or the pod would wait for ever, instead of being told"


def test_closing_aborts_what_is_under_way(store: Slow) -> None:
    made = Uploads(store)
    stream = made.lot().stream("large", PART_SIZE * 2, {}, nothing)
    stream.feed(bytes(PART_SIZE))
    assert store.begun.wait(30)
    made.close()
    assert store.content("large") is None
