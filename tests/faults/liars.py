"""Pods whose programs lie: a bomb, a hole, a drip, or more to remember than there is memory."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from asynccp.fake.kinds import Kind, no_tar
from asynccp.fake.pod import Container, FakePod
from asynccp.fake.server import FakeCluster
from tests.archives import archive, block
from tests.e2e.fakefleet import FakeFleet

LABELS = {"app": "web"}
TIB = 1024**4
_ZSTD_MAGIC, _WINDOW_2_MIB, _RLE_SIZE = b"\x28\xb5\x2f\xfd\x00", b"\x58", 128 * 1024


def bomb(size: int) -> bytes:
    """Return a zstd frame of a contiguous file, which is left out: `size` zeros in four bytes for 128 KiB."""
    header = block(b"d", typeflag=b"7", size=b"\x80" + TIB.to_bytes(11, "big"))
    zeros = (_RLE_SIZE << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return _ZSTD_MAGIC + _WINDOW_2_MIB + (len(header) << 3).to_bytes(3, "little") + header + zeros * (size // _RLE_SIZE)


def fifos(count: int) -> bytes:
    """Return an archive of FIFOs, all to be named, with names of 90 bytes; zstd makes a thousandth of it."""
    return archive(*(block(b"d/%088d" % number, typeflag=b"6") for number in range(count)))


def hole(size: int, directory: Path) -> bytes:
    """Return the archive of a file that is one hole."""
    with open(directory / "d", "wb") as file:
        file.truncate(size)
    command = ["tar", "--sparse", "--format=posix", "-cf", "-", "-C", str(directory), "./d"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def liar(directory: Path, name: str, data: bytes, *, program: str, then: str = "") -> Kind:
    """Return a container in which a program gives these bytes, whatever it is asked, and then does something else."""
    content, script = directory / f"{name}.data", directory / f"{name}.sh"
    content.write_bytes(data)
    script.write_text(f"#!/bin/sh\ncat {content}\n{then}\n")
    script.chmod(0o755)
    others = {one: f"/usr/bin/{one}" for one in ("tar", "zstd", "find", "sha256sum", "sh")}
    return Kind(name, {**(no_tar().programs or {}), **others, program: str(script)})


def lies(directory: Path) -> dict[str, Kind]:
    """Return each lie by its name."""
    bytes_now_and_then = "while :; do printf x; echo . >&2; sleep 2; done"
    header = block(b"d", size=2**30)
    return {
        "bomb": liar(directory, "bomb", bomb(48 * 2**30), program="zstd", then="exec sleep 1000"),
        "hole": liar(directory, "hole", hole(900 * 2**30, directory), program="tar"),
        "drip": liar(directory, "drip", header, program="tar", then=bytes_now_and_then),
    }


@contextmanager
def among(directory: Path, good: int, size: int, kind: Kind | None) -> Iterator[FakeFleet]:
    """Run so many good pods with a file of text /d of that size, and one of a kind."""
    line = b"".join(b"2026-11-28T20:%02d GET /index.html %d\n" % (number % 60, number * 7919) for number in range(1000))
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        cluster = stack.enter_context(portal.wrap_async_context_manager(FakeCluster(directory / "pods")))
        fleet = FakeFleet(cluster, portal, directory)
        for number in range(good):
            pod = portal.call(lambda name: cluster.add_pod(name, labels=LABELS), f"good-{number}")
            (pod.root() / "d").write_bytes((line * (size // len(line) + 1))[:size])
        if kind:
            evil = portal.call(cluster.add_pod, FakePod("evil", LABELS, containers=[Container("main", kind)]))
            (evil.root() / "d").write_bytes(b"x")
        yield fleet
