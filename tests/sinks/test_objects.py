"""One pod's archive as objects, without a network: what stands in the store, and what a second run finds there."""

import hashlib
import json
import tracemalloc

import obstore
import pytest
from obstore.store import MemoryStore

from asynccp.entry import Kind
from asynccp.errors import UsageError
from asynccp.objects.store import Store
from asynccp.objects.url import parse_url
from asynccp.options import Attributes, Collecting, Options, Verification
from asynccp.report import Outcome, Report, Result
from asynccp.sinks.base import Place
from asynccp.sinks.destinations import destination_of
from asynccp.sinks.ingest import Ingest
from asynccp.sinks.objects import WHOLE_SIZE, Objects
from asynccp.target import Target, Transfer
from tests.archives import archive, directory, file, hard_link, sparse, symlink
from tests.e2e.running import eventually

LARGE = bytes(range(256)) * (WHOLE_SIZE // 256 + 100)
MADE = (
    directory(b"log", 0o750),
    file(b"log/a", b"x" * 1000, mode=0o640),
    file(b"log/big", LARGE),
    symlink(b"log/l", b"a"),
    hard_link(b"log/h", b"log/a"),
    sparse(b"log/s", 3 * WHOLE_SIZE, b"2\n%d\n1000\n%d\n0\n" % (2 * WHOLE_SIZE, 3 * WHOLE_SIZE), b"y" * 1000),
)
URL = parse_url("s3://bucket/run-1/")
PLACE = Place(directory="web-0", name=b"log")
COMPLETE = Report("pull", [Result(Transfer(Target("shop", "web-0", "main"), "/var/log"), Outcome.COMPLETE)])


class Bucket:
    """Objects in memory."""

    def __init__(self) -> None:
        self.client = MemoryStore()

    def destination(self, attributes: Attributes = Attributes()) -> Objects:  # noqa: B008 (a value)
        return Objects(URL, attributes, Store(URL, self.client))

    def keys(self) -> list[str]:
        return sorted(one["path"].removeprefix("run-1/") for page in obstore.list(self.client) for one in page)

    def content(self, key: str) -> bytes:
        return bytes(obstore.get(self.client, f"run-1/{key}").bytes())

    def metadata(self, key: str) -> dict[str, str]:
        return dict(obstore.get(self.client, f"run-1/{key}").attributes)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def pulled(destination: Objects, *parts: bytes, place: Place = PLACE) -> Ingest:
    ingest = Ingest(destination.open(place), b"log")
    try:
        ingest.feed(b"".join(parts))
        if ingest.ended:
            ingest.finish()
    finally:
        ingest.abort()
    return ingest


def test_files_are_objects_and_all_else_is_in_the_manifest(bucket: Bucket) -> None:
    destination = bucket.destination()
    ingest = pulled(destination, archive(*MADE))
    assert (ingest.entries, ingest.size, ingest.left_out) == (6, 1000 + len(LARGE) + 3 * WHOLE_SIZE, [])
    assert bucket.keys() == [f"web-0/log/{name}" for name in ("a", "big", "h", "s")], "the report is to come"
    assert destination.finish(COMPLETE).ok
    destination.close()
    assert bucket.content("web-0/log/h") == bucket.content("web-0/log/a") == b"x" * 1000
    assert bucket.content("web-0/log/big") == LARGE
    assert bucket.content("web-0/log/s") == bytes(2 * WHOLE_SIZE) + b"y" * 1000 + bytes(WHOLE_SIZE - 1000)
    digest = hashlib.sha256(b"x" * 1000).hexdigest()
    assert bucket.metadata("web-0/log/a") == {"mode": "0100640", "mtime": "1700000000.000000000", "sha256": digest}
    lines = {one["key"]: one for one in map(json.loads, bucket.content("manifest.jsonl").splitlines()[1:])}
    assert list(lines) == [f"web-0/log{name}" for name in ("", "/a", "/big", "/h", "/l", "/s")]
    assert lines["web-0/log/big"]["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert (lines["web-0/log"]["mode"], lines["web-0/log/l"]["link"]) == ("0750", "a")
    assert json.loads(bucket.content("report.json"))["pods"][0]["outcome"] == "complete"


def test_owners_modes_and_times_are_told_as_far_as_they_are_kept(bucket: Bucket) -> None:
    pulled(bucket.destination(Attributes(preserve_owner=True)), archive(file(b"log", b"x")))
    assert {"uid", "gid"} <= bucket.metadata("web-0/log").keys()
    pulled(bucket.destination(Attributes(perms=False, times=False)), archive(file(b"log", b"x")))
    assert {*bucket.metadata("web-0/log")} == {"sha256"}


def test_a_torn_archive_leaves_whole_objects_only_and_the_next_run_knows_them(bucket: Bucket) -> None:
    destination = bucket.destination()
    torn = Ingest(destination.open(PLACE), b"log")
    torn.feed(directory(b"log") + file(b"log/a", b"whole") + file(b"log/big", LARGE)[: WHOLE_SIZE + 9])
    eventually("the whole one is there", lambda: bucket.keys() == ["web-0/log/a"])
    torn.abort()
    assert not torn.ended
    failed = Report("pull", [Result(COMPLETE.results[0].transfer, Outcome.FAILED, error="it was lost")])
    destination.finish(failed)
    assert bucket.keys() == ["manifest.jsonl", "report.json", "web-0/log/a"]
    again = bucket.destination()
    assert again.holds(PLACE)
    assert {*again.open(PLACE).standing([b"a", b"big", b""], 100)} == {b"a", b""}


def test_a_run_of_nothing_leaves_nothing(bucket: Bucket) -> None:
    failed = Report("pull", [Result(COMPLETE.results[0].transfer, Outcome.FAILED, error="it was lost")])
    bucket.destination().finish(failed)
    assert bucket.keys() == []


def test_what_stands_is_what_the_manifest_tells_and_the_store_still_has(bucket: Bucket) -> None:
    first = bucket.destination()
    assert not first.holds(PLACE)
    pulled(first, archive(*MADE))
    first.finish(COMPLETE)
    obstore.delete(bucket.client, "run-1/web-0/log/big")
    obstore.put(bucket.client, "run-1/web-0/log/a", b"y" * 1000)
    obstore.put(bucket.client, "run-1/web-0/log/strange", b"z")
    second = bucket.destination()
    assert second.holds(PLACE)
    assert not second.holds(PLACE._replace(name=b"lo"))
    found = second.open(PLACE).standing([b"", b"a", b"big", b"h", b"l", b"s", b"strange", b"none"], 100)
    assert {path: item.kind for path, item in found.items()} == {
        b"": Kind.DIRECTORY, b"h": Kind.FILE, b"l": Kind.SYMLINK, b"s": Kind.FILE,
    }  # fmt: skip
    assert (found[b"h"].size, found[b"h"].mode, found[b"h"].mtime_s) == (1000, 0o640, 1_700_000_000)


def test_a_second_run_keeps_what_it_did_not_touch(bucket: Bucket) -> None:
    for pod in ("web-0", "web-1"):
        destination = bucket.destination()
        pulled(destination, archive(file(b"log", b"x")), place=Place(directory=pod, name=b"log"))
        destination.finish(COMPLETE)
    lines = [json.loads(one) for one in bucket.content("manifest.jsonl").splitlines()]
    assert [one.get("key") for one in lines] == [None, "web-0/log", "web-1/log"]


def test_the_manifests_own_name_is_no_pods(bucket: Bucket) -> None:
    ingest = pulled(bucket.destination(), archive(file(b"log/report.json", b"x")), place=Place("", b""))
    assert [one.path for one in ingest.left_out] == [b"report.json"]


def test_ten_thousand_objects_are_compared_in_bounded_memory(bucket: Bucket) -> None:
    names = [b"%05d.log" % number for number in range(10_000)]
    first = bucket.destination()
    pulled(first, archive(directory(b"log"), *(file(b"log/" + name, b"x") for name in names)))
    first.finish(COMPLETE)
    second = bucket.destination()
    sink = second.open(PLACE)
    tracemalloc.start()
    try:
        found = sink.standing(names, 20_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 10_000
    assert peak < 32_000_000, "3 KiB for each"


@pytest.mark.parametrize(
    "options",
    [Options(collecting=Collecting(mirror=True)), Options(verification=Verification(checksum=True))],
)
def test_what_a_store_can_not_do_is_refused(options: Options) -> None:
    with pytest.raises(UsageError, match="object store"):
        destination_of("s3://bucket/x", options)
