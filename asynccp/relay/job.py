"""Job: the objects that relays are made of, as documents. Pure.

An Indexed Job, whose pods do nothing until a command is started in them (`relay.presence`); a service account for it,
and a role with the verbs that a copy needs, bound to that account. The Job is made first, and suspended: all else names
it as its owner, so that the cluster's garbage collector removes it all with the Job, whoever removes that.

https://kubernetes.io/docs/concepts/workloads/controllers/job/, …/architecture/garbage-collection/
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from asynccp.kube.ephemeral import STUCK
from asynccp.relay.presence import VARIABLE
from asynccp.target import Json, Target

CONTAINER = "relay"
DIRECTORY = "/relay"
INDEX = "batch.kubernetes.io/job-completion-index"
OF_JOB = "batch.kubernetes.io/job-name"

START_S = 120
"""Until relays that don't start are given up, their images' pull included."""
WITHOUT_CLIENT_S = START_S + 60
"""The Job's deadline until its client says that it has relays: one that was killed before leaves no more behind."""
MOST_S = 24 * 3600
"""The last bound of all, for relays whose own end has failed."""
TTL_S = 5
"""Seconds that a Job which has ended stays: nobody reads it, and a client that lives removes it itself."""
RETRIES = 3  # of one index: other relays take over what it had

_USER = 65532  # nobody's, in images that have no root: "nonroot"
_LABELS = {"app.kubernetes.io/name": "asynccp", "app.kubernetes.io/component": "relay"}
_BY_NAME = ("containers", "initContainers", "env", "volumes", "imagePullSecrets", "volumeMounts")
_OURS = ("command", "args", "image")  # of our container: that it is asynccp's is what a relay is


class Wanted(NamedTuple):
    """What relays are asked for. template: a PodTemplate's `metadata` and `spec`, merged into ours."""

    number: int
    image: str
    namespace: str
    template: Json = {}  # noqa: RUF012 (never changed)

    @property
    def account(self) -> str:
        """The service account that the template names, whose permissions are its owner's to give; empty: ours."""
        return str((self.template.get("spec") or {}).get("serviceAccountName") or "")


def namespace_of(targets: Iterable[Target], default: str) -> str:
    """Return where relays are that nobody has placed: in the namespace of the pods, where all are in one."""
    found = {one.namespace for one in targets}
    return found.pop() if len(found) == 1 else default


def rules(*, logs: bool = False, ephemeral: bool = False) -> list[Json]:
    """Return what a relay may do in the namespace of the pods that it copies to and from."""
    found = [("pods", ["get", "list"]), ("pods/exec", ["get", "create"])]
    found += [("pods/log", ["get"])] if logs else []
    found += [("pods/ephemeralcontainers", ["patch"])] if ephemeral else []
    return [{"apiGroups": [""], "resources": [what], "verbs": verbs} for what, verbs in found]


def job(name: str, wanted: Wanted, *, suspend: bool) -> Json:
    """Return the Job. suspend: until what belongs to it is there."""
    spec = {
        "suspend": suspend,
        "completionMode": "Indexed",
        "completions": wanted.number,
        "parallelism": wanted.number,
        "backoffLimitPerIndex": RETRIES,
        "activeDeadlineSeconds": WITHOUT_CLIENT_S if suspend else MOST_S,
        "ttlSecondsAfterFinished": TTL_S,
        "template": merged(_template(name, wanted), wanted.template),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(name, wanted.namespace), "spec": spec}


def beside(name: str, namespace: str, allowed: Sequence[Json], owner: Json | None) -> list[Json]:
    """Return what a Job needs besides: an account, a role, and that the one has the other. owner: the Job, if made."""
    owners = [_owner(owner)] if owner else []
    metadata = {**_metadata(name, namespace), **({"ownerReferences": owners} if owners else {})}
    api = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False},
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": list(allowed)},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]


def merged(ours: Json, theirs: Json) -> Json:
    """Return a pod template with somebody's own in it: theirs counts, but for what makes ours a relay.

    Maps are merged, and lists whose items have names, by these; other lists are theirs.
    """
    theirs = _as_ours(ours, theirs)
    found: Json = _both(ours, theirs)
    container = found["spec"]["containers"][0]
    container |= {name: value for name, value in ours["spec"]["containers"][0].items() if name in _OURS}
    container.pop("args", None)
    return found


def _as_ours(ours: Json, theirs: Json) -> Json:
    """Return their template whose only container, whatever it is called, is ours."""
    containers = (theirs.get("spec") or {}).get("containers") or []
    if len(containers) != 1:
        return theirs
    name = ours["spec"]["containers"][0]["name"]
    return {**theirs, "spec": {**theirs["spec"], "containers": [{**containers[0], "name": name}]}}


def _both(ours: Any, theirs: Any, key: str = "") -> Any:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {**ours, **{name: _both(ours.get(name), value, name) for name, value in theirs.items()}}
    if isinstance(ours, list) and isinstance(theirs, list) and key in _BY_NAME:
        by = "mountPath" if key == "volumeMounts" else "name"
        named = {one.get(by): one for one in ours}
        for one in theirs:
            named[one.get(by)] = _both(named.get(one.get(by)), one)
        return list(named.values())
    return theirs


def _template(name: str, wanted: Wanted) -> Json:
    """Return a pod that the security level `restricted` lets in, and that writes to a directory of its own alone."""
    environment = {
        VARIABLE: DIRECTORY,
        "PYTHONPATH": "/opt/asynccp",  # where Dockerfile puts us; to an image that has us elsewhere it is nothing
        "HOME": DIRECTORY,
        "TMPDIR": DIRECTORY,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    container = {
        "name": CONTAINER,
        "image": wanted.image,
        "command": ["python3", "-m", "asynccp.relay.presence"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "relay", "mountPath": DIRECTORY}],
    }
    apart = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {OF_JOB: name}},
    }
    return {
        "metadata": {"labels": dict(_LABELS)},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "serviceAccountName": name,
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [apart],
            "containers": [container],
            "volumes": [{"name": "relay", "emptyDir": {}}],
        },
    }


def _metadata(name: str, namespace: str) -> Json:
    return {"name": name, "namespace": namespace, "labels": dict(_LABELS)}


def _owner(made: Json) -> Json:
    return {
        "apiVersion": made["apiVersion"],
        "kind": made["kind"],
        "name": made["metadata"]["name"],
        "uid": made["metadata"]["uid"],
    }


class RelayPod(NamedTuple):
    """A pod of the Job. at: which relay it is. why: it does not run; is_stuck: and won't by itself."""

    at: int
    name: str
    node: str
    runs: bool
    why: str = ""
    is_stuck: bool = False


def relay_pods(pods: Sequence[Json]) -> list[RelayPod]:
    """Return the newest pod of each index that is not about to go, in the order of these."""
    found: dict[int, RelayPod] = {}
    for pod in sorted(pods, key=lambda one: str((one.get("metadata") or {}).get("creationTimestamp") or "")):
        metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
        index = str((metadata.get("annotations") or {}).get(INDEX, ""))
        if not index.isdigit() or metadata.get("deletionTimestamp") or status.get("phase") in ("Failed", "Succeeded"):
            continue
        states = [one.get("state") or {} for one in status.get("containerStatuses") or () if one["name"] == CONTAINER]
        runs = any("running" in one for one in states)
        why, is_stuck = ("", False) if runs else _why_not(status, states)
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        found[int(index)] = RelayPod(int(index), str(metadata["name"]), node, runs, why, is_stuck)
    return [found[index] for index in sorted(found)]


def _why_not(status: Json, states: Sequence[Json]) -> tuple[str, bool]:
    """Return why a pod does not run yet, in the cluster's words, and whether that will pass."""
    for state in states:
        waiting = state.get("waiting") or {}
        if (reason := str(waiting.get("reason") or "")) and reason != "ContainerCreating":
            said = str(waiting.get("message") or "")
            return f"{reason}: {said}" if said else reason, reason in STUCK
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"{one.get('reason')}: {one.get('message')}", False
    return "it has not started yet", False
