"""An error tells a program what to turn by its name in the library, and a person by the flag that does it."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import asynccp
from asynccp import (
    Attributes,
    Collecting,
    Deadlines,
    Ephemeral,
    Filtering,
    Limits,
    Options,
    Outcome,
    Publishing,
    Report,
    Result,
    Rollout,
    Rule,
    Selection,
    Sync,
    Target,
    Transfer,
    Verification,
    Waves,
    connect,
    parse_selectors,
    plan_pull,
)
from asynccp.cli.app import program
from asynccp.cli.flags import FLAGS
from asynccp.cli.hints import hearing_flags, in_flags, result_in_flags
from asynccp.errors import Knob
from asynccp.events import Advanced, Event, Finished

ROOT = Path(asynccp.__file__).parent
COMMANDS: Any = typer.main.get_command(program())
FLAGS_OF_OURS = {
    flag
    for command in COMMANDS.commands.values()
    for one in command.params
    for flag in one.opts
    if flag.startswith("-")
}
GROUPS = (
    Attributes,
    Collecting,
    Deadlines,
    Ephemeral,
    Filtering,
    Limits,
    Options,
    Publishing,
    Rollout,
    Rule,
    Selection,
    Sync,
    Verification,
    Waves,
)
FIELDS = {f"{one.__name__}.{field}" for one in GROUPS for field in one._fields}
PARAMETERS = {
    f"{call.__name__}({name}=…)"
    for call in (connect, parse_selectors, plan_pull)
    for name in inspect.signature(call).parameters
}
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[A-Za-z])(?![\w-])")

# Whose the short flags are that may stand elsewhere: `-c` is the shell's as well.
SHORT_ONES = {
    "engine/select.py": "kubectl",
    "kube/api_errors.py": "kubectl",
    "kube/reviews.py": "kubectl",
    "remote/rooted.py": "the shell",
    "remote/script.py": "the shell",
    "sinks/directory.py": "ulimit",
    "target.py": "the grammar of what is typed",
    "ui/entries.py": "what the command line shows",
    "remote/tools.py": "the shell",
    "ui/lines.py": "what the command line shows",
    "ui/text.py": "what the command line shows",
}

STALLED = f"raise {Knob.STALL_AFTER} if the way to the pod is that slow"


def strings(module: Path) -> Iterator[str]:
    """Yield the strings of a module that are no docstrings."""
    tree = ast.parse(module.read_text())
    docs = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def told(module: str) -> set[str]:
    """Return the flags of ours that the strings of a module name."""
    found = {flag for text in strings(ROOT / module) for flag in FLAG.findall(text)} & FLAGS_OF_OURS
    return {flag for flag in found if flag.startswith("--") or module not in SHORT_ONES}


def test_only_the_command_line_names_its_flags() -> None:
    modules = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    assert {one: told(one) for one in modules if told(one) and not one.startswith("cli/")} == {}
    assert {"--timeout", "-c"} <= told("cli/flags.py"), "else nothing would be found anywhere"


@pytest.mark.parametrize("knob", Knob)
def test_every_knob_is_there_in_the_library_and_has_a_flag_of_the_command_line(knob: Knob) -> None:
    assert knob in FIELDS | PARAMETERS
    assert in_flags(knob) in FLAGS_OF_OURS
    assert [flag.named for flag in FLAGS].count(knob) == 1


def test_no_knob_is_the_beginning_of_another() -> None:
    assert [(one, other) for one in Knob for other in Knob if one is not other and one in other] == []


def test_a_hint_names_flags_on_the_command_line() -> None:
    both = f"{Knob.PARTIAL} puts the rest in its place, {Knob.IN_PLACE} overwrites files"
    assert in_flags(both) == "--partial puts the rest in its place, --in-place overwrites files"
    assert in_flags("free some space") == "free some space"


def test_a_hint_sends_to_the_command_that_has_the_flag() -> None:
    raised = f"raise {Knob.SIZE}"
    assert in_flags(raised, "pull") == "raise --max-size"
    assert in_flags(raised, "cp") == "raise --max-size of asynccp pull"
    assert in_flags(f"name one with {Knob.CONTAINER}", "cp") == "name one with -c"


def test_lines_and_reports_tell_a_persons_flag_and_a_programs_name() -> None:
    transfer = Transfer(Target("default", "web-0", "main"), "/x")
    result = Result(transfer, Outcome.FAILED, error="nothing moved", hint=STALLED)
    heard: list[Event] = []
    hear = hearing_flags(heard.append, "pull")
    for event in (Advanced(transfer, 1), Finished(result)):
        hear(event)
    assert heard == [Advanced(transfer, 1), Finished(result_in_flags(result, "pull"))]
    by_program, by_command = (
        Report("pull", [result]).to_json(),
        Report("pull", [result_in_flags(result, "pull")]).to_json(),
    )
    assert by_program["pods"][0]["hint"] == "raise Deadlines.stall_after_s if the way to the pod is that slow"
    assert by_command["pods"][0]["hint"] == "raise --timeout if the way to the pod is that slow"
    assert by_command["groups"][0]["hint"] == by_command["pods"][0]["hint"]
