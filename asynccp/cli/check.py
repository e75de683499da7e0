"""Check: would a push or a pull work? Asked before it matters, and told in a table: what is missing, for whom to ask.

Four questions, each put as a copy puts it: which pods match; may the user (access reviews); does an exec come through,
on one pod of each image, and by which of its programs can a copy be made; and if not, what is to be granted.
"""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import anyio
import typer
from msgspec import Struct

from asynccp.cli import streams
from asynccp.cli.connecting import connected
from asynccp.cli.request import Output, Request
from asynccp.cli.run import given_up_by_signal
from asynccp.engine.ability import ability_of
from asynccp.engine.group import single_error
from asynccp.engine.select import select
from asynccp.errors import ClusterError, NoTargets, ShellMissing, TransferError
from asynccp.kube.api_errors import Forbidden
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.reviews import EXEC, Permission, Verdict, grants, review, to_copy, to_find, to_relay, user_of
from asynccp.plan.plan import skipped_lines
from asynccp.relay.job import namespace_of
from asynccp.target import Selection, Selector, Skipped, Target
from asynccp.text import counted, listed, printable

Item = TypeVar("Item")
Found = TypeVar("Found")

_AT_ONCE = 8  # questions: this is a look, not a load
_TRY_TIMEOUT_S = 30.0
_NAMES = 8  # of pods, or of places
_STATES = {True: "yes", False: "NO", None: "?"}


class Row(NamedTuple):
    """One question and its answer. ok: None for what neither helps nor hinders."""

    what: str
    where: str
    ok: bool | None
    why: str = ""


class Checked(Struct, frozen=True):
    """What came of a check. ask_for: the commands that grant what is missing; none if that is no permission."""

    user: str
    rows: Sequence[Row]
    pods: Sequence[Target]
    skipped: Sequence[Skipped]
    ask_for: Sequence[str]

    @property
    def ok(self) -> bool:
        return all(row.ok is not False for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "user": self.user or None,
            "checks": [row._asdict() for row in self.rows],
            "pods": [{"namespace": one.namespace, "pod": one.pod, "container": one.container} for one in self.pods],
            "skipped": [one.to_json() for one in self.skipped],
            "ask_for": list(self.ask_for),
        }

    def to_text(self) -> str:
        user, lines = self.user or "the user", [*_table(self.rows), *skipped_lines(self.skipped)]
        if self.ask_for:
            lines += [f"{user} lacks permissions; who may bind roles can give them:"]
            lines += [f"    {command}" for command in self.ask_for]
        elif self.ok:
            lines += [f"{user} can copy to and from {counted(len(self.pods), 'container', 'containers')}"]
        return "\n".join(lines)


class _Search(NamedTuple):
    """What one selector finds in one namespace (None: in all). why: it finds nothing."""

    selector: Selector
    namespace: str | None
    pods: Sequence[Target]
    skipped: Sequence[Skipped]
    why: str = ""
    refused: bool = False


class _Try(NamedTuple):
    """One exec. runs: the command ran and ended well. ok: what it found will do. why: what that is, or why not."""

    target: Target
    why: str
    runs: bool = False
    ok: bool = False


async def check(request: Request, selection: Selection) -> int:
    """Look, and tell; return the exit code: 0 when a copy would work, 1 when something is missing."""
    with given_up_by_signal():
        async with connected(request.server) as cluster:
            members = cluster.members or {"": cluster}
            relays = (request.relays.namespace,) if request.relays.number else ()
            found = {context: await _checked(context, one, selection, relays) for context, one in members.items()}
    is_ok = all(one.ok for one in found.values())
    if request.showing.output is Output.JSON:
        each = {context: one.to_json() for context, one in found.items()}
        streams.put_data(json.dumps({"ok": is_ok, "contexts": each} if cluster.members else each[""], indent=2))
    else:
        titled = (
            f"context {printable(context)}:\n{one.to_text()}" if context else one.to_text()
            for context, one in found.items()
        )
        typer.echo("\n\n".join(titled))
    return 0 if is_ok else 1


async def _checked(context: str, cluster: Cluster, selection: Selection, relays: Sequence[str]) -> Checked:
    """Ask everything of one cluster. Of several, one that can't be asked is no reason to ask no other."""
    try:
        return await checked_on(cast(KubernetesCluster, cluster), selection, relays)
    except ClusterError as exc:
        if not context:
            raise
        return Checked("", [Row("API server", f"of context {printable(context)}", False, str(exc))], (), (), ())


async def checked_on(cluster: KubernetesCluster, selection: Selection, relays: Sequence[str] = ()) -> Checked:
    """Ask everything. relays: namespaces of those that are wanted; an empty one: where the pods are.

    Raises ClusterError, UsageError, as a copy does, for a server that can't be asked at all.
    """
    searches = [await _found(cluster, one, where) for one, where in _apart(selection, cluster.namespace)]
    async with cluster.api_client() as api:
        user = await user_of(api)
        needed = [*_needed(searches), *_for_relays(relays, searches, cluster.namespace)]
        verdicts = await _each(list(dict.fromkeys(needed)), lambda permission: review(api, permission))
    pods = list(dict.fromkeys(target for search in searches for target in search.pods))
    tries = await _each(_one_of_each_image(pods), lambda target: _tried(cluster, target))
    works = {one.target.namespace for one in tries if one.runs}
    rows = [_of_verdict(one, works) for one in verdicts]
    missing = [one.permission for one, row in zip(verdicts, rows, strict=True) if row.ok is False]
    rows += [_of_search(one, some=bool(pods)) for one in searches]
    rows += [Row("exec", str(one.target), one.ok, one.why) for one in tries]
    skipped = list(dict.fromkeys(one for search in searches for one in search.skipped))
    return Checked(user, rows, pods, skipped, grants(missing, user))


def _apart(selection: Selection, default: str) -> Iterator[tuple[Selection, str | None]]:
    """Yield a selection for each search, so that what one is refused keeps no other from being asked."""
    for selector, namespace in selection.searches(default):
        where = (namespace,) if namespace else ()
        yield selection._replace(selectors=(selector,), namespaces=where, all_namespaces=not where), namespace


async def _found(cluster: Cluster, selection: Selection, namespace: str | None) -> _Search:
    (selector,) = selection.selectors
    try:
        transfers, skipped = await select(cluster, selection)
    except (NoTargets, Forbidden) as exc:
        return _Search(selector, namespace, (), (), str(exc), refused=isinstance(exc, Forbidden))
    return _Search(selector, namespace, [one.target for one in transfers], skipped)


def _needed(searches: Iterable[_Search]) -> list[Permission]:
    found: dict[Permission, None] = {}
    for search in searches:
        name = search.selector.name if search.selector.kind == "pod" else ""
        found |= dict.fromkeys(to_find(search.selector, search.namespace))
        for namespace in {one.namespace: None for one in search.pods} or [search.namespace]:
            found |= dict.fromkeys(to_copy(namespace, name))
    return list(found)


def _for_relays(relays: Sequence[str], searches: Iterable[_Search], default: str) -> Iterator[Permission]:
    """Yield what relays need where they would be, and there to reach each other."""
    usual = namespace_of((one for search in searches for one in search.pods), default)
    for one in relays:
        namespace = one or usual
        yield from (*to_relay(namespace), *to_copy(namespace))


def _one_of_each_image(pods: Iterable[Target]) -> list[Target]:
    """Return the first target of each image, in each namespace: permissions are by namespace."""
    found: dict[tuple[str, str], Target] = {}
    for one in pods:
        found.setdefault((one.namespace, one.image), one)
    return list(found.values())


async def _tried(cluster: Cluster, target: Target) -> _Try:
    """Ask a target what it can do."""
    try:
        with anyio.fail_after(_TRY_TIMEOUT_S):
            found = await ability_of(cluster, target)
        return _Try(target, found.words, runs=True, ok=found.both_ways)
    except ShellMissing as exc:
        return _Try(target, f"{exc}: --ephemeral IMAGE copies from beside it", runs=True)
    except TransferError as exc:
        return _Try(target, str(exc))
    except TimeoutError:
        return _Try(target, f"a command there has not ended within {_TRY_TIMEOUT_S:.0f} s")


def _of_verdict(verdict: Verdict, works: Container[str | None]) -> Row:
    """Return the row of a verdict. works: the namespaces where an exec came through, whatever reviews say."""
    asked, allowed, why = verdict.permission, verdict.allowed, verdict.why
    if allowed is False and (asked.verb, asked.resource) == ("create", EXEC) and asked.namespace in works:
        allowed, why = None, "is needed from Kubernetes 1.35 on; this server does without"
    return Row(str(asked), _where(asked.namespace), allowed, "" if allowed else why)


def _of_search(search: _Search, *, some: bool) -> Row:
    """Return the row of a search. some: a search has found pods; that is enough, but for who is asked for by name."""
    if not search.pods:
        lacks = search.refused or search.selector.kind != "labels" or not some
        return Row(str(search.selector), _where(search.namespace), False if lacks else None, search.why)
    names = f"{counted(len(search.pods), 'pod', 'pods')}: {listed(search.pods, _NAMES)}"
    return Row(str(search.selector), _where(search.namespace), not any(one.named for one in search.skipped), names)


def _where(namespace: str | None) -> str:
    return f"in namespace {namespace}" if namespace else "in all namespaces"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line for each answer; what is the same in several places is one."""
    alike: dict[tuple[str, bool | None, str], list[str]] = defaultdict(list)
    for row in rows:
        alike[row.what, row.ok, row.why].append(row.where)
    wide = max((len(what) for what, _, _ in alike), default=0)
    lines = [(_STATES[ok], what, listed(where, _NAMES), why) for (what, ok, why), where in alike.items()]
    wide_where = max((len(where) for _, _, where, _ in lines), default=0)
    for state, what, where, why in lines:
        yield f"{state:<3}  {what:<{wide}}  {where:<{wide_where}}  {why}".rstrip()


async def _each(items: Sequence[Item], work: Callable[[Item], Awaitable[Found]]) -> list[Found]:
    """Return what comes of each item, in their order."""
    found: dict[int, Found] = {}
    at_once = anyio.CapacityLimiter(_AT_ONCE)

    async def one(number: int, item: Item) -> None:
        async with at_once:
            found[number] = await work(item)

    with single_error():
        async with anyio.create_task_group() as tasks:
            for number, item in enumerate(items):
                tasks.start_soon(one, number, item)
    return [found[number] for number in range(len(items))]
