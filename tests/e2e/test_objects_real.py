"""The same with a real S3 server, that $AWS_ENDPOINT_URL names: `nox -s objects`. Each test has a prefix of its own."""

import hashlib
import json
import os
import secrets
import signal
from collections.abc import Iterator

import pytest

from asynccp.objects.store import Store, opened
from asynccp.objects.url import parse_url
from tests.e2e.fleet import Fleet, asynccp, labels_for, sh, snapshot
from tests.e2e.running import Running, eventually

pytestmark = pytest.mark.skipif("ASYNCCP_TEST_S3" not in os.environ, reason="needs an S3 server: nox -s objects")
FILL = 'mkdir -p "$1/d" && cd "$1" && head -c 12000000 /dev/urandom >large && echo small >d/small && ln -s d/small now'


@pytest.fixture
def store() -> Iterator[Store]:
    """A new prefix. SeaweedFS makes a bucket when the first object comes; other servers must have this one."""
    made = opened(parse_url(f"s3://asynccp-test/run-{secrets.token_hex(4)}"))
    made.put("first", b"")
    made.remove("first")
    yield made
    for one in list(made.list("")):
        made.remove(one.key)


def content(store: Store, key: str) -> bytes:
    pieces = store.read(key)
    assert pieces is not None, key
    return b"".join(pieces)


def test_a_pull_is_verified_by_its_digests_and_a_second_one_moves_nothing(fleet: Fleet, store: Store) -> None:
    pod = fleet.add("gnu", "s3-first", labels_for("s3"))
    sh(fleet, pod, "sh", "-c", FILL, "sh", "/tmp/out")
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/out", str(store.url), "-o", "json")
    assert ran.code == 0, ran.err
    lines = [json.loads(one) for one in content(store, "manifest.jsonl").splitlines()[1:]]
    files = {one["key"]: one for one in lines if one["kind"] == "file"}
    assert {*files} == {f"{pod}/out/large", f"{pod}/out/d/small"}
    for key, one in files.items():
        assert hashlib.sha256(content(store, key)).hexdigest() == one["sha256"]
        assert store.head(key) == (key, one["size"], one["etag"], store.head(key).mtime_ns)  # type: ignore[union-attr]
    back = asynccp(fleet, "push", f"{store.url}/{pod}/out/", f"{pod}:/tmp/back", "--checksum", "-o", "json")
    assert back.code == 0, back.err
    wanted = snapshot(fleet, pod, "/tmp/out")
    assert {path: one for path, one in snapshot(fleet, pod, "/tmp/back").items() if path} == {
        path: one for path, one in wanted.items() if path
    }
    before = {one.key: one for one in store.list("")}
    again = asynccp(fleet, "pull", f"{pod}:/tmp/out", str(store.url), "-o", "json")
    assert (again.code, again.report["pods"][0]["tally"]["same"]) == (0, 5)
    after = {one.key: one for one in store.list("")}
    assert {key for key, one in after.items() if before[key].etag != one.etag} == {"report.json"}


def test_another_object_under_the_same_key_is_not_taken_for_the_one_that_was_listed(store: Store) -> None:
    etag = store.put("a", b"first")
    assert store.part("a", 0, 5, etag=etag) == (b"first", 5, next(store.list("")).mtime_ns)
    store.put("a", b"other")
    assert store.part("a", 0, 5, etag=etag) is None
    assert store.part("none", 0, 5, etag=etag) is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_that_is_ended_in_the_middle_leaves_no_object(
    fleet: Fleet, store: Store, number: signal.Signals
) -> None:
    pod = fleet.add("gnu", f"s3-{number.name.lower()}", labels_for("s3"))
    make = 'mkdir -p "$1" && head -c 150000000 /dev/zero >"$1/huge" && echo small >"$1/a-small"'
    sh(fleet, pod, "sh", "-c", make, "sh", "/tmp/out")
    with Running(fleet, "pull", f"{pod}:/tmp/out/", str(store.url), "--bwlimit", "20M") as running:
        running.wait_for(pod, "started")
        eventually("the small one is there", lambda: store.head(f"{pod}/a-small"))
        running.send_signal(number)
        running.finish()
    assert store.head(f"{pod}/huge") is None
    assert (store.head("report.json") is None) == (number is signal.SIGKILL)
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/out/", str(store.url), "-o", "json")
    assert ran.code == 0, ran.err
    found = store.head(f"{pod}/huge")
    assert found
    assert found.size == 150_000_000
