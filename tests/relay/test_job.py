"""What is made in a cluster for relays, and what is read of their pods, by tables."""

from typing import Any

import pytest

from asynccp.relay.job import RelayPod, Wanted, beside, job, merged, relay_pods, rules
from asynccp.target import Json

WANTED = Wanted(3, "asynccp:1", "shop")
POD: Json = job("run", WANTED, suspend=True)["spec"]["template"]


def test_a_job_is_bounded_in_every_way_that_it_can_end() -> None:
    made = job("run", WANTED, suspend=True)["spec"]
    assert (made["completionMode"], made["completions"], made["parallelism"]) == ("Indexed", 3, 3)
    for bound in ("backoffLimitPerIndex", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        assert made[bound] > 0
    assert made["activeDeadlineSeconds"] < job("run", WANTED, suspend=False)["spec"]["activeDeadlineSeconds"]


def test_its_pods_are_what_the_restricted_level_lets_in() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    spec = POD["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert all("emptyDir" in one for one in spec["volumes"])


def test_a_relay_may_do_what_a_copy_needs_and_no_more() -> None:
    assert [(*one["resources"], one["verbs"]) for one in rules()] == [
        ("pods", ["get", "list"]),
        ("pods/exec", ["get", "create"]),
    ]
    assert [one["resources"] for one in rules(logs=True, ephemeral=True)][2:] == [
        ["pods/log"],
        ["pods/ephemeralcontainers"],
    ]


def test_all_that_is_made_besides_is_the_jobs() -> None:
    made = {**job("run", WANTED, suspend=True)}
    made["metadata"]["uid"] = "0-1"
    found = beside("run", "shop", rules(), made)
    assert [one["kind"] for one in found] == ["ServiceAccount", "Role", "RoleBinding"]
    for one in found:
        assert [(owner["kind"], owner["uid"]) for owner in one["metadata"]["ownerReferences"]] == [("Job", "0-1")]
    assert all("ownerReferences" not in one["metadata"] for one in beside("run", "shop", rules(), None))


@pytest.mark.parametrize(
    ("theirs", "path", "value"),
    [
        ({"spec": {"nodeSelector": {"pool": "a"}}}, ("spec", "nodeSelector"), {"pool": "a"}),
        ({"spec": {"tolerations": [{"key": "a"}]}}, ("spec", "tolerations"), [{"key": "a"}]),
        ({"spec": {"hostNetwork": True}}, ("spec", "hostNetwork"), True),
        ({"spec": {"serviceAccountName": "own"}}, ("spec", "serviceAccountName"), "own"),
        ({"spec": {"imagePullSecrets": [{"name": "a"}]}}, ("spec", "imagePullSecrets"), [{"name": "a"}]),
        ({"spec": {"restartPolicy": "Never"}}, ("spec", "restartPolicy"), "Never"),
        ({"metadata": {"annotations": {"a": "b"}}}, ("metadata", "annotations"), {"a": "b"}),
        ({"metadata": {"labels": {"a": "b"}}}, ("metadata", "labels", "app.kubernetes.io/component"), "relay"),
        ({"spec": {"containers": [{"resources": {"limits": {"memory": "1G"}}}]}},
         ("spec", "containers", 0, "resources", "limits"), {"memory": "1G"}),
        ({"spec": {"containers": [{"name": "main", "image": "else", "command": ["sh"], "args": ["x"]}]}},
         ("spec", "containers", 0, "image"), "asynccp:1"),
        ({"spec": {"containers": [{"name": "relay", "command": ["sh"]}, {"name": "proxy", "image": "p"}]}},
         ("spec", "containers", 1), {"name": "proxy", "image": "p"}),
        ({"spec": {"securityContext": {"runAsUser": 1}}}, ("spec", "securityContext", "runAsNonRoot"), True),
    ],
)  # fmt: skip
def test_a_template_is_merged_and_a_relay_stays_one(theirs: Json, path: tuple[Any, ...], value: object) -> None:
    found: Any = merged(POD, theirs)
    assert found["spec"]["containers"][0]["command"] == ["python3", "-m", "asynccp.relay.presence"]
    assert "args" not in found["spec"]["containers"][0]
    for one in path:
        found = found[one]
    assert found == value


def test_variables_are_merged_by_name() -> None:
    theirs = {"spec": {"containers": [{"env": [{"name": "A", "value": "b"}, {"name": "HOME", "value": "/home"}]}]}}
    env = merged(POD, theirs)["spec"]["containers"][0]["env"]
    assert {one["name"]: one["value"] for one in env} == {
        **{one["name"]: one["value"] for one in POD["spec"]["containers"][0]["env"]}, "A": "b", "HOME": "/home",
    }  # fmt: skip


def pod(index: object, name: str, state: Json, **more: Any) -> Json:
    metadata = {"name": name, "annotations": {"batch.kubernetes.io/job-completion-index": index}, **more}
    status = {"phase": "Pending", "containerStatuses": [{"name": "relay", "state": state}]}
    return {"metadata": metadata, "spec": {"nodeName": "node-1"}, "status": status}


@pytest.mark.parametrize(
    ("state", "runs", "why", "is_stuck"),
    [
        ({"running": {}}, True, "", False),
        ({"waiting": {"reason": "ContainerCreating"}}, False, "it has not started yet", False),
        ({"waiting": {"reason": "ErrImagePull", "message": "no"}}, False, "ErrImagePull: no", False),
        ({"waiting": {"reason": "ImagePullBackOff", "message": "no"}}, False, "ImagePullBackOff: no", True),
        ({"waiting": {"reason": "CreateContainerConfigError"}}, False, "CreateContainerConfigError", True),
    ],
)
def test_why_a_relay_does_not_run_is_what_the_cluster_says(state: Json, runs: bool, why: str, is_stuck: bool) -> None:
    assert relay_pods([pod("1", "run-1-a", state)]) == [RelayPod(1, "run-1-a", "node-1", runs, why, is_stuck)]


def test_a_pod_that_can_not_be_placed_says_so() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    found = {**pod("0", "run-0-a", {}), "status": {"phase": "Pending", "conditions": [condition]}}
    assert [one.why for one in relay_pods([found])] == ["Unschedulable: 0/3 nodes"]


def test_of_each_index_the_newest_pod_counts_that_is_not_about_to_go() -> None:
    running: Json = {"running": {}}
    found = relay_pods([
        pod("1", "run-1-b", running, creationTimestamp="2026-01-01T00:00:02Z"),
        pod("1", "run-1-a", running, creationTimestamp="2026-01-01T00:00:01Z"),
        pod("0", "run-0-b", running, creationTimestamp="2026-01-01T00:00:02Z", deletionTimestamp="2026"),
        pod("0", "run-0-a", running, creationTimestamp="2026-01-01T00:00:01Z"),
        {**pod("2", "run-2-a", running), "status": {"phase": "Failed"}},
        pod("x", "stranger", running),
    ])  # fmt: skip
    assert [one.name for one in found] == ["run-0-a", "run-1-b"]
