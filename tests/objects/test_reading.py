"""Parts of objects: each read once while pods keep together, and never two states of one."""

import hashlib

import obstore
import pytest
from obstore.store import MemoryStore

from asynccp.entry import Entry
from asynccp.errors import SourceChanged
from asynccp.objects import reading
from asynccp.objects.errors import StoreError
from asynccp.objects.object import Part
from asynccp.objects.reading import Blocks
from asynccp.objects.scan import scan
from asynccp.objects.store import Store
from asynccp.objects.url import parse_url
from asynccp.options import Filtering
from asynccp.steps import finished

LARGE = bytes(range(256)) * 20
URL = "s3://bucket/p/"


class Counting(Store):
    """A store that tells what was asked for, and fails while it is told to."""

    def __init__(self) -> None:
        super().__init__(parse_url(URL), MemoryStore())
        self.asked: list[tuple[str, int, int]] = []
        self.fails = False

    def part(self, key: str, offset: int, size: int, *, etag: str) -> Part | None:
        self.asked.append((key, offset, size))
        if self.fails:
            raise StoreError("it does not answer")
        return super().part(key, offset, size, etag=etag)

    def set(self, key: str, content: bytes) -> None:
        obstore.put(self.client, f"p/{key}", content)

    def entries(self) -> dict[str, Entry]:
        return {one.path.decode(): one for one in scan(URL, Filtering(), self).entries}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(reading, "BLOCK_SIZE", 1000)
    made = Counting()
    made.set("large", LARGE)
    made.set("empty", b"")
    made.set("small", b"x")
    return made


def content(blocks: Blocks, entry: Entry, offset: int, size: int) -> bytes:
    found = bytearray(size)
    blocks.read(entry, memoryview(found), offset)
    return bytes(found)


def test_any_part_is_what_stands_there_and_is_asked_for_once(store: Counting) -> None:
    blocks, entry = Blocks(store), store.entries()["large"]
    for offset, size in ((0, 10), (995, 10), (999, 2002), (0, len(LARGE)), (len(LARGE) - 1, 1)):
        assert content(blocks, entry, offset, size) == LARGE[offset : offset + size]
    assert len(store.asked) == len(set(store.asked)) == 6


def test_what_is_read_long_after_is_asked_for_again(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CACHE_SIZE", 3000)
    blocks, entry = Blocks(store), store.entries()["large"]
    assert content(blocks, entry, 0, len(LARGE)) == content(blocks, entry, 0, len(LARGE)) == LARGE
    assert len(store.asked) == 12


def test_an_object_that_is_another_one_by_now_is_told_even_when_it_is_as_long(store: Counting) -> None:
    blocks, entries = Blocks(store), store.entries()
    assert content(blocks, entries["large"], 0, 10) == LARGE[:10]
    store.set("large", LARGE[::-1])
    with pytest.raises(SourceChanged, match="s3://bucket/p/large changed while it was read"):
        content(blocks, entries["large"], 2000, 10)
    store.set("empty", b"no more")
    with pytest.raises(SourceChanged, match="empty changed"):
        content(blocks, entries["empty"], 0, 0)
    obstore.delete(store.client, "p/small")
    with pytest.raises(SourceChanged, match="small changed"):
        content(blocks, entries["small"], 0, 1)


def test_a_store_that_fails_is_named_and_asked_again_by_the_next(store: Counting) -> None:
    blocks, entry = Blocks(store), store.entries()["small"]
    store.fails = True
    with pytest.raises(SourceChanged, match="small can't be read: it does not answer"):
        content(blocks, entry, 0, 1)
    store.fails = False
    assert content(blocks, entry, 0, 1) == b"x"


def test_its_digest_is_that_of_its_content(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = Blocks(store)
    monkeypatch.setattr(reading, "blocks_of", lambda _root: blocks)
    for name, found in (("large", LARGE), ("empty", b""), ("small", b"x")):
        assert finished(reading.digest(store.entries()[name], "sha256sum")) == hashlib.sha256(found).hexdigest()
