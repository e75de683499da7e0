"""`asynccp check`: whether a copy would work, told before one is tried; for users whom RBAC denies this and that."""

import json
import secrets
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import TARLESS, Fleet, Ran, asynccp, labels_for, selector
from tests.e2e.real import RealFleet

VERBS, RESOURCES = ("get", "list", "create"), ("pods", "pods/exec")
SEES_PODS = "get,list on pods"
MAY_COPY = (SEES_PODS, "get,create on pods/exec")


def user_who_may(fleet: Fleet, directory: Path, *rules: str) -> tuple[str, str]:
    """Return the name and the kubeconfig of a user whom just this is allowed, each rule as `VERBS on RESOURCES`."""
    if isinstance(fleet, RealFleet):
        name, path = fleet.account(*rules)
        return f"system:serviceaccount:{fleet.namespace}:{name}", str(path)
    assert isinstance(fleet, FakeFleet)
    user = f"user-{secrets.token_hex(3)}"
    allowed = {pair for verbs, _, what in (rule.partition(" on ") for rule in rules)
               for pair in product(verbs.split(","), what.split(","))}  # fmt: skip
    for verb, resource in set(product(VERBS, RESOURCES)) - allowed:
        fleet.forbid(verb, resource, user)
    return user, str(fleet.login(user))


def rows(ran: Ran) -> dict[str, str]:
    """Return the table: what was asked → the rest of its line, its answer first."""
    found = {}
    for line in ran.out.splitlines():
        if line[:5] in ("yes  ", "NO   ", "?    "):
            what, _, rest = line[5:].partition("  ")
            found[what] = f"{line[:3].strip()} {rest.strip()}"
    return found


@pytest.fixture(scope="module")
def labels(fleet: Fleet) -> str:
    """Two pods of one image."""
    labels = labels_for("check")
    fleet.add("gnu", "check-0", labels)
    fleet.add("gnu", "check-1", labels)
    return selector(labels)


def test_who_is_denied_nothing_is_told_so(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    user, kubeconfig = user_who_may(fleet, tmp_path, *MAY_COPY)
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", kubeconfig)
    assert (ran.code, ran.err) == (0, "")
    assert {what: rest[:3] for what, rest in rows(ran).items()} == dict.fromkeys(
        ["list pods", "get pods", "get pods/exec", "create pods/exec", f"pods with labels {labels}", "exec"], "yes"
    )
    assert f"2 pods: {fleet.namespace}/check-0, {fleet.namespace}/check-1" in ran.out
    assert ran.out.splitlines()[-1] == f"{user} can copy to and from 2 containers"


def test_who_may_not_exec_is_told_which_verb_is_missing_and_what_to_ask_for(
    fleet: Fleet, labels: str, tmp_path: Path
) -> None:
    user, kubeconfig = user_who_may(fleet, tmp_path, SEES_PODS)
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", kubeconfig)
    assert (ran.code, ran.err) == (1, "")
    found = rows(ran)
    assert found["list pods"] == found["get pods"] == f"yes in namespace {fleet.namespace}"
    assert found["get pods/exec"].startswith("NO ")
    assert found["create pods/exec"].startswith("NO ")
    assert found["exec"].startswith(f"NO {fleet.namespace}/check-0")
    assert "exec is forbidden: " in found["exec"]
    assert f"{user} lacks permissions" in ran.out
    role = f"kubectl create role asynccp-pods-exec -n {fleet.namespace} --verb=get,create --resource=pods/exec"
    assert role in ran.out


def test_who_may_not_even_list_gets_the_table_all_the_same(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    _, kubeconfig = user_who_may(fleet, tmp_path, "get on pods")
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", kubeconfig)
    assert (ran.code, ran.err) == (1, "")
    found = rows(ran)
    assert found["get pods"].startswith("yes")
    assert all(found[what].startswith("NO") for what in ("list pods", "get pods/exec", "create pods/exec"))
    assert "can't be listed: " in found[f"pods with labels {labels}"]
    assert "exec" not in found, "there is nobody to try it with"


def test_who_may_make_no_relays_is_told_what_it_takes(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    user, kubeconfig = user_who_may(fleet, tmp_path, *MAY_COPY)
    words = ("check", "-l", labels, "--relays", "--kubeconfig")
    ran = asynccp(fleet, *words, kubeconfig)
    needed = [*(f"{verb} jobs.batch" for verb in ("create", "get", "patch", "delete")), "create serviceaccounts"]
    needed += [f"create {one}.rbac.authorization.k8s.io" for one in ("roles", "rolebindings")]
    if isinstance(fleet, RealFleet):
        assert ran.code == 1
        assert [rows(ran)[what].partition(" ")[0] for what in needed] == ["NO"] * len(needed)
        assert f"{user} lacks permissions" in ran.out
        assert "--verb=create,get,patch,delete --resource=jobs.batch" in ran.out
    everything = asynccp(fleet, *words, fleet.kubeconfig)
    assert everything.code == 0
    assert [rows(everything)[what].partition(" ")[0] for what in needed] == ["yes"] * len(needed)


def test_a_program_reads_the_same(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    user, kubeconfig = user_who_may(fleet, tmp_path, SEES_PODS)
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", kubeconfig, "-o", "json")
    assert ran.code == 1
    said = json.loads(ran.out)
    assert (said["ok"], said["user"]) == (False, user)
    where = f"in namespace {fleet.namespace}"
    asked = {(one["what"], one["where"]): one["ok"] for one in said["checks"]}
    assert asked["get pods/exec", where] is asked["exec", f"{fleet.namespace}/check-0"] is False
    assert asked["list pods", where] is True
    assert [one["pod"] for one in said["pods"]] == ["check-0", "check-1"]
    assert any(command.startswith("kubectl create rolebinding") for command in said["ask_for"])


def test_each_image_is_tried_once_and_what_it_can_do_is_told(fleet: Fleet, labels: str) -> None:
    fleet.add("busybox", "check-busybox", {})
    fleet.add("distroless", "check-bare", {})
    fleet.add(TARLESS, "check-shell", {})
    ran = asynccp(fleet, "check", "-l", labels, "check-busybox", "check-bare:/etc", "check-shell", "-o", "json")
    tried = {one["where"].split("/")[1]: one for one in json.loads(ran.out)["checks"] if one["what"] == "exec"}
    assert {pod: one["ok"] for pod, one in tried.items()} == {
        "check-0": True, "check-busybox": True, "check-bare": False, "check-shell": True,
    }  # fmt: skip
    assert tried["check-busybox"]["why"] == "by its tar, compares what is there, digests"
    assert tried["check-shell"]["why"] == "by its shell, without tar, compares what is there"
    assert tried["check-bare"]["why"] == "there is no shell in the container: --ephemeral IMAGE copies from beside it"
    assert ran.code == 1


def test_a_named_pod_needs_no_list_and_a_workload_needs_to_be_read(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    _, kubeconfig = user_who_may(fleet, tmp_path, "get on pods", "get,create on pods/exec")
    ran = asynccp(fleet, "check", "check-0", "--kubeconfig", kubeconfig)
    assert ran.code == 0, ran.out
    assert set(rows(ran)) == {
        "get pods check-0",
        "get pods/exec check-0",
        "create pods/exec check-0",
        "pod check-0",
        "exec",
    }
    deployed = labels_for("deployed")
    fleet.add_deployment("check", "gnu", deployed, 1)
    ran = asynccp(fleet, "check", "deploy/check")
    assert ran.code == 0, ran.out
    assert rows(ran)["get deployments.apps check"] == f"yes in namespace {fleet.namespace}"


def test_a_selector_that_matches_nothing_is_no_success(fleet: Fleet, labels: str) -> None:
    ran = asynccp(fleet, "check", "-l", "app=no-such-app")
    assert ran.code == 1
    assert rows(ran)["pods with labels app=no-such-app"].startswith("NO ")
    both = asynccp(fleet, "check", "-l", "app=no-such-app", "-l", labels)
    assert both.code == 0, "a push to both would find its pods"
    assert rows(both)["pods with labels app=no-such-app"].startswith("? ")
    for named in ("no-such-pod", "deploy/no-such-deployment"):
        assert asynccp(fleet, "check", "-l", labels, named).code == 1, "who is named and absent counts as failed"


def test_a_server_that_is_not_there_is_a_sentence(fleet: Fleet, labels: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps({
        "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    }))  # fmt: skip
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", str(path))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("asynccp: the API server at http://127.0.0.1:1 can't be reached: ")


@pytest.mark.cluster
def test_what_it_says_to_ask_for_is_what_it_takes(real_fleet: RealFleet, labels: str, tmp_path: Path) -> None:
    _, kubeconfig = user_who_may(real_fleet, tmp_path)
    denied = asynccp(real_fleet, "check", "-l", labels, "--kubeconfig", kubeconfig, "-o", "json")
    commands = json.loads(denied.out)["ask_for"]
    assert denied.code == 1
    for command in commands:
        subprocess.run([*command.split(), "--kubeconfig", str(real_fleet.kubeconfig)], check=True, capture_output=True)
    granted = asynccp(real_fleet, "check", "-l", labels, "--kubeconfig", kubeconfig)
    assert granted.code == 0, granted.out
    (tmp_path / "file").write_text("x")
    pushed = asynccp(real_fleet, "push", tmp_path / "file", "-l", f"{labels}:/tmp", "--kubeconfig", kubeconfig)
    assert pushed.code == 0, pushed.err


def test_a_verb_that_only_newer_servers_want_is_not_missing_on_an_older_one(
    fleet: Fleet, labels: str, tmp_path: Path
) -> None:
    _, kubeconfig = user_who_may(fleet, tmp_path, SEES_PODS, "get on pods/exec")
    ran = asynccp(fleet, "check", "-l", labels, "--kubeconfig", kubeconfig)
    older = isinstance(fleet, RealFleet) and fleet.minor_version() < 35
    assert ran.code == (0 if older else 1), ran.out
    assert rows(ran)["create pods/exec"].startswith("? " if older else "NO ")
