"""Lookup: the names that a cluster has, for one word of a command line. A server is asked once."""

import os
import posixpath
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from asynccp.cli.line import Line
from asynccp.cli.request import Request
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4, Stdout
from asynccp.kube.quiet import connect_quietly, contexts
from asynccp.status import ExitStatus
from asynccp.target import WORKLOADS, Json, Selector, Skipped, Target, match_pod, parse_remote

MOST_SIZE = 64 * 1024  # bytes of names
_LIST = """\
cd "$1" 2>/dev/null || exit 0
for f in "$2"*; do
if [ -d "$f" ]; then printf '%s/\\n' "$f"; elif [ -e "$f" ] || [ -h "$f" ]; then printf '%s\\n' "$f"; fi
done"""


class Lookup:
    """line: whose word it is. request: what it asks for so far, with its settings."""

    def __init__(self, line: Line, request: Request) -> None:
        self._line = line
        self._request = request

    async def contexts(self) -> Sequence[str]:
        return await contexts(self._request.server.kubeconfig)

    async def namespaces(self) -> Sequence[str]:
        async with self._cluster() as cluster:
            return [str(one["metadata"]["name"]) for one in await cluster.objects("api/v1/namespaces")]

    async def pods(self, namespace: str = "") -> Sequence[tuple[str, str, Mapping[str, str]]]:
        async with self._cluster() as cluster:
            path = "api/v1/pods"
            if namespace or not self._request.where.all_namespaces:
                path = f"api/v1/namespaces/{namespace or self._namespace(cluster)}/pods"
            found = [one["metadata"] for one in await cluster.objects(path)]
        return [(str(one.get("namespace", "")), str(one.get("name", "")), one.get("labels") or {}) for one in found]

    async def workloads(self, kind: str) -> Sequence[str]:
        api, plural = WORKLOADS[kind]
        async with self._cluster() as cluster:
            found = await cluster.objects(f"{api}/namespaces/{self._namespace(cluster)}/{plural}")
        return [str(one["metadata"]["name"]) for one in found]

    async def containers(self) -> Sequence[str]:
        names: dict[str, None] = {}
        async with self._cluster() as cluster:
            for pod in await self._found(cluster, self._meant()):
                spec = pod.get("spec") or {}
                names |= dict.fromkeys(str(one.get("name", "")) for one in spec.get("containers") or ())
        return list(names)

    async def paths(self, who: str, path: str, *, by_labels: bool) -> Sequence[str]:
        selector = Selector("labels", who, path) if by_labels else parse_remote(f"{who}:{path or '/'}")
        directory, part = posixpath.split(path)
        async with self._cluster() as cluster:
            for pod in await self._found(cluster, selector):
                target = match_pod(pod, self._request.where.container, named=selector.kind == "pod")
                if not isinstance(target, Skipped):
                    return [posixpath.join(directory, one) for one in await _names(cluster, target, directory, part)]
        return []

    def _meant(self) -> Selector:
        """Return who the line names so far; every pod where it names nobody."""
        for one in self._line.arguments:
            if ":" in one and not one.startswith((":", ".", "/")):
                return parse_remote(one, needs_path=False)
        return Selector("labels", self._line.last("selector").partition(":")[0], "")

    async def _found(self, cluster: KubernetesCluster, selector: Selector) -> Sequence[Json]:
        """Return the first page of pods."""
        where = selector.namespace or self._namespace(cluster)
        async for page in cluster.list_pods(selector, where, ""):
            return page
        return []

    def _namespace(self, cluster: KubernetesCluster) -> str:
        return next(iter(self._request.where.namespaces), cluster.namespace)

    @asynccontextmanager
    async def _cluster(self) -> AsyncIterator[KubernetesCluster]:
        server = self._request.server
        context = None if not server.contexts else server.contexts[0]
        if context and server.names_several:
            from asynccp.kube.clusters import matching_contexts

            context = (await matching_contexts(server.kubeconfig, [context]))[0]
        plugins = os.environ.get("ASYNCCP_COMPLETE_PLUGINS") == "1"
        async with connect_quietly(server.kubeconfig, context, plugins=plugins) as cluster:
            yield cluster


async def _names(cluster: KubernetesCluster, target: Target, directory: str, part: str) -> list[str]:
    """Return the names in a directory of a container that begin with `part`; a directory has a slash at its end."""
    said = b""
    argv = ["sh", "-c", _LIST, "sh", directory or ".", part]
    async with cluster.open_exec(target, argv, V4) as session:
        while len(said) < MOST_SIZE and (event := await session.receive()) is not None:
            if isinstance(event, Stdout):
                said += bytes(event.data)
            elif isinstance(event, ExitStatus):
                break
    return said.decode("utf-8", "surrogateescape").split("\n")[:-1]
