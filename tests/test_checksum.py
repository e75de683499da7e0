"""--checksum against one-byte corruptions, and without any."""

from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.testing.server import FakeCluster
from tests import corruption
from tests.corruption import PLACES, carry_out, corruptions


@pytest.fixture(autouse=True)
def _no_blocking_call() -> None:
    """The fake cluster runs here."""


@pytest.mark.parametrize("place", PLACES)
async def test_a_changed_byte_is_caught_and_the_file_is_named(place: str, tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-0")
        await cluster.write_kubeconfig(tmp_path / "kubeconfig")
        for number, one in enumerate(one for one in corruptions(40, 1) if one.place == place):
            struck, report = await carry_out(cluster, tmp_path / "kubeconfig", one, tmp_path / str(number))
            assert struck, one
            assert report.exit_code == 1, one
            assert one.file in report.results[0].error


@pytest.mark.parametrize("place", ["push, nowhere", "pull, nowhere"])
async def test_without_a_changed_byte_all_is_complete_and_the_report_has_the_digests(
    place: str, tmp_path: Path
) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-0")
        await cluster.write_kubeconfig(tmp_path / "kubeconfig")
        one = corruption.Corruption(place, "a", 0, 0)
        struck, report = await carry_out(cluster, tmp_path / "kubeconfig", one, tmp_path / "here")
    assert not struck
    assert report.exit_code == 0, report.results[0].error
    assert set(report.results[0].to_json()["digests"]) == set(corruption.FILES)


async def test_a_changed_byte_in_a_push_never_reaches_its_place(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-0")
        await cluster.write_kubeconfig(tmp_path / "kubeconfig")
        one = corruption.Corruption("push, wire", "e", 200_000, 3)
        await carry_out(cluster, tmp_path / "kubeconfig", one, tmp_path / "here")
        await cluster.wait_idle()
        left = await to_thread.run_sync(lambda: list((tmp_path / "pods/default/web-0/main").rglob("*")))
    assert [one.name for one in left] == ["tmp"], "not even the directory that it was pushed to"
