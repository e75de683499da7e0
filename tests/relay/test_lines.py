"""What crosses the pipe is what was meant, and nothing else is believed."""

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, Origin
from asynccp.events import Started
from asynccp.jsonlines import Malformed, dumps
from asynccp.options import Attributes, Collecting, Compression, Filtering, Options, Rule, Share, Waves
from asynccp.plan.plan import Gather, PullPlan, PushPlan
from asynccp.relay.lines import (
    Alive,
    Archived,
    Begun,
    Conclude,
    Fetch,
    Order,
    Over,
    Ready,
    Sign,
    Take,
    Taken,
    Unable,
    load,
    load_task,
    sign_line,
    task_line,
)
from asynccp.target import Target, Transfer

TRANSFER = Transfer(Target("shop", "web-0", "main"), "/a\udcff")
ENTRY = Entry(b"\xff", Kind.FILE, 1, origin=Origin(b"s3://bucket/p", b"k", 0, 0, 1, 2, '"etag"'))
OPTIONS = Options(
    attributes=Attributes(preserve_owner=True),
    filtering=Filtering((Rule(True, ("*.\udcff", "x")), Rule(False, ("*",))), ignore_files=False),
    collecting=Collecting(newer_than_ns=1 << 60),
    compression=Compression.ZSTD,
    waves=Waves(canary=Share(10, True)),
)


@pytest.mark.parametrize(
    "plan",
    [
        PushPlan(("a",), ArchiveLayout([ENTRY], "0" * 16), (TRANSFER,), rules={b"\xff": ((Rule(True, ("a",)),),)}),
        PullPlan("out", (Gather(TRANSFER, "web-0", "a"),), "0" * 16),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_order_is_read_as_it_was_written(plan: PushPlan | PullPlan) -> None:
    order = Order(plan, OPTIONS, "/kubeconfig\udcff", None, "0f")
    line = task_line(order)
    assert "\n" not in line
    found = load_task(line)
    assert isinstance(found, Order)
    assert found[1:] == order[1:]
    assert dumps(found.plan) == dumps(plan)


@pytest.mark.parametrize(
    "task",
    [
        Take(),
        Fetch("shop", "asynccp-relay-0", "relay", "0f"),
        Conclude("s3://bucket/x", OPTIONS, "{}", is_nothing=True),
    ],
)
def test_what_is_no_plan_is_read_as_it_was_written(task: Take | Fetch | Conclude) -> None:
    assert load_task(task_line(task)) == task


@pytest.mark.parametrize(
    "sign",
    [
        Ready("1.0"),
        Taken("0f"),
        Alive(),
        Archived("d", "n\udcff", 5, "zstd", True),
        Begun(),
        Over(),
        Unable("no way: \x1b", "go"),
    ],
)
def test_signs_and_events_are_told_apart(sign: Sign) -> None:
    assert load(sign_line(sign).encode()) == sign
    assert load(dumps(Started(TRANSFER, 1)).encode()) == Started(TRANSFER, 1)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"sign": "Begin"}', b'{"sign": "Over", "more": 1}', b'{"sign": 1', b"x"]
)
def test_what_is_neither_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        load(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        '{"sources": "Give"}',
        '{"sources": "Take", "more": 1}',
        '{"plan": "{}", "options": [], "context": null}',
    ],
)
def test_what_is_no_order_is_malformed(line: str) -> None:
    with pytest.raises(Malformed):
        load_task(line)
