"""The first lines: which pods were matched, which were skipped, and why. Before the first byte moves."""

from typing import TYPE_CHECKING

from asynccp.plan.plan import PullPlan, PushPlan, excluded_lines, skipped_lines, where
from asynccp.plan.waves import in_short
from asynccp.text import counted, human_size, listed, printable
from asynccp.ui.entries import left_out_lines

if TYPE_CHECKING:
    from asynccp.plan.forward import ForwardPlan
    from asynccp.plan.rollback import RollbackPlan

_NAMES = 8  # of pods


def opening(plan: "PushPlan | PullPlan | ForwardPlan | RollbackPlan", *, compares: bool = False) -> str:
    """Return what a person should know before the work begins; how many are skipped is on the first line.

    compares: it is only looked at what a push would change.
    """
    if isinstance(plan, PushPlan):
        entries = f"{counted(len(plan.entries), 'entry', 'entries')} ({human_size(plan.size)})"
        what = f"comparing {entries} with {_who(plan)}" if compares else f"pushing {entries} to {_who(plan)}"
    elif isinstance(plan, PullPlan):
        what = f"pulling from {_who(plan)} into {printable(plan.destination)}"
    else:
        return _other(plan)
    excluded = excluded_lines(plan.excluded) if isinstance(plan, PushPlan) else []
    left_out = left_out_lines(plan.left_out)
    return "\n".join([what, *skipped_lines(plan.skipped), *_ending(plan), *in_short(plan.waves), *excluded, *left_out])


def _other(plan: "ForwardPlan | RollbackPlan") -> str:
    from asynccp.plan.rollback import RollbackPlan  # few need it

    if isinstance(plan, RollbackPlan):
        return "\n".join([f"{plan.words} {_who(plan)}", *skipped_lines(plan.skipped)])
    return f"copying {plan.source} to {plan.destination}"


def _who(plan: "PushPlan | PullPlan | RollbackPlan") -> str:
    names = list(dict.fromkeys(str(one.target) for one in plan.transfers))
    skipped = len({one.name for one in plan.skipped})
    rest = f", {skipped} skipped" if skipped else ""
    among = {one.target.of_pod for one in plan.transfers} | {one.pod for one in plan.skipped if not one.is_context}
    return f"{where(plan.transfers, len(among))}{rest}: {listed(names, _NAMES)}"


def _ending(plan: PushPlan | PullPlan) -> list[str]:
    names = dict.fromkeys(str(one.target) for one in plan.transfers if one.target.ending)
    return [f"{name} is being deleted, and copied while it runs" for name in names]
