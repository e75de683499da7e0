"""Take back: what a push that was stopped did in all pods, by the backup that each of them has made meanwhile.

A pod whose own hook failed has done so itself. What is brought back stands where it was, and what the run had put there
is not kept. A pod that was complete is not any more, and is told so.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from asynccp.engine.rollback import rollback
from asynccp.errors import Knob, UsageError
from asynccp.events import Amended, Observer
from asynccp.kube.base import Cluster
from asynccp.options import Options, Waves
from asynccp.plan.rollback import RollbackPlan
from asynccp.report import Outcome, Report, Result
from asynccp.target import Transfer

TAKEN_BACK = "TakenBack"  # the class of such a result's error


def check_kept(options: Options) -> None:
    """Raise UsageError where what is done could not be undone."""
    if not options.rollout.backups:
        raise UsageError("nothing can be rolled back: no pod keeps what is replaced", hint=f"add {Knob.BACKUPS}")


async def taken_back(cluster: Cluster, report: Report, token: str, options: Options, observer: Observer) -> Report:
    """Return the report of a run that is undone in each pod where it has replaced something."""
    options = options._replace(failures=options.failures._replace(fail_fast=False), waves=Waves())
    those = {one.transfer: one for one in report.results if one.backup and not one.rolled_back}
    undone: dict[Transfer, Result] = {}
    for revision, transfers in _by_revision(those.values()).items():
        plan = RollbackPlan(transfers, (), token, to=revision, keeps=False)
        found = await rollback(cluster, plan, options=options)
        undone |= {one.transfer: one for one in found.results}
    why = report.stopped.stopped if report.stopped else "the run was stopped"
    amended = {transfer: _amended(those[transfer], one, why) for transfer, one in undone.items()}
    for result in amended.values():
        observer(Amended(result))
    return replace(report, results=[amended.get(one.transfer, one) for one in report.results])


def _by_revision(results: Iterable[Result]) -> Mapping[str, tuple[Transfer, ...]]:
    found: dict[str, tuple[Transfer, ...]] = {}
    for one in results:
        found[one.backup] = (*found.get(one.backup, ()), one.transfer)
    return found


def _amended(before: Result, undone: Result, why: str) -> Result:
    """Return what a transfer has come to."""
    said = before.error if before.outcome.is_failure else f"rolled back, because {why}"
    is_back = undone.outcome is Outcome.COMPLETE
    if not is_back:
        said += f"; and it could not be rolled back: {undone.error}"
    elif before.outcome.is_failure:
        said += "; what was there before is there again"
    return replace(
        before,
        outcome=Outcome.FAILED,
        error=said,
        error_class=before.error_class or TAKEN_BACK,
        hint=undone.hint,
        rolled_back=is_back,
        backup="" if is_back else before.backup,
        hooks=(*before.hooks, *undone.hooks),
    )
