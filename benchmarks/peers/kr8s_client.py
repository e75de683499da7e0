"""python -m benchmarks.peers.kr8s_client NAMESPACE LOCAL REMOTE POD…: what tar packs, through kr8s, all pods at once.

As a user of its asyncio API writes it. It can't push: it asks for exec v4 alone, and refuses stdin without v5.
"""

import asyncio
import sys
import tarfile
import tempfile
from pathlib import Path

import kr8s
from kr8s.asyncio.objects import Pod


async def pull(namespace: str, local: Path, remote: str, name: str) -> None:
    pod = await Pod.get(name, namespace=namespace)
    with tempfile.TemporaryFile() as spool:
        await pod.exec(["tar", "cf", "-", "-C", remote, "."], stdout=spool, capture_output=False)
        spool.seek(0)
        with tarfile.open(fileobj=spool) as archive:
            archive.extractall(local / name, filter="data")


async def main() -> None:
    namespace, local, remote, *pods = sys.argv[1:]
    await kr8s.asyncio.api()
    await asyncio.gather(*(pull(namespace, Path(local), remote, pod) for pod in pods))


if __name__ == "__main__":
    asyncio.run(main())
