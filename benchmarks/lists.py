"""python -m benchmarks.lists NAMESPACE POD DIRECTORY COUNT: list a directory of a pod by what a copy lists with.

It ends with 1 unless there are COUNT entries, the directory included.
"""

import sys

import anyio

from asynccp import Options, Selection, connect, parse_selectors
from asynccp.engine.select import select
from asynccp.engine.sessions import Sessions
from asynccp.plan.manifest import Item, Manifest
from asynccp.remote.commands import ListRequest
from asynccp.remote.listing import ListingReader

TOKEN = "0123456789abcdef"


async def manifest(namespace: str, pod: str, directory: str) -> Manifest:
    """Return what is there; less, if the pod's listing has no end."""
    async with connect() as cluster:
        (transfer,), _ = await select(cluster, Selection(parse_selectors((), [f"{pod}:{directory}/"]), (namespace,)))
        request = ListRequest(token=TOKEN, path=transfer.path)
        async with Sessions(cluster, Options(), TOKEN).greeted(transfer, request) as (conversation, *_):
            reader, found = ListingReader(TOKEN), dict[bytes, Item]()
            while not reader.ended and (data := await conversation.stdout()) is not None:
                found.update(reader.feed(data))
            await conversation.acknowledge()
            await conversation.drain()
    return found


if __name__ == "__main__":
    sys.exit(len(anyio.run(manifest, sys.argv[1], sys.argv[2], sys.argv[3])) != int(sys.argv[4]))
