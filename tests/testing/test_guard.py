"""Nobody but who was given its address is answered by the fake API server, whose commands run on this machine."""

import re
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from anyio import to_thread

from asynccp.cli.demo import staged
from asynccp.errors import UsageError
from asynccp.status import ExitStatus
from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client
from tests.testing.strangers import ROUTES, UPGRADE, WITNESS, Stranger, ask, visit, witnesses


async def test_no_stranger_is_answered_on_any_route_nor_runs_anything(
    cluster: FakeCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    await cluster.add_pod("web-0")
    heard = await to_thread.run_sync(visit, cluster.url)
    assert heard.answered == []
    assert heard.requests > 500
    assert await to_thread.run_sync(witnesses, cluster.directory) == []
    assert capfd.readouterr() == ("", "")  # a stranger does not write to this terminal either


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_who_has_the_address_is_answered_by_each_of_loopbacks_names(client: Client, host: str) -> None:
    """The same questions, the same way: or the test before would show nothing."""
    await client.cluster.add_pod("web-0")
    url = client.cluster.url
    parts = urlsplit(url)
    friend = Stranger("a friend", parts.path, (f"Host: {host}:{parts.port}",), 0)
    plain = [await to_thread.run_sync(ask, url, route, friend) for route in ROUTES]
    assert plain == [404, 200, 200, 200, 200, 200, 200, 404, 404, 405, 400, 400]
    assert await to_thread.run_sync(ask, url, ROUTES[-2], friend, UPGRADE) == 101
    assert (await client.run("web-0", "touch", WITNESS)).status == ExitStatus(0)
    assert len(await to_thread.run_sync(witnesses, client.cluster.directory)) == 1


async def test_every_start_has_a_token_of_its_own(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        clusters = [await stack.enter_async_context(FakeCluster(tmp_path / str(number))) for number in range(3)]
        tokens = {urlsplit(one.url).path for one in clusters}
    assert len(tokens) == 3
    assert all(re.fullmatch(r"/[0-9a-f]{64}", one) for one in tokens)


async def test_the_demos_directory_is_its_users_alone(tmp_path: Path) -> None:
    async with staged(tmp_path / "demo", 1):
        assert (tmp_path / "demo").stat().st_mode & 0o777 == 0o700
    async with staged(tmp_path / "demo", 1):
        pass  # once more, in the same place


async def test_the_demo_does_not_run_where_all_may_write(tmp_path: Path) -> None:
    """They would choose the programs that its pods run: `pods/.programs` is in there."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    with pytest.raises(UsageError, match="is another user's, or open to all"):
        async with staged(tmp_path / "open", 1):
            pytest.fail("it runs")
    assert list((tmp_path / "open").iterdir()) == []
