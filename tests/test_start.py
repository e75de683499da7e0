"""What a command loads before it does anything: people wait for it, each time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.testing.server import FakeCluster
from tests.kube.gateways import kubeconfig

# What nobody has to load who asks for help, and what nobody has to load who pushes a file.
FOR_COPIES = {
    "anyio",
    "asyncio",
    "aiohttp",
    "ssl",
    "yaml",
    "logging",
    "tqdm",
    "rich",
    "pydantic",
    "asynccp.engine",
    "asynccp.auth.access",
}
FOR_FEW = {
    "aiohttp",
    "urllib.request",
    "rich",
    "websockets",
    "pydantic",
    "tqdm",
    "kubernetes_asyncio",
    "watchfiles",
    "asynccp.engine.ephemeral",
    "asynccp.engine.following",
    "asynccp.engine.settling",
    "asynccp.kube.watch",
    "asynccp.kube.ephemeral",
    "asynccp.remote.rooted",
    "asynccp.testing",
    "asynccp.sinks.directory",
    "asynccp.archive.zstd",
    "asynccp.plan.filters",
    "backports.zstd",
    "tomllib",
    "asynccp.modes",
    "asynccp.engine.owners",
    "asynccp.engine.everywhere",
    "asynccp.kube.clusters",
    "asynccp.cli.configfile",
}

SCRIPT = """
import json, sys
from asynccp.__main__ import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


# What may be loaded before signals are heard: until then they are Python's own, and ^C shows a traceback.
BEFORE_SIGNALS = {"asynccp", "asynccp.__main__", "asynccp.cli", "asynccp.cli.interrupt"}


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that a command has loaded at its end."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(run.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["push", "--help"], ["pull", "--help"], ["check", "--help"]]
)
def test_help_loads_nothing_of_what_copies(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & FOR_COPIES == set()


def test_signals_are_heard_before_anything_of_ours_is_loaded() -> None:
    script = "import sys, asynccp.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(run.stdout.split())
    assert {name for name in loaded if name.startswith("asynccp")} == BEFORE_SIGNALS
    assert loaded & {"dataclasses", "msgspec", "json", "typer"} == set()


async def test_a_push_loads_only_what_a_push_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "kubeconfig"
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        path.write_text(kubeconfig({"server": cluster.url}, {}))
        loaded = await to_thread.run_sync(loaded_by, "push", str(path), "web-1:/tmp", "--kubeconfig", str(path))
    assert "asynccp.engine.push" in loaded
    assert loaded & FOR_FEW == set()
