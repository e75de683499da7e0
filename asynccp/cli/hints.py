"""Hints: what helps against an error, in the command line's own words. Nothing else knows which flag a knob has."""

import dataclasses
from typing import TYPE_CHECKING

from asynccp.errors import Knob

if TYPE_CHECKING:
    from asynccp.events import Event, Observer
    from asynccp.report import Result

FLAGS = {
    Knob.ALL_NAMESPACES: "-A",
    Knob.CHECKSUM: "--checksum",
    Knob.CONTAINER: "-c",
    Knob.CONTEXT: "--context",
    Knob.DEPTH: "--max-depth",
    Knob.ENTRIES: "--max-entries",
    Knob.HEADER_SIZE: "--max-header",
    Knob.IN_PLACE: "--in-place",
    Knob.KUBECONFIG: "--kubeconfig",
    Knob.LABELS: "-l",
    Knob.MEMORY: "--max-memory",
    Knob.NAMESPACES: "-n",
    Knob.NO_FOLLOW: "--no-follow",
    Knob.PARTIAL: "--partial",
    Knob.PATH_SIZE: "--max-path",
    Knob.PRESERVE_OWNER: "--preserve-owner",
    Knob.SIZE: "--max-size",
    Knob.STALL_AFTER: "--timeout",
    Knob.STRICT_SOURCES: "--strict-sources",
}


def in_flags(hint: str) -> str:
    """Return a hint with the flag of each knob that it names."""
    for knob, flag in FLAGS.items():
        hint = hint.replace(knob, flag)
    return hint


def result_in_flags(result: "Result") -> "Result":
    """Return a result whose hint names flags."""
    return dataclasses.replace(result, hint=in_flags(result.hint)) if result.hint else result


def hearing_flags(observer: "Observer") -> "Observer":
    """Return an observer that hears what `observer` is to hear, with hints that name flags."""
    from asynccp.events import Finished  # here: --help has no use for it

    def hear(event: "Event") -> None:
        observer(Finished(result_in_flags(event.result)) if isinstance(event, Finished) else event)

    return hear
