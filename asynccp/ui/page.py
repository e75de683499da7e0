"""Page: a report as one file for a browser, which asks nobody for anything. A pure function of the report.

Beside it lie the page without content, its style and its script, which makes the tables in the browser: so a thousand
pods can be sorted and searched. What pods have said is data in a block that is no script, with every `<` escaped, and
becomes text there. The page's own policy lets no other script run, and nothing be loaded (CSP 3: hashes of both).
"""

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import chain, islice
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from asynccp.report import Outcome, Report, Result, cause
from asynccp.text import counted, exact, human_size, listed, printable
from asynccp.ui.text import DONE, namer, worst
from asynccp.wave import Passed

_NAMES = 20  # of pods, in one row
_MOST_ENTRIES = 10_000  # rows: a browser takes a second for so many; JSON has all


def page(report: Report) -> str:
    """Return the page of a report."""
    style, script = _template("css"), _template("js")
    outcomes = Counter(worst(report.results).values())
    title = f"{DONE[report.direction]} {outcomes[Outcome.COMPLETE]} of {counted(outcomes.total(), 'pod', 'pods')}"
    data = {
        "run": _run(report),
        "totals": list(_totals(report, outcomes)),
        "errors": _errors(report),
        "waves": [_wave(one) for one in report.waves],
        "pods": [_pod(one) for one in report.results],
        "entries": _entries(report),
        "skipped": [
            {
                "pod": printable(one.name),
                "reason": printable(one.reason),
                "counts": "failed" if one in report.missed else "",
            }
            for one in report.skipped
        ],
    }
    parts = {
        "title": escape(f"asynccp {title}"),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "report": json.dumps(data, separators=(",", ":")).replace("<", r"\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda part: parts[part[1]], _template("html"))


@cache
def _template(kind: str) -> str:
    return files("asynccp.ui").joinpath(f"page.{kind}").read_text()


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _run(report: Report) -> str:
    """Say what was asked for, and when."""
    request, facts = report.request, [f"{report.seconds:.1f} s", f"exit code {report.exit_code}"]
    if not request:
        return ", ".join(facts)
    settings = [f"{name}={json.dumps(value)}" for name, value in request.settings.items()]
    what = " ".join([request.command, *request.arguments])
    whom = [f"{one} {one.path}" for one in request.selectors]
    return printable(f"{request.began}, {', '.join(facts)}: {', '.join([what, *whom, *settings])}", 5000)


def _totals(report: Report, outcomes: Counter[Outcome]) -> Iterator[tuple[str, int | str]]:
    for outcome in Outcome:
        if outcomes[outcome]:
            yield outcome.value, outcomes[outcome]
    if report.skipped:
        yield "skipped", len({one.name for one in report.skipped})
    results = report.results
    yield "entries", sum(one.entries for one in results)
    yield "content", human_size(sum(one.size for one in results))
    yield "on the wire", human_size(sum(one.wire_size for one in results))
    yield "further tries", sum(one.tries - 1 for one in results)


def _wave(passed: Passed) -> dict[str, Any]:
    return {
        "wave": passed.wave,
        "name": printable(passed.name),
        "pods": passed.pods,
        "failed": passed.failed,
        "begun": None if passed.begun_s is None else round(passed.begun_s, 3),
        "seconds": None if passed.begun_s is None else round(passed.seconds, 3),
        "stopped": printable(passed.stopped, 4000),
    }


def _pod(result: Result) -> dict[str, Any]:
    target = result.transfer.target
    words = [result.error] if result.error else []
    left_out = sum(one.count for one in result.left_out)
    words += [f"{counted(left_out, 'entry', 'entries')} left out"] if left_out else []
    words += [f"→ {result.hint}"] if result.hint else []
    words += [f"{one.when}: exit code {one.exit_code}, {one.seconds:.1f} s" for one in result.hooks]
    return {
        "pod": printable(target.of_pod),
        "container": printable(target.container),
        "node": printable(target.node),
        "path": exact(result.transfer.path),
        "outcome": result.outcome.value,
        "wave": result.wave,
        "rounds": result.rounds,
        "entries": result.entries,
        "size": result.size,
        "wire": result.wire_size,
        "begun": None if result.begun_s is None else round(result.begun_s, 3),
        "seconds": round(result.seconds, 3),
        "tries": result.tries,
        "error": printable("; ".join(words), 4000),
    }


class _Cause(Struct):
    """failed: the pods that ended so. seen: those that had such an attempt. attempts: how many there were of these."""

    failed: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    attempts: int = 0


def _errors(report: Report) -> list[dict[str, Any]]:
    """Return the causes of failed transfers and attempts, by class."""
    found: dict[tuple[str, str], _Cause] = {}
    named = namer(report)
    for one in report.results:
        name = named(one)
        for attempt in one.attempts:
            of = found.setdefault((attempt.error_class, cause(replace(one, error=attempt.error))), _Cause())
            of.attempts += 1
            of.seen.append(name)
        if not one.outcome.is_good:
            found.setdefault((one.error_class or one.outcome.value, cause(one)), _Cause()).failed.append(name)
    return [
        {
            "class": printable(kind),
            "error": printable(words, 4000),
            "failed": len(of.failed),
            "attempts": of.attempts,
            "pods": listed(list(dict.fromkeys([*of.failed, *of.seen])), _NAMES),
        }
        for (kind, words), of in sorted(found.items(), key=lambda item: (item[0][0], -len(item[1].failed)))
    ]


def _entries(report: Report) -> list[dict[str, Any]]:
    """Return what is not as at the other end: each entry and reason once, with the pods that it is true of."""
    found: dict[tuple[str, bytes, str, int], list[str]] = {}
    for what, where in _lacks(report):
        found.setdefault(what, []).append(where)
    rows = [
        {
            "what": what,
            "path": exact(path),
            "why": printable(why),
            "count": count,
            "pods": listed(pods, _NAMES),
        }
        for (what, path, why, count), pods in islice(found.items(), _MOST_ENTRIES)
    ]
    more = len(found) - len(rows)
    last = {"what": "and more", "path": "", "why": "the report as JSON has all", "count": more, "pods": ""}
    return [*rows, last] if more else rows


def _lacks(report: Report) -> Iterator[tuple[tuple[str, bytes, str, int], str]]:
    """Yield what is to be said of an entry, and where it is so."""
    named = namer(report)
    here = (("the source", report.left_out, report.not_kept, ()),)
    there = ((named(one), one.left_out, one.not_kept, one.grown) for one in report.results)
    for where, left_out, not_kept, grown in chain(here, there):
        for left in left_out:
            yield ("left out", left.path, left.reason, left.count), where
        for lack in not_kept:
            yield ("not kept", lack.path, lack.what, lack.count), where
        for path in grown:
            yield ("grew", path, "it was appended to while it was read", 1), where
    for result in report.results:
        for one in result.differences:
            why = ", ".join(reason.value for reason in one.why)
            yield (one.sign.name.lower(), one.path, why, 1), named(result)
