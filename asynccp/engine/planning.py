"""Planning: a request → a plan. Lists pods and scans the disk at the same time; no byte of a file is read."""

import functools
import os
import secrets
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from msgspec.structs import replace

from asynccp.archive.attributes import USUAL_MASK, as_asked
from asynccp.archive.compression import codec_of
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.group import single_error
from asynccp.engine.select import select
from asynccp.engine.sources import scanned as scanned_of
from asynccp.entry import Kind
from asynccp.errors import PlanError, UsageError
from asynccp.kube.base import Cluster
from asynccp.local.destination import check_archive, check_destination
from asynccp.options import Attributes, Filtering, Options, WaveBy, Waves
from asynccp.plan.plan import Gather, PullPlan, PushPlan, build_pull
from asynccp.plan.template import parse_template, usual
from asynccp.plan.waves import refuse_vain, waves_of
from asynccp.target import STANDARD_OUTPUT, ZONE, Selection, Skipped, Transfer, is_store
from asynccp.text import printable

if TYPE_CHECKING:
    from asynccp.plan.forward import ForwardPlan
    from asynccp.plan.rollback import RollbackPlan

_DEFAULT = Options()


async def plan_push(
    cluster: Cluster,
    sources: Sequence[str],
    selection: Selection,
    *,
    attributes: Attributes = _DEFAULT.attributes,
    filtering: Filtering = _DEFAULT.filtering,
    renames: Collection[Kind] = (Kind.FILE,),
    waves: Waves = _DEFAULT.waves,
    to_come: bool = False,
) -> PushPlan:
    """Return who gets what. Raises PlanError, UsageError: nothing has moved then.

    attributes, filtering, waves: of the options; what of them a plan settles is not asked for again.
    renames: what a single source must be for the path in the pod to be its new name.
    to_come: there need be nobody yet.
    """
    refuse_vain(waves)
    plan: PushPlan | None = None

    async def look() -> None:
        nonlocal plan
        plan = await plan_sources(sources, attributes=attributes, filtering=filtering, renames=renames)

    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            transfers, skipped = await _selected(cluster, selection, waves, to_come=to_come)
    assert plan
    waves_of_all = waves_of(transfers, waves)
    return replace(plan, transfers=tuple(transfers), skipped=tuple(skipped), waves=waves_of_all)


async def plan_sources(
    sources: Sequence[str],
    *,
    attributes: Attributes = _DEFAULT.attributes,
    filtering: Filtering = _DEFAULT.filtering,
    renames: Collection[Kind] = (Kind.FILE,),
) -> PushPlan:
    """Return the plan of a push for which nobody is there yet. Parameters and errors as of `plan_push`."""
    now_ns, looking = time.time_ns(), functools.partial(scanned_of, sources, attributes.follow, filtering)
    scanned = await to_thread.run_sync(looking, abandon_on_cancel=True)  # it only looks
    entries = [as_asked(entry, attributes, now_ns) for entry in scanned.entries]
    if not entries:
        raise PlanError(f"there is nothing to push in {' '.join(sources)}")
    single = len(sources) == 1 and os.path.basename(sources[0]) == os.fsdecode(entries[0].path)
    return PushPlan(
        tuple(sources),
        ArchiveLayout(entries, _token()),
        (),
        left_out=tuple(scanned.left_out),
        not_kept=tuple(scanned.not_kept),
        excluded=scanned.excluded,
        rules=scanned.rules,
        renames=single and entries[0].kind in renames,
    )


async def plan_pull(
    cluster: Cluster,
    destination: str,
    selection: Selection,
    *,
    template: str = "",
    is_archive: bool = False,
    waves: Waves = _DEFAULT.waves,
    by_others: bool = False,
) -> PullPlan:
    """Return where each pod's files will land. Raises PlanError, UsageError: nothing has moved then.

    destination: a directory, the URL of an object store, or `-` for one tar on standard output. is_archive: it is the
    file, which is not there yet, for one archive: its ending says how that is compressed.
    template: where in the destination (`plan.template`); empty: below POD, or NAMESPACE/POD when the request can reach
    more than one namespace, within CONTEXT when it names several, and in one more for each CONTAINER when it is for
    all. by_others: who carries it out asks the store, and this process may not. The request decides, and not who was
    matched today: else a script that read `logs/web-0` finds nothing there on the day when there is one more.
    """
    refuse_vain(waves)
    if is_archive:
        codec_of(destination)  # what it can't be called is refused before anybody is asked
    namespaces = [one.namespace for one in cluster.members.values()] or [cluster.namespace]
    by = usual(
        by_context=bool(cluster.members),
        by_namespace=any(map(selection.reaches_several_namespaces, namespaces)),
        by_container=selection.all_containers,
    )
    if template:
        by = parse_template(template, datetime.now(UTC).date().isoformat(), cluster.context)
    transfers, skipped = await _selected(cluster, selection._replace(labels=by.labels), waves)
    plan = build_pull(destination, transfers, skipped, _token(), template=by, is_archive=is_archive)
    plan = replace(plan, waves=waves_of(plan.transfers, waves))
    if is_archive:
        await to_thread.run_sync(check_archive, destination)
    elif is_store(destination) and by_others:
        _check_url(destination)
    elif is_store(destination):
        await to_thread.run_sync(_check_store, destination, abandon_on_cancel=True)
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


async def _selected(
    cluster: Cluster, selection: Selection, waves: Waves, *, to_come: bool = False
) -> tuple[Sequence[Transfer], Sequence[Skipped]]:
    """Return as `select`; where waves go by zones, each target with that of its node."""
    if cluster.members:
        from asynccp.engine.everywhere import select_everywhere  # few need it

        transfers, skipped = await select_everywhere(cluster, selection)
    else:
        transfers, skipped = await select(cluster, selection, to_come=to_come)
    if waves.by is not WaveBy.ZONE:
        return transfers, skipped
    zones = await cluster.zones()
    if not any(one.target.host in zones for one in transfers):
        raise PlanError(f"none of the pods' nodes has a zone, which is the label {ZONE}", hint="a wave can go by node")
    placed = [replace(one, target=replace(one.target, zone=zones.get(one.target.host, ""))) for one in transfers]
    return placed, skipped


def _check_url(url: str) -> None:
    """Raise UsageError for what no store has for a URL."""
    from asynccp.objects.url import parse_url  # few need it

    parse_url(url)


def _check_store(url: str) -> None:
    """Raise PlanError, UsageError where a store can't be written to, as far as it tells when it is looked into."""
    from asynccp.objects.store import opened  # few need it
    from asynccp.objects.url import parse_url

    opened(parse_url(url), patient=False).check()


async def plan_rollback(cluster: Cluster, selection: Selection, *, to: str = "", lists: bool = False) -> "RollbackPlan":
    """Return in which pods a backup is brought back, or looked for. to: which one. Raises as `plan_pull`."""
    from asynccp.plan.rollback import RollbackPlan  # few need it
    from asynccp.remote.revisions import is_revision

    if to and not is_revision(to):
        raise UsageError(f"'{printable(to)}' is no revision", hint="`asynccp history` lists those that there are")
    transfers, skipped = await _selected(cluster, selection, _DEFAULT.waves)
    return RollbackPlan(tuple(transfers), tuple(skipped), _token(), to, lists)


def _one_pod(transfers: Sequence[Transfer]) -> Sequence[Transfer]:
    if len(transfers) != 1:
        raise UsageError(
            f"cp is for one pod, and {len(transfers)} match", hint="push and pull copy to and from all of them"
        )
    return transfers


def _token() -> str:
    """Return 16 hexadecimal digits that no other run has: they mark the lines of the dialogue, and the sentinel."""
    return secrets.token_hex(8)
