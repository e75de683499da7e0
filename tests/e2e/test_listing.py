"""What a pod of each kind tells of a directory, also one without tar; and that nothing is left of whoever asked."""

import random
from pathlib import Path

import anyio
import pytest

from asynccp.engine.select import select
from asynccp.engine.sessions import Sessions
from asynccp.entry import Kind
from asynccp.kube.cluster import connect
from asynccp.options import Options
from asynccp.plan.manifest import Item
from asynccp.remote.commands import ListRequest
from asynccp.remote.listing import ListingReader
from asynccp.target import Selection, parse_selectors
from tests.e2e.fleet import WITH_TAR, Fleet, labels_for, sh
from tests.e2e.processes import assert_all_ended

TOKEN = "0123456789abcdef"
MAKE = r"""
mkdir -p "$1/a b/c" "$1/empty" "$1/many" && cd "$1" || exit
printf 12345 >"a b/c/five"
printf 1 >"$(printf 'new\nline\n_')"
: >./-rf
: >"$(printf 'bytes\377\134')"
ln -s "$(printf 'two\n//lines')" link
ln ./-rf "a b/hard"
chmod 640 "a b/c/five"
chmod 1777 empty
i=0
while [ $i -lt 3000 ]; do : >many/$i; i=$((i + 1)); done
"""
THERE = {
    b"": (Kind.DIRECTORY, 0, b""),
    b"a b": (Kind.DIRECTORY, 0, b""),
    b"a b/c": (Kind.DIRECTORY, 0, b""),
    b"a b/c/five": (Kind.FILE, 5, b""),
    b"a b/hard": (Kind.FILE, 0, b""),
    b"empty": (Kind.DIRECTORY, 0, b""),
    b"many": (Kind.DIRECTORY, 0, b""),
    b"new\nline\n_": (Kind.FILE, 1, b""),
    b"-rf": (Kind.FILE, 0, b""),
    b"bytes\xff\\": (Kind.FILE, 0, b""),
    b"link": (Kind.SYMLINK, 0, b"two\n//lines"),
} | {b"many/%d" % number: (Kind.FILE, 0, b"") for number in range(3000)}


@pytest.fixture(scope="module", params=[*WITH_TAR, "shell-only"])
def pod(request: pytest.FixtureRequest, fleet: Fleet) -> str:
    """A pod of each kind that has a shell, with a tree."""
    if request.param not in fleet.kinds(request.param):
        pytest.skip(f"there is no {request.param} here")
    pod = fleet.add(request.param, f"listing-{request.param}", labels_for("listing"))
    sh(fleet, pod, "sh", "-c", MAKE, "sh", "/tmp/listed")
    return pod


async def listed(kubeconfig: Path, remote: str, most: int | None = None) -> tuple[dict[bytes, Item], int | None]:
    """Return what a pod lists, and the code; of that many items the client goes away."""
    async with connect(str(kubeconfig)) as cluster:
        (transfer,), _ = await select(cluster, Selection(parse_selectors((), [remote])))
        request, found = ListRequest(token=TOKEN, path=transfer.path), dict[bytes, Item]()
        async with Sessions(cluster, Options(), TOKEN).greeted(transfer, request) as greeted:
            reader = ListingReader(TOKEN)
            while not reader.ended and (data := await greeted.conversation.stdout()) is not None:
                found.update(reader.feed(data))
                if most is not None and len(found) >= most:
                    return found, None
            await greeted.conversation.acknowledge()
            await greeted.conversation.drain()
            assert greeted.conversation.status is not None
            assert greeted.conversation.status.code == 0
    return found, reader.code


def test_each_kind_tells_what_is_there(fleet: Fleet, pod: str) -> None:
    found, code = anyio.run(listed, fleet.kubeconfig, f"{pod}:/tmp/listed/")
    assert code == 0
    assert {path: (item.kind, item.size, item.link) for path, item in found.items()} == THERE
    assert (found[b"a b/c/five"].mode, found[b"empty"].mode) == (0o640, 0o1777)
    assert (found[b"-rf"].inode, found[b"-rf"].names) == (found[b"a b/hard"].inode, 2)
    assert found[b"-rf"].inode != found[b"a b/c/five"].inode
    assert 0 <= found[b"many/2999"].mtime_ns - found[b"a b/c/five"].mtime_ns < 60 * 10**9


@pytest.mark.cluster
def test_of_a_listing_that_is_left_nothing_stays_in_the_pod(fleet: Fleet, pod: str) -> None:
    chance = random.Random(3)
    for _ in range(20):
        anyio.run(listed, fleet.kubeconfig, f"{pod}:/", chance.randrange(3000))
    assert_all_ended(fleet, pod, within_s=5)
