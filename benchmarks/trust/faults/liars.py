"""Pods whose programs lie: a bomb, a hole, a drip, or more to remember than there is memory."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from asynccp.kube.exec import STDOUT
from asynccp.testing.faults import Cut, Place
from asynccp.testing.kinds import Kind, gnu, no_tar
from asynccp.testing.pod import Container, FakePod
from tests.archives import END, POSIX, archive, block, long_name, padded, pax, record, sparse
from tests.e2e.fakefleet import FakeFleet, served

LABELS = {"app": "web"}
MIB, TIB = 1024**2, 1024**4
_ZSTD_MAGIC, _WINDOW_512_KIB, _RLE_SIZE = b"\x28\xb5\x2f\xfd\x00", b"\x48", 128 * 1024


def bomb(size: int) -> bytes:
    """Return a zstd frame of a contiguous file, which is left out: `size` zeros in four bytes for 128 KiB."""
    header = block(b"d", typeflag=b"7", size=b"\x80" + TIB.to_bytes(11, "big"))
    zeros = (_RLE_SIZE << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return (
        _ZSTD_MAGIC + _WINDOW_512_KIB + (len(header) << 3).to_bytes(3, "little") + header + zeros * (size // _RLE_SIZE)
    )


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
    with served(directory) as fleet:
        for number in range(good):
            pod = FakePod(f"good-{number}", LABELS, containers=[Container("main", gnu())])
            fleet.run(pod)
            (pod.root() / "d").write_bytes((line * (size // len(line) + 1))[:size])
        if kind:
            evil = FakePod("evil", LABELS, containers=[Container("main", kind)])
            fleet.run(evil)
            (evil.root() / "d").write_bytes(b"x")
        yield fleet


class Lie(NamedTuple):
    """What a pod of a lying fleet says: compressed, and on stderr. is_cut: its sessions break before the end."""

    archive: bytes
    words: bytes = b""
    is_cut: bool = False


def lies_of_many() -> dict[str, Lie]:
    """Return each way to fill the memory of who pulls, with what one pod may send of it, by its name."""
    skipped = block(b"d/c", typeflag=b"7", size=5 * MIB) + bytes(5 * MIB)  # so much that the next session continues
    words = b"".join(b"tar: ./d/%04d/%b: Cannot open: Permission denied\n" % (one, b"y" * 3900) for one in range(900))
    return {
        "fifos": Lie(fifos(5000)),
        "links": Lie(archive(*_links(3000))),
        "names": Lie(archive(*_names(500), *_bits(20))),
        "map": Lie(archive(_map(20_000))),
        "pax": Lie(archive(_attributes(), block(b"d/x", magic=POSIX))),
        "window": Lie(archive(_random(3 * MIB), fifos(3000).removesuffix(END))),
        "words": Lie(fifos(1000), words + b"tar: can't open '" + b"z" * 65_000 + b"\n" + b"x" * 65_000),
        "cut": Lie(archive(skipped, *_links(1000), _attributes(), block(b"d/x", magic=POSIX)), words, is_cut=True),
    }


@contextmanager
def liars(directory: Path, count: int, lies: Mapping[str, Lie]) -> Iterator[FakeFleet]:
    """Run so many pods, each with one of the lies, in turn; each compresses as `zstd -1`."""
    with served(directory) as fleet:
        kinds = []
        for name, lie in lies.items():
            packed = subprocess.run(["zstd", "-1c"], input=lie.archive, stdout=subprocess.PIPE, check=True).stdout
            (directory / f"{name}.words").write_bytes(lie.words)
            kind = liar(directory, name, packed, program="zstd", then=f"cat {directory}/{name}.words >&2")
            kinds.append((kind, Cut(Place(STDOUT, len(packed)), always=True) if lie.is_cut else None))
        for number, (kind, fault) in zip(range(count), cycle(kinds), strict=False):
            pod = FakePod(f"liar-{number}", LABELS, containers=[Container("main", kind)])
            fleet.run(pod)
            (pod.root() / "d").mkdir()
            if fault:
                fleet.strike(pod, fault)
        yield fleet


def _links(count: int) -> Iterator[bytes]:
    """Links with the longest targets, out of the pod's directory."""
    target = b"/" + b"x" * 4000
    for number in range(count):
        yield long_name(target + b"%06d" % number, b"K")
        yield block(b"d/%088d" % number, typeflag=b"2", link=target[:100])


def _names(count: int) -> Iterator[bytes]:
    """FIFOs with the longest names, of bytes that no terminal is to see: in a report each takes five times as much."""
    for number in range(count):
        name = b"d/%06d/" % number + b"/".join([b"\x01" * 254] * 15)
        yield long_name(name) + block(name[:100], typeflag=b"6")


def _bits(count: int) -> Iterator[bytes]:
    """Empty files with such names, and bits that are not kept."""
    for number in range(count):
        name = b"d/" + b"/".join([b"\x01" * 200] * 18) + b"/%03d" % number
        yield long_name(name) + block(name[:100], mode=0o6755)


def _map(pieces: int) -> bytes:
    """A sparse file with as many pieces as it has holes."""
    text = b"%d\n" % pieces + b"".join(b"%d\n512\n" % (1024 * number + 512) for number in range(pieces))
    content = bytes(512 * pieces)
    return sparse(b"d/s", 1024 * pieces, text, content, size=len(padded(text)) + len(content))


def _attributes() -> bytes:
    """The longest pax header."""
    return pax(b"".join(record(b"SCHILY.xattr.user.%d" % number, b"v" * 1000) for number in range(1000)))


def _random(size: int) -> bytes:
    """A contiguous file that fills the window: it comes twice, and can't be compressed otherwise."""
    return block(b"d/w", typeflag=b"7", size=2 * size) + os.urandom(size) * 2
