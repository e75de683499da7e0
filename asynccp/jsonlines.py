"""JSON lines: events and plans as one line of text each, and back: what processes that share a run say to each other.

    dumps(Advanced(transfer, 4096))     {"type": "Advanced", "transfer": {"target": {…}, "path": "/logs"}, "size": 4096}
    load_event(line), load_plan(line)   what was written; or Malformed

Nothing is lost, unlike in `to_json` of plans and reports, which is for people and scripts: that shows names escaped,
and has no layout. The fields' own types are the schema, which msgspec reads from the classes.

    bytes       base64 (RFC 4648). Names on a disk have no encoding; to show as text those that are UTF-8 would take a
                second rule for the others, and an escape in the first
    text        as Python has it, all in ASCII. The bytes of an argument that are no UTF-8 are `\\udc80` to `\\udcff`,
                which JSON can say (RFC 8259 section 8.2), but UTF-8 can't
    an enum     its value; a NamedTuple its items in order; a layout the entries and the token of which it is made

What is read has the right types, and every field. It may still be a lie: who reads what a relay in a pod has written
keeps to the transfers of its own plan, and shows its words by `text.printable`, as all that comes from a pod.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, get_args

import msgspec
from msgspec import Struct

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry
from asynccp.errors import AsyncCpError
from asynccp.events import Event
from asynccp.plan.forward import ForwardPlan
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.text import printable

Plan = PushPlan | PullPlan | ForwardPlan
Message = TypeVar("Message")

_TAG = "type"
_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
_PLANS: dict[str, type[Plan]] = {kind.__name__: kind for kind in get_args(Plan)}


class Malformed(AsyncCpError):
    """A line that `dumps` has not written: no JSON, not of a kind that is wanted, or not of its fields."""


def dumps(message: Event | Plan) -> str:
    """Return the line of a message, without the line's end: ASCII, and no control characters."""
    return json.dumps({_TAG: type(message).__name__, **_plain(message)})


def load_event(line: str | bytes) -> Event:
    """Return the event of a line. Raises Malformed. How long a line may be is for who reads it to say."""
    return _loaded(line, _EVENTS)


def load_plan(line: str | bytes) -> Plan:
    """Return the plan of a line, otherwise as `load_event`."""
    return _loaded(line, _PLANS)


def _loaded(line: str | bytes, kinds: Mapping[str, type[Message]]) -> Message:
    try:
        text = line if isinstance(line, str) else line.decode("ascii")
        document = json.loads(text, parse_constant=_no_number)
        kind = kinds[document.pop(_TAG)]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, IndexError):
        raise Malformed(f"a line of JSON with a type, one of {', '.join(kinds)}, was expected") from None
    try:
        message = msgspec.convert(document, kind, str_keys=True, dec_hook=_rebuilt)
    except (msgspec.ValidationError, RecursionError) as exc:
        raise Malformed(f"no {kind.__name__}: {printable(str(exc), 300)}") from None
    # msgspec passes over fields that a class doesn't have, and takes the default of one that is missing. Between
    # two versions of ours that would be silence where one of them said something.
    if json.loads(json.dumps(_plain(message))) != document:
        raise Malformed(f"no {kind.__name__}: it lacks fields, or has others")
    return message


def _plain(message: object) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(message, str_keys=True, enc_hook=_taken_apart)
    return plain


class _Archive(Struct, frozen=True):
    """What an ArchiveLayout is a function of."""

    entries: tuple[Entry, ...]
    token: str


def _taken_apart(value: object) -> _Archive:
    if isinstance(value, ArchiveLayout):
        return _Archive(value.entries, value.token)
    raise TypeError(f"{type(value).__name__} has no place in a line")


def _rebuilt(kind: type, document: object) -> ArchiveLayout:
    assert kind is ArchiveLayout
    archive = msgspec.convert(document, _Archive, str_keys=True)
    return ArchiveLayout(archive.entries, archive.token)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")
