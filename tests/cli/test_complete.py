"""What may stand at the cursor: of the table of flags, of files of settings, and of a cluster, or nothing."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from anyio import to_thread
from anyio.from_thread import start_blocking_portal

from asynccp.cli import complete, interrupt
from asynccp.cli.complete import FILES, Word, fit, settled, words_of
from asynccp.cli.line import read_line
from asynccp.cli.lookup import Lookup
from asynccp.testing.pod import FakePod
from asynccp.testing.server import FakeCluster


@pytest.mark.parametrize(
    ("words", "word", "flag", "given", "arguments"),
    [
        (["push", ""], "", None, {}, []),
        (["push", "a", "-n", "x", "b"], "b", None, {"namespace": ["x"]}, ["a"]),
        (["push", "-n", "x"], "x", "namespace", {}, []),
        (["push", "-nx", ""], "", None, {"namespace": ["x"]}, []),
        (["push", "-nx"], "x", "namespace", {}, []),
        (["push", "--context=pr"], "pr", "context", {}, []),
        (["push", "--context="], "", "context", {}, []),
        (["push", "--context", "a", "--context"], "--context", None, {"context": ["a"]}, []),
        (
            ["push", "-qv", "-A", "--checksum", ""],
            "",
            None,
            {"verbose": [""], "all_namespaces": [""], "checksum": [""]},
            [],
        ),
        (["push", "--backup", ""], "", None, {"backup": [""]}, []),
        (["push", "--", "-n", "-x"], "-x", None, {}, ["-n"]),
        (["push", "--no-such", "a", ""], "", None, {}, ["a"]),
        (["pull", "web-0:/x", "-"], "-", None, {}, ["web-0:/x"]),
        (["no-such", "-n", ""], "", None, {}, []),
    ],
)
def test_a_line_that_is_being_written_is_taken_apart(
    words: list[str], word: str, flag: str | None, given: dict[str, list[str]], arguments: list[str]
) -> None:
    line = read_line(words)
    assert (line.word, line.flag and line.flag.parameter) == (word, flag)
    assert dict(line.given) == given
    assert list(line.arguments) == arguments


def test_only_what_is_one_word_for_every_shell_is_offered() -> None:
    """Names of files are made by pods, and what is offered will be run."""
    hostile = [
        "$(reboot)",
        "`x`",
        "a b",
        "a;b",
        "a'b",
        'a"b',
        "a\nb",
        "a\\b",
        "~x",
        "a*",
        "a|b",
        "a>b",
        "!x",
        "é",
        "\x1b[2J",
    ]
    assert fit([Word(one) for one in [*hostile, "web-0:/var/log/a_b.log,+%@=", FILES, "a", "a"]]) == [
        Word("web-0:/var/log/a_b.log,+%@="),
        Word(FILES),
        Word("a"),
    ]
    assert len(fit([Word(str(number)) for number in range(1000)])) == complete.MOST


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["pu"], ["push", "pull"]),
        (["push", "--chec"], ["--checksum"]),
        (["pull", "--compress", ""], ["auto", "none", "gzip", "zstd"]),
        (["pull", "--compress=z"], ["--compress=zstd"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["config", "pu"], ["push", "pull"]),
        (["retry", ""], [FILES]),
    ],
)
def test_what_is_known_is_told_without_asking(words: list[str], some: list[str]) -> None:
    assert [one.text for one in complete._local(read_line(words))] == some


def test_profiles_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".asynccp.toml").write_text("[profiles.web]\n[profiles.db]")
    assert complete._local(read_line(["push", "@w"])) == [Word("@web", "of ./.asynccp.toml")]


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeCluster]:
    async with FakeCluster(tmp_path / "pods") as cluster:
        await fill(cluster)
        await cluster.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield cluster


async def fill(cluster: FakeCluster) -> None:
    for name, labels in (("web-0", {"app": "web", "tier": "a"}), ("web-1", {"app": "web"}), ("db-0", {"app": "db"})):
        pod = await cluster.add_pod(FakePod(name, labels))
        log = pod.root() / "var" / "log"
        await to_thread.run_sync(functools.partial(log.mkdir, parents=True, exist_ok=True))
        for file in (f"{name}.log", "$(x)"):
            await to_thread.run_sync((log / file).touch)
    await cluster.add_pod(FakePod("other-0", {"app": "other"}, "team"))
    cluster.add_deployment("web", {"app": "web"})


async def offered(*words: str) -> list[str]:
    line = read_line(words)
    lookup = Lookup(line, await to_thread.run_sync(settled, line))
    return [one.text for one in fit(await words_of(line, lookup))]


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["push", "--context", ""], ["demo"]),
        (["push", "-n", ""], ["default", "team"]),
        (["push", "--namespace=te"], ["--namespace=team"]),
        (["push", "-l", ""], ["app=", "tier="]),
        (["push", "-l", "app="], ["app=db", "app=web"]),
        (["push", "-l", "tier=a,app=w"], ["tier=a,app=web"]),
        (["push", "-l", "app==w"], ["app==web"]),
        (["push", "-n", "team", "-l", "app="], ["app=other"]),
        (["push", "-l", "app=db:/var/log/d"], ["app=db:/var/log/db-0.log"]),
        (["push", "a", "-l", "app=db", ":/va"], [":/var/"]),
        (["push", "-c", ""], ["main"]),
        (["pull", "web-"], ["web-0:", "web-1:"]),
        (["check", "web-"], ["web-0", "web-1"]),
        (["pull", "-n", "team", "o"], ["other-0:"]),
        (["pull", "team/"], ["team/other-0:"]),
        (["pull", "pod/d"], ["pod/db-0:"]),
        (["pull", "deploy/"], ["deploy/web:"]),
        (["pull", "deploy"], ["deploy/"]),
        (["pull", "web-0:/var/log/"], ["web-0:/var/log/web-0.log"]),
        (["pull", "deploy/web:/var/l"], ["deploy/web:/var/log/"]),
        (["push", "./a"], [FILES]),
        (["push", "--report", ""], [FILES]),
        (["pull", "-l", "app=web:/x", "./l"], [FILES]),
    ],
)
async def test_what_a_cluster_has_is_offered(words: Sequence[str], some: list[str]) -> None:
    assert await offered(*words) == some


@pytest.mark.usefixtures("cluster")
async def test_pods_and_files_stand_beside_each_other() -> None:
    found = await offered("push", "")
    assert found == ["db-0:", "web-0:", "web-1:", "deploy/", "sts/", "ds/", "rs/", "job/", "svc/", FILES]


def answer(*words: str, kubeconfig: Path, **variables: str) -> list[str]:
    """Return what a shell is answered."""
    argv = [sys.executable, "-m", "asynccp", "__complete", *words]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "ASYNCCP_COMPLETE_S": "50", **variables}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=True, env=environment, stdin=subprocess.DEVNULL
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def with_plugin(tmp_path: Path, url: str, mode: str) -> tuple[Path, Path]:
    """Write a kubeconfig whose user has a plugin; return it, and the file that the plugin leaves when it is run."""
    ran, plugin, path = tmp_path / "ran", tmp_path / "plugin", tmp_path / f"with-plugin-{mode}"
    status = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    plugin.write_text(f"#!/bin/sh\n: >{ran}\necho '{json.dumps(status)}'\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": status["apiVersion"], "command": str(plugin), "interactiveMode": mode}}
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(document))
    return path, ran


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(FakeCluster(tmp_path / "p")) as cluster:
        portal.call(fill, cluster)
        yield cluster.url


@pytest.mark.usefixtures("_no_blocking_call")
def test_a_plugin_that_may_ask_is_not_run(tmp_path: Path, url: str) -> None:
    """A browser that opens at each TAB would be worse than no answer."""
    path, ran = with_plugin(tmp_path, url, "IfAvailable")
    assert answer("pull", "web-", kubeconfig=path) == []
    assert not ran.exists()
    assert answer("pull", "--context", "", kubeconfig=path) == ["x"], "which nobody has to be asked for"


async def test_a_plugin_that_never_asks_is_run(
    tmp_path: Path, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ran = with_plugin(tmp_path, cluster.url, "Never")
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert await offered("pull", "db") == ["db-0:"]
    assert ran.exists()


def test_what_goes_wrong_is_no_answer_and_no_noise(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("{")
    assert answer("pull", "web-", kubeconfig=tmp_path / "broken") == []
    assert answer("pull", "-l", "app=web:/", kubeconfig=tmp_path / "none") == []
    assert answer("no-such", "x", kubeconfig=tmp_path / "none") == []
    assert answer(kubeconfig=tmp_path / "none") != []


def test_a_server_that_does_not_answer_is_waited_for_half_a_second(tmp_path: Path) -> None:
    import socket
    import time

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        path = tmp_path / "silent"
        server = {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        contexts = [{"name": "x", "context": {"cluster": "c"}}]
        path.write_text(
            json.dumps({"clusters": [{"name": "c", "cluster": server}], "contexts": contexts, "current-context": "x"})
        )
        begun_s = time.monotonic()
        assert answer("pull", "web-", kubeconfig=path, ASYNCCP_COMPLETE_S="") == []
        assert time.monotonic() - begun_s < 20, "half a second, on a machine that has other things to do"


@pytest.mark.parametrize(("word", "seconds"), [("", 0.5), ("2", 2.0), ("x", 0.5), ("0", 0.1), ("1e9", 60.0)])
def test_how_long_an_answer_is_waited_for_may_be_said(
    word: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCCP_COMPLETE_S", word)
    assert interrupt.patience_s() == seconds
