"""Kinds of container: which programs a pod's commands find. Each stands for images that are met in the field.

A kind is a name and its programs: None is everything on this machine's PATH; a mapping becomes a directory of symlinks
that is the whole PATH. The lists follow the images of the real test cluster, so one test suite means the same on both.
BusyBox's shell prefers its own applets to PATH, as it does in Alpine.

The functions look for programs on the disk, and ask a multi-call binary for its applets: call them outside the loop.
"""

import functools
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

_SLIM = (
    *("cat", "chmod", "cp", "dd", "echo", "env", "false", "head", "id", "ln", "ls", "mkdir", "mv", "od", "printf"),
    *("readlink", "rm", "rmdir", "sleep", "stat", "sync", "tail", "test", "touch", "true", "wc"),
)


class Kind(Struct, frozen=True):
    """A kind of container. programs: name in the container → path on this machine; None is the machine's PATH."""

    name: str
    programs: Mapping[str, str] | None = None

    @property
    def image(self) -> str:
        return f"demo.asynccp/{self.name}:1"

    @property
    def digest(self) -> str:
        """Tell kinds apart that share a name: 64 hexadecimal digits, as an image's."""
        return hashlib.sha256(repr((self.name, self.programs and sorted(self.programs.items()))).encode()).hexdigest()


def gnu() -> Kind:
    """The machine's own programs: GNU tar on most Linux (Debian, Ubuntu, UBI), bsdtar on macOS."""
    return Kind("gnu")


@functools.cache
def busybox() -> Kind:
    """BusyBox's shell, tar and all its applets (Alpine)."""
    return Kind("busybox", _applets("busybox", "--list"))


@functools.cache
def toybox() -> Kind:
    """toybox's tar and applets, often without dd (Android); the machine's shell where toybox has none."""
    return Kind("toybox", {"sh": _required("sh")} | _applets("toybox"))


@functools.cache
def bsdtar() -> Kind:
    """libarchive's tar, a shell and a few of coreutils (FreeBSD, Windows' own tar)."""
    return Kind("bsdtar", _slim("find", "sha256sum") | {"tar": _required("bsdtar")})


@functools.cache
def no_tar() -> Kind:
    """A shell and a few of coreutils (slim images)."""
    return Kind("no-tar", _slim())


@functools.cache
def no_dd() -> Kind:
    """The machine's tar, but neither dd nor head: nothing that can count bytes."""
    programs = _slim() | {"tar": _required("tar")}
    return Kind("no-dd", {name: path for name, path in programs.items() if name not in ("dd", "head")})


def distroless() -> Kind:
    """Nothing at all: not even a shell (distroless, scratch)."""
    return Kind("distroless", {})


KINDS: Mapping[str, Callable[[], Kind]] = {
    one.__name__.replace("_", "-"): one for one in (gnu, busybox, bsdtar, toybox, no_tar, no_dd, distroless)
}


def kind_of_image(image: str) -> Kind | None:
    """Return the kind that an image stands for by its name, whoever has made it; None for what no node can pull."""
    made = KINDS.get(image.rpartition("/")[2].partition(":")[0])
    return made() if made else None


@functools.cache
def available_kinds() -> tuple[Kind, ...]:
    """Return the kinds that this machine has the programs for, those with a tar first."""
    found = []
    for kind in KINDS.values():
        try:
            found.append(kind())
        except LookupError:
            continue
    return tuple(found)


def _slim(*more: str) -> dict[str, str]:
    return {"sh": _required("sh")} | _present([*_SLIM, *more])


def _present(names: Iterable[str]) -> dict[str, str]:
    return {name: path for name in names if (path := shutil.which(name)) is not None}


def _required(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise LookupError(f"there is no {name} on this machine")
    return path


def _applets(name: str, *arguments: str) -> dict[str, str]:
    path = _required(name)
    listed = subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout
    return dict.fromkeys(listed.split(), path)
