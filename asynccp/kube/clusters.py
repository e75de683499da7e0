"""JoinedCluster: several clusters behind the seam of one. Who has a target is asked for it, and nobody else.

Each has its own connections, credentials and namespace: nothing of one goes to another.
"""

import fnmatch
import math
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import NoReturn

from anyio import to_thread

from asynccp.auth.access import usable
from asynccp.auth.kubeconfig import context_names, kubeconfig_paths
from asynccp.errors import ClusterError, UsageError
from asynccp.kube.base import Cluster, EphemeralContainer, Session, Wanted
from asynccp.target import Json, Log, Target
from asynccp.text import printable


async def matching_contexts(kubeconfig: str | None, wanted: Sequence[str]) -> list[str]:
    """Return the contexts of a kubeconfig that are named, or match a pattern (`prod-*`), each once.

    Raises ClusterError where there is none.
    """
    paths = kubeconfig_paths(kubeconfig, os.environ.get("KUBECONFIG"))
    shown = f"the kubeconfig {printable(os.pathsep.join(paths))}"
    names = await to_thread.run_sync(usable, shown, lambda: context_names(paths))
    found: dict[str, None] = {}
    for one in wanted:
        some = [one] if one in names else [name for name in names if fnmatch.fnmatchcase(name, one)]
        if not some:
            raise ClusterError(
                f"{shown} has no context {printable(one)!r}",
                hint="kubectl config get-contexts shows what is there",
            )
        found |= dict.fromkeys(some)
    return list(found)


class JoinedCluster:
    """members: by their contexts."""

    context = None
    namespace = ""  # each has its own

    def __init__(self, members: Mapping[str, Cluster]) -> None:
        self.members = members

    @property
    def connect_s(self) -> float:
        """Of the farthest that was reached."""
        return max((one.connect_s for one in self.members.values() if one.connect_s < math.inf), default=math.inf)

    def list_pods(self, *_: object, **__: object) -> NoReturn:
        """Raises UsageError: which cluster a pod is of would not be told. Who works in several asks each on its own
        (`engine.everywhere`).
        """
        raise UsageError("this is for one cluster, and several contexts are named", hint="run it for each of them")

    watch_pods = list_pods

    async def find_pod(self, target: Target) -> Json | None:
        return await self._of(target).find_pod(target)

    async def zones(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for context, member in self.members.items():
            if not isinstance(member, Unreached):
                found |= {f"{context}/{node}": zone for node, zone in (await member.zones()).items()}
        return found

    def open_log(self, target: Target, log: Log) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._of(target).open_log(target, log)

    def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AbstractAsyncContextManager[Session]:
        return self._of(target).open_exec(target, argv, protocol)

    async def ephemeral(self, target: Target, wanted: Wanted) -> EphemeralContainer:
        return await self._of(target).ephemeral(target, wanted)

    def _of(self, target: Target) -> Cluster:
        return self.members[target.context]


class Unreached:
    """A cluster that can't even be asked, because its part of the kubeconfig can't be used. error: why.

    So none of its pods is ever a target, and it is only asked who there is.
    """

    namespace = "default"
    connect_s = math.inf
    members: Mapping[str, Cluster] = MappingProxyType({})

    def __init__(self, context: str, error: ClusterError) -> None:
        self.context = context
        self._error = error

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise type(self._error)(str(self._error), hint=self._error.hint)

    list_pods = watch_pods = find_pod = zones = open_log = open_exec = ephemeral = _refuse
