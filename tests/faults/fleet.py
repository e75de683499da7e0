"""A fake cluster and the real engine, in one process: what a test of one fault needs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import anyio

from asynccp import Options, Report, Selection, Selector, connect, plan_pull, plan_push, pull, push
from asynccp.events import Observer
from asynccp.kube.cluster import KubernetesCluster
from asynccp.report import Result
from asynccp.testing.faults import Fault
from asynccp.testing.kinds import KINDS, Kind
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from benchmarks.trust.faults.storm import build

LABELS = {"app": "web"}


@dataclass
class Fleet:
    """Pods that all have the tree /srv/tree; `directory` holds the same as `tree`, and what is pulled as `back`."""

    cluster: FakeCluster
    client: KubernetesCluster
    directory: Path
    pods: list[FakePod]

    async def push(self, options: Options, observer: Observer | None = None, stop: anyio.Event | None = None) -> Report:
        plan = await plan_push(self.client, [str(self.directory / "tree")], _everybody("/tmp"))
        return await push(self.client, plan, options=options, observer=observer, stop=stop)

    async def pull(self, options: Options, observer: Observer | None = None, stop: anyio.Event | None = None) -> Report:
        plan = await plan_pull(self.client, str(self.directory / "back"), _everybody("/srv/tree"))
        return await pull(self.client, plan, options=options, observer=observer, stop=stop)

    async def run(self, direction: str, options: Options, fault: Fault) -> Result:
        """Copy to or from the first pod while a fault strikes it."""
        self.cluster.strike(self.pods[0], fault)
        report = await (self.push if direction == "push" else self.pull)(options)
        self.cluster.heal()
        await self.cluster.wait_idle()
        (result,) = report.results
        assert (report.exit_code == 0) is report.ok
        return result


def _everybody(path: str) -> Selection:
    return Selection((Selector("labels", "app=web", path),))


@asynccontextmanager
async def fleet(
    directory: Path, count: int = 1, *, kinds: Sequence[str | Kind] = ("gnu",), protocols: Sequence[str] = ("v5", "v4"),
    sizes: dict[str, int] | None = None,
) -> AsyncIterator[Fleet]:  # fmt: skip
    """Run a cluster of some pods, of these kinds in turn."""
    small = sizes or {"one": 100, "two/large": 300_000}
    build(directory / "tree", 1, small)
    async with FakeCluster(directory / "pods", protocols=protocols) as cluster:
        asked = [kind for kind, _ in zip(cycle(kinds), range(count), strict=False)]
        made = [Container("main", kind if isinstance(kind, Kind) else KINDS[kind]()) for kind in asked]
        pods = [
            await cluster.add_pod(FakePod(f"web-{number}", LABELS, containers=[one])) for number, one in enumerate(made)
        ]
        for pod in pods:
            build(pod.root() / "srv" / "tree", 1, small)
        await cluster.write_kubeconfig(directory / "kubeconfig")
        async with connect(str(directory / "kubeconfig")) as client:
            yield Fleet(cluster, client, directory, pods)
