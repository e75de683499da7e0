"""Report, read back from its JSON: to be printed again, shown as a page, or tried again where it is not complete.

    load_report(report.dumps())     the report again; or Unreadable

The file may be of a later release (fields that are not known are passed over, as `report.schema.json` asks of every
reader), cut, or something else altogether. Names that `to_json` has for its readers get those of the classes, whose
own types then say what each may be. What no field of the JSON tells (a pod's uid, its image) is not there again.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from asynccp.difference import Sign
from asynccp.errors import UsageError
from asynccp.report import SCHEMA_VERSION, Report
from asynccp.target import Selector
from asynccp.text import inexact, printable

Json = Mapping[str, Any]

_RENAMED = {"bytes": "size", "wire_bytes": "wire_size", "archive_bytes": "archive_size", "class": "error_class",
            "begun_seconds": "begun_s"}  # fmt: skip
_DIRECTIONS = ("push", "pull", "forward", "diff", "rollback", "history")
_MOST_DIGITS = 18  # some exabytes
_TALLY = ("new", "changed", "set", "same", "removed", "saved_bytes", "passed_over")


class Unreadable(UsageError):
    """What should be a report isn't one, not a whole one, or one of another version."""


def load_report(text: str | bytes) -> Report:
    """Return the report that `Report.dumps` has written. Raises Unreadable."""
    try:
        document = json.loads(text, parse_int=_bounded)
        version = document["version"]
        if version != SCHEMA_VERSION:
            raise Unreadable(
                f"it is a report of version {printable(str(version), 20)}, and this asynccp reads {SCHEMA_VERSION}"
            )
        if "exit_code" not in document:
            raise Unreadable("it is the plan of a dry run, not a report")
        if document["direction"] not in _DIRECTIONS:
            raise ValueError("its direction is none")
        return msgspec.convert(_report(document), Report)
    except json.JSONDecodeError as exc:
        raise Unreadable(f"it is no JSON, or not whole: {exc.msg} in line {exc.lineno}") from None
    except KeyError as exc:
        raise Unreadable(
            f"it is no report of asynccp, or not a whole one: it lacks {printable(str(exc), 100)}"
        ) from None
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as exc:
        raise Unreadable(f"it is no report of asynccp: {printable(str(exc), 200)}") from None


def _bounded(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _report(document: Json) -> dict[str, Any]:
    found = {_key(one): group["differences"] for group in document.get("alike", ()) for one in group["pods"]}
    return {
        "direction": document["direction"],
        "results": [_result(one, found.get(_key(one), ())) for one in document["pods"]],
        "skipped": document["skipped"],
        "left_out": _pathed(document["left_out"]),
        "seconds": document["seconds"],
        "not_kept": _pathed(document["not_kept"]),
        "strict": document.get("strict", False),
        "tells_differences": document["exit_code"] == 4,
        "request": _request(document["request"]) if "request" in document else None,
        "waves": [_wave(one) for one in document.get("waves", ())],
    }


def _request(it: Json) -> dict[str, Any]:
    sources = it.get("sources")
    return {
        **it,
        "selectors": [[one[name] for name in Selector._fields] for one in it["selectors"]],
        "sources": {**sources, "size": sources["bytes"]} if sources else None,
    }


def _wave(it: Json) -> dict[str, Any]:
    own = {_RENAMED.get(name, name): value for name, value in it.items() if value is not None}
    return {**own, "name": inexact(it["name"] or "")}


def _result(it: Json, differences: Iterable[Json]) -> dict[str, Any]:
    own = {_RENAMED.get(name, name): value for name, value in it.items() if value is not None}  # null: the default
    tally = it["tally"]
    return own | {
        "transfer": _transfer(it),
        "attempts": [{**one, "error_class": one["class"]} for one in it["attempts"]],
        "left_out": _pathed(it["left_out"]),
        "not_kept": _pathed(it["not_kept"]),
        "grown": [_path(one) for one in it["grown"]],
        "digests": {_path(path): digest for path, digest in it.get("digests", {}).items()},
        "landed": inexact(it["landed"] or ""),
        "tally": [tally[name] for name in _TALLY] if tally else None,
        "differences": [_difference(one) for one in differences],
        "revisions": [_revision(one) for one in it["revisions"]] if "revisions" in it else None,
    }


def _revision(it: Json) -> dict[str, Any]:
    return {**it, "name": it["revision"], "digest": it["digest"] or ""}


def _transfer(it: Json) -> dict[str, Any]:
    log = [it["log"] == "previous"] if "log" in it else None
    return {"target": {**it, "for_log": log is not None}, "path": inexact(it["path"]), "log": log}


def _difference(it: Json) -> list[Any]:
    text = it.get("text")
    lines = [text["unified"].split("\n")[:-1], text["note"] or "", text["pod_sha256"] or ""] if text else None
    return [Sign[it["difference"].upper()].value, _path(it["path"]), it["why"], it["bytes"], lines]


def _pathed(those: Iterable[Json]) -> list[dict[str, Any]]:
    return [{**one, "path": _path(one["path"])} for one in those]


def _path(shown: str) -> bytes:
    return inexact(shown).encode("utf-8", "surrogateescape")


def _key(it: Json) -> tuple[object, ...]:
    """Return what tells one transfer from another."""
    return tuple(it.get(name) for name in ("context", "namespace", "pod", "container", "path", "log"))
