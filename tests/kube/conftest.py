"""A fake cluster with one pod, web-1, labelled app=web."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asynccp.testing.server import FakeCluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        yield cluster
