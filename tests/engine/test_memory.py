"""Memory: every pod of a run has its share, whatever the others want."""

import json

import anyio
import pytest

from asynccp.engine.ledger import LEAST_NAMED, LEAST_SIZE, Ledger
from asynccp.engine.memory import STEP_SIZE, Memory
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import UnsafeEntry
from asynccp.report import Outcome, Result
from asynccp.target import Target, Transfer

SIZE = 100 * STEP_SIZE


async def test_who_has_more_than_is_left_waits_until_the_first_is_done() -> None:
    memory, went_on = Memory(SIZE), anyio.Event()
    first, greedy, modest = memory.share(lambda: SIZE // 2), memory.share(lambda: SIZE // 3), memory.share(lambda: 10)
    assert not first.is_used_up()
    assert greedy.is_used_up()
    await modest.room()

    async def wait() -> None:
        await greedy.room()
        went_on.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not went_on.is_set()
        first.release()
        with anyio.fail_after(5):
            await went_on.wait()


async def test_the_first_is_refused_when_there_is_no_more() -> None:
    memory = Memory(SIZE)
    share = memory.share(lambda: SIZE + 1)
    assert share.is_used_up()
    with pytest.raises(UnsafeEntry, match="remembered"):
        await share.room()


def test_what_a_thousand_results_keep_has_a_bound_and_the_rest_is_counted() -> None:
    ledger = Ledger(1_000_000)
    told = tuple(LeftOut(b"%0100d" % number, "a FIFO is never copied") for number in range(500))
    transfer = Transfer(Target("default", "web-0", "main"), "/d")
    results = [ledger.keep(Result(transfer, Outcome.PARTIAL, left_out=told)) for _ in range(1000)]
    assert {sum(one.count for one in result.left_out) for result in results} == {500}
    assert min(len(result.left_out) for result in results) == LEAST_NAMED + 1
    assert sum(len(result.left_out) for result in results) < 1000 * (LEAST_NAMED + 1) + 5000


def test_names_of_a_hundred_pods_take_no_more_of_a_report_because_they_are_long_or_of_control_characters() -> None:
    ledger = Ledger(500_000)
    path = b"/".join([b"\x01" * 250] * 4)
    told = tuple(LeftOut(path, "a FIFO is never copied") for _ in range(500))
    kept = tuple(NotKept(path, "set-user-id") for _ in range(500))
    transfer = Transfer(Target("default", "web-0", "main"), "/d")
    results = [
        ledger.keep(Result(transfer, Outcome.PARTIAL, left_out=told, not_kept=kept, grown=(path,) * 500))
        for _ in range(100)
    ]
    assert {sum(one.count for one in result.left_out) for result in results} == {500}
    assert {sum(one.count for one in result.not_kept) for result in results} == {500}
    assert {len(result.grown) + result.grown_unnamed for result in results} == {500}
    assert sum(len(json.dumps(result.to_json())) for result in results) < 500_000 + 100 * 3 * LEAST_NAMED * LEAST_SIZE


def test_of_digests_the_report_has_what_there_is_room_for_and_the_count_of_the_others() -> None:
    ledger = Ledger(digests_size=2_000_000)
    digests = {b"%0100d" % number: f"{number:064x}" for number in range(500)}
    transfer = Transfer(Target("default", "web-0", "main"), "/d")
    results = [ledger.keep(Result(transfer, Outcome.COMPLETE, digests=digests)) for _ in range(1000)]
    assert len(results[0].digests) == 500, "one honest pod has all of its own"
    assert {len(one.digests) + one.digests_unnamed for one in results} == {500}
    assert results[-1].digests == dict(list(digests.items())[:LEAST_NAMED])
    assert sum(len(one.digests) for one in results) < 1000 * LEAST_NAMED + 3000
