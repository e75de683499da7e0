"""Objects below a URL as entries: what a bucket may hold, by tables."""

from collections.abc import Mapping

import obstore
import pytest
from obstore.store import MemoryStore

from asynccp.entry import Kind
from asynccp.errors import PlanError
from asynccp.objects import manifest
from asynccp.objects.manifest import Known, row_of
from asynccp.objects.scan import DIRECTORY_MODE, FILE_MODE, Found, mode_of, mtime_ns_of, scan
from asynccp.objects.store import Store
from asynccp.objects.url import parse_url
from asynccp.options import Filtering
from asynccp.plan.filters import excluding
from asynccp.plan.manifest import Item


class Bucket:
    def __init__(self, objects: Mapping[str, bytes], **metadata: str) -> None:
        self.client = MemoryStore()
        for key, content in objects.items():
            obstore.put(self.client, key, content, attributes=metadata)

    def scanned(self, source: str, filtering: Filtering = Filtering()) -> Found:  # noqa: B008 (a value)
        return scan(source, filtering, Store(parse_url(source), self.client))


def shown(found: Found) -> dict[str, str]:
    return {one.path.decode(): f"{one.kind.value} {one.size} {one.mode:04o}" for one in found.entries}


OBJECTS = {"config/a": b"x", "config/d/b": b"yy", "config-old/c": b"", "config/d/e/f": b""}


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("s3://bucket/config/", ["a", "d", "d/b", "d/e", "d/e/f"]),
        ("s3://bucket/config", ["config", "config/a", "config/d", "config/d/b", "config/d/e", "config/d/e/f"]),
        ("s3://bucket/config/d", ["d", "d/b", "d/e", "d/e/f"]),
        ("s3://bucket/config/a", ["a"]),
        ("s3://bucket", ["config", "config/a", "config/d", "config/d/b", "config/d/e", "config/d/e/f", "config-old",
                         "config-old/c"]),
    ],
)  # fmt: skip
def test_a_slash_means_the_contents_as_it_does_of_a_directory(source: str, paths: list[str]) -> None:
    found = Bucket(OBJECTS).scanned(source)
    assert [one.path.decode() for one in found.entries] == paths
    assert {one.mode for one in found.entries if one.kind is Kind.DIRECTORY} <= {DIRECTORY_MODE}


def test_metadata_tell_modes_and_times_and_without_any_the_store_does() -> None:
    (one,) = Bucket({"a": b"x"}, mtime="1500000000.25", mode="0100640", uid="7").scanned("s3://bucket/a").entries
    assert (one.mode, one.mtime_ns, one.uid) == (0o640, 1_500_000_000_250_000_000, 7)
    (one,) = Bucket({"a": b"x"}).scanned("s3://bucket/a").entries
    assert (one.mode, one.mtime_ns) == (FILE_MODE, one.origin.mtime_ns if one.origin else 0)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("0100644", 0o644),
        ("644", 0o644),
        ("33188", 0o644),
        ("0104755", 0o755),
        ("", None),
        ("rw", None),
        ("9" * 12, None),
    ],
)
def test_modes_are_read_as_those_who_write_them(text: str, mode: int | None) -> None:
    assert mode_of(text) == mode


@pytest.mark.parametrize(
    ("text", "mtime_ns"),
    [
        ("1.5", 1_500_000_000),
        ("7", 7_000_000_000),
        ("-1", None),
        ("1e99", None),
        ("NaN", None),
        ("then", None),
        ("", None),
    ],
)
def test_times_are_seconds_with_or_without_a_fraction(text: str, mtime_ns: int | None) -> None:
    assert mtime_ns_of(text) == mtime_ns


def test_the_manifest_brings_back_what_no_object_is_and_is_believed_only_of_what_stands_there() -> None:
    bucket = Bucket({"run/web-0/log/a": b"x", "run/web-0/log/b": b"y"})
    etag = obstore.head(bucket.client, "run/web-0/log/a")["e_tag"] or ""
    known = [
        Known("web-0/log", Item(Kind.DIRECTORY, mode=0o750, mtime_ns=7)),
        Known("web-0/log/a", Item(Kind.FILE, 1, 9, 0o600), "", etag),
        Known("web-0/log/b", Item(Kind.FILE, 1, 9, 0o600), "", '"of another"'),
        Known("web-0/log/empty", Item(Kind.DIRECTORY, mode=0o700)),
        Known("web-0/log/gone", Item(Kind.FILE, 1, 9, 0o600)),
        Known("web-0/log/now", Item(Kind.SYMLINK, mode=0o777, link=b"a")),
    ]
    obstore.put(bucket.client, "run/manifest.jsonl", b"".join(manifest.written(map(row_of, known))))
    obstore.put(bucket.client, "run/report.json", b"{}")
    assert shown(bucket.scanned("s3://bucket/run/web-0/log")) == {
        "log": "directory 0 0750", "log/a": "file 1 0600", "log/b": "file 1 0644", "log/empty": "directory 0 0700",
        "log/now": "symlink 0 0777",
    }  # fmt: skip
    assert {*shown(bucket.scanned("s3://bucket/run/"))} & {"manifest.jsonl", "report.json"} == set()


def test_what_is_a_file_and_a_directory_is_left_out_and_a_consoles_marker_is_none() -> None:
    found = Bucket({"a": b"x", "a/b": b"y", "c": b"", "c/d": b"z"}).scanned("s3://bucket")
    assert [*shown(found)] == ["a", "a/b", "c", "c/d"]
    assert [one.path for one in found.left_out] == [b"a"]


def test_filters_hold() -> None:
    bucket = Bucket(OBJECTS)
    found = bucket.scanned("s3://bucket/config", Filtering(rules=(excluding("d/"),)))
    assert (list(shown(found)), found.excluded) == (["config", "config/a"], 4)
    with pytest.raises(PlanError, match="the filters leave nothing"):
        bucket.scanned("s3://bucket/config/", Filtering(rules=(excluding("*"),)))


@pytest.mark.parametrize(
    ("source", "words"),
    [("s3://bucket/none", "there is no object"), ("s3://bucket/both", "is an object, and others lie below it")],
)
def test_what_is_not_there_or_can_mean_two_things_is_refused(source: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Bucket({"both": b"x", "both/a": b"y"}).scanned(source)
