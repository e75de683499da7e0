"""Planning: a request → a plan. Lists pods and scans the disk at the same time; no byte of a file is read."""

import secrets
from collections.abc import Sequence

import anyio
from anyio import to_thread

from asynccp.cluster.base import Cluster
from asynccp.disk.destination import check_destination
from asynccp.disk.scan import Scanned, scan
from asynccp.engine.group import single_error
from asynccp.engine.select import select
from asynccp.errors import PlanError
from asynccp.plan.layout import ArchiveLayout
from asynccp.plan.plan import PullPlan, PushPlan, build_pull
from asynccp.target import Selection


async def plan_push(cluster: Cluster, sources: Sequence[str], selection: Selection, *, follow: bool = True) -> PushPlan:
    """Return who gets what. Raises PlanError, UsageError: nothing has moved then.

    follow: a source that is a symbolic link is copied as what it leads to.
    """
    scanned = Scanned([], [], [])

    async def look() -> None:
        nonlocal scanned
        scanned = await to_thread.run_sync(scan, sources, follow, abandon_on_cancel=True)  # it only looks

    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            transfers, skipped = await select(cluster, selection)
    entries, left_out, not_kept = scanned
    if not entries:
        raise PlanError(f"there is nothing to push in {' '.join(sources)}")
    layout = ArchiveLayout(entries, _token())
    return PushPlan(tuple(sources), layout, tuple(transfers), tuple(skipped), tuple(left_out), not_kept=tuple(not_kept))


async def plan_pull(cluster: Cluster, destination: str, selection: Selection) -> PullPlan:
    """Return where each pod's files will land. Raises PlanError, UsageError: nothing has moved then."""
    transfers, skipped = await select(cluster, selection)
    several = selection.reaches_several_namespaces(cluster.namespace)
    plan = build_pull(destination, transfers, skipped, _token(), several_namespaces=several)
    await to_thread.run_sync(check_destination, destination, [one.directory for one in plan.gathers])
    return plan


def _token() -> str:
    """Return 16 hexadecimal digits that no other run has: they mark the lines of the dialogue, and the sentinel."""
    return secrets.token_hex(8)
