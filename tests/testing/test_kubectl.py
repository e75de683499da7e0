"""A real kubectl, if this machine has one, takes the fake for a cluster."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.testing.server import FakeCluster

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")


async def kubectl(cluster: FakeCluster, home: Path, *arguments: str, stdin: str = "") -> tuple[int, str]:
    await cluster.write_kubeconfig(home / "kubeconfig")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(home / "kubeconfig")}
    run = partial(subprocess.run, capture_output=True, text=True, env=environment, cwd=home, input=stdin, timeout=30)
    done = await to_thread.run_sync(partial(run, ["kubectl", *arguments], check=False))
    return done.returncode, done.stdout + done.stderr


async def test_get(cluster: FakeCluster, tmp_path: Path) -> None:
    await cluster.add_pod("db-0", labels={"app": "db"})
    code, said = await kubectl(cluster, tmp_path, "get", "pods", "-l", "app=web")
    assert code == 0, said
    assert [line.split()[:4] for line in said.splitlines()] == [
        ["NAME", "READY", "STATUS", "RESTARTS"],
        ["web-1", "1/1", "Running", "0"],
    ]


async def test_exec(cluster: FakeCluster, tmp_path: Path) -> None:
    code, said = await kubectl(cluster, tmp_path, "exec", "-i", "web-1", "--", "sh", "-c", "cat; exit 3", stdin="hello")
    assert code == 3
    assert said.startswith("hello")


async def test_cp(cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    code, said = await kubectl(cluster, tmp_path, "cp", "file", "web-1:/tmp/there")
    assert code == 0, said
    code, said = await kubectl(cluster, tmp_path, "cp", "web-1:/tmp/there", "back")
    assert code == 0, said
    assert (tmp_path / "back").read_text() == "content"


async def test_logs(cluster: FakeCluster, tmp_path: Path) -> None:
    pod = await cluster.add_pod("talks")
    pod.container().log = [(datetime.now(UTC), b"one\n"), (datetime.now(UTC), b"two\n")]
    code, said = await kubectl(cluster, tmp_path, "logs", "talks", "--tail", "1", "--since", "1h")
    assert (code, said) == (0, "two\n")
    code, said = await kubectl(cluster, tmp_path, "logs", "talks", "--previous")
    assert code == 1
    assert said == ('Error from server (BadRequest): previous terminated container "main" in pod "talks" not found\n')
