"""Events and plans as lines of JSON: nothing is lost, and what nobody of ours has written is refused."""

import json
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut, Origin
from asynccp.events import Advanced, Event, Finished, Retrying, Started
from asynccp.jsonlines import Malformed, Plan, dumps, load_event, load_plan
from asynccp.plan.plan import PullPlan, PushPlan, build_pull
from asynccp.report import Attempt, Outcome, Result
from asynccp.target import Skipped, Target, Transfer

TARGET = Target("shop", "web-0", "main", "node-1", "uid-1", "sha256:0", 3, ("proxy",), True, True, ("app=web",))
TRANSFER = Transfer(TARGET, "/etc/app")
LAYOUT = ArchiveLayout([Entry(b"a\xff", Kind.FILE, 5, origin=Origin(b"/srv", b"a\xff", 1, 2**64 - 1, -1, 0))], "0123")
PUSH = PushPlan(("./a",), LAYOUT, (TRANSFER,), (Skipped("shop/old", "is being deleted", named=True),), renames=True)

TEXTS = st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))  # the latter as in argv
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bytes: st.binary(),
    int: st.integers(-(2**70), 2**70),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return any values of a field's type, so that a field that is added is tried without a word here."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in LEAVES:
        return LEAVES[hint]
    if hint is ArchiveLayout:
        return st.builds(ArchiveLayout, st.lists(values(Entry), max_size=3), st.text("0123456789abcdef"))
    if origin is types.UnionType:
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(*map(values, arguments), max_size=3)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    if hint is Entry:
        return st.builds(Entry, **{**fields(Entry), "size": st.integers(0, 2**63)})
    return st.builds(hint, **fields(hint))


def fields(kind: Any) -> dict[str, st.SearchStrategy[Any]]:
    return {name: values(hint) for name, hint in typing.get_type_hints(kind).items()}


NO_LAYOUT = ArchiveLayout([], "")


def parts(plan: Plan) -> tuple[object, ...]:
    """Return what of a plan can be compared: a layout is no value, but a function of its entries and its token."""
    if not isinstance(plan, PushPlan):
        return (plan,)
    return plan.entries, plan.layout.token, plan.layout.size, replace(plan, layout=NO_LAYOUT)


@given(values(Event))
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    line = dumps(event)
    assert line.isascii()
    assert line.isprintable(), "a line is one line, and harmless on a terminal"
    assert load_event(line) == load_event(line.encode()) == event


@given(values(Plan))
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert parts(load_plan(dumps(plan))) == parts(plan)


def test_the_kinds_of_what_comes_back_are_those_of_what_went() -> None:
    result = Result(
        TRANSFER, Outcome.PARTIAL, grown=(b"\xff",), left_out=(LeftOut(b"\n", "a FIFO"),), digests={b"\xff": "0"}
    )
    found = load_event(dumps(Finished(result)))
    assert isinstance(found, Finished)
    assert found.result.outcome is Outcome.PARTIAL
    assert (type(found.result.grown), type(found.result.digests)) == (tuple, dict)
    plan = load_plan(dumps(PUSH))
    assert isinstance(plan, PushPlan)
    assert isinstance(plan.entries[0].origin, Origin)
    assert plan.layout.blocks == LAYOUT.blocks
    assert hash(plan.transfers) == hash(PUSH.transfers), "a transfer is a key of what is known of it"


def test_an_event_that_other_programs_can_read() -> None:
    assert json.loads(dumps(Retrying(TRANSFER, Attempt("gone", "SessionLost", 1.5), 0.25))) == {
        "type": "Retrying",
        "transfer": {
            "target": {
                "namespace": "shop", "pod": "web-0", "container": "main", "node": "node-1", "uid": "uid-1",
                "image": "sha256:0", "restarts": 3, "others": ["proxy"], "ending": True, "several": True,
                "labels": ["app=web"], "for_log": False, "zone": "", "context": "",
            },
            "path": "/etc/app",
            "log": None,
        },
        "attempt": {"error": "gone", "error_class": "SessionLost", "seconds": 1.5},
        "delay_s": 0.25,
    }  # fmt: skip


def changed(message: Event | Plan, change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(dumps(message))
    change(document)
    return json.dumps(document)


STARTED, FINISHED = Started(TRANSFER, None), Finished(Result(TRANSFER, Outcome.COMPLETE, digests={b"\xff": "0"}))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"Started"',
        "[" * 100_000,
        '{"a":' * 100_000,
        b"\xff",
        "9" * 10_000,
        dumps(STARTED) + "\n" + dumps(STARTED),
        changed(STARTED, lambda it: it.pop("type")),
        changed(STARTED, lambda it: it.update(type="Begun")),
        changed(STARTED, lambda it: it.update(type=["Started"])),
        changed(STARTED, lambda it: it.update(type="PullPlan")),
        changed(STARTED, lambda it: it.pop("transfer")),
        changed(STARTED, lambda it: it.pop("total")),
        changed(STARTED, lambda it: it.update(total="1")),
        changed(STARTED, lambda it: it.update(total=1.5)),
        changed(STARTED, lambda it: it.update(total=True)),
        changed(STARTED, lambda it: it.update(more=1)),
        changed(STARTED, lambda it: it["transfer"].update(path=None)),
        changed(STARTED, lambda it: it["transfer"].update(target=[])),
        changed(STARTED, lambda it: it["transfer"]["target"].pop("others")),  # which has a default
        changed(STARTED, lambda it: it["transfer"]["target"].update(root="/proc/1/root")),
        changed(STARTED, lambda it: it["transfer"]["target"].update(others=["a", 1])),
        changed(FINISHED, lambda it: it["result"].update(outcome="fine")),
        changed(FINISHED, lambda it: it["result"].update(outcome=[])),
        changed(FINISHED, lambda it: it["result"].update(digests={"no base64": "0"})),
        changed(FINISHED, lambda it: it["result"].update(digests={"/x==": "0"})),  # bits that mean nothing are set
        changed(FINISHED, lambda it: it["result"].update(grown=["/"])),
        changed(FINISHED, lambda it: it["result"].update(seconds=float("nan"))),
        changed(FINISHED, lambda it: it["result"].update(seconds=float("-inf"))),
    ],
)
def test_a_line_that_is_no_event_is_refused(line: str | bytes) -> None:
    with pytest.raises(Malformed):
        load_event(line)


@pytest.mark.parametrize(
    "line",
    [
        dumps(STARTED),
        changed(PUSH, lambda it: it.pop("skipped")),
        changed(PUSH, lambda it: it.update(delete=["/etc"])),
        changed(PUSH, lambda it: it.update(layout=None)),
        changed(PUSH, lambda it: it["layout"].pop("token")),
        changed(PUSH, lambda it: it["layout"].update(token="\udc80")),
        changed(PUSH, lambda it: it["layout"].update(format="framed")),
        changed(PUSH, lambda it: it["layout"]["entries"].append({})),
        changed(PUSH, lambda it: it["layout"]["entries"][0].update(kind="device")),
        changed(PUSH, lambda it: it["layout"]["entries"][0].update(path=1)),
        changed(PUSH, lambda it: it["layout"]["entries"][0]["origin"].pop()),
        changed(build_pull("logs", [TRANSFER], (), "0123"), lambda it: it.update(gathers={})),
    ],
)
def test_a_line_that_is_no_plan_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        load_plan(line)


def test_a_refusal_shows_nothing_that_moves_the_cursor() -> None:
    with pytest.raises(Malformed) as caught:
        load_event(changed(FINISHED, lambda it: it["result"].update(outcome="\x1b[2J" * 1000)))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_an_event_is_no_plan_and_a_plan_no_event() -> None:
    with pytest.raises(Malformed, match="one of Started, Sized, Advanced, Retrying, Finished"):
        load_event(dumps(PullPlan("logs", (), "0123")))
    with pytest.raises(Malformed, match="one of PushPlan, PullPlan, ForwardPlan"):
        load_plan(dumps(Advanced(TRANSFER, 1)))
