"""The sites as parameters; the real one is there if $ASYNCCP_TEST_KUBECONFIG names a cluster."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.contracts import sites
from tests.contracts.sites import LABELS, Place
from tests.e2e.real import RealFleet

REAL = os.environ.get("ASYNCCP_TEST_KUBECONFIG", "")


@pytest.fixture(scope="session")
def real_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFleet]:
    if not REAL:
        pytest.skip("for the real cluster")
    fleet = RealFleet(Path(REAL.split(os.pathsep)[0]), tmp_path_factory.mktemp("fleet"))
    fleet.add("busybox", "web-1", LABELS)
    yield fleet
    fleet.close()


@pytest.fixture(params=["fake", "brought", "real"])
def cluster_site(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Implementations of `Cluster`."""
    return _place(request, tmp_path)


@pytest.fixture(params=["fake", "paced", "of_scripts", "real"])
def session_site(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Implementations of `Session`."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, directory: Path) -> Place:
    match request.param:
        case "real":
            return partial(sites.real, request.getfixturevalue("real_fleet"))
        case "of_scripts":
            return sites.of_scripts
        case name:
            return partial(getattr(sites, name), directory)
