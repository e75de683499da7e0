"""Hints: what helps against an error, in the words of the command that runs. The flags are those of the one table."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from asynccp.cli.flag import Flag
from asynccp.cli.flags import FLAGS

if TYPE_CHECKING:
    from asynccp.events import Event, Observer
    from asynccp.report import Result


def in_flags(hint: str, command: str = "") -> str:
    """Return a hint with the flag of each knob that it names. command: which one runs, if that is known."""
    for flag in FLAGS:
        if flag.named in hint:
            hint = hint.replace(flag.named, _called(flag, command))
    return hint


def result_in_flags(result: "Result", command: str) -> "Result":
    """Return a result whose hint names flags."""
    return replace(result, hint=in_flags(result.hint, command)) if result.hint else result


def hearing_flags(observer: "Observer", command: str) -> "Observer":
    """Return an observer that hears what `observer` is to hear, with hints that name flags."""
    from asynccp.events import Finished  # here: --help has no use for it

    def hear(event: "Event") -> None:
        observer(Finished(result_in_flags(event.result, command)) if isinstance(event, Finished) else event)

    return hear


def _called(flag: Flag, command: str) -> str:
    """Return a flag as a hint of this command names it: what another one has is called that one's."""
    is_known = not command or command in flag.commands
    return flag.short if is_known else f"{flag.short} of asynccp {flag.commands[0]}"
