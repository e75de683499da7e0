"""Logs of containers that end, hang, break off and never end: each whole under its name, or failed with its cause."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from asynccp.engine.pull import pull
from asynccp.entry import LeftOut
from asynccp.errors import Knob, SessionLost
from asynccp.limits import Limits
from asynccp.options import Collecting, Concurrency, Deadlines, Failures, Options
from asynccp.plan.plan import PullPlan, build_pull
from asynccp.report import Outcome, Report
from asynccp.target import Log, Target, Transfer

from .clock import JumpingLoop
from .scripted import ONCE, TOKEN, Recorder, running, scripted, target

Logs = Callable[[Target, Log], AsyncIterator[bytes]]


def plan_of(destination: Path, *pods: str) -> PullPlan:
    return build_pull(str(destination), [Transfer(target(pod), "main.log", Log()) for pod in pods], (), TOKEN)


async def pulled(logs: Logs, to: Path, *pods: str, options: Options = ONCE) -> Report:
    async with scripted() as cluster:
        cluster.logs = logs
        cluster.now = {pod: running(target(pod)) for pod in pods}
        return await pull(cluster, plan_of(to, *(pods or ("web-0",))), options=options, observer=Recorder())


def names(directory: Path) -> list[str]:
    """Return what is in a directory, or below it, if that is there."""
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*"))


async def whole(_: Target, __: Log) -> AsyncIterator[bytes]:
    yield b"one\n"
    await anyio.sleep(1)
    yield b"two\n"


async def test_a_log_becomes_a_file_with_its_size_in_the_report(tmp_path: Path) -> None:
    report = await pulled(whole, tmp_path)
    (result,) = report.results
    assert (result.outcome, result.size, result.entries, result.wire_size) == (Outcome.COMPLETE, 8, 1, 8)
    assert str(result.transfer) == "default/web-0/main log"
    assert (tmp_path / "web-0" / "main.log").read_bytes() == b"one\ntwo\n"


async def test_a_log_larger_than_is_kept_in_memory_is_whole_too(tmp_path: Path) -> None:
    async def long(_: Target, __: Log) -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 50_000

    assert (await pulled(long, tmp_path)).ok
    expected = b"".join(bytes([number]) * 50_000 for number in range(40))
    assert (tmp_path / "web-0" / "main.log").read_bytes() == expected


async def test_a_log_that_breaks_off_is_read_again_and_never_left_torn(tmp_path: Path) -> None:
    tries = 0

    async def breaks_once(_: Target, __: Log) -> AsyncIterator[bytes]:
        nonlocal tries
        tries += 1
        yield b"one\n"
        if tries == 1:
            raise SessionLost("the API server's answer broke off")
        yield b"two\n"

    report = await pulled(breaks_once, tmp_path, options=Options())
    assert (report.results[0].outcome, report.results[0].tries) == (Outcome.COMPLETE, 2)
    assert (tmp_path / "web-0" / "main.log").read_bytes() == b"one\ntwo\n"

    tries = 0
    report = await pulled(breaks_once, tmp_path / "once", options=ONCE)
    assert report.results[0].error == "the API server's answer broke off"
    assert names(tmp_path / "once") == []


async def test_a_log_of_a_container_that_is_over_is_read_again_as_well(tmp_path: Path) -> None:
    tries = 0

    async def breaks_once(_: Target, __: Log) -> AsyncIterator[bytes]:
        nonlocal tries
        tries += 1
        yield b"died\n"
        if tries == 1:
            raise SessionLost("the API server's answer broke off")

    over = replace(target(), for_log=True)
    ended = running(over)
    ended["status"]["containerStatuses"][0]["state"] = {"terminated": {"reason": "Error"}}
    async with scripted() as cluster:
        cluster.logs, cluster.now = breaks_once, {"web-0": ended}
        plan = build_pull(str(tmp_path), [Transfer(over, "main.log", Log())], (), TOKEN)
        assert (await pull(cluster, plan, options=Options())).ok
    assert (tmp_path / "web-0" / "main.log").read_bytes() == b"died\n"


async def test_a_log_that_stands_still_fails_alone_and_in_time(tmp_path: Path, clock: JumpingLoop) -> None:
    async def hangs(of: Target, log: Log) -> AsyncIterator[bytes]:
        yield b"one\n"
        if of.pod == "web-0":
            await anyio.sleep_forever()

    begun = clock.time()
    options = Options(deadlines=Deadlines(stall_after_s=7), failures=Failures(retries=3))
    report = await pulled(hangs, tmp_path, "web-0", "web-1", options=options)
    assert [one.outcome for one in report.results] == [Outcome.FAILED, Outcome.COMPLETE]
    assert report.results[0].error == "nothing of the log has come for 7 s"
    assert Knob.STALL_AFTER in report.results[0].hint
    assert 7 <= clock.time() - begun < 10, "it is not tried again"
    assert names(tmp_path) == ["web-1", "web-1/main.log"]


async def test_a_log_without_end_is_refused(tmp_path: Path) -> None:
    async def endless(_: Target, __: Log) -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)
            await anyio.lowlevel.checkpoint()

    report = await pulled(endless, tmp_path, options=ONCE._replace(limits=Limits(size=10_000)))
    assert report.results[0].error == "the log has more than 10000 bytes"
    assert Knob.SIZE in report.results[0].hint
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("collecting", "why"),
    [
        (Collecting(most_file_size=7), "larger than the 7 that one file may have"),
        (Collecting(most_pod_size=7), "no room for it beside newer files in the 7 that one pod may have"),
        (Collecting(most_total_size=7), "no room left for it in the 7 that all pods may have together"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
async def test_a_log_that_is_too_much_is_left_out_and_named(
    tmp_path: Path, collecting: Collecting, why: str, strict: bool
) -> None:
    options = ONCE._replace(collecting=collecting, failures=ONCE.failures._replace(strict=strict))
    (result,) = (await pulled(whole, tmp_path, options=options)).results
    assert result.outcome is (Outcome.PARTIAL if strict else Outcome.COMPLETE)
    assert [*result.left_out] == [LeftOut(b"main.log", why)]
    assert (result.size, result.entries, names(tmp_path)) == (0, 0, [])


async def test_logs_of_all_pods_share_one_room_and_one_that_failed_takes_none(tmp_path: Path) -> None:
    (tmp_path / "web-0").touch()  # nothing can be written below it
    pods = [f"web-{number}" for number in range(6)]
    one_at_a_time = Concurrency(sessions=1)
    options = ONCE._replace(collecting=Collecting(most_total_size=27), concurrency=one_at_a_time)
    report = await pulled(whole, tmp_path, *pods, options=options)
    assert len([one for one in report.results if one.size == 8]) == 3
    assert len([one for one in report.results if one.left_out]) == 2
    assert report.results[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("log", "size", "end"),
    [
        ([b"one\n", b"two\n"], 8, b"one\ntwo\n"),
        ([b"one\n", b"two\n"], 7, b"two\n"),
        ([b"one\ntw", b"o\n"], 5, b"two\n"),
        ([b"one two"], 3, b"two"),
        (
            [bytes([97 + number]) * 50_000 + b"\n" for number in range(20)],
            100_010,
            (b"s" * 50_000 + b"\n" + b"t" * 50_000 + b"\n"),
        ),
        ([], 5, b""),
    ],
)
async def test_of_a_log_the_end_is_taken_from_a_lines_begin(
    tmp_path: Path, log: list[bytes], size: int, end: bytes
) -> None:
    async def said(_: Target, __: Log) -> AsyncIterator[bytes]:
        for piece in log:
            yield piece

    options = ONCE._replace(collecting=Collecting(tail_size=size, most_file_size=size))
    (result,) = (await pulled(said, tmp_path, options=options)).results
    assert result.outcome is Outcome.COMPLETE
    assert (tmp_path / "web-0" / "main.log").read_bytes() == end
    assert [one.path for one in result.not_kept] == [b"main.log"] * (end != b"".join(log))


async def test_logs_keep_to_the_rate(tmp_path: Path, clock: JumpingLoop) -> None:
    async def long(_: Target, __: Log) -> AsyncIterator[bytes]:
        for piece in [bytes(10_000)] * 10:
            yield piece

    begun = clock.time()
    options = ONCE._replace(concurrency=Concurrency(rate_per_s=10_000))
    assert (await pulled(long, tmp_path, "web-0", "web-1", options=options)).ok
    assert 17 <= clock.time() - begun <= 25, "200,000 bytes of two logs together"


async def test_an_interrupted_run_leaves_no_torn_log(tmp_path: Path) -> None:
    stop = anyio.Event()

    async def stops(_: Target, __: Log) -> AsyncIterator[bytes]:
        yield b"one\n"
        stop.set()
        await anyio.sleep_forever()

    async with scripted() as cluster:
        cluster.logs = stops
        report = await pull(cluster, plan_of(tmp_path, "web-0"), options=ONCE, stop=stop)
    assert report.results[0].outcome is Outcome.INTERRUPTED
    assert names(tmp_path) == []


async def test_a_place_that_can_not_be_written_is_that_logs_trouble(tmp_path: Path) -> None:
    (tmp_path / "web-0").write_text("in the way")
    report = await pulled(whole, tmp_path, "web-0", "web-1")
    assert [one.outcome for one in report.results] == [Outcome.FAILED, Outcome.COMPLETE]
    assert "is a file or a symbolic link, but a directory belongs there" in report.results[0].error


@pytest.mark.parametrize("count", [1, 30])
async def test_logs_of_many_pods(tmp_path: Path, count: int) -> None:
    pods = [f"web-{number}" for number in range(count)]
    assert (await pulled(whole, tmp_path, *pods)).ok
    assert names(tmp_path) == sorted(name for pod in pods for name in (pod, f"{pod}/main.log"))
