"""A pull that lost its session, and what the next session does about it. --fail-fast. --checksum, to pods that lie."""

import hashlib
import os
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind, Origin
from asynccp.errors import Knob
from asynccp.options import RECORD_SIZE, RESUME_RECORDS, Compression, Failures, Options, Verification
from asynccp.plan.plan import PushPlan
from asynccp.report import Outcome, Report
from asynccp.status import ExitStatus
from asynccp.target import Transfer

from ..archive.reference import content_of, member
from .scripted import (
    TOKEN,
    Pod,
    Script,
    by_name,
    hangs,
    pull_plan,
    push_plan,
    scripted,
    target,
    targets,
)

LOG = Entry(b"log", Kind.DIRECTORY, mode=0o755)
A, B = Entry(b"log/a", Kind.FILE, 1000), Entry(b"log/b", Kind.FILE, 80 * RECORD_SIZE)
ARCHIVE = b"".join(map(member, [LOG, A, B])) + bytes(1024)
FILES = {"log/a": content_of(A), "log/b": content_of(B)}


class Attempts:
    """A pod with this archive. `gives[n]` is how many bytes of it the n-th session brings before it is lost."""

    def __init__(self, *gives: int, archive: bytes = ARCHIVE, resumes: bool = True) -> None:
        self.asked: list[int] = []
        self._gives = list(gives)
        self._archive = archive
        self._resumes = resumes

    async def __call__(self, pod: Pod) -> None:
        records, digest = int(pod.words["records"]), pod.words["digest"]
        self.asked.append(records)
        start = records * RECORD_SIZE
        same = hashlib.sha256(self._archive[:start]).hexdigest() == digest
        if not (records and same and self._resumes):
            start = 0
        await pod.hello(f"resume={records} sum=sha256sum" if start else "sum=sha256sum")
        stop = self._gives.pop(0) if self._gives else len(self._archive)
        for at in range(start, stop, 32 * 1024):
            await pod.say(self._archive[at : min(stop, at + 32 * 1024)])
        if stop == len(self._archive):
            await pod.done("rc=0")
            await pod.hear_line()
            await pod.end()


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def pull_from(script: Script, to: Path, *, checksum: bool = False) -> Report:
    async with scripted(script) as cluster:
        report = await pull(
            cluster,
            pull_plan(str(to), [target()]),
            options=Options(verification=Verification(checksum=checksum), compression=Compression.NONE),
        )
    assert not any(".partial" in name for name in await to_thread.run_sync(files_in, to)), "a torn file was left"
    return report


MUCH = RESUME_RECORDS * RECORD_SIZE


@pytest.mark.parametrize("more", [0, 1, 511, 512, RECORD_SIZE - 1, RECORD_SIZE, 3 * RECORD_SIZE + 17])
async def test_a_lost_pull_continues_where_it_stood(more: int, tmp_path: Path) -> None:
    pod = Attempts(MUCH + more)
    report = await pull_from(pod, tmp_path)
    assert report.ok
    assert pod.asked == [0, RESUME_RECORDS + more // RECORD_SIZE]
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == FILES
    assert (report.results[0].tries, report.results[0].size) == (2, sum(map(len, FILES.values())))
    assert report.results[0].wire_size < len(ARCHIVE) + 2 * RECORD_SIZE, "it came once"


async def test_a_pull_may_be_lost_again_and_again(tmp_path: Path) -> None:
    pod = Attempts(MUCH, MUCH + 5 * RECORD_SIZE + 5, MUCH + 5 * RECORD_SIZE + 5, len(ARCHIVE) - 1)
    report = await pull_from(pod, tmp_path)
    assert report.ok
    assert pod.asked == [0, 64, 69, 69, (len(ARCHIVE) - 1) // RECORD_SIZE]
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == FILES


async def test_a_pull_that_was_lost_behind_its_last_byte_continues_there(tmp_path: Path) -> None:
    async def dies_before_its_done_line(pod: Pod) -> None:
        if pod.words["records"] == "0":
            await pod.hello()
            await pod.say(ARCHIVE)
        else:
            await whole(pod)

    whole = Attempts()
    assert (await pull_from(dies_before_its_done_line, tmp_path)).ok
    assert whole.asked == [len(ARCHIVE) // RECORD_SIZE]
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == FILES


async def test_a_short_beginning_is_not_worth_it(tmp_path: Path) -> None:
    pod = Attempts(MUCH - 1)
    assert (await pull_from(pod, tmp_path)).ok
    assert pod.asked == [0, 0]
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == FILES


async def test_a_pod_that_can_not_continue_starts_over(tmp_path: Path) -> None:
    pod = Attempts(MUCH + 5, resumes=False)
    assert (await pull_from(pod, tmp_path)).ok
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == FILES


async def test_a_pull_whose_source_changed_meanwhile_starts_over_and_mixes_nothing(tmp_path: Path) -> None:
    other = Entry(b"log/a", Kind.FILE, 1001)
    changed = b"".join(map(member, [LOG, other, B])) + bytes(1024)
    first, second = Attempts(MUCH + 5), Attempts(archive=changed)

    async def script(pod: Pod) -> None:
        await (second if first.asked else first)(pod)

    assert (await pull_from(script, tmp_path)).ok
    assert second.asked == [RESUME_RECORDS]
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == {**FILES, "log/a": content_of(other)}


async def test_bytes_that_come_again_and_differ_are_not_mixed_in(tmp_path: Path) -> None:
    """What lies behind the last whole record is not in the digest: it is compared itself."""
    changed = bytearray(ARCHIVE)
    changed[MUCH + 3] ^= 1
    first, second = Attempts(MUCH + 9), Attempts(archive=bytes(changed))

    async def script(pod: Pod) -> None:
        await (second if first.asked else first)(pod)

    report = await pull_from(script, tmp_path)
    assert report.ok
    assert second.asked == [RESUME_RECORDS, 0]
    there = await to_thread.run_sync(files_in, tmp_path / "web-0")
    assert there["log/b"] in bytes(changed)
    assert there["log/b"] != FILES["log/b"]


async def test_a_lost_pull_that_gets_no_further_attempt_leaves_no_torn_file(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(ARCHIVE[:MUCH])

    report = await pull_from(script, tmp_path)
    assert report.exit_code == 1
    assert report.results[0].tries == 5
    assert await to_thread.run_sync(files_in, tmp_path / "web-0") == {"log/a": FILES["log/a"]}, "whole files stay"


# --- --fail-fast


async def test_the_first_pod_that_fails_ends_a_run_that_is_to_fail_fast() -> None:
    async def refuses(pod: Pod) -> None:
        await anyio.sleep(5)
        await pod.hello("problem=not-writable")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    begun = anyio.current_time()
    async with scripted(by_name(hangs, web_0=refuses)) as cluster:
        report = await push(cluster, push_plan(targets(5)), options=Options(failures=Failures(fail_fast=True)))
    assert anyio.current_time() - begun < 10
    assert report.exit_code == 1
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 5
    assert {one.error for one in report.results[1:]} == {
        "ended before it was complete, because default/web-0:/etc/app failed first"
    }


# --- --checksum


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"content")
    return path


def plan_of(source: Path, pods: int = 1) -> PushPlan:
    found = source.stat()
    which = found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns
    origin = Origin(os.fsencode(source.parent), os.fsencode(source.name), *which)
    entry = Entry(b"source", Kind.FILE, found.st_size, 0o644, found.st_mtime_ns, origin=origin)
    transfers = tuple(Transfer(one, "/etc/app") for one in targets(pods))
    return PushPlan((str(source),), ArchiveLayout([entry], TOKEN), transfers)


def answers(digest: str) -> Script:
    """Return the script of a pod that received a push, and says that this is its file's digest."""

    async def script(pod: Pod) -> None:
        await pod.hello("count=dd sum=sha256sum")
        await pod.hear_archive()
        await pod.received()
        assert await pod.hear() == b"sum\n./source\n\n"
        await pod.say(f"{digest}  ./source\nasynccp {TOKEN} summed\n".encode())
        if await pod.hear() == b"go\n":
            await pod.done()
            await pod.hear_line()
            await pod.end()

    return script


SHA256 = hashlib.sha256(b"content").hexdigest()


async def push_checked(script: Script, source: Path, retries: int = 0) -> Report:
    async with scripted(script) as cluster:
        return await push(
            cluster,
            plan_of(source),
            options=Options(verification=Verification(checksum=True), failures=Failures(retries=retries)),
        )


async def test_a_push_is_put_in_place_when_the_digests_are_the_same(source: Path) -> None:
    report = await push_checked(answers(SHA256), source)
    assert report.ok
    (pod,) = report.to_json()["pods"]
    assert (pod["checksum"], pod["digests"]) == ("sha256sum", {"source": SHA256})


async def test_a_push_that_differs_in_the_pod_is_never_put_in_place(source: Path) -> None:
    report = await push_checked(answers("0" * 64), source)
    assert report.exit_code == 1
    assert report.results[0].error == "1 file is not the same here and in the container: source"


async def test_a_file_that_was_damaged_on_the_way_is_sent_again(source: Path) -> None:
    digests = iter(["0" * 64, SHA256])

    async def script(pod: Pod) -> None:
        await answers(next(digests))(pod)

    report = await push_checked(script, source, retries=1)
    assert report.ok
    assert report.results[0].tries == 2


@pytest.mark.parametrize("hello", ["count=dd sum=none", "count=dd", "count=dd sum=rm", "count=none sum=sha256sum"])
async def test_a_pod_that_can_not_be_compared_with_gets_no_byte(hello: str, source: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello(hello)
        assert await pod.hear() == b""
        assert pod.heard == 0

    report = await push_checked(script, source)
    assert "files can't be compared" in report.results[0].error
    assert f"without {Knob.CHECKSUM}" in report.results[0].hint


async def test_a_pod_that_digests_for_long_is_waited_for(source: Path) -> None:
    """Its 5 MB take a quarter of a second at the pace of the slowest disk: so much longer than the deadline."""

    async def script(pod: Pod) -> None:
        await pod.hello("sum=sha256sum")
        for at in range(0, len(ARCHIVE), 32 * 1024):
            await pod.say(ARCHIVE[at : at + 32 * 1024])
        await pod.done("rc=0")
        await pod.hear_line()
        await anyio.sleep(120.1)
        for path in FILES:
            await pod.say(f"{hashlib.sha256(FILES[path]).hexdigest()}  ./{path}\n".encode())
        await pod.say(f"asynccp {TOKEN} summed\n".encode())
        await pod.hear_line()
        await pod.end()

    report = await pull_from(script, source.parent / "to", checksum=True)
    assert report.ok, report.results[0].error
    assert report.results[0].checksum == "sha256sum"
    assert len(report.results[0].digests) == 2


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "the session ended before the pod had said its last word"),
        (b"no digest at all\n" + f"asynccp {TOKEN} summed\n".encode(), "where a digest belongs"),
        (f"asynccp {TOKEN} summed\n".encode(), "2 files are not the same here and in the container: log/a, log/b"),
    ],
)
async def test_a_pull_whose_digests_do_not_come_is_not_complete(said: bytes, error: str, tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("sum=sha256sum stat=")
        for at in range(0, len(ARCHIVE), 32 * 1024):
            await pod.say(ARCHIVE[at : at + 32 * 1024])
        await pod.done("rc=0")
        await pod.hear_line()
        while said:
            await pod.say(said)
            await pod.hear_line()

    async with scripted(script) as cluster:
        plan = pull_plan(str(tmp_path), [target()])
        report = await pull(
            cluster, plan, options=Options(verification=Verification(checksum=True), failures=Failures(retries=0))
        )
    assert error in report.results[0].error
    assert report.exit_code == 1


async def test_digests_of_many_pods_are_read_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[bytes] = []

    def digest(entry: Entry, algorithm: str) -> Generator[int, None, str]:
        reads.append(entry.path)
        yield entry.size
        return SHA256

    monkeypatch.setattr("asynccp.engine.digests.digest_source", digest)
    async with scripted(answers(SHA256)) as cluster:
        report = await push(cluster, plan_of(source, 20), options=Options(verification=Verification(checksum=True)))
    assert report.ok
    assert reads == [b"source"]
