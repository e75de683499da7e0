"""One fleet for all tests here: the fake cluster, or the real one that $ASYNCCP_TEST_KUBECONFIG names.

It ends with them, since other tests count descriptors and threads, and this cluster has a thread of this process.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from asynccp.testing.server import FakeCluster
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import REAL, WITH_TAR, Fleet, add_any, any_kind, labels_for
from tests.e2e.real import RealFleet

STAYS = "stays"
"""The label of pods that are for all modules."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what only one of the two kinds of cluster can show."""
    unfit = "fake_only" if REAL else "cluster"
    for item in items:
        if item.get_closest_marker(unfit):
            item.add_marker(pytest.mark.skip(reason="for the real cluster" if not REAL else "for the fake cluster"))


@pytest.fixture(autouse=True)
def _no_blocking_call() -> None:
    """What is tested here runs in a process of its own; only the fake cluster runs in this one."""


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    directory = tmp_path_factory.mktemp("fleet")
    if REAL:
        real = RealFleet(Path(REAL.split(os.pathsep)[0]), directory)
        yield real
        real.close()
        return
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(FakeCluster(directory / "pods")) as cluster,
    ):
        yield FakeFleet(cluster, portal, directory)


@pytest.fixture(scope="module", autouse=True)
def _a_modules_pods_go_with_it(request: pytest.FixtureRequest) -> Iterator[None]:
    """A kubelet looks at every container once a second: with two hundred idle ones it takes most of a core."""
    fleet = request.getfixturevalue("fleet") if REAL else None
    yield
    if isinstance(fleet, RealFleet):
        fleet.delete_all_but(STAYS)


@pytest.fixture(scope="package")
def web(fleet: Fleet) -> dict[str, list[str]]:
    """Two pods of each kind that has a tar, labelled app=web-XXXXXX: kind → pods. `web["labels"]` is the selector."""
    labels = labels_for("web")
    pods = {kind: [fleet.add(kind, f"{kind}-{number}", {**labels, "tar": kind, STAYS: "yes"}) for number in range(2)]
            for kind in fleet.kinds(*WITH_TAR)}  # fmt: skip
    return {**pods, "labels": [f"app={labels['app']}"]}


@pytest.fixture(scope="package")
def everybody(fleet: Fleet) -> dict[str, list[str]]:
    """The same of every kind: those without a tar, and those without a shell, too."""
    labels = labels_for("everybody")
    pods = {kind: [add_any(fleet, kind, f"every-{kind}-{number}", {**labels, "tar": kind, STAYS: "yes"})
                   for number in range(2)]
            for kind in any_kind(fleet)}  # fmt: skip
    return {**pods, "labels": [f"app={labels['app']}"]}


@pytest.fixture
def real_fleet(fleet: Fleet) -> RealFleet:
    assert isinstance(fleet, RealFleet)
    return fleet


@pytest.fixture
def fake_fleet(fleet: Fleet) -> FakeFleet:
    assert isinstance(fleet, FakeFleet)
    return fleet
