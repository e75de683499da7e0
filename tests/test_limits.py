"""Limits: what a person writes, and what a pull does with a pod that sends more."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.errors import UsageError
from asynccp.limits import parse_size, size_word
from asynccp.testing.server import FakeCluster


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("1K", 1024),
        ("10M", 10 << 20),
        ("10G", 10 << 30),
        ("10GiB", 10 << 30),
        ("4T", 4 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "1 G", "10g", "10GB", "1e3", "٣", "10G\n", "9" * 20])
def test_what_is_no_size_is_a_usage_error_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError, match="is no size") as caught:
        parse_size(text)
    assert caught.value.hint
    assert str(caught.value).isprintable()


def asynccp(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "asynccp", *arguments, "--kubeconfig", str(kubeconfig)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("flag", "value"), [("--max-size", "1000"), ("--max-entries", "3"), ("--max-path", "20"), ("--max-depth", "3")]
)
async def test_a_pod_that_sends_too_much_fails_alone_and_named(tmp_path: Path, flag: str, value: str) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        for name in ("web-0", "web-1"):
            pod = await cluster.add_pod(name, labels={"app": "web"})
            _fill(pod.root() / "data", name == "web-1")
        await cluster.write_kubeconfig(tmp_path / "kubeconfig")
        out = str(tmp_path / "out")
        pull = partial(asynccp, tmp_path / "kubeconfig", "pull", "-l", "app=web:/data", out, "-o", "json", flag, value)
        done = await to_thread.run_sync(pull)
    assert done.returncode == 23, done.stderr
    good, bad = json.loads(done.stdout)["pods"]
    assert (good["outcome"], bad["outcome"], bad["tries"]) == ("complete", "failed", 1)
    assert "data/" in bad["error"]
    assert flag in bad["hint"]
    assert flag in done.stderr
    assert _partials(Path(out)) == []


def _partials(directory: Path) -> list[Path]:
    return list(directory.rglob(".asynccp-*"))


def _fill(data: Path, too_much: bool) -> None:
    data.mkdir()
    (data / "a").write_text("1")
    if too_much:
        (data / "b" / "c").mkdir(parents=True)
        (data / "b" / "c" / ("long" * 5)).write_text("2" * 2000)


@pytest.mark.parametrize("arguments", [("--max-size", "lots"), ("--max-depth", "0"), ("--max-header", "0K")])
def test_an_impossible_limit_is_a_usage_error(tmp_path: Path, arguments: tuple[str, str]) -> None:
    done = asynccp(tmp_path / "none", "pull", "web-0:/x", str(tmp_path), *arguments)
    assert done.returncode == 2


def test_a_push_has_no_limits(tmp_path: Path) -> None:
    assert asynccp(tmp_path / "none", "push", str(tmp_path), "web-0:/x", "--max-size", "1").returncode == 2


@pytest.mark.parametrize("word", ["1", "512K", "1M", "64M", "4T", "4097"])
def test_a_size_is_written_as_it_is_read(word: str) -> None:
    assert size_word(parse_size(word)) == word
