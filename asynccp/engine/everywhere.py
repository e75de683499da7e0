"""Everywhere: who is meant in each of several clusters. One that can't be asked keeps no other from it."""

from collections.abc import Hashable, Sequence

import anyio
from msgspec.structs import replace

from asynccp.engine.group import single_error
from asynccp.engine.select import select
from asynccp.errors import ClusterError, NoTargets
from asynccp.kube.base import Cluster
from asynccp.target import Selection, Skipped, Transfer
from asynccp.text import listed, printable

_SENTENCES = 5  # in an error, each about one context

Found = tuple[Sequence[Transfer], Sequence[Skipped]]


async def select_everywhere(cluster: Cluster, selection: Selection) -> Found:
    """Return as `select`, of the members of a cluster in their order, and each target with its context.

    A cluster that can't be asked is skipped, and counts as failed; so is one that lacks what was asked for by name.
    Raises ClusterError, or NoTargets, when there is nothing to do in any.
    """
    found: dict[str, Found | ClusterError | NoTargets] = {}

    async def look(context: str, member: Cluster) -> None:
        try:
            found[context] = await select(member, selection)
        except (ClusterError, NoTargets) as exc:
            found[context] = exc

    with single_error():
        async with anyio.create_task_group() as tasks:
            for context, member in cluster.members.items():
                tasks.start_soon(look, context, member)
    is_named = any(one.kind != "labels" for one in selection.selectors)
    return joined({context: found[context] for context in cluster.members}, is_named=is_named)


def joined(found: dict[str, Found | ClusterError | NoTargets], *, is_named: bool) -> Found:
    """Return what several clusters have told, by their contexts. is_named: pods or workloads were asked for by name."""
    transfers: list[Transfer] = []
    skipped: list[Skipped] = []
    errors: dict[str, ClusterError | NoTargets] = {}
    seen: dict[Hashable, str] = {}  # of two contexts for one cluster, the first counts
    for context, one in found.items():
        name = printable(context)
        if isinstance(one, ClusterError | NoTargets):
            errors[name] = one
            skipped.append(Skipped(name, str(one), named=is_named or isinstance(one, ClusterError)))
            continue
        skipped += [replace(each, pod=f"{name}/{each.pod}") for each in one[1]]
        for transfer in one[0]:
            target = replace(transfer.target, context=context)
            key = target.uid, target.container, transfer.path, transfer.log
            if target.uid and (first := seen.setdefault(key, name)) != name:
                skipped.append(Skipped(target.of_pod, f"is the same pod as in context {first}"))
            else:
                transfers.append(replace(transfer, target=target))
    if not transfers:
        sentences = [f"in context {context} {error}" for context, error in errors.items()]
        kind = next((type(one) for one in errors.values() if isinstance(one, ClusterError)), NoTargets)
        hint = next((one.hint for one in errors.values() if isinstance(one, kind)), "")
        raise kind(listed(sentences, _SENTENCES, between="; "), hint=hint)
    return transfers, skipped
