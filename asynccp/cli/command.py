"""A command in typer: its parameters from the table of flags, its help in panels, as plain text.

typer takes argv apart, and no more: what a word means the table says, in one way for flags and settings. So nothing
of pydantic is loaded, with which typer from 0.29 on makes each value (a push that finds no kubeconfig took 190 ms of
CPU, and takes 137 so, as with 0.28), nor of rich, which would draw boxes.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
import typer.core

from asynccp.cli.configured import configured
from asynccp.cli.examples import EXAMPLES
from asynccp.cli.flag import Flag
from asynccp.cli.flags import PANELS, flags_of, request_of
from asynccp.cli.hints import in_flags
from asynccp.cli.request import Request
from asynccp.errors import AsyncCpError


class Command(typer.core.TyperCommand):
    """A command whose flags come from the table."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _as_written(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = _with_words(str(self.name), args)
        *_, order = self.make_parser(ctx).parse_args(list(args))
        ctx.obj = [one.name for one in order]  # one for each word; the values below are by parameter
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 (typer has braces around some arguments)
        return ["[OPTIONS]", *(str(one.metavar) for one in self.params if isinstance(one, typer.core.TyperArgument))]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        super().format_help_text(ctx, formatter)
        _write_examples(str(self.name), formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels = {
            title: [_row(flag) for flag in flags if self.name in flag.commands] for title, flags in PANELS.items()
        }
        panels["Report"].append(self.get_help_option(ctx).get_help_record(ctx))  # type: ignore[union-attr, arg-type]
        for title, rows in panels.items():
            if rows:
                with _section(title, formatter):
                    formatter.write_dl(rows)


class Program(typer.core.TyperGroup):
    """The program: its commands, and an example of each common case."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _as_written(super().get_params(ctx))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        super().format_help_text(ctx, formatter)
        _write_examples("", formatter)


def with_flags(command: Callable[[list[str], Request], None]) -> Callable[..., None]:
    """Give a command the flags of its name: typer reads a signature, so one is made from the table."""
    name = command.__name__
    arguments = next(iter(inspect.signature(command).parameters.values()))
    ctx = inspect.Parameter("ctx", arguments.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    @functools.wraps(command)
    def called(ctx: typer.Context, arguments: list[str], **words: Any) -> None:
        try:
            found = configured(name, arguments, [one for one, word in words.items() if word is not None], os.environ)
            command(list(found.arguments), request_of(name, words, ctx.obj, found.settings))
        except AsyncCpError as exc:
            exc.hint = in_flags(exc.hint, name)
            raise

    rest = [
        inspect.Parameter(flag.parameter, arguments.KEYWORD_ONLY, default=None, annotation=_typed(flag))
        for flag in flags_of(name)
    ]
    parameters = [ctx, arguments, *rest]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def words(metavar: str, **more: Any) -> Any:
    """Return what typer is told of a command's arguments."""
    return typer.Argument(metavar=metavar, show_default=False, hidden=True, **more)  # the usage has them


@functools.cache  # several commands have it
def _typed(flag: Flag) -> Any:
    """Return the annotation from which typer makes the parameter of a flag."""
    is_count = flag.kind is int and not flag.metavar
    of: Any = int if is_count else list[str] if flag.kind is tuple else str if flag.metavar else bool
    option = typer.Option(*flag.names.split(), metavar=flag.metavar or None, help=flag.help, count=is_count)
    return Annotated[of | None, option]


def _as_written(parameters: Iterable[Any]) -> list[Any]:
    """Return typer's parameters so that they give their words as they are."""
    found = list(parameters)
    for one in found:
        one.process_value = functools.partial(_word, one)
    return found


def _with_words(command: str, args: list[str]) -> list[str]:
    """Return arguments in which a flag that needs no word has one."""
    alone = {flag.long: f"{flag.long}={flag.alone}" for flag in flags_of(command) if flag.alone}
    end = args.index("--") if "--" in args else len(args)
    return [*(alone.get(one, one) for one in args[:end]), *args[end:]]


def _word(parameter: Any, ctx: Any, value: Any) -> Any:
    """Stand in for a parameter's own `process_value`, which makes values of words."""
    if parameter.required and not value:
        ctx.fail(f"Missing argument '{parameter.metavar}'.")
    return parameter.callback(ctx, parameter, value) if parameter.callback else value


def _row(flag: Flag) -> tuple[str, str]:
    """Return a flag's row in a panel."""
    names = ", ".join(flag.names.split())
    default = flag.shown_default()
    return f"{names}{'' if flag.alone else ' '}{flag.metavar}".rstrip(), flag.help + (
        f"  [default: {default}]" if default else ""
    )


def _write_examples(command: str, formatter: Any) -> None:
    with _section("Examples", formatter):
        for what, line in EXAMPLES[command]:
            formatter.write(f"{'':>{formatter.current_indent}}# {what}\n{'':>{formatter.current_indent}}{line}\n")


def _section(title: str, formatter: Any) -> Any:
    is_plain = os.environ.get("TERM") == "dumb"
    return formatter.section(title if is_plain else typer.style(title, bold=True))  # typer keeps that to terminals
