"""Config: which settings hold, of what a command has where nothing is written, and where each comes from."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import typer

from asynccp.cli import streams
from asynccp.cli.configured import HERE, WITH_PROFILES, Configured, configured, users_path
from asynccp.cli.examples import example
from asynccp.cli.flags import FLAGS
from asynccp.cli.request import Output, Request
from asynccp.cli.settings import PROFILE, REPEATS
from asynccp.errors import UsageError
from asynccp.text import counted, printable

COMMANDS = tuple(dict.fromkeys(command for flag in FLAGS for command in flag.commands))
_NO_FLAGS = {f"ASYNCCP_{name}" for name in ("LOG", "TRACEBACK", "COMPLETE_PLUGINS", "COMPLETE_S", "PODS", "SERVE")}


class Row(NamedTuple):
    """One setting, as it holds for some commands. value: as it is written. is_of_all: of all that have the flag."""

    name: str
    value: Any
    origin: str
    profile: str
    commands: tuple[str, ...]
    is_of_all: bool

    def to_json(self) -> dict[str, Any]:
        profile = {"profile": self.profile} if self.profile else {}
        return {
            "name": self.name, "value": self.value, "origin": self.origin, **profile, "commands": list(self.commands)
        }  # fmt: skip


def config(request: Request, arguments: Sequence[str]) -> int:
    """Show the settings of the commands that are named, or of all; return the exit code."""
    names = [one for one in arguments if not one.startswith(PROFILE)]
    profiles = [one for one in arguments if one.startswith(PROFILE)]
    if unknown := [one for one in names if one not in COMMANDS]:
        raise UsageError(f"{printable(unknown[0])} is no command that has settings", hint=example("config"))
    commands = tuple(names or (WITH_PROFILES if profiles else COMMANDS))
    written = () if request.configured else ("no_config",)
    found = {one: configured(one, profiles, written, os.environ) for one in commands}
    found_rows = rows(found)
    files = next(iter(found.values())).files
    if request.showing.output is Output.JSON:
        streams.put_data(json.dumps(_as_json(found_rows, found, files), indent=2))
        return 0
    typer.echo(_opening(files, os.environ), err=True)
    if unknown := unknown_variables(os.environ):
        typer.echo(f"no variable of asynccp: {printable(', '.join(unknown))}", err=True)
    for line in lines(found_rows):
        typer.echo(line)
    for command, one in found.items():
        if profiles and one.arguments:
            typer.echo(f"asynccp {command} {printable(shlex.join(one.arguments))}")
    return 0


def unknown_variables(variables: Iterable[str]) -> list[str]:
    """Return what looks like one of ours and isn't: else nobody would find out that a name is wrong."""
    known = {flag.variable for flag in FLAGS} | _NO_FLAGS
    ours = [name for name in variables if name.startswith("ASYNCCP_") and not name.startswith("ASYNCCP_TEST_")]
    return sorted(name for name in ours if name not in known)


def rows(found: Mapping[str, Configured]) -> list[Row]:
    """Return the settings of some commands; one that is the same for several of them once. Raises UsageError."""
    same: dict[tuple[str, str, str, str], list[str]] = {}
    values: dict[tuple[str, str, str, str], Any] = {}
    for command, one in found.items():
        for setting in one.settings.values():
            _ = setting.value  # what can't be meant is told here, too
            name = setting.flag.long.removeprefix("--")
            key = (name, repr(setting.word), setting.origin, setting.profile)
            values[key] = setting.word
            same.setdefault(key, []).append(command)
    having = {flag.long.removeprefix("--"): {one for one in found if one in flag.commands} for flag in FLAGS}
    return [
        Row(key[0], values[key], key[2], key[3], tuple(commands), {*commands} >= having[key[0]] - {*REPEATS})
        for key, commands in sorted(same.items())
    ]


def lines(found: Sequence[Row]) -> list[str]:
    """Return rows in columns: name, value, where it comes from, and for whom, where that isn't all."""
    cells = [
        (
            one.name,
            _shown(one.value),
            f"{one.origin} (profile {printable(one.profile)})" if one.profile else one.origin,
            "" if one.is_of_all else f"for {', '.join(one.commands)}",
        )
        for one in found
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    return ["  ".join((*map(str.ljust, row[:3], widths), row[3])).rstrip() for row in cells]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return printable(", ".join(value), 200)
    return str(value).lower() if isinstance(value, bool) else printable(str(value), 200)


def _opening(files: Sequence[str], variables: Mapping[str, str]) -> str:
    if files:
        return f"{counted(len(files), 'file', 'files')} of settings: {printable(', '.join(files))}"
    return f"no file of settings: neither {HERE} nor {printable(users_path(variables))}"


def _as_json(found_rows: Sequence[Row], found: Mapping[str, Configured], files: Sequence[str]) -> dict[str, Any]:
    arguments = {command: list(one.arguments) for command, one in found.items() if one.arguments}
    return {
        "version": 1,
        "files": list(files),
        "unknown_variables": unknown_variables(os.environ),
        "settings": [one.to_json() for one in found_rows],
        "arguments": arguments,
    }
