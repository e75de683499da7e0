"""Select: selectors → the containers that run now, and the pods that don't count, with the reason."""

from collections.abc import Sequence

import anyio

from asynccp.cluster.base import Cluster
from asynccp.engine.group import single_error
from asynccp.errors import NoTargets
from asynccp.target import Selection, Selector, Skipped, Target, Transfer, match_pod


async def select(cluster: Cluster, selection: Selection) -> tuple[list[Transfer], list[Skipped]]:
    """Return the transfers that are asked for (a union: none twice), sorted by namespace and pod, and the rest.

    Raises NoTargets when there is nothing to do, UsageError and ClusterError as the cluster raises them.
    """
    searches = _searches(selection, cluster.namespace)
    found: list[list[Target | Skipped]] = [[] for _ in searches]

    async def search(index: int) -> None:
        selector, namespace = searches[index]
        named = selector.kind == "pod"
        async for page in cluster.list_pods(selector, namespace, selection.fields):
            found[index] += [match_pod(pod, selection.container, named=named) for pod in page]

    with single_error():
        async with anyio.create_task_group() as tasks:
            for index in range(len(searches)):
                tasks.start_soon(search, index)

    transfers: dict[Transfer, None] = {}
    skipped: dict[Skipped, None] = {}
    for (selector, namespace), matches in zip(searches, found, strict=True):
        if not matches and selector.kind != "labels":
            skipped[Skipped(f"{namespace}/{selector.name}", f"there is no such {_kind(selector)}", named=True)] = None
        for match in matches:
            if isinstance(match, Target):
                transfers[Transfer(match, selector.path)] = None
            else:
                skipped[match] = None
    ordered = sorted(transfers, key=lambda one: (one.target.namespace, one.target.pod, one.path))
    if not ordered:
        raise _no_targets(searches, list(skipped))
    return ordered, list(skipped)


def _searches(selection: Selection, default: str) -> list[tuple[Selector, str | None]]:
    """Return what to look for, and in which namespace; None is all of them."""
    searches: list[tuple[Selector, str | None]] = []
    for selector in selection.selectors:
        if selector.namespace:
            searches.append((selector, selector.namespace))
        elif selection.all_namespaces and selector.kind == "labels":
            searches.append((selector, None))
        else:
            searches += [(selector, namespace) for namespace in selection.namespaces or [default]]
    return searches


def _kind(selector: Selector) -> str:
    return "pod" if selector.kind == "pod" else f"{selector.kind}, or it has no pods"


def _no_targets(searches: Sequence[tuple[Selector, str | None]], skipped: Sequence[Skipped]) -> NoTargets:
    sought = dict.fromkeys(
        f"{selector} {f'in namespace {namespace}' if namespace else 'in all namespaces'}"
        if not selector.namespace else str(selector)
        for selector, namespace in searches
    )  # fmt: skip
    if not skipped:
        hint = "kubectl get pods --show-labels shows what is there; -n or -A look elsewhere"
        return NoTargets(f"no pod matched: looked for {'; '.join(sought)}", hint=hint)
    reasons = "; ".join(f"{one.pod} {one.reason}" for one in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    return NoTargets(f"no container to copy to or from, looking for {'; '.join(sought)}: {reasons}{more}")
