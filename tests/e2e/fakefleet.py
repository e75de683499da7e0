"""The fleet on the fake cluster, which runs in a thread of the test process."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from asynccp.kube.cluster import connect
from asynccp.kube.exec import V4, Stderr, Stdout
from asynccp.status import ExitStatus
from asynccp.target import Target
from asynccp.testing.faults import Fault
from asynccp.testing.kinds import KINDS, available_kinds
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from tests.e2e.fleet import SHELLLESS

OTHER_NAMES = {"shell-only": "no-tar"}  # kinds of the real cluster's images → of the fake


@contextmanager
def served(directory: Path) -> Iterator["FakeFleet"]:
    """Run a fleet without pods in a thread."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(FakeCluster(directory / "pods")) as cluster,
    ):
        yield FakeFleet(cluster, portal, directory)


class FakeFleet:
    """Pods of the fake cluster."""

    def __init__(self, cluster: FakeCluster, portal: BlockingPortal, directory: Path) -> None:
        self.cluster = cluster
        self._portal = portal
        self._directory = directory
        self.namespace = "default"
        self.kubeconfig = directory / "kubeconfig"
        portal.call(cluster.write_kubeconfig, self.kubeconfig)

    def add(
        self, kind: str, name: str, labels: dict[str, str], *, node: str = "", user: int = 0, wait: bool = True,
        annotations: dict[str, str] | None = None, containers: Sequence[str] = ("main",), read_only: bool = False,
        namespace: str = "",
    ) -> str:  # fmt: skip
        made = [Container(one, KINDS[OTHER_NAMES.get(kind, kind)]()) for one in containers]
        phase = "Pending" if node else "Running"
        return self.run(FakePod(name, labels, namespace or self.namespace, made, annotations or {}, phase))

    def run(self, pod: FakePod) -> str:
        """Start a pod of one's own making; return its name."""
        self._portal.call(self.cluster.add_pod, pod)
        return pod.name

    def strike(self, pod: FakePod, fault: Fault) -> None:
        """Have a fault strike a pod of one's own making."""
        self._portal.call(self.cluster.strike, pod, fault)

    def heal(self) -> None:
        self._portal.call(self.cluster.heal)

    def add_many(self, kind: str, labels: dict[str, str], replicas: int) -> list[str]:
        return [self.add(kind, f"many-{secrets.token_hex(4)}", labels) for _ in range(replicas)]

    def add_deployment(self, name: str, kind: str, labels: dict[str, str], replicas: int) -> list[str]:
        self._portal.call(self.cluster.add_deployment, name, labels, self.namespace)
        return [self.add(kind, f"{name}-{secrets.token_hex(4)}", labels) for _ in range(replicas)]

    def add_service(self, name: str, labels: dict[str, str]) -> None:
        self._portal.call(self.cluster.add_workload, "svc", name, labels, self.namespace)

    def add_namespace(self) -> str:
        return f"other-{secrets.token_hex(3)}"

    def delete(self, pod: str) -> None:
        self._portal.call(self.cluster.delete_pod, pod, self.namespace)

    def delete_job(self, name: str) -> None:
        self._portal.call(self.cluster.delete_job, name, self.namespace)

    def names_of(self, prefix: str) -> list[str]:
        """Return the pods whose names begin so."""
        return self.cluster.names_of(prefix)

    def forbidden(self) -> Path:
        raise NotImplementedError("the fake knows one user")

    def forbid(self, verb: str, resource: str, user: str) -> None:
        self.cluster.forbid(verb, resource, user)

    def login(self, user: str) -> Path:
        """Return the kubeconfig of another user, whom nothing is forbidden yet."""
        path = self._directory / f"{user}.kubeconfig"
        self._portal.call(self.cluster.write_kubeconfig, path, user)
        return path

    @contextmanager
    def speaking(self, *protocols: str) -> Iterator["FakeFleet"]:
        """Run a cluster beside this one whose API server knows only these subprotocols."""
        directory = self._directory / "-".join(protocols)
        directory.mkdir(exist_ok=True)
        with self._portal.wrap_async_context_manager(FakeCluster(directory / "pods", protocols=protocols)) as cluster:
            yield FakeFleet(cluster, self._portal, directory)

    def execute(self, namespace: str, pod: str, argv: Sequence[str], stdin: bytes) -> bytes:
        container = "asynccp-1" if SHELLLESS in pod else "main"
        return self._portal.call(self._execute, Target(namespace, pod, container), argv, stdin)

    async def _execute(self, target: Target, argv: Sequence[str], stdin: bytes) -> bytes:
        out, err, status = bytearray(), bytearray(), None
        async with connect(str(self.kubeconfig)) as cluster, cluster.open_exec(target, argv, V4) as session:
            if stdin:
                await session.send(stdin)
            while (event := await session.receive()) is not None:
                match event:
                    case Stdout(data):
                        out += data
                    case Stderr(data):
                        err += data
                    case ExitStatus() as found:
                        status = found
        assert status == ExitStatus(0), f"{argv} in {target}: {status}: {err.decode(errors='replace')}"
        return bytes(out)

    def kinds(self, *kinds: str) -> list[str]:
        there = {one.name for one in available_kinds()}
        return [kind for kind in kinds if OTHER_NAMES.get(kind, kind) in there]
