"""Connecting: what --kubeconfig and --context say → the cluster that a command works with, which may be several."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from asynccp.cli.request import Server
from asynccp.engine.group import single_error
from asynccp.errors import ClusterError
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import connect

_AT_ONCE = 8  # plugins that tell credentials


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Cluster]:
    """Connect to one cluster, or to each of several. Raises ClusterError: of several, for a name that there is not."""
    if not server.names_several:
        async with connect(server.kubeconfig, server.context) as cluster:
            yield cluster
        return
    from asynccp.kube.clusters import JoinedCluster, Unreached, matching_contexts  # few need it

    names = await matching_contexts(server.kubeconfig, server.contexts)
    members: dict[str, Cluster] = {}
    at_once = anyio.CapacityLimiter(1 if sys.stdin.isatty() else _AT_ONCE)  # a plugin may ask at the terminal

    async def load(name: str) -> None:
        async with at_once:
            try:
                members[name] = await stack.enter_async_context(connect(server.kubeconfig, name))
            except ClusterError as exc:
                members[name] = Unreached(name, exc)

    async with AsyncExitStack() as stack:
        with single_error():
            async with anyio.create_task_group() as tasks:
                for name in names:
                    tasks.start_soon(load, name)
        yield JoinedCluster({name: members[name] for name in names})
