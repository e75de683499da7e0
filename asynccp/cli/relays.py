"""By relays: what --relays asks for, as who carries a plan out; and the manifest of what it makes."""

from pathlib import Path
from typing import Any

import typer
from anyio import to_thread

from asynccp.cli.request import Request
from asynccp.errors import UsageError
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import KubernetesCluster
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.job import Wanted, beside, job, namespace_of, rules
from asynccp.relay.relays import Relays
from asynccp.relay.yamlfile import manifest, read_template
from asynccp.report import Report

_NAME = "asynccp-relay"


async def by_relays(request: Request, cluster: Cluster, plan: PushPlan | PullPlan, **how: Any) -> Report:
    """Have a plan carried out by relays. Raises UsageError where they can't. how: as of `engine.push.push`."""
    if request.workers != 1:
        raise UsageError(
            "workers are processes of this machine, and relays of the cluster", hint="leave one of them out"
        )
    if request.server.names_several or not isinstance(cluster, KubernetesCluster):
        raise UsageError("relays are of one cluster, and several are named", hint="name one context")
    if "confirm" in how:
        raise UsageError("waves are confirmed one by one, here", hint="leave --relays out")
    wanted = await to_thread.run_sync(
        wanted_of, request, namespace_of((one.target for one in plan.transfers), cluster.namespace)
    )
    return await Relays(cluster, wanted).carry_out(plan, **how)


def wanted_of(request: Request, namespace: str) -> Wanted:
    """Return what relays are asked for. Blocks. Raises UsageError."""
    asked = request.relays
    if not asked.image:
        raise UsageError(
            "relays need an image with asynccp in it, and none is named",
            hint="--relay-image names it; asynccp/relay/Dockerfile builds it",
        )
    template = read_template(Path(asked.template)) if asked.template else {}
    return Wanted(asked.number, asked.image, asked.namespace or namespace, template)


def print_manifest(request: Request) -> int:
    """Print what relays need, and their Job, for who applies such things themselves."""
    wanted = wanted_of(request._replace(relays=request.relays._replace(number=request.relays.number or 1)), "default")
    allowed = rules(logs=True, ephemeral=bool(request.options.ephemeral.image))
    documents = [*beside(_NAME, wanted.namespace, allowed, None), job(_NAME, wanted, suspend=False)]
    typer.echo(manifest(documents), nl=False)
    return 0
