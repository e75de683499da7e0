"""Planning: a request → a plan. Lists pods and scans the disk at the same time; no byte of a file is read."""

import functools
import os
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from asynccp.archive.attributes import USUAL_MASK, as_asked
from asynccp.archive.compression import codec_of
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.group import single_error
from asynccp.engine.select import select
from asynccp.entry import Kind
from asynccp.errors import PlanError, UsageError
from asynccp.kube.base import Cluster
from asynccp.local.destination import check_archive, check_destination
from asynccp.local.scan import Scanned, scan
from asynccp.options import Attributes, Filtering, Options
from asynccp.plan.plan import Gather, PullPlan, PushPlan, build_pull
from asynccp.plan.template import parse_template, usual
from asynccp.target import STANDARD_OUTPUT, Selection, Transfer

if TYPE_CHECKING:
    from asynccp.plan.forward import ForwardPlan

_DEFAULT = Options()


async def plan_push(
    cluster: Cluster,
    sources: Sequence[str],
    selection: Selection,
    *,
    attributes: Attributes = _DEFAULT.attributes,
    filtering: Filtering = _DEFAULT.filtering,
    renames: Collection[Kind] = (Kind.FILE,),
) -> PushPlan:
    """Return who gets what. Raises PlanError, UsageError: nothing has moved then.

    attributes, filtering: of the options; what of them a plan settles is not asked for again.
    renames: what a single source must be for the path in the pod to be its new name.
    """
    scanned, now_ns = Scanned([], [], [], 0, {}), time.time_ns()

    async def look() -> None:
        nonlocal scanned
        looking = functools.partial(scan, sources, attributes.follow, filtering)
        scanned = await to_thread.run_sync(looking, abandon_on_cancel=True)  # it only looks

    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            transfers, skipped = await select(cluster, selection)
    entries = [as_asked(entry, attributes, now_ns) for entry in scanned.entries]
    if not entries:
        raise PlanError(f"there is nothing to push in {' '.join(sources)}")
    layout = ArchiveLayout(entries, _token())
    single = len(sources) == 1 and os.path.basename(sources[0]) == os.fsdecode(entries[0].path)
    return PushPlan(
        tuple(sources),
        layout,
        tuple(transfers),
        tuple(skipped),
        tuple(scanned.left_out),
        not_kept=tuple(scanned.not_kept),
        excluded=scanned.excluded,
        rules=scanned.rules,
        renames=single and entries[0].kind in renames,
    )


async def plan_pull(
    cluster: Cluster, destination: str, selection: Selection, *, template: str = "", is_archive: bool = False
) -> PullPlan:
    """Return where each pod's files will land. Raises PlanError, UsageError: nothing has moved then.

    destination: a directory, or `-` for one tar on standard output. is_archive: it is the file, which is not there yet,
    for one archive: its ending says how that is compressed.
    template: where in the destination (`plan.template`); empty: below POD, or NAMESPACE/POD when the request can reach
    more than one namespace, and in one more for each CONTAINER when it is for all. The request decides, and not who was
    matched today: else a script that read `logs/web-0` finds nothing there on the day when there is one more.
    """
    if is_archive:
        codec_of(destination)  # what it can't be called is refused before anybody is asked
    by = usual(
        by_namespace=selection.reaches_several_namespaces(cluster.namespace), by_container=selection.all_containers
    )
    if template:
        by = parse_template(template, datetime.now(UTC).date().isoformat())
    transfers, skipped = await select(cluster, selection._replace(labels=by.labels))
    plan = build_pull(destination, transfers, skipped, _token(), template=by, is_archive=is_archive)
    if is_archive:
        await to_thread.run_sync(check_archive, destination)
    elif destination != STANDARD_OUTPUT:
        await to_thread.run_sync(check_destination, destination, [one.directory for one in plan.gathers])
    return plan


async def plan_cp_to(cluster: Cluster, source: str, selection: Selection, *, preserve: bool = True) -> PushPlan:
    """Return the plan of `kubectl cp SOURCE POD:PATH`: a slash at the source's end means nothing.

    preserve: keep the modes. Raises as `plan_push`.
    """
    clean = source.rstrip("/") or "/"
    named = os.path.basename(clean) not in ("", ".", "..")
    whole = Filtering(ignore_files=False)  # as kubectl copies it
    plan = await plan_push(cluster, [clean if named else f"{clean}/"], selection, filtering=whole, renames=tuple(Kind))
    _one_pod(plan.transfers)
    if preserve:
        return plan
    entries = [replace(entry, mode=entry.mode & USUAL_MASK) for entry in plan.entries]
    return replace(plan, layout=ArchiveLayout(entries, plan.layout.token))


async def plan_cp_from(cluster: Cluster, selection: Selection, destination: str) -> PullPlan:
    """Return the plan of `kubectl cp POD:PATH DESTINATION`. Raises as `plan_pull`."""
    transfers, skipped = await select(cluster, selection)
    (transfer,) = _one_pod(transfers)
    path = transfer.path.rstrip("/") or "/"
    is_directory = await to_thread.run_sync(os.path.isdir, destination)
    where = destination if is_directory else os.path.dirname(destination.rstrip("/")) or "."
    await to_thread.run_sync(check_destination, where, [])
    renamed = replace(transfer, path=path)
    gather = Gather(renamed, "", renamed.name, onto=True)
    return PullPlan(destination, (gather,), _token(), tuple(skipped))


async def plan_forward(cluster: Cluster, source: Selection, destination: Selection) -> "ForwardPlan":
    """Return the plan of a copy from one pod to another. Raises as `plan_pull`."""
    from asynccp.plan.forward import ForwardPlan  # few need it

    (giving,), (taking,) = [_one_pod((await select(cluster, one))[0]) for one in (source, destination)]
    return ForwardPlan(replace(giving, path=giving.path.rstrip("/") or "/"), taking, _token())


def _one_pod(transfers: Sequence[Transfer]) -> Sequence[Transfer]:
    if len(transfers) != 1:
        raise UsageError(
            f"cp is for one pod, and {len(transfers)} match", hint="push and pull copy to and from all of them"
        )
    return transfers


def _token() -> str:
    """Return 16 hexadecimal digits that no other run has: they mark the lines of the dialogue, and the sentinel."""
    return secrets.token_hex(8)
