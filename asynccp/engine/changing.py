"""Changing: plans of a push, one after another, whenever what it is to push has changed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import anyio
from anyio import to_thread
from msgspec.structs import replace

from asynccp.archive.layout import ArchiveLayout
from asynccp.errors import PlanError, SourceChanged
from asynccp.plan.plan import PushPlan

AGAIN_S = 1.0  # before sources that can't be read are looked at again, should nothing change by itself


async def plans(
    sources: Sequence[str],
    make_plan: Callable[[], Awaitable[PushPlan]],
    now: PushPlan,
    tell: Callable[[str], None],
) -> AsyncIterator[PushPlan]:
    """Yield a plan whenever the sources are others than those of the last. now: the first. Raises PlanError.

    What took long to be found out, and to be begun with, is looked at again after as long: in a large tree that takes
    half of the time at most.

    Sources that can't be read, as while somebody puts others in their place, are none: it is told, and waited for.
    """
    from asynccp.local.watch import Changes  # few need it, and what it needs

    changes, digest, told = Changes(sources), now.digest, ""
    await to_thread.run_sync(changes.start)
    try:
        is_changed = True  # perhaps since the first plan was made
        while is_changed:
            begun = anyio.current_time()
            try:
                plan = await make_plan()
            except PlanError as exc:
                if str(exc) != told:
                    tell(told := str(exc))
                await anyio.sleep(AGAIN_S)
                continue
            told = ""
            if plan.digest != digest:
                try:
                    now = await to_thread.run_sync(_kept, plan, now)
                except SourceChanged:  # once more
                    await anyio.sleep_until(2 * anyio.current_time() - begun)
                    continue
                digest = plan.digest
                yield now
            took_s = anyio.current_time() - begun
            is_changed = await to_thread.run_sync(changes.wait, abandon_on_cancel=True)
            await anyio.sleep_until(begun + 2 * took_s)
    finally:
        changes.stop()


def _kept(plan: PushPlan, before: PushPlan) -> PushPlan:
    """Return a plan that takes small sources as they are now, whatever becomes of them."""
    from asynccp.local.kept import kept

    return replace(plan, layout=ArchiveLayout(kept(plan.entries, before.entries), plan.layout.token))
