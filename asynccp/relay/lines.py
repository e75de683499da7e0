"""Lines between a run and its workers, each way as JSON lines over a pipe. Pure.

to a worker      perhaps what brings it the sources; an order; then the pipe's end, or anything else, means: stop
from a worker    that it is there; that it has the sources; that it has begun; events (`jsonlines`); that it is over, or
                 unable, and why; and between all these, that it lives; of a pull to who ordered it, archives
"""

import json
from typing import Annotated, NamedTuple, get_args

import msgspec

from asynccp.archive.compression import ZSTD
from asynccp.events import Advanced, Amended, Event, Finished, Retrying, Sized, Started
from asynccp.jsonlines import Malformed, Plan, dumps, load_event, load_plan
from asynccp.options import Options
from asynccp.target import Transfer
from asynccp.text import printable

CODEC = ZSTD  # of what is compressed between relays, and on its way to and from them: both ends are ours, and have it

MOST_ARCHIVED_SIZE = 4 * 1024 * 1024
"""Bytes of an archive behind one line, at most."""

MOST_LINE_SIZE = 1024 * 1024 * 1024
"""Bytes of a line, at most: a plan of a million files has some 400 MB. It is our own process that writes it."""


class Order(NamedTuple):
    """What a worker is to carry out, and on which cluster: as of `connect`.

    sources: the digest (`PushPlan.digest`) of those that it has of its own, and whose entries the plan leaves out;
    empty: it reads what the plan names. is_part: of a pull, others pull into the same store. sends: what is pulled goes
    out as archives, on the same pipe.
    """

    plan: Plan
    options: Options
    kubeconfig: str | None = None
    context: str | None = None
    sources: str = ""
    is_part: bool = False
    sends: bool = False


class Conclude(NamedTuple):
    """All has been pulled into this store by several: the report is to be put there, as the last object.

    is_nothing: no pod has been complete. report: as JSON.
    """

    destination: str
    options: Options
    report: str
    is_nothing: bool


class Take(NamedTuple):
    """The sources follow on the same pipe (`relay.sources`)."""


class Fetch(NamedTuple):
    """The sources are in another relay, whose pod and container this is, and have this digest."""

    namespace: str
    pod: str
    container: str
    digest: str


Task = Order | Take | Fetch | Conclude


class Ready(NamedTuple):
    """The worker is there. version: of asynccp."""

    version: str


class Taken(NamedTuple):
    """The worker has the sources. digest: SHA-256 of their archive, as it came."""

    digest: str


class Archived(NamedTuple):
    """So many bytes of a pod's archive follow on the pipe, behind this line.

    directory, name: where it belongs, as the plan has it (`plan.Gather`). codec: what these bytes are compressed with;
    empty: they are not. begins: they are the first of a new archive; what came of another one is void.
    """

    directory: str
    name: str
    size: Annotated[int, msgspec.Meta(ge=0, le=MOST_ARCHIVED_SIZE)]
    codec: str
    begins: bool


class Alive(NamedTuple):
    """The worker is."""


class Begun(NamedTuple):
    """The worker is connected, and its run begins."""


class Over(NamedTuple):
    """The run of the worker has ended: all has been told."""


class Unable(NamedTuple):
    """The worker can't begin, or go on."""

    error: str
    hint: str


Sign = Ready | Taken | Archived | Alive | Begun | Over | Unable
_SIGNS: dict[str, type[Sign]] = {one.__name__: one for one in get_args(Sign)}
_BRINGING: dict[str, type[Take | Fetch]] = {one.__name__: one for one in (Take, Fetch)}


def task_line(task: Task) -> str:
    if isinstance(task, Conclude):
        return json.dumps({"conclude": {**task._asdict(), "options": msgspec.to_builtins(task.options)}})
    if not isinstance(task, Order):
        return json.dumps({"sources": type(task).__name__, **task._asdict()})
    return json.dumps({
        "plan": dumps(task.plan),
        "options": msgspec.to_builtins(task.options),
        **{name: getattr(task, name) for name in ("kubeconfig", "context", "sources", "is_part", "sends")},
    })  # fmt: skip


def load_task(line: str | bytes) -> Task:
    """Return the task of a line. Raises Malformed."""
    try:
        found = json.loads(line)
        if "conclude" in found:
            found = found["conclude"]
            return Conclude(**{**found, "options": msgspec.convert(found["options"], Options)})
        if "plan" not in found:
            return _BRINGING[found.pop("sources")](**found)
        options = msgspec.convert(found.pop("options"), Options)
        return Order(load_plan(found.pop("plan")), options, **found)
    except (ValueError, KeyError, TypeError) as exc:
        raise Malformed(f"no order: {printable(str(exc), 300)}") from None


def sign_line(sign: Sign) -> str:
    return json.dumps({"sign": type(sign).__name__, **sign._asdict()})


def load(line: bytes) -> Event | Sign:
    """Return what a worker says. Raises Malformed."""
    if not line.startswith(b'{"sign"'):
        return load_event(line)
    try:
        found = json.loads(line)
        kind = _SIGNS[found.pop("sign")]
        return msgspec.convert(tuple(kind(**found)), kind)
    except (ValueError, KeyError, TypeError) as exc:
        raise Malformed(f"no sign: {printable(str(exc), 300)}") from None


def transfer_of(event: Event) -> Transfer | None:
    """Return what an event is about; None for one of waves, which a worker has none of."""
    match event:
        case Finished(result) | Amended(result):
            return result.transfer
        case Started() | Sized() | Advanced() | Retrying():
            return event.transfer
        case _:
            return None
