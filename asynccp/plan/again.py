"""Again: a second try of what a run did not complete, by the same plan, and the report of both. Pure.

    plan = narrowed(plan, report)       the transfers that are to be tried again, and no others
    merged(report, later)               the report of both runs

Tried again are the transfers that are not complete (of an interrupted run also those that never began), and the pods
that were skipped and count as failed. A transfer is known by its pod's name, its container and its path: a pod that was
replaced by one of its name is tried, pods that came later are not. What was complete stays as it was.
"""

from collections.abc import Hashable, Sequence

from msgspec.structs import replace

from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Outcome, Report, Result
from asynccp.target import Skipped, Transfer
from asynccp.text import printable
from asynccp.wave import Passed, Wave, pods_of

GONE = "no such pod matches any more"
_HINT = "the copy itself, run again, is for the pods that are there now"


def is_done(report: Report) -> bool:
    """Tell whether nothing is left that could be tried again."""
    return not report.failed and not report.missed


def narrowed(plan: PushPlan | PullPlan, report: Report) -> PushPlan | PullPlan:
    """Return the plan of what is to be tried again. plan: of the same request, made anew."""
    unfinished, missed = {_identity(one.transfer) for one in report.failed}, {one.name for one in report.missed}
    known = {_identity(one.transfer) for one in report.results}

    def is_wanted(transfer: Transfer) -> bool:
        which = _identity(transfer)
        return which in unfinished or (which not in known and bool(_names(transfer) & missed))

    pods = {one.transfer.target.of_pod for one in report.failed} | {one.pod for one in report.missed}
    skipped = tuple(one for one in plan.skipped if one.pod in pods)
    waves = _waves(list(filter(is_wanted, plan.transfers)), report)
    if isinstance(plan, PushPlan):
        return replace(plan, transfers=tuple(filter(is_wanted, plan.transfers)), skipped=skipped, waves=waves)
    wanted = [one for one in plan.gathers if is_wanted(one.transfer)]
    others = [one for one in plan.gathers if not is_wanted(one.transfer)]
    return replace(plan, gathers=tuple(wanted), beside=tuple(others), skipped=skipped, waves=waves)


def _waves(wanted: Sequence[Transfer], report: Report) -> tuple[Wave, ...]:
    """Return the waves of what is to be tried again: those of the report. A pod that it lacks is in the last one."""
    number = {_identity(one.transfer): one.wave for one in report.results}
    found: dict[int, list[Transfer]] = {one.wave: [] for one in report.waves}
    for one in wanted if found else ():
        found.get(number.get(_identity(one), 0), found[max(found)]).append(one)
    of = len(report.waves)
    return tuple(Wave(one.wave, of, one.name, tuple(those)) for one in report.waves if (those := found[one.wave]))


def merged(report: Report, later: Report) -> Report:
    """Return the report of a run and its second try: of each transfer how it ended at last, in the order of the first.

    Attempts and bytes on the wire are those of both. The runs are counted on behind one another, without the time
    between: nobody waited then.
    """
    tried = {_identity(one.transfer): one for one in later.results}
    why = {one.name: one for one in later.skipped}
    results = [
        one if one.outcome.is_good else _joined(one, tried.pop(_identity(one.transfer), None), why, report.seconds)
        for one in report.results
    ]
    names = set().union(*(_names(one.transfer) for one in tried.values()))
    results += [_later(one, report.seconds) for one in tried.values()]
    return replace(
        report,
        results=results,
        skipped=[_still(one, why) if one in report.missed else one for one in report.skipped if one.name not in names],
        left_out=later.left_out,
        not_kept=later.not_kept,
        seconds=report.seconds + later.seconds,
        waves=_passed(report, later, results),
    )


def _passed(report: Report, later: Report, results: Sequence[Result]) -> list[Passed]:
    """Return how each wave went at last. results: of both runs."""
    tried = {one.wave: one for one in later.waves}
    found = []
    for before in report.waves:
        after = tried.get(before.wave, Passed(before.wave, before.name, 0))
        begun_s = before.begun_s if after.begun_s is None else after.begun_s + report.seconds
        those = [one for one in results if one.wave == before.wave]
        failed = [one.transfer for one in those if one.outcome.is_failure and one.begun_s is not None]
        found.append(
            replace(
                before,
                pods=len(pods_of([one.transfer for one in those])),
                begun_s=begun_s if before.begun_s is None else before.begun_s,
                seconds=before.seconds + after.seconds,
                failed=len(pods_of(failed)),
                stopped=after.stopped,
            )
        )
    return found


def _joined(before: Result, after: Result | None, why: dict[str, Skipped], seconds: float) -> Result:
    """Return how a transfer ended that was not complete. after: None if it was not tried, as its pod is gone."""
    if after is None:
        names = sorted(_names(before.transfer) & why.keys())
        words = why[names[-1]].reason if names else GONE
        error = f"not tried again: {words}"
        return replace(before, outcome=Outcome.FAILED, error=error, error_class="", hint="" if names else _HINT)
    return replace(
        _later(after, seconds),
        attempts=(*before.attempts, *after.attempts),
        tries=sum(one.tries for one in (before, after) if one.begun_s is not None) or 1,
        wire_size=before.wire_size + after.wire_size,
        archive_size=before.archive_size + after.archive_size,
    )


def _later(result: Result, seconds: float) -> Result:
    return result if result.begun_s is None else replace(result, begun_s=result.begun_s + seconds)


def _still(before: Skipped, why: dict[str, Skipped]) -> Skipped:
    return replace(before, reason=why[before.name].reason) if before.name in why else before


def _identity(transfer: Transfer) -> Hashable:
    target, log = transfer.target, transfer.log
    return target.context, target.namespace, target.pod, target.container, transfer.path, log.previous if log else None


def _names(transfer: Transfer) -> set[str]:
    """Return the names under which a pod may be skipped that a transfer is of: its own, and with the container; and
    that of its context, where all of that was skipped.
    """
    target = transfer.target
    return {target.of_pod, f"{target.of_pod}/{target.container}", *([printable(target.context)] * bool(target.context))}
