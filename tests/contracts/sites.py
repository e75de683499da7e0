"""Sites: implementations of `kube.base`, each with a pod in which the same programs can be run."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread
from kubernetes_asyncio.client import ApiClient, Configuration

from asynccp import connect
from asynccp.engine.pace import Pace
from asynccp.kube.base import Cluster, Session
from asynccp.kube.exec import STDERR
from asynccp.status import ExitStatus
from asynccp.target import Target
from asynccp.testing.server import FakeCluster
from tests.e2e.fleet import labels_for
from tests.e2e.real import RealFleet
from tests.engine.scripted import TOKEN, Pod, scripted
from tests.engine.scripted import target as scripted_target

LABELS = labels_for("contract")  # of this process: others have pods on the same cluster, side by side

# What runs in the pod: `sh -c`. A scripted pod follows a function of the same name below.
ECHOES = "cat"
SAYS = "printf out1; printf err >&2; printf out2; exit 3"
LEAVES_A_MARK = "rm -f /tmp/mark; printf ready; cat >/dev/null; : >/tmp/mark"
AWAITS_THE_MARK = "until [ -e /tmp/mark ]; do sleep 0.05; done"


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster, a pod that runs in it, and a way to run a program there."""

    cluster: Cluster
    target: Target
    run: Callable[[str, str], AbstractAsyncContextManager[Session]]


Place = Callable[[], AbstractAsyncContextManager[Site]]


def _by_shell(cluster: Cluster, target: Target) -> Site:
    return Site(cluster, target, lambda program, protocol: cluster.open_exec(target, ["sh", "-c", program], protocol))


@asynccontextmanager
async def fake(directory: Path) -> AsyncIterator[Site]:
    """`connect(kubeconfig)`, to a fake cluster."""
    async with FakeCluster(directory / "pods") as server:
        pod = await server.add_pod("web-1", labels=LABELS)
        await server.write_kubeconfig(directory / "kubeconfig")
        async with connect(str(directory / "kubeconfig")) as cluster:
            yield _by_shell(cluster, Target(pod.namespace, pod.name, "main", uid=pod.uid))


@asynccontextmanager
async def brought(directory: Path) -> AsyncIterator[Site]:
    """`connect(api_client=…)`, to a fake cluster."""
    async with FakeCluster(directory / "pods") as server:
        pod = await server.add_pod("web-1", labels=LABELS)
        async with ApiClient(Configuration(host=server.url)) as api, connect(api_client=api) as cluster:
            yield _by_shell(cluster, Target(pod.namespace, pod.name, "main", uid=pod.uid))


@asynccontextmanager
async def paced(directory: Path) -> AsyncIterator[Site]:
    """Sessions that keep to a rate, which is a high one."""
    async with fake(directory) as site:
        pace = Pace(1e9)

        @asynccontextmanager
        async def run(program: str, protocol: str) -> AsyncIterator[Session]:
            async with site.run(program, protocol) as session:
                yield pace.of(session)

        yield Site(site.cluster, site.target, run)


@asynccontextmanager
async def real(fleet: RealFleet) -> AsyncIterator[Site]:
    """`connect(kubeconfig)`, to a real cluster."""
    uid = await to_thread.run_sync(fleet.kubectl, "get", "pod", "web-1", "-o", "jsonpath={.metadata.uid}")
    async with connect(str(fleet.kubeconfig)) as cluster:
        yield _by_shell(cluster, Target(fleet.namespace, "web-1", "main", uid=uid))


@asynccontextmanager
async def of_scripts() -> AsyncIterator[Site]:
    """Pods that follow a test's script (tests/engine/scripted.py). They want the end of a script as the first bytes."""
    mark = anyio.Event()

    async def echoes(pod: Pod) -> None:
        while data := await pod.hear():
            await pod.say(data)
        await pod.end()

    async def says(pod: Pod) -> None:
        await pod.say(b"out1")
        await pod.say(b"err", STDERR)
        await pod.say(b"out2")
        await pod.end(ExitStatus(3, "exit status 3"))

    async def leaves_a_mark(pod: Pod) -> None:
        await pod.say(b"ready")
        try:
            while await pod.hear():
                pass
        finally:
            mark.set()

    async def awaits_the_mark(pod: Pod) -> None:
        await mark.wait()
        await pod.end()

    scripts: Mapping[str, Callable[[Pod], object]] = {
        ECHOES: echoes, SAYS: says, LEAVES_A_MARK: leaves_a_mark, AWAITS_THE_MARK: awaits_the_mark,
    }  # fmt: skip

    async def follow(pod: Pod) -> None:
        await scripts[pod.argv[-1]](pod)  # type: ignore[misc]

    async with scripted(follow) as cluster:

        @asynccontextmanager
        async def run(program: str, protocol: str) -> AsyncIterator[Session]:
            async with cluster.open_exec(scripted_target(), ["sh", "-c", program], protocol) as session:
                await session.send(f"#{TOKEN}\n".encode())
                yield session

        yield Site(cluster, scripted_target(), run)
