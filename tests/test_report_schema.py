"""`report.schema.json` and what asynccp writes: neither has what the other hasn't, in any kind of report or plan.

The reports of the runs in tests/e2e must fit it too (`fleet.Ran`).
"""

import functools
import operator
from collections.abc import Sequence
from enum import Enum
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from asynccp import errors
from asynccp.archive.layout import ArchiveLayout
from asynccp.difference import Difference, Sign, Text, Why
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.plan.forward import ForwardPlan
from asynccp.plan.plan import PullPlan, PushPlan, build_pull
from asynccp.report import (
    SCHEMA_VERSION,
    Attempt,
    HookRun,
    Outcome,
    Report,
    Requested,
    Result,
    Revision,
    Sources,
    Tally,
)
from asynccp.target import Log, Selector, Skipped, Target, Transfer
from asynccp.wave import Passed, Wave
from tests.schema import SCHEMA, closed, conforming, mismatch

TOKEN = "0123456789abcdef"
HOSTILE = "a\x1b[2J\n\xe9\u202e\\x9b\udcff"
WEB = Transfer(Target("shop", "web-0", "main", "node-1"), "/etc/app")
ELSEWHERE = Transfer(Target("shop", "web-0", "main", context="prod-a"), "/etc/app")
PENDING = Transfer(Target("shop", "web-1", "side", several=True), HOSTILE)
LOG = Transfer(Target("shop", "web-0", "main", "node-1", for_log=True), "main.log", Log())
BEFORE = Transfer(Target("shop", "web-0", "main", "node-1", for_log=True), "main.previous.log", Log(previous=True))
SKIPPED = (Skipped("shop/old", "is being deleted"), Skipped("shop/web-0", "it does not run", container="side"))
GONE_POD = Skipped("shop/gone", "there is no such pod", named=True)
REQUEST = Requested(
    "push", "2026-11-29T10:00:00Z", "/srv", ("./config",), (Selector("labels", "app=web", "/etc/app"),), "kind",
    {"options.sync.delete": True, "where.namespaces": ["shop"]}, Sources(64 * "0", 24, 22833),
)  # fmt: skip
LEFT_OUT = (LeftOut(b"dev/null", "a device, which is never copied"), LeftOut(b"", "7 more entries; not named", 7))
NOT_KEPT = (NotKept(b"bin/su", "set-id bits"), NotKept(b"", "something of 2 more entries; not named", 2))
TALLY = Tally(new=1, changed=2, set=3, same=4, removed=5, saved=6, passed_over=7)
DIFFERENCES = (
    Difference(Sign.NEW, HOSTILE.encode("utf-8", "surrogateescape"), size=7),
    Difference(Sign.CHANGED, b"b", tuple(Why), 70, Text(("-a", "+b"), "the rest is not shown", 64 * "0")),
    Difference(Sign.EXTRA, b"c", (), 700, Text(note="binary")),
)

FULL = Result(
    WEB, Outcome.PARTIAL, size=10, entries=2, wire_size=2048, seconds=0.12345, tries=2, protocol="v5",
    attempts=(Attempt("the connection is gone", "SessionLost", 0.04),), error="tar passed over some",
    error_class="CommandFailed", hint="see what it says", left_out=LEFT_OUT, archive_size=10240, compression="zstd",
    not_kept=NOT_KEPT, grown=(b"log/big",), grown_unnamed=3, landed="/etc/app/a", tally=TALLY, checksum="cksum",
    digests={b"a\xff": "3015617425 7"}, digests_unnamed=2, begun_s=0.25,
)  # fmt: skip
UNCOMPRESSED = Result(WEB, Outcome.COMPLETE, protocol="v4", compression_note="the node is busy", landed=HOSTILE)
COMPARED = Result(WEB, Outcome.COMPLETE, tally=TALLY, differences=DIFFERENCES)
PASSED = (Passed(1, HOSTILE, 1, 0.5, 2.25, 1, "1 pod failed"), Passed(2, "", 1))

ROLLED_OUT = Result(
    WEB, Outcome.FAILED, hooks=(HookRun("before", 0, 0.5), HookRun("after", 1, 0.25, "no\n\\x1b")),
    backup="20261130T034501Z-0a1b2c", rolled_back=True,
)  # fmt: skip
KEPT = Revision("20261130T034501Z-0a1b2c", "2026-11-30T03:45:01Z", "ci", "runner", "push", 64 * "0", 7)
RESTORED = Result(WEB, Outcome.COMPLETE, backup="20261130T034502Z-0a1b2c", restored="20261130T034501Z-0a1b2c")
TOLD = Result(WEB, Outcome.COMPLETE, revisions=(KEPT, replace(KEPT, digest="", by="rollback", entries=None)))

REPORTS = {
    "nothing": Report("pull"),
    **{f"{one.value} alone": Report("push", [Result(WEB, one)]) for one in Outcome},
    "every outcome": Report("pull", [Result(WEB, one, error=HOSTILE, hint=HOSTILE) for one in Outcome]),
    "a push with all there is to say": Report("push", [FULL, UNCOMPRESSED], SKIPPED, LEFT_OUT, 1.23456, NOT_KEPT),
    "a push that nobody could be sent": Report("push", [Result(PENDING, Outcome.FAILED)], SKIPPED, strict=True),
    "a pull of files and logs": Report("pull", [FULL, Result(LOG, Outcome.COMPLETE), Result(BEFORE, Outcome.ABSENT)]),
    "a pull whose archive is not whole": Report("pull", [FULL]).spoiled(errors.DestinationError("the disk is full")),
    "a forward": Report("forward", [FULL]),
    "a push that was undone": Report("push", [ROLLED_OUT]),
    "a rollback": Report("rollback", [RESTORED, Result(PENDING, Outcome.FAILED)]),
    "a history": Report("history", [TOLD, Result(PENDING, Outcome.COMPLETE, revisions=())]),
    "a run of a command": Report("push", [FULL], [GONE_POD], request=REQUEST),
    "a run that went on": Report("push", [FULL, replace(FULL, rounds=3)]),
    "a run in waves": Report("push", [FULL, replace(FULL, wave=2)], waves=PASSED),
    "a comparison": Report("diff", [COMPARED, Result(PENDING, Outcome.FAILED)], tells_differences=True),
    "a push to several contexts": Report("push", [Result(ELSEWHERE, Outcome.COMPLETE)], [Skipped("prod-b", "is down")]),
    "a comparison of nothing": Report("diff"),
}
WAVES = (Wave(1, 2, "canary", (WEB,)), Wave(2, 2, "", (PENDING,)))
ENTRIES = [
    Entry(b"config", Kind.DIRECTORY, mode=0o755),
    Entry(b"config/a\n", Kind.FILE, 1536, 0o4600),
    Entry(b"config/b", Kind.HARDLINK, link=b"config/a\n"),
    Entry(b"config/link", Kind.SYMLINK, link=b"a"),
]
LAYOUT = ArchiveLayout(ENTRIES, TOKEN)
PLANS: dict[str, PushPlan | PullPlan | ForwardPlan] = {
    "a push": PushPlan(("config",), LAYOUT, (WEB, PENDING), SKIPPED, LEFT_OUT, not_kept=NOT_KEPT, excluded=2),
    "a push of nothing": PushPlan((), ArchiveLayout([], TOKEN), ()),
    "a pull": build_pull(f"./{HOSTILE}", [WEB, PENDING, LOG, BEFORE], SKIPPED, TOKEN),
    "a pull from several contexts": build_pull("logs", [ELSEWHERE], (), TOKEN),
    "a push in waves": PushPlan((), LAYOUT, (WEB, PENDING), waves=WAVES),
    "a pull in waves": replace(build_pull("logs", [WEB, PENDING], (), TOKEN), waves=WAVES),
    "a pull to standard output": build_pull("-", [WEB], (), TOKEN),
    "a forward": ForwardPlan(WEB, PENDING, TOKEN),
}
DOCUMENTS = [one.to_json() for one in (*REPORTS.values(), *PLANS.values())]
OBJECTS = {name: one for name, one in SCHEMA["$defs"].items() if one.get("type") == "object"}
GONE = object()
FIELDS = [(name, field) for name, one in OBJECTS.items() for field in one["properties"]]

PROMISED = {
    1: {
        "transfer": "namespace pod container node path",
        "attempt": "error class seconds",
        "left_out": "path reason",
        "not_kept": "path what",
        "skipped": "pod reason",
        "tally": "new changed set same removed saved_bytes passed_over",
        "result": (
            "namespace pod container node path outcome bytes entries wire_bytes archive_bytes compression "
            "compression_note seconds tries attempts protocol error class hint left_out not_kept grown landed "
            "tally"
        ),
        "passed_wave": "wave name pods begun_seconds seconds failed stopped",
        "planned_wave": "wave name pods",
        "group": "outcome error hint count pods",
        "difference": "path difference why bytes",
        "text": "unified note pod_sha256",
        "alike": "pods new changed extra bytes extra_bytes differences",
        "report": "version direction exit_code seconds pods groups skipped left_out not_kept",
        "request": "command began directory arguments selectors context settings",
        "selector": "kind name path namespace",
        "sources": "digest entries bytes",
        "hook": "when exit_code seconds output",
        "revision": "revision replaced user host by digest entries",
        "entry": "path kind bytes mode",
        "push_plan": "version direction entries bytes archive_bytes pods skipped left_out not_kept excluded",
        "gather": "namespace pod container node path directory lands_as",
        "pull_plan": "version direction destination pods skipped left_out",
        "forward_plan": "version direction from pods",
    },
}
"""What readers of each version may take for granted: fields that are always there. A version's own never get fewer."""


def reached(document: Any, path: Sequence[str | int]) -> Any:
    """Return what is at a path in a document."""
    return functools.reduce(operator.getitem, path, document)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_report_is_what_the_schema_says(report: Report) -> None:
    assert conforming(report.dumps()) == report.to_json()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_plan_is_what_the_schema_says(plan: PushPlan | PullPlan | ForwardPlan) -> None:
    assert mismatch(plan.to_json()) == ""


def test_the_schema_is_one_of_json_schema_2020_12() -> None:
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_is_of_the_version_that_reports_have() -> None:
    assert SCHEMA["$defs"]["version"]["const"] == SCHEMA_VERSION
    assert SCHEMA["$id"] == f"urn:asynccp:report:{SCHEMA_VERSION}"
    assert {one["version"] for one in DOCUMENTS} == {SCHEMA_VERSION}


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_has_a_description(name: str, field: str) -> None:
    found = OBJECTS[name]["properties"][field]
    while "description" not in found:
        found = reached(SCHEMA, found["$ref"].removeprefix("#/").split("/"))
    assert found["description"].endswith(".")


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_that_is_described_is_written(name: str, field: str) -> None:
    without = closed(SCHEMA)
    without["$defs"][name]["properties"][field] = False
    validator = Draft202012Validator(without)
    assert not all(validator.is_valid(one) for one in DOCUMENTS)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (SCHEMA["$defs"]["outcome"], Outcome),
        (OBJECTS["difference"]["properties"]["why"]["items"], Why),
        (OBJECTS["entry"]["properties"]["kind"], Kind),
    ],
)
def test_an_enumeration_has_the_words_that_there_are(words: dict[str, Any], known: type[Enum]) -> None:
    assert words["enum"] == [one.value for one in known]


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (["new"], 1, "$: "),
        (["pods", 0, "new"], 1, "$.pods[0]: "),
        (["pods", 0, "tally", "new_bytes"], 1, "$.pods[0].tally: "),
        (["alike"], [], "$: "),
        (["version"], GONE, "$: "),
        (["groups"], GONE, "$: "),
        (["pods", 0, "hint"], GONE, "$.pods[0]: "),
        (["pods", 0, "checksum"], GONE, "$.pods[0]: "),
        (["pods", 0, "digests"], GONE, "$.pods[0]: "),
        (["version"], 2, "$.version: "),
        (["exit_code"], 5, "$.exit_code: "),
        (["direction"], "diff", "$: "),
        (["pods", 0, "outcome"], "skipped", "$.pods[0].outcome: "),
        (["pods", 0, "bytes"], None, "$.pods[0].bytes: "),
        (["pods", 0, "bytes"], -1, "$.pods[0].bytes: "),
        (["pods", 0, "path"], "a\x1b", "$.pods[0].path: "),
        (["pods", 0, "digests"], {"a\n": "0"}, "$.pods[0].digests: "),
        (["pods", 0, "left_out", 1, "count"], 1, "$.pods[0].left_out[1].count: "),
        (["groups", 0, "pods"], ["shop/web"] * 21, "$.groups[0].pods: "),
    ],
)
def test_a_report_that_is_something_else_does_not_fit(path: list[str | int], value: object, where: str) -> None:
    document = Report("pull", [FULL]).to_json()
    assert mismatch(document) == ""
    *above, field = path
    reached(document, above)[field] = value
    if value is GONE:
        del reached(document, above)[field]
    assert mismatch(document).startswith(where)


def test_a_reader_who_has_an_older_schema_passes_over_new_fields() -> None:
    document = Report("pull", [FULL]).to_json()
    document["new"] = document["pods"][0]["new"] = {"of": "a later release"}
    assert Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize(("name", "fields"), PROMISED[SCHEMA_VERSION].items())
def test_what_a_version_promises_is_always_there(name: str, fields: str) -> None:
    assert set(fields.split()) <= set(OBJECTS[name]["required"])
