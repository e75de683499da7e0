"""Select: selectors → the containers that run now, and the pods that don't count, with the reason."""

from collections.abc import Collection, Iterator, Sequence

import anyio
from msgspec import Struct, field

from asynccp.engine.group import single_error
from asynccp.errors import Knob, NoTargets, UsageError
from asynccp.kube.base import Cluster
from asynccp.target import (
    Json,
    Log,
    Selection,
    Selector,
    Skipped,
    Target,
    Transfer,
    by_reason,
    logs_of,
    match_containers,
    match_pod,
)
from asynccp.text import listed

_Place = tuple[str, str]  # NAMESPACE/POD and the path in it

_SENTENCES = 5  # in an error, each about one search or one reason
_NAMES = 3  # of pods that share a reason, in an error
_ELSEWHERE = f"{Knob.NAMESPACES} or {Knob.ALL_NAMESPACES} look elsewhere"
_LOOK = f"kubectl get pods -A --show-labels shows what is there; {_ELSEWHERE}"


class _Search(Struct):
    """What one selector found in one namespace (None: in all). exists: there is such a pod, or such a workload.

    matches: targets for its path, logs, and what doesn't count.
    """

    selector: Selector
    namespace: str | None
    exists: bool = False
    matches: list[Target | Transfer | Skipped] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"in namespace {self.namespace}" if self.namespace else "in all namespaces"


async def select(
    cluster: Cluster, selection: Selection, *, to_come: bool = False
) -> tuple[list[Transfer], list[Skipped]]:
    """Return the transfers that are asked for (a union: none twice), sorted by namespace and pod, and the rest.

    to_come: there need be none yet, but what pods belong to must be there.
    Raises NoTargets when there is nothing to do, UsageError and ClusterError as the cluster raises them.
    """
    if selection.container and selection.all_containers:
        raise UsageError("one container was asked for, and all of them", hint=f"leave {Knob.CONTAINER} out")
    searches = [_Search(selector, where) for selector, where in selection.searches(cluster.namespace)]

    async def look(search: _Search) -> None:
        named = search.selector.kind == "pod"
        async for page in cluster.list_pods(search.selector, search.namespace, selection.fields):
            search.exists = True
            for pod in page:
                search.matches += matched(pod, selection, search.selector.path, named=named)

    with single_error():
        async with anyio.create_task_group() as tasks:
            for search in searches:
                tasks.start_soon(look, search)

    transfers: dict[tuple[str, str, str, Log | None], Transfer] = {}
    for search in searches:
        for match in search.matches:
            if not isinstance(match, Skipped):
                one = match if isinstance(match, Transfer) else Transfer(match, search.selector.path)
                transfers.setdefault((one.target.of_pod, one.target.container, one.path, one.log), one)
    if not transfers and not (to_come and all(_may_come(one) for one in searches)):
        raise _no_targets(searches, selection.fields)
    ordered = sorted(transfers.values(), key=lambda one: (one.target.namespace, one.target.pod, one.path))
    copied = {(one.target.of_pod, "" if one.log else one.path) for one in ordered}
    return ordered, _skipped(searches, copied)


def matched(pod: Json, selection: Selection, path: str, *, named: bool) -> list[Target | Transfer | Skipped]:
    """Return what of a pod takes part. Where its path does not, its logs may; then it is skipped all the same."""
    logs = logs_of(pod, selection, named=named) if selection.logs else []
    if not path:
        return [*logs]
    there = [one for one in logs if isinstance(one, Transfer)]
    if selection.all_containers:
        return [*there, *match_containers(pod, named=named, labels=selection.labels)]
    return [*there, match_pod(pod, selection.container, named=named, labels=selection.labels)]


def _may_come(search: _Search) -> bool:
    """Tell whether pods may still come that a search would find."""
    return search.exists or search.selector.kind in ("labels", "pod")


def _skipped(searches: Sequence[_Search], copied: Collection[_Place]) -> list[Skipped]:
    """Return who is skipped, each pod once for each reason.

    A pod that was found twice, by its name too, counts as named; one that only its name lets in isn't skipped.
    """
    found: dict[tuple[str, str], Skipped] = {}
    for search in searches:
        for one in [*_absent(search), *search.matches]:
            if isinstance(one, Skipped) and (one.container or (one.pod, search.selector.path) not in copied):
                before = found.setdefault((one.name, one.reason), one)
                if one.named and not before.named:
                    found[one.name, one.reason] = one
    return list(found.values())


def _absent(search: _Search) -> Iterator[Skipped]:
    """Yield what was asked for by name, and is not there, or has no pods."""
    selector = search.selector
    if search.matches or selector.kind == "labels":
        return
    if selector.kind == "pod":
        yield Skipped(f"{search.namespace}/{selector.name}", "there is no such pod", named=True)
    else:
        reason = "has no pods" if search.exists else f"there is no such {selector.kind}"
        yield Skipped(f"{search.namespace}/{selector.kind}/{selector.name}", reason, named=True)


def _no_targets(searches: Sequence[_Search], fields: str) -> NoTargets:
    sentences = list(dict.fromkeys(_sentences(searches, fields)))
    hint = "" if any(one.matches for one in searches) else _LOOK
    return NoTargets(listed(sentences, _SENTENCES, between="; "), hint=hint)


def _sentences(searches: Sequence[_Search], fields: str) -> Iterator[str]:
    """Yield why nothing can be copied: each names what was asked for, as it was asked for."""
    absent: dict[str, list[str]] = {}
    for search in searches:
        if not search.exists and search.selector.kind != "labels":
            selector = search.selector
            name = f"pod {selector.name}" if selector.kind == "pod" else f"{selector.kind}/{selector.name}"
            absent.setdefault(search.where, []).append(name)
    for where, names in absent.items():
        yield f"there is no {listed(list(dict.fromkeys(names)), _SENTENCES, between=' or ')} {where}"
    for search in searches:
        # The namespace that a selector itself names is part of its words.
        sought = str(search.selector) if search.selector.namespace else f"{search.selector} {search.where}"
        narrowed = f" with fields {fields}" if fields else ""
        if search.matches:
            skipped = [one for one in search.matches if isinstance(one, Skipped)]
            named = search.selector.kind == "pod"
            reasons = [_why(*one, named=named) for one in by_reason(skipped).items()]
            why = listed(reasons, _SENTENCES, between="; ")
            yield f"nothing can be copied to or from {sought}{'' if named else narrowed}: {why}"
        elif search.selector.kind == "labels":
            yield f"there are no {sought}{narrowed}"
        elif search.exists:
            yield f"{sought} has no pods{narrowed}"


def _why(reason: str, pods: Sequence[str], *, named: bool) -> str:
    """Say why pods don't count. Reasons begin with a verb (`is Pending`), or with another subject than the pod."""
    verb, _, rest = reason.partition(" ")
    if verb not in ("is", "has"):
        return reason if named else f"{reason} ({listed(pods, _NAMES)})"
    if len(pods) > 1:
        return f"{len(pods)} pods {'are' if verb == 'is' else 'have'} {rest} ({listed(pods, _NAMES)})"
    return f"{'it' if named else pods[0]} {reason}"
