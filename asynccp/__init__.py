"""asynccp: kubectl cp for a fleet. Complete, or failed and named; never silently short.

async with connect() as cluster:
    plan = await plan_push(cluster, ["./config"], Selection(parse_selectors(["app=web:/etc/app"])))
    report = await push(cluster, plan)

What is opened, asked, renewed and tried again is logged at level DEBUG, without secrets, by the logger `asynccp` and
those below it: `asynccp.net`, `asynccp.auth`, `asynccp.kube`, `asynccp.engine`. Nothing is logged at other levels: what
fails is in errors, events and reports.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynccp.difference import Difference
    from asynccp.engine.diff import diff
    from asynccp.engine.following import follow
    from asynccp.engine.planning import plan_pull, plan_push, plan_rollback
    from asynccp.engine.pull import pull
    from asynccp.engine.push import push
    from asynccp.engine.rollback import rollback
    from asynccp.errors import AsyncCpError, ClusterError, NoTargets, PlanError, TransferError, UsageError
    from asynccp.events import Event, Listener, Observer
    from asynccp.kube.base import Cluster
    from asynccp.kube.cluster import connect
    from asynccp.limits import Limits
    from asynccp.options import (
        Attributes,
        Collecting,
        Compression,
        Concurrency,
        Deadlines,
        Dedup,
        Ephemeral,
        Failures,
        Filtering,
        OnFailure,
        Options,
        Publishing,
        Rollout,
        Rule,
        Share,
        Sync,
        Verification,
        WaveBy,
        Waves,
    )
    from asynccp.plan.plan import PullPlan, PushPlan
    from asynccp.plan.rollback import RollbackPlan
    from asynccp.relay.executor import Executor, Here
    from asynccp.relay.workers import Workers
    from asynccp.report import Outcome, Report, Result, Tally
    from asynccp.target import Selection, Selector, Target, Transfer, parse_selectors

__version__ = "0.1.0"
ONLY_POSIX = "asynccp runs on Linux and macOS; on Windows use it inside WSL"  # modes, dir_fd and O_NOFOLLOW are POSIX

__all__ = [
    "AsyncCpError",
    "Attributes",
    "Cluster",
    "ClusterError",
    "Collecting",
    "Compression",
    "Concurrency",
    "Deadlines",
    "Dedup",
    "Difference",
    "Ephemeral",
    "Event",
    "Executor",
    "Failures",
    "Filtering",
    "Here",
    "Limits",
    "Listener",
    "NoTargets",
    "Observer",
    "OnFailure",
    "Options",
    "Outcome",
    "PlanError",
    "Publishing",
    "PullPlan",
    "PushPlan",
    "Report",
    "Result",
    "RollbackPlan",
    "Rollout",
    "Rule",
    "Selection",
    "Selector",
    "Share",
    "Sync",
    "Tally",
    "Target",
    "Transfer",
    "TransferError",
    "UsageError",
    "Verification",
    "WaveBy",
    "Waves",
    "Workers",
    "connect",
    "diff",
    "follow",
    "parse_selectors",
    "plan_pull",
    "plan_push",
    "plan_rollback",
    "pull",
    "push",
    "rollback",
]

_PLACES = {
    "difference": ("Difference",),
    "engine.diff": ("diff",),
    "engine.following": ("follow",),
    "kube.base": ("Cluster",),
    "kube.cluster": ("connect",),
    "engine.planning": ("plan_pull", "plan_push", "plan_rollback"),
    "engine.pull": ("pull",),
    "engine.push": ("push",),
    "engine.rollback": ("rollback",),
    "errors": ("AsyncCpError", "ClusterError", "NoTargets", "PlanError", "TransferError", "UsageError"),
    "limits": ("Limits",),
    "options": (
        "Attributes",
        "Collecting",
        "Compression",
        "Concurrency",
        "Deadlines",
        "Dedup",
        "Ephemeral",
        "Failures",
        "Filtering",
        "Options",
        "Publishing",
        "Rollout",
        "Rule",
        "Sync",
        "Verification",
        "OnFailure",
        "Share",
        "WaveBy",
        "Waves",
    ),
    "plan.plan": ("PullPlan", "PushPlan"),
    "plan.rollback": ("RollbackPlan",),
    "events": ("Event", "Listener", "Observer"),
    "relay.executor": ("Executor", "Here"),
    "relay.workers": ("Workers",),
    "report": ("Outcome", "Report", "Result", "Tally"),
    "target": ("Selection", "Selector", "Target", "Transfer", "parse_selectors"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is (PEP 562): a program hears signals first, and a push needs no extraction.

    Raises ImportError on Windows: who imports it may do without.
    """
    for place, names in _PLACES.items():
        if name in names:
            if sys.platform == "win32":
                raise ImportError(ONLY_POSIX)
            return getattr(importlib.import_module(f"asynccp.{place}"), name)
    raise AttributeError(f"module 'asynccp' has no attribute {name!r}")
