"""The manifest: read as it was written, and from a stranger's hand never more than it says."""

import tracemalloc

import pytest

from asynccp.entry import Kind
from asynccp.objects import manifest
from asynccp.objects.errors import StoreError
from asynccp.objects.manifest import Known, gone, known_of, row_of
from asynccp.objects.rows import Rows, key_of, merged
from asynccp.plan.manifest import Item

FILE = Known("web-0/log/a", Item(Kind.FILE, 5, 1_700_000_000_123_456_789, 0o640, 1, 2), "ab", '"e"')
LINK = Known("web-0/log/now", Item(Kind.SYMLINK, 0, 7, 0o777, link=b"a\xff"))
DIRECTORY = Known("web-0/log", Item(Kind.DIRECTORY, 0, 7, 0o755))


def known(number: int) -> Known:
    return FILE._replace(key=f"web-{number % 40:02}/log/{number:06}")


def test_what_is_written_is_read_again_in_the_order_of_keys() -> None:
    text = b"".join(manifest.written(map(row_of, (LINK, DIRECTORY, FILE))))
    rows = manifest.read([text[:100], text[100:]], "s3://bucket/manifest.jsonl")
    assert list(map(known_of, rows)) == [DIRECTORY, FILE, LINK]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"key": "a", "kind": "device", "size": 0, "mtime_ns": 0, "mode": "0644", "uid": 0, "gid": 0}',
        b'{"key": "a", "kind": "file", "size": "5", "mtime_ns": 0, "mode": "0644", "uid": 0, "gid": 0}',
        b'{"key": "a\\u0000", "kind": "file", "size": 5, "mtime_ns": 0, "mode": "0644", "uid": 0, "gid": 0}',
        b'{"key": "' + b"x" * manifest.MOST_LINE_SIZE + b'"}',
    ],
)
def test_a_line_that_is_none_of_ours_is_nothing_that_is_known(line: bytes) -> None:
    text = b"".join(manifest.written([row_of(FILE)])) + line + b"\n"
    rows = manifest.read([text], "here")
    assert list(map(known_of, rows)) == [FILE]


@pytest.mark.parametrize("text", [b"", b"no json\n", b"{}\n", b'{"manifest": "other", "version": 1}\n'])
def test_what_is_no_manifest_of_ours_tells_nothing(text: bytes) -> None:
    body = b"".join(manifest.written([row_of(FILE)])).partition(b"\n")[2]
    assert list(manifest.read([text + body], "here")) == []


def test_a_later_releases_manifest_is_not_overwritten() -> None:
    with pytest.raises(StoreError, match=r"s3://b/m is by a later release"):
        manifest.read([b'{"manifest": "asynccp", "version": 2}\n'], "s3://b/m")


def test_what_is_newer_counts_and_what_is_gone_is_none() -> None:
    newer = FILE._replace(etag='"f"')
    old, new = Rows(map(row_of, (DIRECTORY, FILE, LINK))), Rows([row_of(newer), gone(LINK.key)])
    assert list(map(known_of, merged(old, new))) == [DIRECTORY, newer]


def test_a_name_that_begins_alike_is_another_one() -> None:
    keys = ["a", "a-b", "a.b", "a/b", "ab"]
    rows = Rows(sorted((row_of(FILE._replace(key=one)) for one in keys), key=key_of))
    assert [key_of(one) for one in rows.beginning(b"a/")] == [b"a/b"]
    assert [key_of(one) for one in rows.beginning(b"a\0")] == [b"a"]


def test_a_hundred_thousand_objects_are_known_in_bounded_memory_and_one_pods_are_found_in_them() -> None:
    written = (row_of(known(number)) for number in range(100_000))
    tracemalloc.start()
    try:
        rows = Rows(written).ordered()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 8_000_000, "text would take 20 MB, and values 100"
    found = [known_of(one) for one in rows.beginning(b"web-07/")]
    assert found == [known(number) for number in range(7, 100_000, 40)]
