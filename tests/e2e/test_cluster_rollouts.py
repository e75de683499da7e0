"""Roll-outs and second tries on a real cluster: what failed touches no others, and what was there is there again."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.e2e.fakefleet import served
from tests.e2e.fleet import asynccp, labels_for, selector, sh, snapshot
from tests.e2e.real import RealFleet
from tests.e2e.running import Running
from tests.schema import conforming

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

LOOKERS = 4  # execs at once, by which pods are looked at
# What stands there, with the inode of each file: one that was replaced by its equal is another.
_STATE = """
cd "$1" 2>/dev/null || { echo nothing; exit; }
ls -lniR .
for f in $(find . -type f); do cat "$f"; done | sha256sum
"""


def states(fleet: RealFleet, pods: Sequence[str], directory: str, namespace: str = "") -> dict[str, bytes]:
    with ThreadPoolExecutor(LOOKERS) as lookers:
        found = lookers.map(lambda pod: sh(fleet, pod, "sh", "-c", _STATE, "sh", directory, namespace=namespace), pods)
        return dict(zip(pods, found, strict=True))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write(tmp_path / "config", 1)
    return tmp_path / "config"


def write(config: Path, version: int) -> None:
    for name in ("app.toml", "conf.d/one", "conf.d/two"):
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}, version {version}\n" * version)


EXEC = {"apiGroups": [""], "verbs": ["get", "create"], "resources": ["pods/exec"]}
LOOK = {"apiGroups": [""], "verbs": ["get", "list"], "resources": ["pods"]}


def allow(fleet: RealFleet, account: str, namespace: str, *rules: dict[str, list[str]]) -> None:
    """Give a service account of the fleet's namespace these rights in another one, and no others."""
    kind, subject = "rbac.authorization.k8s.io", {"kind": "ServiceAccount", "name": account}
    fleet.apply(
        {"apiVersion": f"{kind}/v1", "kind": "Role", "metadata": {"name": account}, "rules": list(rules)}, namespace
    )
    binding = {
        "apiVersion": f"{kind}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": account},
        "roleRef": {"apiGroup": kind, "kind": "Role", "name": account},
        "subjects": [{**subject, "namespace": fleet.namespace}],
    }
    fleet.apply(binding, namespace)


def test_a_retry_touches_the_denied_and_the_killed_alone_and_then_there_is_nothing_to_do(
    real_fleet: RealFleet, tmp_path: Path
) -> None:
    labels, other, report = labels_for("denied"), real_fleet.add_namespace(), tmp_path / "run.json"
    mine = [real_fleet.add("gnu", f"mine-{number}", labels) for number in range(3)]
    theirs = [real_fleet.add("gnu", f"theirs-{number}", labels, namespace=other) for number in range(3)]
    account, kubeconfig = real_fleet.account("get,list on pods", "get,create on pods/exec")
    allow(real_fleet, account, other, LOOK)
    (tmp_path / "big").write_bytes(bytes(range(256)) * 1024)
    where = ["-n", real_fleet.namespace, "-n", other]
    push = ["push", str(tmp_path / "big"), "-l", f"{selector(labels)}:/tmp/big/", *where]
    slowly = ["--bwlimit", "64K", "-z", "none", "--retries", "0", "--report", str(report)]
    with Running(real_fleet, *push, *slowly, more={"KUBECONFIG": str(kubeconfig)}) as running:
        running.wait_for(f"/{mine[2]}:", "started")
        real_fleet.delete_and_wait(mine[2])
        ran = running.finish(400)
    assert ran.code == 23, ran.err
    assert {pod for pod, outcome in ran.outcomes.items() if outcome == "complete"} == set(mine[:2])
    assert all("create on pods/exec" in ran.errors[pod] or "forbidden" in ran.errors[pod] for pod in theirs)
    assert ran.errors[mine[2]]

    whole = states(real_fleet, mine[:2], "/tmp/big")
    real_fleet.add("gnu", mine[2], labels)  # as a StatefulSet does it: another pod of the same name
    allow(real_fleet, account, other, LOOK, EXEC)
    again = asynccp(real_fleet, "retry", report, "-o", "json", KUBECONFIG=str(kubeconfig))
    assert again.code == 0, again.err
    assert "to 4 pods" in again.err
    assert states(real_fleet, mine[:2], "/tmp/big") == whole, "what was complete is not touched"
    assert {(one["pod"], one["outcome"], one["tries"]) for one in again.report["pods"]} == {
        *((pod, "complete", 1) for pod in mine[:2]),
        *((pod, "complete", 2) for pod in (mine[2], *theirs)),
    }
    known = states(real_fleet, mine[:2], "/tmp/big") | states(real_fleet, theirs, "/tmp/big", other)
    assert len({one.splitlines()[-1] for one in known.values()}) == 1, "all have the same content"

    text = report.read_bytes()
    once_more = asynccp(real_fleet, "retry", report, KUBECONFIG="/none")
    assert (once_more.code, once_more.err) == (0, f"nothing in {report} is left to be tried again\n")
    assert report.read_bytes() == text


PODS, CANARY = 40, 2


class Forty:
    """Two pods that come first, and say that they are Ready until /tmp/app/broken is there; and 38 others."""

    def __init__(self, fleet: RealFleet) -> None:
        labels = labels_for("forty")
        self.fleet = fleet
        self.target = f"{selector(labels)}:/tmp/app"
        self.first = [f"a-canary-{number}" for number in range(CANARY)]
        spec = fleet.spec("gnu")
        probe = {
            "exec": {"command": ["sh", "-c", "test ! -e /tmp/app/broken"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        }
        spec["containers"][0]["readinessProbe"] = probe
        for pod in self.first:
            fleet.run(pod, labels, spec, wait=False)
        self.others = fleet.add_deployment("others", "gnu", {**labels, "which": "others"}, PODS - CANARY)
        fleet.wait_ready(*self.first)


@pytest.fixture(scope="module")
def forty(fleet: RealFleet) -> Forty:
    return Forty(fleet)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--exec-after", 'echo "no good"; exit 7'), "the command after failed with exit code 7: no good"),
        (("--settle", "60", "--on-failure", "rollback"), "the pod stopped being Ready"),
    ],
    ids=["command", "unready"],
)
def test_a_canary_of_two_that_fails_is_as_before_and_38_pods_are_untouched(
    forty: Forty, config: Path, how: tuple[str, ...], said: str
) -> None:
    fleet = forty.fleet
    done = asynccp(fleet, "push", f"{config}/", "-l", forty.target, "-q", "--delete")
    assert done.code == 0, done.err
    before = states(fleet, forty.others, "/tmp/app")
    canary = {pod: snapshot(fleet, pod, "/tmp/app") for pod in forty.first}
    assert len(before) == PODS - CANARY
    write(config, 2)
    (config / "broken").write_text("a mistake\n")
    ran = asynccp(
        fleet, "push", f"{config}/", "-l", forty.target, "--canary", str(CANARY), "--backup", *how, "-o", "json"
    )
    assert ran.code == 1, ran.err
    assert states(fleet, forty.others, "/tmp/app") == before
    assert {pod: snapshot(fleet, pod, "/tmp/app") for pod in forty.first} == canary
    for pod in forty.first:
        assert "there again" in ran.errors[pod] or "rolled back" in ran.errors[pod]
    assert any(said in ran.errors[pod] for pod in forty.first)
    assert all(one["rolled_back"] for one in ran.report["pods"] if one["pod"] in forty.first)
    assert all(ran.errors[pod].startswith("not begun, because") for pod in forty.others)
    first, second = ran.report["waves"]
    assert (first["pods"], second["pods"], second["begun_seconds"]) == (CANARY, PODS - CANARY, None)
    assert first["stopped"]


def test_a_real_cluster_and_two_others_are_one_run_and_the_one_that_is_down_is_named(
    real_fleet: RealFleet, config: Path, tmp_path: Path
) -> None:
    labels, joined, report = labels_for("joined"), tmp_path / "joined", tmp_path / "run.json"
    near = [real_fleet.add(kind, f"joined-{kind}", labels) for kind in ("gnu", "busybox")]
    with served(tmp_path / "fake") as fake:
        fake.add("gnu", "joined-gnu", labels)
        document = yaml.safe_load(real_fleet.kubeconfig.read_text())
        (cluster,), (user,) = document["clusters"], document["users"]
        servers = {
            "real": cluster["cluster"],
            "fake": json.loads(fake.kubeconfig.read_text())["clusters"][0]["cluster"],
            "down": {"server": "https://127.0.0.1:1"},
        }
        contexts = {name: {"cluster": name} for name in servers}
        contexts["real"] |= {"user": user["name"], "namespace": real_fleet.namespace}
        document |= {
            "clusters": [{"name": name, "cluster": one} for name, one in servers.items()],
            "contexts": [{"name": name, "context": one} for name, one in contexts.items()],
            "current-context": "real",
        }
        joined.touch(mode=0o600)
        joined.write_text(yaml.safe_dump(document))
        push = ["push", str(config), "-l", f"{selector(labels)}:/tmp/app", "--kubeconfig", str(joined)]
        ran = asynccp(real_fleet, *push, "--context", "*", "--report", report)
        assert ran.code == 23, ran.err
        found = conforming(report.read_text())
        assert {(one["context"], one["pod"], one["outcome"]) for one in found["pods"]} == {
            *(("real", pod, "complete") for pod in near),
            ("fake", "joined-gnu", "complete"),
        }
        assert (
            "skipped 1 context that counts as failed: the API server at https://127.0.0.1:1 can't be reached" in ran.out
        )
        for fleet, pod in ((real_fleet, near[0]), (real_fleet, near[1]), (fake, "joined-gnu")):
            assert sh(fleet, pod, "cat", "/tmp/app/config/app.toml") == b"app.toml, version 1\n"
        whole = asynccp(real_fleet, "diff", *push[1:], "--context", "real", "--context", "fake")
        assert whole.code == 0, whole.err
