"""What a person is told whose rights, or whose token, do not do: what is missing, and for what."""

from pathlib import Path

import pytest

from tests.e2e.fleet import asynccp, labels_for, selector
from tests.e2e.real import RealFleet

pytestmark = pytest.mark.cluster

CREATE_SINCE = 35  # Kubernetes 1.35 wants `create` for an exec over WebSocket too, where `get` did before


@pytest.fixture(scope="module")
def pod(fleet: RealFleet) -> str:
    return fleet.add("gnu", "permitted", labels_for("permitted"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("x")
    return path


def test_get_and_create_on_exec_and_get_on_pods_is_all_that_a_named_pod_needs(
    real_fleet: RealFleet, pod: str, file: Path
) -> None:
    _, config = real_fleet.account("get on pods", "get,create on pods/exec")
    assert asynccp(real_fleet, "push", file, f"{pod}:/tmp/x", "--kubeconfig", config).code == 0


def test_without_create_on_exec_it_works_before_1_35_and_says_so_since(
    real_fleet: RealFleet, pod: str, file: Path
) -> None:
    _, config = real_fleet.account("get,list on pods", "get on pods/exec")
    ran = asynccp(real_fleet, "push", file, f"{pod}:/tmp/x", "--kubeconfig", config, "-o", "json")
    if real_fleet.minor_version() < CREATE_SINCE:
        assert ran.code == 0
        return
    assert ran.code == 1
    assert "may not create pods/exec" in ran.errors[pod], "the server says that it is forbidden, and no more"
    assert "create on pods/exec" in ran.report["pods"][0]["hint"]
    assert "kubectl auth can-i create pods --subresource=exec" in ran.err


def test_without_get_on_exec_it_says_so(real_fleet: RealFleet, pod: str, file: Path) -> None:
    name, config = real_fleet.account("get,list on pods", "create on pods/exec")
    ran = asynccp(real_fleet, "push", file, f"{pod}:/tmp/x", "--kubeconfig", config, "-o", "json")
    assert ran.code == 1
    assert 'cannot get resource "pods/exec"' in ran.errors[pod]
    assert name in ran.errors[pod]
    assert "get and create on pods/exec" in ran.report["pods"][0]["hint"]
    assert f"kubectl auth can-i get pods --subresource=exec -n {real_fleet.namespace}" in ran.err


def test_without_list_a_selector_is_refused_with_the_verb_and_a_named_pod_is_served(
    real_fleet: RealFleet, file: Path
) -> None:
    labels = labels_for("unlisted")
    real_fleet.add("gnu", "unlisted", labels)
    _, config = real_fleet.account("get on pods", "get,create on pods/exec")
    ran = asynccp(real_fleet, "push", file, "-l", f"{selector(labels)}:/tmp/x", "--kubeconfig", config)
    assert ran.code == 1
    assert 'cannot list resource "pods"' in ran.err
    assert "get and list on pods" in ran.err
    assert f"kubectl auth can-i list pods -n {real_fleet.namespace}" in ran.err
    assert asynccp(real_fleet, "push", file, "unlisted:/tmp/x", "--kubeconfig", config).code == 0


def test_a_token_that_is_valid_no_more_asks_to_log_in_again(real_fleet: RealFleet, pod: str, file: Path) -> None:
    name, config = real_fleet.account("get,list on pods", "get,create on pods/exec")
    real_fleet.kubectl("delete", "serviceaccount", name)  # ends its tokens at once; ten minutes is the shortest life
    ran = asynccp(real_fleet, "push", file, f"{pod}:/tmp/x", "--kubeconfig", config)
    assert ran.code == 1
    assert "Unauthorized" in ran.err
    assert "log in again" in ran.err
