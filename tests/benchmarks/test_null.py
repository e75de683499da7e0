"""The null cluster is a cluster to asynccp: what it measures there is a complete copy, or it would measure nothing."""

import io
import socket
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from asynccp import connect, parse_selectors, plan_pull, plan_push, pull, push
from asynccp.events import Listener
from asynccp.report import Outcome, Result
from asynccp.target import Selection, Transfer
from benchmarks.null.archive import archive
from benchmarks.null.pods import page, pod
from benchmarks.null.running import ROOT, null_cluster


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[str]:
    with null_cluster() as found:
        yield str(found)


async def test_a_push_to_the_null_cluster_ends_complete_with_every_entry_counted(
    kubeconfig: str, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "tree" / "below" / f"{number}").write_bytes(bytes(50_000))
    async with connect(kubeconfig) as cluster:
        plan = await plan_push(cluster, [str(tmp_path / "tree")], _pods("null=3:/somewhere"))
        report = await push(cluster, plan)
    assert [result.outcome for result in report.results] == [Outcome.COMPLETE] * 3
    assert [(result.entries, result.size) for result in report.results] == [(22, 1_000_000)] * 3


async def test_a_pull_from_the_null_cluster_brings_the_files_that_the_path_names(
    kubeconfig: str, tmp_path: Path
) -> None:
    async with connect(kubeconfig) as cluster:
        plan = await plan_pull(cluster, str(tmp_path), _pods("null=2:/null/3x1500000"))
        report = await pull(cluster, plan)
    assert [result.outcome for result in report.results] == [Outcome.COMPLETE] * 2
    assert [(result.entries, result.size) for result in report.results] == [(4, 4_500_000)] * 2
    for name in ("null-00000000", "null-00000001"):
        files = sorted((tmp_path / name / "3x1500000").iterdir())
        assert [one.stat().st_size for one in files] == [1_500_000] * 3
        assert len({one.read_bytes() for one in files}) == 1


async def test_pods_that_fill_several_pages_are_all_found(kubeconfig: str, tmp_path: Path) -> None:
    async with connect(kubeconfig) as cluster:
        plan = await plan_pull(cluster, str(tmp_path), _pods("null=1234:/null/1x1"))
    assert len({transfer.target.pod for transfer in plan.transfers}) == 1234


@pytest.mark.parametrize("name", ["0x0", "1x0", "3x1", "2500x1024", "2x1048576", "2x1500000"])
def test_tar_reads_what_the_null_cluster_sends(name: str) -> None:
    count, size = map(int, name.split("x"))
    with tarfile.open(fileobj=io.BytesIO(b"".join(_stdout(archive(name)))), mode="r:") as read:
        members = read.getmembers()
    assert [member.size for member in members if member.isfile()] == [size] * count
    assert all(member.name.startswith(f"./{name}") for member in members)


def test_a_pod_is_as_large_as_on_a_real_cluster_and_a_page_holds_so_many() -> None:
    assert 4 * 1024 < len(pod(1)) < 6 * 1024
    assert page(10, 0, 4).count(b'"hostIP"') == 4
    assert b'"continue"' in page(10, 4, 4)
    assert b'"continue"' not in page(10, 8, 4)


class _Order(Listener):
    """Notes what began and ended, in order."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def started(self, transfer: Transfer, total: int | None) -> None:
        self.noted.append("started")

    def finished(self, result: Result) -> None:
        self.noted.append("finished")


async def test_sessions_that_are_to_be_under_way_at_once_are(kubeconfig: str, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    order = _Order()
    async with connect(kubeconfig) as cluster:
        plan = await plan_push(cluster, [str(tmp_path / "one")], _pods("null=40:/at-once/40"))
        report = await push(cluster, plan, observer=order)
    assert report.ok
    assert order.noted == ["started"] * 40 + ["finished"] * 40


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_the_floor_moves_every_byte_over_the_same_server(kubeconfig: str, direction: str) -> None:
    argv = [sys.executable, "-m", "benchmarks.null.floor", direction, kubeconfig, "3", "1"]
    subprocess.run(argv, cwd=ROOT, check=True)


@pytest.mark.parametrize("header", ["", "Authorization: Bearer wrong\r\n"])
def test_who_has_not_the_null_clusters_token_is_not_answered(kubeconfig: str, header: str) -> None:
    cluster = yaml.safe_load(Path(kubeconfig).read_text())["clusters"][0]["cluster"]
    url = urlsplit(cluster["server"])
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    with (
        socket.create_connection((url.hostname, url.port)) as plain,
        context.wrap_socket(plain, server_hostname=url.hostname) as stranger,
    ):
        stranger.sendall(f"GET /source?bytes=1048576 HTTP/1.1\r\n{header}\r\n".encode())
        assert stranger.makefile("rb").read() == b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def _pods(labels: str) -> Selection:
    return Selection(parse_selectors([labels]))


def _stdout(buffers: list[bytes]) -> Iterator[bytes]:
    """Yield what the messages carry, and check their form."""
    stream = io.BytesIO(b"".join(buffers))
    while head := stream.read(2):
        assert head[0] == 0x82
        size = head[1] if head[1] < 126 else int.from_bytes(stream.read(2), "big")
        assert stream.read(1) == b"\x01"
        yield stream.read(size - 1)
