"""What the fake API server says, as JSON documents: errors, discovery, tables, owners of pods, a kubeconfig. Pure.

Texts and shapes were read off a Kubernetes 1.34 API server, or its source where no pod was at hand.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct, field

from asynccp.target import ZONE
from asynccp.testing.pod import FakePod, timestamp

Json = dict[str, Any]

USER = "demo"
VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.2+asynccp-demo", "platform": "asynccp/demo"}

# API group and version → plural → (kind, short names).
RESOURCES: Mapping[str, Mapping[str, tuple[str, Sequence[str]]]] = {
    "api/v1": {"pods": ("Pod", ["po"]), "services": ("Service", ["svc"])},
    "apis/apps/v1": {
        "daemonsets": ("DaemonSet", ["ds"]),
        "deployments": ("Deployment", ["deploy"]),
        "replicasets": ("ReplicaSet", ["rs"]),
        "statefulsets": ("StatefulSet", ["sts"]),
    },
    "apis/batch/v1": {"jobs": ("Job", [])},
}


class Refused(Exception):
    """A request that is refused: an HTTP status and a body, which says why or is empty."""

    def __init__(self, code: int, body: str = "", content_type: str = "text/plain") -> None:
        super().__init__(code, body)
        self.code, self.body, self.content_type = code, body, content_type


class ApiError(Refused):
    """A refusal by the API server itself, whose body is a v1.Status."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status |= {"message": message, "reason": reason} | ({"details": details} if details else {}) | {"code": code}
        super().__init__(code, json.dumps(status), "application/json")


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    qualified, details = _qualified(resource, name, group)
    return ApiError(404, "NotFound", f'{qualified} "{name}" not found', details)


def forbidden(user: str, verb: str, resource: str, name: str, group: str, namespace: str) -> ApiError:
    """Return the refusal of RBAC. resource: with its subresource, if any: pods/exec."""
    qualified, details = _qualified(resource.partition("/")[0], name, group)
    what = f'{qualified} "{name}"' if name else qualified
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    because = f'User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    return ApiError(403, "Forbidden", f"{what} is forbidden: {because}", details)


def ephemeral_refused(pod: str, why: str) -> ApiError:
    """Return the refusal of an ephemeral container (k8s.io/kubernetes, ValidatePodEphemeralContainersUpdate)."""
    return ApiError(422, "Invalid", f'Pod "{pod}" is invalid: spec.ephemeralContainers: {why}')


def upgrade_forbidden(pod: str) -> ApiError:
    """Return the refusal of an exec by WebSocket to who may `get` but not `create` pods/exec.

    From 1.35; it says no more than this, because RBAC gives no reason (pkg/registry/core/pod/rest/authorize.go).
    """
    return ApiError(403, "Forbidden", f'pods "{pod}" is forbidden: ', {"name": pod, "kind": "pods"})


def _qualified(resource: str, name: str, group: str) -> tuple[str, Json]:
    named, grouped = {"name": name} if name else {}, {"group": group} if group else {}
    return f"{resource}.{group}" if group else resource, {**named, **grouped, "kind": resource}


def api_versions() -> Json:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def api_groups() -> Json:
    groups = []
    for path in RESOURCES:
        _, group, *version = path.split("/")
        if version:
            one = {"groupVersion": f"{group}/{version[0]}", "version": version[0]}
            groups.append({"name": group, "versions": [one], "preferredVersion": one})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def resource_list(path: str) -> Json:
    """Return what one API group and version serves. path: a key of RESOURCES."""
    resources: list[Json] = [
        {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": ["get", "list"],
            "shortNames": short,
            "categories": ["all"],
        }
        for plural, (kind, short) in RESOURCES[path].items()
    ]
    if path == "api/v1":
        verbs = ["create", "get"]
        resources.append(
            {"name": "pods/exec", "singularName": "", "namespaced": True, "kind": "PodExecOptions", "verbs": verbs}
        )
    group_version = path.partition("/")[2]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def listing(kind: str, items: Sequence[Json], api_version: str = "v1", metadata: Json | None = None) -> Json:
    body = {"resourceVersion": "1", **(metadata or {})}
    return {"kind": f"{kind}List", "apiVersion": api_version, "metadata": body, "items": list(items)}


def watch_event(kind: str, document: Json) -> bytes:
    """Return a v1.WatchEvent, as a line."""
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def bookmark(version: int) -> Json:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}}


def expired(version: int, oldest: int) -> Json:
    """Return the v1.Status of a watch from a version that etcd has no more."""
    said = f"too old resource version: {version} ({oldest})"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": said,
        "reason": "Expired",
        "code": 410,
    }


def node(name: str, zone: str) -> Json:
    """Return as much of a v1.Node as says where it is."""
    labels = {"kubernetes.io/hostname": name, **({ZONE: zone} if zone else {})}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {}}


def continue_token(pod: FakePod) -> str:
    """Return the token of the page that begins after `pod`; like a real one it says so in base64."""
    start = f"{pod.namespace}/{pod.name}\0"
    return base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": 1, "start": start}).encode()).decode()


def continued_after(token: str) -> tuple[str, str]:
    """Return namespace and name of the pod that the page before ended with. Raises ApiError."""
    try:
        start = str(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as exc:
        raise bad_request(f"invalid continue token: continue key is not valid: {exc}") from None
    namespace, _, name = start.rstrip("\0").partition("/")
    return namespace, name


_COLUMNS = (("Name", "string"), ("Ready", "string"), ("Status", "string"), ("Restarts", "string"), ("Age", "string"))


def pod_table(pods: Sequence[FakePod], metadata: Json, now: datetime) -> Json:
    """Return the meta.k8s.io/v1 Table that kubectl prints."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1", **metadata},
        "columnDefinitions": [
            {"name": name, "type": kind, "format": "", "description": "", "priority": 0} for name, kind in _COLUMNS
        ],
        "rows": [{"cells": _cells(pod, now), "object": _partial(pod)} for pod in pods],
    }


def _cells(pod: FakePod, now: datetime) -> list[str]:
    states = [pod.state(one) for one in pod.containers]
    ready = sum(state == "running" for state, _ in states)
    reasons = [reason for _, reason in states if reason]
    status = "Terminating" if pod.deleting else next(iter(reasons), pod.phase)
    restarts = sum(one.restarts for one in pod.containers)
    return [pod.name, f"{ready}/{len(states)}", status, str(restarts), _age((now - pod.created).total_seconds())]


def _partial(pod: FakePod) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod.to_json()["metadata"]}


def _age(seconds: float) -> str:
    """Return a duration as kubectl shows it, near enough: 90s, 12m, 3h, 5d."""
    for unit, size, limit in (("s", 1, 120), ("m", 60, 180 * 60), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{max(0, int(seconds)) // size}{unit}"
    return f"{int(seconds) // 86400}d"


class Workload(Struct, frozen=True):
    """A Deployment, another owner of pods, or a Service: it has them by its selector alone, and never makes one.

    api: as in `apis/apps/v1`. match: the v1.LabelSelector, of a Service the plain map that it has instead.
    """

    api: str
    plural: str
    name: str
    match: Json
    namespace: str = "default"
    uid: str = field(default_factory=lambda: str(uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self, replicas: int) -> Json:
        """Return the object. replicas: how many pods its selector matches now."""
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": "1",
            "creationTimestamp": timestamp(self.created),
        }
        described = {
            "apiVersion": self.api.partition("/")[2],
            "kind": RESOURCES[self.api][self.plural][0],
            "metadata": metadata,
        }
        if self.plural == "services":
            selected = {"selector": self.match} if self.match else {}
            return {**described, "spec": {"type": "ClusterIP", **selected}, "status": {"loadBalancer": {}}}
        template = {"metadata": {"labels": self.match.get("matchLabels") or {}}, "spec": {"containers": []}}
        return {
            **described,
            "spec": {"replicas": replicas, "selector": self.match, "template": template},
            "status": {"replicas": replicas, "readyReplicas": replicas},
        }


def kubeconfig(url: str, user: str) -> str:
    """Return a kubeconfig with one context, `demo`. JSON is YAML.

    USER needs to know no more than the URL; another gets a token, which says who it is.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "demo", "cluster": {"server": url}}],
        "users": [{"name": user, "user": {} if user == USER else {"token": user}}],
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": user, "namespace": "default"}}],
        "current-context": "demo",
    }
    return json.dumps(document, indent=2) + "\n"
