"""Result: how one transfer ended. Report: how all of them did, as JSON and as an exit code; `ui.text` has the words.

Exit codes (rsync's numbers where rsync has one):

    0    every transfer is complete, and nothing was left out
    1    nothing was done: every transfer failed
    3    no pod matched (raised while planning, never a report's code)
    4    nothing failed, and a comparison that was asked to tell has found differences
    23   some pods, or some entries, failed
    24   nothing failed but sources that changed while they were read
    130  interrupted
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from asynccp.difference import Difference, Sign
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import Interrupted, NoSuchPath, NothingMatches, SourceChanged, TransferError
from asynccp.target import Selector, Skipped, Target, Transfer
from asynccp.text import exact
from asynccp.wave import Passed

SCHEMA_VERSION = 1
"""Of the JSON of reports and plans, which `report.schema.json` describes field by field. A new field leaves it as it
is: who reads passes over what they don't know. A field that goes, that may be missing or null where it was always
there, or that means something else, and a new word where the schema enumerates all (an outcome), make it the next.
"""
UNSETTLED = "Unsettled"  # the class of an error that came when all had been copied
ARCHIVED_NAME = "report.json"  # in the archive of a pull, and in an object store
MANIFEST_NAME = "manifest.jsonl"  # beside it there (`objects.manifest`)
PARTS_NAME = ".asynccp-parts"  # there, while several processes pull into one prefix: what becomes the manifest
_NAMES = 20  # of pods, in a group's JSON: each of them has its own place in `pods`


class Outcome(Enum):
    """How a transfer ended, from good to bad."""

    ABSENT = "absent"  # not in this container, but elsewhere (`settled`): no failure
    COMPLETE = "complete"
    CHANGED = "changed"  # a source changed while it was read
    PARTIAL = "partial"  # complete but for entries that are never written here, each of them named
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_good(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self in (Outcome.ABSENT, Outcome.COMPLETE)

    @property
    def is_failure(self) -> bool:
        """Whether it counts where failures are counted: entries that are left out, and named, are none."""
        return not self.is_good and self is not Outcome.PARTIAL


class Attempt(Struct, frozen=True):
    """One try that ended in an error, and after how many seconds. error_class: as `errors` has it."""

    error: str
    error_class: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {"error": self.error, "class": self.error_class, "seconds": round(self.seconds, 3)}


class Tally(NamedTuple):
    """What a copy made of what was there: how many entries were new, changed, only had an attribute set, were the same,
    were removed; and how many bytes of content were saved, because they were there. passed_over: by `options.Sync`.
    """

    new: int = 0
    changed: int = 0
    set: int = 0
    same: int = 0
    removed: int = 0
    saved: int = 0
    passed_over: int = 0

    @property
    def differs(self) -> bool:
        return bool(self.new or self.changed or self.set or self.removed)

    def to_json(self) -> dict[str, int]:
        return {
            "new": self.new,
            "changed": self.changed,
            "set": self.set,
            "same": self.same,
            "removed": self.removed,
            "saved_bytes": self.saved,
            "passed_over": self.passed_over,
        }


class HookRun(Struct, frozen=True):
    """A command of the user's that was run in a pod, or a signal that was sent there.

    when: `before` or `after` a push, or `signal`. output: the end of what it said.
    """

    when: str
    exit_code: int
    seconds: float
    output: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"when": self.when, "exit_code": self.exit_code, "seconds": self.seconds, "output": self.output}


class Revision(Struct, frozen=True):
    """What a push, or a rollback, has replaced in a pod, and is kept there.

    replaced: when, in UTC (RFC 3339). user, host: who did, from where. by: `push` or `rollback`. digest: of the sources
    that replaced it; empty of a rollback. entries: how many are kept; None where the pod could not count.
    """

    name: str
    replaced: str
    user: str
    host: str
    by: str
    digest: str
    entries: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "revision": self.name,
            "replaced": self.replaced,
            "user": self.user,
            "host": self.host,
            "by": self.by,
            "digest": self.digest or None,
            "entries": self.entries,
        }


class Result(Struct, frozen=True):
    """How one transfer ended.

    size: content bytes that arrived whole; entries: how many.
    begun_s: seconds after the run's begin at which the first attempt began; None: none has.
    wire_size: bytes that crossed the wire, of all attempts. archive_size: bytes of archive that they stood for.
    compression: the program in the pod that compressed or unpacked; empty when they went as they are. compression_note:
    why they did, empty when there is nothing to say.
    attempts: those that failed, in their order; the last with `error`, unless the transfer is complete.
    tries: how many attempts there were in all.
    way: what the pod did it by: `tar`, `shell` or `ephemeral NAME`; empty when it was not found out.
    protocol: the exec subprotocol, `v4` or `v5`; empty when no session was opened.
    checksum: the program in the pod that its digests come from; empty when none were asked for. digests: of each file,
    the same at both ends, by its path in the archive. digests_unnamed: of how many more there is no room for them.
    left_out: entries that were not copied. not_kept: what of the entries that were copied did not come along.
    grown: files that were appended to while they were read: complete up to the size that the pod told. grown_unnamed:
    how many more of them.
    landed: where it came to stand, when that was decided in the pod (a push of one file or directory); else empty.
    tally: None where nothing was compared. differences: what a comparison alone has found.
    wave: the number of the wave that it belongs to; 0 where there are none.
    hooks: the user's commands that were run. backup: the revision under which what was replaced is kept. restored: the
    one that a rollback has brought back. rolled_back: a hook failed, and what was there before is there again.
    revisions: of a history; None of all else.
    rounds: how often it was made, of a fleet or of sources that are followed; bytes and entries are of all
    times, all else is of the last.
    """

    transfer: Transfer
    outcome: Outcome
    size: int = 0
    entries: int = 0
    wire_size: int = 0
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    tries: int = 1
    way: str = ""
    protocol: str = ""
    error: str = ""
    error_class: str = ""
    hint: str = ""
    left_out: tuple[LeftOut, ...] = ()
    checksum: str = ""
    digests: Mapping[bytes, str] = field(default_factory=dict)
    archive_size: int = 0
    compression: str = ""
    compression_note: str = ""
    not_kept: tuple[NotKept, ...] = ()
    grown: tuple[bytes, ...] = ()
    landed: str = ""
    grown_unnamed: int = 0
    digests_unnamed: int = 0
    tally: Tally | None = None
    differences: tuple[Difference, ...] = ()
    begun_s: float | None = None
    wave: int = 0
    hooks: tuple[HookRun, ...] = ()
    backup: str = ""
    restored: str = ""
    rolled_back: bool = False
    revisions: tuple[Revision, ...] | None = None
    rounds: int = 1

    def to_json(self) -> dict[str, Any]:
        return {
            **self.transfer.to_json(),
            "outcome": self.outcome.value,
            **({"wave": self.wave} if self.wave else {}),
            **({"rounds": self.rounds} if self.rounds > 1 else {}),
            "bytes": self.size,
            "entries": self.entries,
            "wire_bytes": self.wire_size,
            "archive_bytes": self.archive_size,
            "compression": self.compression or None,
            "compression_note": self.compression_note or None,
            "seconds": round(self.seconds, 3),
            **({"begun_seconds": round(self.begun_s, 3)} if self.begun_s is not None else {}),
            "tries": self.tries,
            "attempts": [one.to_json() for one in self.attempts],
            "way": self.way or None,
            "protocol": self.protocol,
            "error": self.error or None,
            "class": self.error_class or None,
            "hint": self.hint or None,
            "left_out": [one.to_json() for one in self.left_out],
            "not_kept": [one.to_json() for one in self.not_kept],
            "grown": [exact(path) for path in self.grown],
            **({"grown_unnamed": self.grown_unnamed} if self.grown_unnamed else {}),
            "landed": exact(self.landed) or None,
            "tally": self.tally.to_json() if self.tally else None,
            **self._checksum_json(),
            **({"hooks": [one.to_json() for one in self.hooks]} if self.hooks else {}),
            **({"backup": self.backup} if self.backup else {}),
            **({"restored": self.restored} if self.restored else {}),
            **({"rolled_back": True} if self.rolled_back else {}),
            **({"revisions": [one.to_json() for one in self.revisions]} if self.revisions is not None else {}),
        }

    def _checksum_json(self) -> dict[str, Any]:
        if not self.checksum:
            return {}
        return {
            "checksum": self.checksum,
            "digests": {exact(path): one for path, one in self.digests.items()},
            **({"digests_unnamed": self.digests_unnamed} if self.digests_unnamed else {}),
        }


def repeated(before: Result | None, now: Result) -> Result:
    """Return the result of a transfer that was made once more: what it brought is added up."""
    if before is None:
        return now
    return replace(
        now,
        size=before.size + now.size,
        entries=before.entries + now.entries,
        wire_size=before.wire_size + now.wire_size,
        archive_size=before.archive_size + now.archive_size,
        rounds=before.rounds + 1,
    )


def cause(result: Result) -> str:
    """Return why a transfer is not complete, in words that pods in the same trouble share; empty when nobody said.

    The server's refusals name the pod (`pods "web-0" is forbidden`). Where a cause calls its own pod by name, it says
    POD here: in quotes, behind the namespace, behind the word, but nowhere else, since a pod may well be called `tar`.
    Nothing more is taken away: where another detail differs it is another cause.
    """
    target = result.transfer.target
    text = result.error
    if not text and result.left_out:
        first, *more = result.left_out
        text = f"left out {first}" + (f", and {len(more)} more" if more else "")
    if target.pod not in text:
        return text
    before = rf"[\"']|\b{re.escape(target.namespace)}/|\bpod "
    return re.sub(rf"({before}){re.escape(target.pod)}(?![\w-]|\.\w)", r"\1POD", text)


class Group(NamedTuple):
    """Transfers that ended alike, for one cause and with one hint: three hundred of them are told once."""

    outcome: Outcome
    cause: str
    hint: str
    results: tuple[Result, ...]

    @property
    def pods(self) -> list[Target]:
        """Each once, also when several paths of it were copied."""
        return list(dict.fromkeys(one.transfer.target for one in self.results))

    def to_json(self) -> dict[str, Any]:
        pods = self.pods
        return {
            "outcome": self.outcome.value,
            "error": self.cause or None,
            "hint": self.hint or None,
            "count": len(pods),
            "pods": [str(one) for one in pods[:_NAMES]],
        }


def kind(result: Result) -> tuple[Outcome, str, str]:
    """Return what transfers in the same trouble have in common: the outcome, the cause and the hint."""
    return result.outcome, cause(result), result.hint


def groups(results: Iterable[Result]) -> list[Group]:
    """Return `results` by their kind, the largest group first; an error that all have word for word is unaltered."""
    alike: dict[tuple[Outcome, str, str], list[Result]] = {}
    for one in results:
        alike.setdefault(kind(one), []).append(one)
    found = [
        Group(outcome, (len({one.error for one in those}) == 1 and those[0].error) or shared, hint, tuple(those))
        for (outcome, shared, hint), those in alike.items()
    ]
    return sorted(found, key=lambda group: -len(group.results))


class Alike(Struct, frozen=True):
    """Transfers of which a comparison has found the same differences."""

    differences: tuple[Difference, ...]
    transfers: tuple[Transfer, ...]

    def count(self, *signs: Sign) -> int:
        return sum(one.sign in signs for one in self.differences)

    def size(self, *signs: Sign) -> int:
        """Return the bytes of content."""
        return sum(one.size for one in self.differences if one.sign in signs)

    def to_json(self) -> dict[str, Any]:
        return {
            "pods": [one.to_json() for one in self.transfers],
            "new": self.count(Sign.NEW),
            "changed": self.count(Sign.CHANGED),
            "extra": self.count(Sign.EXTRA),
            "bytes": self.size(Sign.NEW, Sign.CHANGED),
            "extra_bytes": self.size(Sign.EXTRA),
            "differences": [one.to_json() for one in self.differences],
        }


def alike(results: Iterable[Result]) -> list[Alike]:
    """Return what comparisons have found, the most pods first; those that are the same have no differences."""
    found: dict[tuple[Difference, ...], list[Transfer]] = {}
    for one in results:
        if one.tally is not None:
            found.setdefault(one.differences, []).append(one.transfer)
    ranked = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return [Alike(differences, tuple(transfers)) for differences, transfers in ranked]


def outcome_of(error: TransferError) -> Outcome:
    """Return the outcome that an error means."""
    if isinstance(error, NoSuchPath) and error.may_lack:
        return Outcome.ABSENT
    if isinstance(error, SourceChanged):
        return Outcome.CHANGED
    return Outcome.INTERRUPTED if isinstance(error, Interrupted) else Outcome.FAILED


def _spoiled(result: Result, error: TransferError) -> Result:
    gone = replace(result, size=0, entries=0, landed="")
    if result.outcome in (Outcome.FAILED, Outcome.INTERRUPTED):  # for a cause of its own
        return gone
    return replace(gone, outcome=Outcome.FAILED, error=str(error), error_class=type(error).__name__, hint=error.hint)


def settled(results: Sequence[Result]) -> list[Result]:
    """Return the results of a run that is over: what was absent everywhere is failed.

    A path may be in another container of the pod. Of a container's logs the one before its restart may be gone. What a
    pattern means may be in any other pod.
    """

    def place(transfer: Transfer) -> tuple[str, str, bool]:
        target = transfer.target
        return (target.of_pod, target.container, True) if transfer.log else (target.of_pod, transfer.path, False)

    there = [one.transfer for one in results if one.outcome is not Outcome.ABSENT]
    found, paths = {place(one) for one in there}, {one.path for one in there}

    def is_missed(one: Result) -> bool:
        if one.error_class == NothingMatches.__name__:
            return one.transfer.path not in paths
        return place(one.transfer) not in found

    return [
        replace(one, outcome=Outcome.FAILED) if one.outcome is Outcome.ABSENT and is_missed(one) else one
        for one in results
    ]


class Sources(Struct, frozen=True):
    """What the sources of a push were: `PushPlan.digest`, how many entries, and bytes of content."""

    digest: str
    entries: int
    size: int

    def to_json(self) -> dict[str, Any]:
        return {"digest": self.digest, "entries": self.entries, "bytes": self.size}


class Requested(Struct, frozen=True):
    """What a command was asked for, so that it can be asked for again (`cli.record` makes and reads it).

    began: in UTC (RFC 3339). directory: where it ran. arguments: paths of this machine. context: of the kubeconfig.
    settings: what was asked for otherwise than usual, as JSON, by the names of fields.
    """

    command: str
    began: str
    directory: str
    arguments: tuple[str, ...]
    selectors: tuple[Selector, ...]
    context: str | None
    settings: Mapping[str, Any]
    sources: Sources | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "began": self.began,
            "directory": self.directory,
            "arguments": list(self.arguments),
            "selectors": [one._asdict() for one in self.selectors],
            "context": self.context,
            "settings": dict(self.settings),
            **({"sources": self.sources.to_json()} if self.sources else {}),
        }


class Report(Struct):
    """How all transfers of one run ended.

    left_out: entries of the local source that no pod was sent (devices, sockets, FIFOs). not_kept: what the archive
    can't carry of the entries that were sent (extended attributes, capabilities).
    strict: a pod that was matched but skipped counts as failed.
    tells_differences: the exit code says whether a comparison has found some.
    request: what the run was asked for, if a command was.
    waves: those of the run, also those that never began; none where all began at once.
    sources: the last state of those that were followed.
    """

    direction: str
    results: list[Result] = field(default_factory=list)
    skipped: Sequence[Skipped] = ()
    left_out: Sequence[LeftOut] = ()
    seconds: float = 0.0
    not_kept: Sequence[NotKept] = ()
    strict: bool = False
    tells_differences: bool = False
    request: Requested | None = None
    waves: Sequence[Passed] = ()
    sources: Sources | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was copied: each transfer failed, or was interrupted."""
        return all(one.outcome in (Outcome.FAILED, Outcome.INTERRUPTED) for one in self.results)

    @property
    def stopped(self) -> Passed | None:
        """The wave after which no other began, though there were more."""
        return next((one for one in self.waves if one.stopped), None)

    @property
    def missed(self) -> list[Skipped]:
        """The skipped pods that count as failed."""
        return [one for one in self.skipped if one.named or self.strict]

    @property
    def exit_code(self) -> int:
        outcomes = {result.outcome for result in self.results} - {Outcome.ABSENT}
        if Outcome.INTERRUPTED in outcomes:
            return 130
        stands = any(one.error_class == UNSETTLED and not one.rolled_back for one in self.results)
        if outcomes <= {Outcome.FAILED} and not stands:
            return 1
        if outcomes & {Outcome.FAILED, Outcome.PARTIAL} or self.left_out or self.missed:
            return 23
        if Outcome.CHANGED in outcomes:
            return 24
        return 4 if self.tells_differences and any(one.differences for one in self.results) else 0

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if not result.outcome.is_good]

    def spoiled(self, error: TransferError) -> "Report":
        """Return the report of a run whose destination is not whole: what was complete in it stands nowhere."""
        return replace(self, results=[_spoiled(one, error) for one in self.results])

    def to_json(self) -> dict[str, Any]:
        return {
            "version": SCHEMA_VERSION,
            "direction": self.direction,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            **({"strict": True} if self.strict else {}),
            **({"request": self.request.to_json()} if self.request else {}),
            **({"waves": [one.to_json() for one in self.waves]} if self.waves else {}),
            "pods": [result.to_json() for result in self.results],
            "groups": [group.to_json() for group in groups(self.failed)],
            "skipped": [one.to_json() for one in self.skipped],
            "left_out": [one.to_json() for one in self.left_out],
            "not_kept": [one.to_json() for one in self.not_kept],
            **({"alike": [one.to_json() for one in alike(self.results)]} if self.direction == "diff" else {}),
        }

    def dumps(self) -> str:
        return json.dumps(self.to_json(), indent=2)
