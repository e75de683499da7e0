"""Documents: of what an API server answers as JSON, what is read here, and nothing else of it. Pure.

A server may lie, and its objects hold much that others wrote. What hasn't the shape that Kubernetes gives it is refused
in one place, before anybody looks for a field in it; of a pod, some 10 KiB as it comes, a twentieth is kept.
"""

import json
from typing import Any, NamedTuple

from msgspec import Struct

from asynccp.target import DEFAULT_CONTAINER, NODE_OS, ZONE, Json

MAX_VALUES = 1_000_000  # in one document; in memory each may take a hundred times its bytes
MAX_TOKEN_SIZE = 4096  # characters of a continue token: some hundred, in Kubernetes
LONGEST = 1024  # characters that are kept of a text, none of which is that long in Kubernetes
_TEXT_SIZE = 32  # bytes that a text takes in memory besides its characters, about

_EACH = object()  # stands for every key of a map
_LABELS = {_EACH: str}
_NAMED = {"name": str}
_STATUS = {
    **_NAMED,
    "image": str,
    "imageID": str,
    "restartCount": int,
    "state": {"running": {}, "waiting": {"reason": str}, "terminated": {"reason": str}},
    "lastState": {"terminated": {"reason": str}},
}
_POD: dict[str, Any] = {
    "metadata": {
        "namespace": str,
        "name": str,
        "uid": str,
        "deletionTimestamp": str,
        "annotations": {DEFAULT_CONTAINER: str},
        "labels": _LABELS,
    },
    "spec": {
        "nodeName": str,
        "containers": [_NAMED],
        "initContainers": [_NAMED],
        "ephemeralContainers": [_NAMED],
        "os": {"name": str},
        "nodeSelector": {NODE_OS: str},
    },
    "status": {
        "phase": str,
        "containerStatuses": [_STATUS],
        "initContainerStatuses": [_STATUS],
        "ephemeralContainerStatuses": [_STATUS],
    },
}
_CONDITION = {"type": str, "status": str, "lastTransitionTime": str, "reason": str, "message": str}
_FOUND = {**_POD, "status": {**_POD["status"], "conditions": [_CONDITION]}}
_OBJECT = {"metadata": {"namespace": str, "name": str, "labels": _LABELS}}
_NODE = {"metadata": {"name": str, "labels": {ZONE: str}}}
_STATE = {
    "running": {},
    "waiting": {"reason": str, "message": str},
    "terminated": {"reason": str, "message": str, "exitCode": int},
}
_TELLING = {"name": str, "containerID": str, "state": _STATE, "user": {"linux": {"uid": int, "gid": int}}}
_MADE = {"name": str, "securityContext": dict}
_INHABITED = {
    "metadata": {"uid": str},
    "spec": {
        "os": {"name": str},
        "securityContext": {"runAsUser": int},
        "containers": [_MADE],
        "initContainers": [_MADE],
        "ephemeralContainers": [{**_MADE, "image": str, "command": [str], "targetContainerName": str}],
    },
    "status": {
        "containerStatuses": [_TELLING],
        "initContainerStatuses": [_TELLING],
        "ephemeralContainerStatuses": [_TELLING],
    },
}
_EXPRESSION = {"key": str, "operator": str, "values": [str]}
_SELECTED = {"spec": {"selector": {"matchLabels": _LABELS, "matchExpressions": [_EXPRESSION]}}}
_SERVICE = {"spec": {"selector": _LABELS}}
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class Unreadable(ValueError):
    """It is not what was asked for."""


class TooMany(ValueError):
    """A document of more than MAX_VALUES values."""


class Page(NamedTuple):
    """A part of a list: of pods, or of nodes.

    after: where the next page begins, empty for the last one. size: bytes that the items take in memory, about.
    version: of the list, from which a watch goes on.
    """

    items: list[Json]
    after: str
    size: int
    version: str = ""


def parsed(body: bytes) -> Any:
    """Return what JSON says. Raises Unreadable, TooMany."""
    if len(body) > MAX_VALUES and sum(map(body.count, b"{[,")) > MAX_VALUES:
        raise TooMany
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None


def page_of(document: Any) -> Page:
    """Return a v1.PodList. Raises Unreadable."""
    return _page(document, _POD)


def nodes_of(document: Any) -> Page:
    """Return a v1.NodeList. Raises Unreadable."""
    return _page(document, _NODE)


def objects_of(document: Any) -> Page:
    """Return a list of anything, of which names and labels are kept. Raises Unreadable."""
    return _page(document, _OBJECT)


def _page(document: Any, shape: Any) -> Page:
    items = _only(document, {"items": [shape]}).get("items") or []
    metadata = _given(_given(document, dict).get("metadata") or {}, dict)
    after, version = metadata.get("continue") or "", metadata.get("resourceVersion") or ""
    if len(_given(after, str)) > MAX_TOKEN_SIZE:
        raise Unreadable
    return Page(items, after, _size(items), _given(version, str)[:LONGEST])


class News(Struct, frozen=True):
    """One event of a watch. kind: ADDED, MODIFIED, DELETED, BOOKMARK, ERROR. code: of an error."""

    kind: str
    pod: Json
    version: str
    code: int = 0


def news_of(document: Any) -> News:
    """Return a v1.WatchEvent of pods. Raises Unreadable."""
    kind, found = _given(_given(document, dict).get("type"), str), _given(document.get("object"), dict)
    if kind == "ERROR":
        return News(kind, {}, "", _given(found.get("code") or 500, int))
    metadata = _given(found.get("metadata") or {}, dict)
    return News(kind, _only(found, _POD), _given(metadata.get("resourceVersion") or "", str)[:LONGEST])


def pod_of(document: Any) -> Json:
    """Return a v1.Pod, with its conditions, which no list keeps. Raises Unreadable."""
    pod: Json = _only(document, _FOUND)
    return pod


def inhabited(document: Any) -> Json:
    """Return of a v1.Pod what an ephemeral container for it depends on: `kube.ephemeral`. Raises Unreadable."""
    pod: Json = _only(document, _INHABITED)
    return pod


def owner_of(plural: str, document: Any) -> Json:
    """Return a workload or a service. Raises Unreadable."""
    owner: Json = _only(document, _SERVICE if plural == "services" else _SELECTED)
    if plural != "services":
        for one in ((owner.get("spec") or {}).get("selector") or {}).get("matchExpressions") or ():
            if not one.get("key") or one.get("operator") not in _OPERATORS:
                raise Unreadable
    return owner


def _only(value: Any, shape: Any) -> Any:
    """Return of a value what a shape names: a type, the keys of a dict, or the one shape of all items of a list.

    A key whose value is null or empty is as good as none.
    """
    if isinstance(shape, list):
        return [_only(one, shape[0]) for one in _given(value, list)]
    if isinstance(shape, dict):
        found = _given(value, dict)
        keys = dict.fromkeys(found, shape[_EACH]) if _EACH in shape else shape
        return {key: found[key] and _only(found[key], of) for key, of in keys.items() if key in found}
    value = _given(value, shape)
    return value[:LONGEST] if isinstance(value, str) else value


def _given(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Unreadable
    return value


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value) + _TEXT_SIZE
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 0
