"""asynccp: kubectl cp for a fleet. Complete, or failed and named; never silently short.

async with connect() as cluster:
    plan = await plan_push(cluster, ["./config"], Selection(parse_selectors(["app=web:/etc/app"])))
    report = await push(cluster, plan)
"""

import sys

if sys.platform == "win32":  # tar modes, directory descriptors and O_NOFOLLOW are POSIX
    sys.exit("asynccp runs on Linux and macOS; on Windows use it inside WSL")

from asynccp.cluster.base import Cluster
from asynccp.cluster.kubernetes import connect
from asynccp.engine.planning import plan_pull, plan_push
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.errors import AsyncCpError, ClusterError, NoTargets, PlanError, TransferError, UsageError
from asynccp.limits import Limits
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.progress import NullObserver, Observer
from asynccp.report import Outcome, Report, Result
from asynccp.target import Selection, Selector, Target, Transfer, parse_selectors

__version__ = "0.1.0"

__all__ = [
    "AsyncCpError",
    "Cluster",
    "ClusterError",
    "Limits",
    "NoTargets",
    "NullObserver",
    "Observer",
    "Options",
    "Outcome",
    "PlanError",
    "PullPlan",
    "PushPlan",
    "Report",
    "Result",
    "Selection",
    "Selector",
    "Target",
    "Transfer",
    "TransferError",
    "UsageError",
    "connect",
    "parse_selectors",
    "plan_pull",
    "plan_push",
    "pull",
    "push",
]
