"""The first lines: which pods were matched, which were skipped, and why. Before the first byte moves."""

from collections.abc import Sequence

from asynccp.escape import printable
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import counted, human_size
from asynccp.target import Skipped, Transfer

_NAMES = 8
_SKIPPED = 20


def opening(plan: PushPlan | PullPlan) -> str:
    """Return what a person should know before the work begins."""
    who = _pods(plan.transfers)
    if isinstance(plan, PushPlan):
        what = f"pushing {counted(len(plan.entries), 'entry', 'entries')} ({human_size(plan.size)}) to {who}"
    else:
        what = f"pulling from {who} into {printable(plan.destination)}"
    return "\n".join([what, *_skipped(plan.skipped), *(f"left out {one}" for one in plan.left_out)])


def _pods(transfers: Sequence[Transfer]) -> str:
    names = list(dict.fromkeys(str(one.target) for one in transfers))
    shown = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    return f"{counted(len(names), 'pod', 'pods')}: {shown}"


def _skipped(skipped: Sequence[Skipped]) -> list[str]:
    more = [f"skipped {len(skipped) - _SKIPPED} more"] if len(skipped) > _SKIPPED else []
    return [f"skipped {one.pod}: {one.reason}" for one in skipped[:_SKIPPED]] + more
