"""Credentials that a real API server refuses are renewed in mid-run."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.fleet import asynccp, labels_for, selector
from tests.e2e.real import RealFleet

# Hands out what does not count any more, then what does: a token that expired, and its successor.
PLUGIN = """
import json, pathlib, sys
here = pathlib.Path(sys.argv[1])
asked = len(list(here.glob("asked-*")))
(here / f"asked-{asked}").touch()
token = (here / "token").read_text() if asked else "expired"
version = "client.authentication.k8s.io/v1"
print(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}))
"""


@pytest.mark.cluster
def test_a_token_that_the_server_refuses_is_renewed_by_its_plugin(real_fleet: RealFleet, tmp_path: Path) -> None:
    fleet, labels = real_fleet, labels_for("renewed")
    pods = fleet.add_deployment("renewed", "gnu", labels, 3)
    fleet.kubectl("create", "serviceaccount", "renewed")
    fleet.kubectl(
        "create", "rolebinding", "renewed", "--clusterrole=admin", f"--serviceaccount={fleet.namespace}:renewed"
    )
    (tmp_path / "token").write_text(fleet.kubectl("create", "token", "renewed").strip())
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "file").write_text("x")
    kubeconfig = fleet.login("renewed", "none")
    view = json.loads(fleet.kubectl("--kubeconfig", str(kubeconfig), "config", "view", "--raw", "-o", "json"))
    view["users"] = [
        {
            "name": "renewed",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": sys.executable,
                    "args": [str(tmp_path / "plugin.py"), str(tmp_path)],
                    "interactiveMode": "Never",
                }
            },
        }
    ]
    kubeconfig.write_text(json.dumps(view))
    ran = asynccp(
        fleet, "push", tmp_path / "file", "-l", f"{selector(labels)}:/tmp", "--kubeconfig", kubeconfig, "-o", "json"
    )
    assert ran.code == 0, ran.err
    assert sorted(ran.outcomes) == sorted(pods)
    assert len(list(tmp_path.glob("asked-*"))) == 2
