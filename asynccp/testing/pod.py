"""A pod of the fake cluster: what the API server says of it, and the directories that are its containers' file systems.

The fields may be changed while the cluster runs: that is how a test lets a pod be restarted, evicted or stuck.
"""

import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from msgspec import Struct, field

from asynccp.testing.kinds import Kind, gnu

# What a container without a state of its own does in a pod of each phase; all others run.
_OF_PHASE = {
    "Pending": ("waiting", "ContainerCreating"),
    "Succeeded": ("terminated", "Completed"),
    "Failed": ("terminated", "Error"),
}


class Container(Struct, eq=False):
    """A container. waiting, terminated: why it doesn't run; both empty: as the pod's phase has it.

    target: of an ephemeral one, whose files are its own here; spec: what it was asked for as.
    environment: of its commands, besides the usual; mounts: directories that it has, by which a value there may begin.
    log: lines, each with its time; previous: those of before the last restart, None if there was none.
    root: its file system, and path: the PATH of its commands; both are set when the pod joins a cluster.
    """

    name: str = "main"
    kind: Kind = field(default_factory=gnu)
    waiting: str = ""
    terminated: str = ""
    restarts: int = 0
    log: list[tuple[datetime, bytes]] = field(default_factory=list)
    previous: list[tuple[datetime, bytes]] | None = None
    target: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    root: Path = Path()
    path: str = ""


class FakePod(Struct, eq=False):
    """A pod. node: empty while it isn't scheduled. deleting: since when, for a pod that is on its way out.

    unready: why it isn't Ready though it runs; empty: it is.
    """

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = "default"
    containers: list[Container] = field(default_factory=lambda: [Container()])
    annotations: dict[str, str] = field(default_factory=dict)
    phase: str = "Running"
    node: str = "node-1"
    deleting: datetime | None = None
    uid: str = field(default_factory=lambda: str(uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ephemeral: list[Container] = field(default_factory=list)
    unready: str = ""

    def container(self, name: str = "") -> Container:
        """Return the container of that name, the first when none is given. Raises KeyError."""
        for one in (*self.containers, *self.ephemeral):
            if name in ("", one.name):
                return one
        raise KeyError(name)

    def root(self, container: str = "") -> Path:
        """Return the directory that is the container's `/`."""
        return self.container(container).root

    def prepare(self, directory: Path) -> None:
        """Make the roots, DIRECTORY/NAMESPACE/POD/CONTAINER, and each kind's directory of programs. Blocks."""
        for one in self.containers:
            one.root = directory / self.namespace / self.name / one.name
            (one.root / "tmp").mkdir(parents=True, exist_ok=True)
            one.path = _program_path(directory / ".programs", one.kind)
            for mount in one.mounts:
                (one.root / mount.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def add_ephemeral(self, container: Container, directory: Path) -> None:
        """Add an ephemeral container. directory: as of `prepare`. Blocks."""
        container.root = self.root(container.target)
        container.path = _program_path(directory / ".programs", container.kind)
        self.ephemeral.append(container)

    def environment(self, container: Container) -> dict[str, str]:
        """Return the environment of the container's commands: nothing of this process's own but its PATH."""
        return {
            "PATH": container.path,
            "HOME": str(container.root),
            "TMPDIR": str(container.root / "tmp"),
            "HOSTNAME": self.name,
            "COPYFILE_DISABLE": "1",  # macOS's tar adds a `._` member for each file otherwise
            **({"ASYNCCP_CONFINED": "yes"} if container.target else {}),  # no process here has another root
            **{
                name: f"{container.root}{value}" if value in container.mounts else value
                for name, value in container.environment.items()
            },
        }

    def state(self, container: Container) -> tuple[str, str]:
        """Return what the container does (running, waiting or terminated) and why."""
        if container.waiting or container.terminated:
            return ("waiting", container.waiting) if container.waiting else ("terminated", container.terminated)
        return _OF_PHASE.get(self.phase, ("running", ""))

    FIELDS: ClassVar = frozenset(("metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"))

    def fields(self) -> dict[str, str]:
        """Return the values of FIELDS, by which field selectors choose."""
        return {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "spec.nodeName": self.node,
            "status.phase": self.phase,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the v1.Pod."""
        metadata: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": "1",
            "creationTimestamp": timestamp(self.created),
            "labels": self.labels,
            "annotations": self.annotations,
        }
        if self.deleting is not None:
            metadata |= {"deletionTimestamp": timestamp(self.deleting), "deletionGracePeriodSeconds": 30}
        spec: dict[str, Any] = {
            "containers": [{"name": one.name, "image": one.kind.image} for one in self.containers],
            "restartPolicy": "Always",
        }
        if self.node:
            spec["nodeName"] = self.node
        status: dict[str, Any] = {
            "phase": self.phase,
            "conditions": [self._ready()],
            "containerStatuses": [self._status(one) for one in self.containers],
        }
        if self.ephemeral:
            spec["ephemeralContainers"] = [one.spec for one in self.ephemeral]
            status["ephemeralContainerStatuses"] = [self._status(one) for one in self.ephemeral]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}

    def _ready(self) -> dict[str, Any]:
        runs = all(self.state(one)[0] == "running" for one in self.containers)
        told = {"type": "Ready", "status": "True", "lastTransitionTime": timestamp(self.created)}
        if runs and not self.unready:
            return told
        why = {"reason": "ContainersNotReady", "message": self.unready or "containers with unready status"}
        return {**told, "status": "False", "lastTransitionTime": timestamp(self.created + timedelta(seconds=1)), **why}

    def _status(self, container: Container) -> dict[str, Any]:
        phase, reason = self.state(container)
        details: dict[str, Any] = {"startedAt": timestamp(self.created)} if phase == "running" else {"reason": reason}
        if phase == "terminated":
            details["exitCode"] = 0 if reason == "Completed" else 1
        image = container.kind.image
        return {
            "name": container.name,
            "state": {phase: details},
            "lastState": {} if container.previous is None else {"terminated": {"reason": "Error", "exitCode": 1}},
            "ready": phase == "running" and not self.unready,
            "started": phase == "running",
            "restartCount": container.restarts,
            "image": image,
            # A container that was never started has no imageID yet.
            "imageID": "" if phase == "waiting" else f"{image.partition(':')[0]}@sha256:{container.kind.digest}",
            "containerID": "" if phase == "waiting" else f"containerd://{self.uid}-{container.restarts}",
        }


def timestamp(moment: datetime) -> str:
    """Return a metav1.Time: RFC 3339, whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _program_path(directory: Path, kind: Kind) -> str:
    if kind.programs is None:
        return os.environ.get("PATH", os.defpath)
    programs = directory / f"{kind.name}-{kind.digest[:8]}"
    programs.mkdir(parents=True, exist_ok=True)
    for name, path in kind.programs.items():
        with contextlib.suppress(FileExistsError):  # pods of one kind share it
            (programs / name).symlink_to(path)
    return str(programs)
