"""Trees with every kind of name and entry, and what is in a tree, so that two can be compared."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

from msgspec import Struct

SOME_TIME_S = 1_600_000_000

NAMES = [
    b"plain",
    b"with space",
    b"trailing space ",
    b"'single' and \"double\" quotes",
    b"new\nline",
    b"tab\tand\x1b[31mescape\x07",
    b"-rf",
    b"--checkpoint-action=exec=sh x",
    b"$(touch oops)`touch oops`",
    b"back\\slash",
    b"glob*[0]?",
    b".hidden",
    b"..data",
    b"co:lon",
    "ünïcödé-日本".encode(),
    b"not-utf8-\xff\xfe\x80",
    b"n" * 255,
]


class Facts(Struct, frozen=True):
    """What must survive a copy. `same_as`: the first name, in order, of the file that this is a name of."""

    kind: str
    mode: int
    mtime_s: int
    content: str
    same_as: bytes


def build(root: Path) -> Path:
    """Make a tree below `root` (which is created) and return it."""
    top = os.fsencode(root)
    os.makedirs(top)
    for index, name in enumerate(NAMES):
        _file(os.path.join(top, name), b"content of %d\n" % index, 0o600 + index % 0o100)
    _files_of_all_modes_and_sizes(top)
    _links(top)
    _deep(top)
    os.makedirs(os.path.join(top, b"empty"), 0o755)
    os.chmod(os.path.join(top, b"empty"), 0o750)
    for directory, _, _ in os.walk(top, topdown=False):
        os.utime(directory, (SOME_TIME_S, SOME_TIME_S + len(directory) % 1000))
    return root


def _files_of_all_modes_and_sizes(top: bytes) -> None:
    sizes = [0, 1, 511, 512, 513, 65_535, 65_536, 262_143, 262_144, 300_001]
    for size in sizes:
        _file(
            os.path.join(top, b"size-%d" % size), hashlib.sha256(b"%d" % size).digest() * (size // 32 + 1), 0o644, size
        )
    _file(os.path.join(top, b"every byte"), bytes(range(256)) * 16, 0o444)
    _file(os.path.join(top, b"script.sh"), b"#!/bin/sh\n", 0o755)


def _links(top: bytes) -> None:
    os.symlink(b"plain", os.path.join(top, b"symlink"))
    os.symlink(b"nowhere", os.path.join(top, b"dangling"))
    os.symlink(b"l" * 200, os.path.join(top, b"long-link"))
    os.makedirs(os.path.join(top, b"links"))
    os.symlink(b"../plain", os.path.join(top, b"links", b"up"))
    os.symlink(b"..", os.path.join(top, b"links", b"parent"))
    os.link(os.path.join(top, b"script.sh"), os.path.join(top, b"links", b"hard"))
    for name in (b"symlink", b"dangling", b"long-link", b"links/up", b"links/parent"):
        os.utime(os.path.join(top, name), (SOME_TIME_S, SOME_TIME_S), follow_symlinks=False)


def _deep(top: bytes) -> None:
    path = top
    for level in range(6):  # names of 100 bytes and more, and paths of 255 and more
        path = os.path.join(path, b"%d-" % level + b"d" * 60)
        os.makedirs(path, 0o755)
        _file(os.path.join(path, b"leaf"), b"leaf %d" % level, 0o640)


def _file(path: bytes, content: bytes, mode: int, size: int | None = None) -> None:
    with open(path, "wb") as file:
        file.write(content[:size])
    os.chmod(path, mode)
    os.utime(path, (SOME_TIME_S, SOME_TIME_S + len(path) % 1000))


def describe(root: Path | str) -> dict[bytes, Facts]:
    """Return what is below `root` on this machine."""
    top, found = os.fsencode(root), {}
    inodes: dict[int, list[bytes]] = {}
    for directory, directories, files in os.walk(top):
        for name in sorted(directories + files):
            path = os.path.join(directory, name)
            inodes.setdefault((os.lstat(path).st_ino), []).append(os.path.relpath(path, top))
    for names in inodes.values():
        for name in names:
            found[name] = _local_facts(os.path.join(top, name), min(names))
    return found


def _local_facts(path: bytes, same_as: bytes) -> Facts:
    status = os.lstat(path)
    if os.path.islink(path):
        return Facts("symlink", 0, 0, os.fsdecode(os.readlink(path)), same_as)
    if os.path.isdir(path):
        return Facts("directory", status.st_mode & 0o7777, int(status.st_mtime), "", same_as)
    with open(path, "rb") as file:
        content = hashlib.sha256(file.read()).hexdigest()
    return Facts("file", status.st_mode & 0o7777, int(status.st_mtime), content, same_as)


def describe_archive(archive: bytes) -> dict[bytes, Facts]:
    """Return what is in a tar archive of `.`, read by Python's tarfile, which shares no code with asynccp."""
    with tarfile.open(fileobj=io.BytesIO(archive), encoding="utf-8", errors="surrogateescape") as tar:
        members = {_name(member.name): member for member in tar if _name(member.name) != b"."}
        first = {name: _name(member.linkname) if member.islnk() else name for name, member in members.items()}
        groups: dict[bytes, list[bytes]] = {}
        for name, head in first.items():
            groups.setdefault(head, []).append(name)
        return {name: _archive_facts(tar, members[first[name]], min(groups[first[name]])) for name in members}


def _archive_facts(tar: tarfile.TarFile, member: tarfile.TarInfo, same_as: bytes) -> Facts:
    if member.issym():
        return Facts("symlink", 0, 0, member.linkname, same_as)
    if member.isdir():
        return Facts("directory", member.mode, int(member.mtime), "", same_as)
    file = tar.extractfile(member)
    assert file is not None
    return Facts("file", member.mode, int(member.mtime), hashlib.sha256(file.read()).hexdigest(), same_as)


def _name(text: str) -> bytes:
    return os.path.normpath(os.fsencode(text))
