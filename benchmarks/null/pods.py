"""Pods as an API server describes them, of the size that they have on real clusters, any number of them."""

import functools
import json
from typing import Any

NAMESPACE = "default"
PODS_PER_NODE = 100
_NAME, _NODE, _UID = "null-00000000", "node-00000", "00000000-0000-4000-8000-000000000000"  # replaced, byte for byte


def name_of(index: int) -> str:
    """Return a pod's name; all have the same length."""
    return f"null-{index:08}"


def pod(index: int) -> bytes:
    """Return one pod as JSON, about 5 KiB."""
    node, uid = f"node-{index // PODS_PER_NODE:05}", f"{_UID[:-12]}{index:012}"
    return (
        _template()
        .replace(_NAME.encode(), name_of(index).encode())
        .replace(_NODE.encode(), node.encode())
        .replace(_UID.encode(), uid.encode())
    )


@functools.lru_cache(maxsize=64)
def page(count: int, start: int, limit: int) -> bytes:
    """Return a PodList: of `count` pods, those from `start` on, `limit` at most (0: all)."""
    stop = min(count, start + limit) if limit else count
    metadata = {
        "resourceVersion": "1",
        **({"continue": str(stop), "remainingItemCount": count - stop} if stop < count else {}),
    }
    head = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": metadata})
    return head[:-1].encode() + b', "items": [' + b",".join(pod(index) for index in range(start, stop)) + b"]}"


@functools.cache
def _template() -> bytes:
    return json.dumps(_pod(), separators=(",", ":")).encode()


def _pod() -> dict[str, Any]:
    """Return a pod of a Deployment behind a Service, as `kubectl get pods -o json` shows it."""
    token = {
        "name": "kube-api-access-x7k2p",
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
             "successThreshold": 1, "failureThreshold": 3}  # fmt: skip
    started = "2026-01-01T00:00:00Z"
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "metadata": {
            "name": _NAME,
            "generateName": "null-7c9d8f6b54-",
            "namespace": NAMESPACE,
            "uid": _UID,
            "resourceVersion": "123456",
            "creationTimestamp": started,
            "labels": {"app.kubernetes.io/name": "null", "app.kubernetes.io/instance": "null-production",
                       "app.kubernetes.io/part-of": "benchmarks", "pod-template-hash": "7c9d8f6b54"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": started, "prometheus.io/scrape": "true",
                            "prometheus.io/port": "8080", "checksum/config": "a" * 64},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "null-7c9d8f6b54",
                                 "uid": "11111111-0000-4000-8000-000000000000", "controller": True,
                                 "blockOwnerDeletion": True}],
            "managedFields": [_managed("kube-controller-manager", ""), _managed("kubelet", "status")],
        },
        "spec": {
            "volumes": [
                {"name": "config", "configMap": {"name": "null-config", "defaultMode": 420}},
                {"name": "data", "emptyDir": {}},
                {"name": token["name"], "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
                        "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}},
            ],
            "containers": [{
                "name": "main",
                "image": "registry.example/benchmarks/null:1.0.0",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "env": [{"name": f"SETTING_{number}", "value": f"value of setting {number}"} for number in range(6)],
                "resources": {"limits": {"cpu": "1", "memory": "512Mi"},
                              "requests": {"cpu": "100m", "memory": "128Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/null"},
                                 {"name": "data", "mountPath": "/data"}, token],
                "livenessProbe": probe,
                "readinessProbe": probe,
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "nodeName": _NODE,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
                             "tolerationSeconds": 300} for key in ("not-ready", "unreachable")],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": one, "status": "True", "lastProbeTime": None, "lastTransitionTime": started}
                           for one in conditions],
            "hostIP": "10.0.0.1",
            "podIP": "10.1.0.1",
            "podIPs": [{"ip": "10.1.0.1"}],
            "startTime": started,
            "containerStatuses": [{
                "name": "main",
                "state": {"running": {"startedAt": started}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": "registry.example/benchmarks/null:1.0.0",
                "imageID": "registry.example/benchmarks/null@sha256:" + "b" * 64,
                "containerID": "containerd://" + "c" * 64,
                "started": True,
            }],
            "qosClass": "Burstable",
        },
    }  # fmt: skip


def _managed(manager: str, subresource: str) -> dict[str, Any]:
    fields: dict[str, Any] = {f"f:field{number}": {".": {}, "f:value": {}} for number in range(20)}
    entry = {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}  # fmt: skip
    return {**entry, "subresource": subresource} if subresource else entry
