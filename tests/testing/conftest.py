"""A fake cluster with one pod, `web-1`, and a client. A blocking call of ours in the event loop is a failure."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from blockbuster import blockbuster_ctx

from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    with blockbuster_ctx("asynccp"):
        yield


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with FakeCluster(tmp_path / "cluster") as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        yield cluster
    assert cluster.running_processes() == []


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Client(cluster, http)
