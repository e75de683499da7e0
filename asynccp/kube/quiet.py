"""Quiet: a connection for who completes a word: nobody is asked for anything, no browser opens, no tokens are renewed.

A user whose credentials come from a plugin is connected only if the kubeconfig says that the plugin never asks
(`interactiveMode: Never`), or whoever completes words has allowed it; one of an identity provider never is.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread

from asynccp.auth.access import usable
from asynccp.auth.kubeconfig import context_names, kubeconfig_paths, read_kubeconfig
from asynccp.errors import ClusterError
from asynccp.kube.cluster import KubernetesCluster, connect


@asynccontextmanager
async def connect_quietly(
    kubeconfig: str | None, context: str | None, *, plugins: bool = False
) -> AsyncIterator[KubernetesCluster]:
    """Connect as `connect`. plugins: any may be run. Raises ClusterError, also where somebody might be asked."""
    paths = kubeconfig_paths(kubeconfig, os.environ.get("KUBECONFIG"))
    if await to_thread.run_sync(lambda: any(map(os.path.exists, paths))):
        choice = await to_thread.run_sync(usable, "the kubeconfig", lambda: read_kubeconfig(paths, context))
        plugin = choice.user.get("exec")
        if choice.user.get("auth-provider") or (plugin and not plugins and plugin.get("interactiveMode") != "Never"):
            raise ClusterError("its credentials may have to be asked for")
    async with connect(kubeconfig, context) as cluster:
        yield cluster


async def contexts(kubeconfig: str | None) -> list[str]:
    """Return the names of all contexts. Raises ClusterError."""
    paths = kubeconfig_paths(kubeconfig, os.environ.get("KUBECONFIG"))
    return await to_thread.run_sync(usable, "the kubeconfig", lambda: context_names(paths))
