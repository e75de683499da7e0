"""Record: what a command was asked for, as a report keeps it, so that `asynccp retry` can ask for the same.

    recorded(asked, plan, …)    the `request` of a report (`report.schema.json`)
    asked_again(report, …)      the same as values again; or UsageError

Only what differs from the defaults is kept, by the dotted names that flags set: so a report of today can be read when
there are more flags. What the shell, the day or the kubeconfig of then made of the words is settled: patterns of a file
are kept as patterns, `--since 2h` as a moment, the context and the namespace by name. No flag takes a secret, and of a
kubeconfig its path is kept.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import msgspec
from msgspec import Struct

from asynccp.cli.flag import DEFAULTS
from asynccp.cli.flags import flags_of, with_value
from asynccp.cli.request import Request
from asynccp.errors import PlanError, UsageError
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report, Requested
from asynccp.target import STANDARD_OUTPUT, Selection, is_store
from asynccp.text import counted, human_size, printable

_SETTLED = ("options.collecting.newer_than_ns", "logs.since_s")  # what `Request.dated` makes of `since`


class Asked(Struct, frozen=True):
    """A request, the paths of this machine that are its arguments, and who is asked for."""

    request: Request
    local: tuple[str, ...]
    selection: Selection


def recorded(
    asked: Asked,
    plan: PushPlan | PullPlan,
    *,
    began_s: float,
    namespace: str,
    context: str | None,
    contexts: Iterable[str] = (),
) -> Requested:
    """Return what a report keeps of a command. began_s: since 1970. namespace, context: as they were found.

    contexts: where they are several, each of which has a namespace of its own.
    """
    request, began = asked.request, datetime.fromtimestamp(int(began_s), UTC)
    request = with_value(request, "server.contexts", tuple(contexts))
    request = with_value(request, "template", request.template.replace("{date}", began.date().isoformat()))
    if not request.where.namespaces and namespace:
        request = with_value(request, "where.namespaces", (namespace,))
    found = {path: _at(request, path) for path in _kept(request.command)}
    settings = {path: value for path, value in found.items() if value != _at(DEFAULTS, path)}
    return Requested(
        command=request.command,
        began=began.isoformat().replace("+00:00", "Z"),
        directory=_working_directory(),
        arguments=asked.local,
        selectors=asked.selection.selectors,
        context=context,
        settings=json.loads(json.dumps(settings)),
        sources=None if isinstance(plan, PullPlan) else plan.as_sources,
    )


def asked_again(report: Report, given: Request) -> Asked:
    """Return what a report says was asked for. Raises UsageError for what can't be asked for again.

    given: of the second try; what it says otherwise than usual takes precedence. Relative paths are those of the
    directory where the command ran.
    """
    request = report.request
    if not request:
        raise UsageError("it does not say what was asked for", hint="what push and pull write for --report does")
    if report.direction not in ("push", "pull"):
        what = "comparison" if report.direction == "diff" else report.direction
        raise UsageError(f"it is of a {what}, which its own command makes again")
    again, settings = given, {**_context(request), **request.settings}
    try:
        if "server.kubeconfig" in settings:
            settings["server.kubeconfig"] = os.path.join(request.directory, settings["server.kubeconfig"])
        for path, value in settings.items():
            found = msgspec.convert(value, _kind(path, report.direction))
            if _at(given, path) == _at(DEFAULTS, path):
                again = with_value(again, path, found)
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise UsageError(f"what was asked for can't be understood: {printable(str(exc), 200)}") from None
    if again.archive or request.arguments == (STANDARD_OUTPUT,):
        raise UsageError(
            "it is of a pull into one archive, to which nothing can be added",
            hint="pull what is missing into another one",
        )
    local = tuple(one if is_store(one) else os.path.join(request.directory, one) for one in request.arguments)
    return Asked(again, local, again.where._replace(selectors=request.selectors, logs=again.logs.logs()))


def _context(request: Requested) -> dict[str, Any]:
    """Return the one context of a request, as a setting; several are one of its settings."""
    return {"server.contexts": [request.context]} if request.context else {}


def refuse_changed(report: Report, plan: PushPlan) -> None:
    """Raise PlanError where the sources are not what they were when a report was written."""
    then, now = report.request and report.request.sources, plan.as_sources
    if then and then.digest != now.digest:
        was, is_now = (f"{counted(one.entries, 'entry', 'entries')}, {human_size(one.size)}" for one in (then, now))
        how = f"{was} then, {is_now} now" if was != is_now else "names, times or modes are others now"
        raise PlanError(
            f"the sources have changed since: {how}",
            hint="nothing was copied: pods would differ from those that are complete; --anyway pushes what is here now",
        )


def _working_directory() -> str:
    with suppress(OSError):  # somebody has removed it; who names absolute paths has no need of it
        return os.getcwd()
    return ""


def _kept(command: str) -> list[str]:
    """Return the names of the settings that are kept."""
    paths = dict.fromkeys(flag.sets for flag in flags_of(command))
    left = ("labels", "configured")  # which have a place of their own, or are settled
    groups = ("showing.", "since.", "following.")
    return [one for one in (*paths, *_SETTLED) if one not in left and not one.startswith(groups)]


def _kind(path: str, command: str) -> Any:
    """Return the type of a setting. Raises KeyError."""
    if path not in _kept(command):
        raise KeyError(path)  # of a later release
    group, _, field = path.rpartition(".")
    return type(_at(DEFAULTS, group)).__annotations__[field]


def _at(group: Any, path: str) -> Any:
    """Return what is at a dotted path."""
    return reduce(getattr, filter(None, path.split(".")), group)
