"""--bwlimit: all sessions of a run together stay below it, and none of them takes its wait for a stall."""

from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.engine.pace import BURST_S, Bucket
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind
from asynccp.options import CHUNK_SIZE, RECORD_SIZE, Compression, Concurrency, Deadlines, Failures, Options

from ..archive.reference import member
from .scripted import TOKEN, Pod, pull_plan, push_plan, scripted, targets

MIB = 1024 * 1024


@given(st.lists(st.tuples(st.integers(0, 100_000), st.floats(0, 3)), min_size=1, max_size=50))
def test_no_stretch_of_time_has_more_than_its_allowance(takes: list[tuple[int, float]]) -> None:
    bucket, now, went = Bucket(10_000.0), 100.0, []
    for size, pause_s in takes:
        now += pause_s
        went.append((now + bucket.take(size, now), size))
    for first, (begun, _) in enumerate(went):
        for last in range(first, len(went)):
            sent, ended = sum(size for _, size in went[first:last]), went[last][0]
            assert sent <= 10_000 * (ended - begun + BURST_S) + 1e-3


def test_what_was_not_used_is_lost_but_for_a_moment() -> None:
    bucket = Bucket(1000.0)
    assert bucket.take(5000, 0.0) == 0
    assert bucket.take(1, 0.0) == pytest.approx(5.0 - BURST_S)
    assert bucket.take(5000, 1000.0) == 0
    assert bucket.take(1, 1000.0) == pytest.approx(5.0 - BURST_S)


async def test_a_push_to_many_pods_takes_as_long_as_its_bytes_at_that_rate_and_is_no_stall() -> None:
    plan = push_plan(targets(10), 8 * CHUNK_SIZE)
    begun = anyio.current_time()
    async with scripted() as cluster:
        report = await push(
            cluster,
            plan,
            options=Options(
                concurrency=Concurrency(rate_per_s=50_000),
                deadlines=Deadlines(stall_after_s=10.0),
                compression=Compression.NONE,
            ),
        )
    assert report.ok, [one.error for one in report.results]
    took_s = anyio.current_time() - begun
    assert took_s == pytest.approx(10 * plan.layout.size / 50_000, rel=0.1)


async def test_a_pod_whose_turn_is_late_is_asked_in_time() -> None:
    """What a message of the dialogue waits for must not count against the deadline of a pod's first word."""
    options = Options(
        concurrency=Concurrency(rate_per_s=10_000, sessions=20),
        failures=Failures(retries=0),
        compression=Compression.NONE,
    )
    async with scripted() as cluster:
        report = await push(cluster, push_plan(targets(21)), options=options)
    assert report.ok, [one.error for one in report.results]
    assert options.deadlines.open_timeout_s < 19 * RECORD_SIZE / 10_000, "what goes before the last pod's first message"


async def test_a_pull_whose_turn_is_late_is_not_taken_for_one_that_does_not_end(tmp_path: Path) -> None:
    archive = member(Entry(b"log", Kind.FILE, MIB)) + bytes(1024)

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note("ended rc=0 entries=1")  # it may overtake the archive
        for at in range(0, len(archive), 65536):
            await pod.say(archive[at : at + 65536])
        assert pod.unheard == 0, "it was let go"
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    async with scripted(script) as cluster:
        options = Options(
            concurrency=Concurrency(rate_per_s=10_000), failures=Failures(retries=0), compression=Compression.NONE
        )
        report = await pull(cluster, pull_plan(str(tmp_path), targets(3)), options=options)
    assert report.ok, [one.error for one in report.results]


async def test_a_pull_from_many_pods_takes_as_long_as_its_bytes_at_that_rate(tmp_path: Path) -> None:
    archive = member(Entry(b"log", Kind.FILE, MIB)) + bytes(1024)

    async def script(pod: Pod) -> None:
        await pod.hello()
        for at in range(0, len(archive), 32768):
            await pod.say(archive[at : at + 32768])
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    begun = anyio.current_time()
    async with scripted(script) as cluster:
        options = Options(
            concurrency=Concurrency(rate_per_s=100_000),
            deadlines=Deadlines(stall_after_s=10.0),
            compression=Compression.NONE,
        )
        report = await pull(cluster, pull_plan(str(tmp_path), targets(5)), options=options)
    assert report.ok, [one.error for one in report.results]
    assert anyio.current_time() - begun == pytest.approx(5 * len(archive) / 100_000, rel=0.1)


async def test_a_count_whose_turn_is_late_is_waited_for_and_tells_that_something_is_missing(tmp_path: Path) -> None:
    """Notes wait behind others' bytes as well: a pod that can't be heard in time has not counted too slowly."""
    archive = member(Entry(b"log", Kind.FILE, 1000)) + bytes(1024)

    async def script(pod: Pod) -> None:
        await pod.hello("count=dd counts=yes")
        await pod.say(archive)
        await pod.done("rc=0")
        await anyio.sleep(60)
        await pod.note("census entries=2 bytes=2000")
        while (asked := await pod.hear()).startswith(b"old\n"):
            await pod.say(b"2  %sasynccp %s summed\n" % (asked.removeprefix(b"old\n")[:-1], TOKEN.encode()))
        await pod.end()

    async with scripted(script) as cluster:
        options = Options(
            concurrency=Concurrency(rate_per_s=1_000_000),
            failures=Failures(retries=0),
            compression=Compression.NONE,
        )
        report = await pull(cluster, pull_plan(str(tmp_path), targets(1)), options=options)
    assert "1 entry is missing of the 2" in report.results[0].error
