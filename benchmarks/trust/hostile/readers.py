"""What other tars read in an archive that we accept: it must be the same files, sizes, contents and targets.

An archive with two readings is how a member is smuggled past whoever looked at it with the other reader. GNU tar and
bsdtar extract, which says more than a listing; Python's tarfile lists in this process. What they do by design in
another way is left out here, each with its reason; any other difference is a defect: such an archive must be refused.
"""

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from asynccp.archive.tar import Data, Event, Hole, Member, TarDecoder
from asynccp.entry import Kind, LeftOut
from asynccp.errors import AsyncCpError
from benchmarks.trust.hostile.mutations import generated, mutation
from tests.archive.spelled import spelled
from tests.sinks.extracting import extracting

READERS = {"GNU tar": ("tar", "--no-same-owner", "--delay-directory-restore"), "bsdtar": ("bsdtar", "--no-same-owner")}

Facts = tuple[str, int, str]
"""Kind, size, and the content's digest or the link's target."""


@dataclass(slots=True)
class Comparison:
    """generated: archives; accepted: of these, by us; compared: reader → how many; found: differences."""

    generated: int = 0
    accepted: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)


def compare(seeds: Iterable[int]) -> Comparison:
    """Compare the readings of generated archives, and of mutations: one of each for every seed."""
    comparison = Comparison()
    present = {name: argv for name, argv in READERS.items() if shutil.which(argv[0])}
    for seed in seeds:
        for source in (generated, mutation):
            data = source(seed)
            comparison.generated += 1
            ours = accepted(data)
            if ours is None:
                continue
            comparison.accepted += 1
            theirs = {name: extracted(argv, data) for name, argv in present.items()}
            theirs["tarfile"] = listed(data)
            for name, facts in theirs.items():
                comparison.compared[name] = comparison.compared.get(name, 0) + 1
                if facts != ours:
                    comparison.found.append(f"{source.__name__} {seed}, {name}: {difference(ours, facts)}")
    return comparison


def difference(ours: dict[bytes, Facts], theirs: dict[bytes, Facts] | str) -> str:
    if isinstance(theirs, str):
        return theirs
    names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    return "; ".join(f"{name!r} is {ours.get(name)} to us, {theirs.get(name)} to it" for name in names[:3])


def accepted(data: bytes) -> dict[bytes, Facts] | None:
    """Return what we read in an archive, directories that are only parents included; None if we don't take it whole.

    Devices and FIFOs are never extracted here, so archives that have some are not compared.
    """
    with tempfile.TemporaryDirectory() as place:
        extractor = extracting(Path(place, "pod"), b"")
        try:
            extractor.feed(data)
            extractor.finish()
        except AsyncCpError:
            return None
        finally:
            extractor.abort()
    events = list(spelled(TarDecoder().feed(data)))
    if any(isinstance(event, LeftOut) for event in events):
        return None
    return _with_parents(_read(events))


def _read(events: list[Event]) -> dict[bytes, Facts]:
    found: dict[bytes, Facts] = {}
    content, entry = hashlib.sha256(), None
    for event in events:
        if isinstance(event, Member):
            entry, content = event.entry, hashlib.sha256()
            match entry.kind:
                case Kind.DIRECTORY:
                    found[entry.path] = ("directory", 0, "")
                case Kind.SYMLINK:
                    found[entry.path] = ("symlink", 0, os.fsdecode(entry.link))
                case Kind.HARDLINK:
                    found[entry.path] = found.get(entry.link, ("missing", 0, ""))
                case Kind.FILE:
                    found[entry.path] = ("file", entry.size, content.hexdigest())
        elif entry is not None and isinstance(event, Data | Hole):
            content.update(event.data if isinstance(event, Data) else bytes(event.size))
            found[entry.path] = ("file", entry.size, content.hexdigest())
    return found


def _with_parents(found: dict[bytes, Facts]) -> dict[bytes, Facts]:
    for path in list(found):
        while path := path.rpartition(b"/")[0]:
            found.setdefault(path, ("directory", 0, ""))
    found.pop(b"", None)
    return found


def extracted(argv: tuple[str, ...], data: bytes) -> dict[bytes, Facts] | str:
    """Return what a tar extracts, or what it complains of."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [*argv, "-xf", "-", "-C", place], input=data, capture_output=True, check=False, timeout=60
        )
        if done.returncode:
            return f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[:300]}"
        top, found = os.fsencode(place), {}
        for directory, directories, files in os.walk(top):
            for name in directories + files:
                path = os.path.join(directory, name)
                found[os.path.relpath(path, top)] = _facts(path)
        return found


def _facts(path: bytes) -> Facts:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "symlink", 0, os.fsdecode(os.readlink(path))
    if stat.S_ISDIR(mode):
        return "directory", 0, ""
    content = Path(os.fsdecode(path)).read_bytes()
    return "file", len(content), hashlib.sha256(content).hexdigest()


def listed(data: bytes) -> dict[bytes, Facts] | str:
    """Return what Python's tarfile reads; it reads names as UTF-8, and the bytes come back."""
    found: dict[bytes, Facts] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                found[os.path.normpath(os.fsencode(member.name))] = _listed_facts(tar, member, found)
    except tarfile.TarError as exc:
        return f"error: {exc}"
    found.pop(b".", None)
    return _with_parents(found)


def _listed_facts(tar: tarfile.TarFile, member: tarfile.TarInfo, found: dict[bytes, Facts]) -> Facts:
    if member.isdir():
        return "directory", 0, ""
    if member.issym():
        return "symlink", 0, member.linkname
    if member.islnk():
        return found.get(os.path.normpath(os.fsencode(member.linkname)), ("missing", 0, ""))
    content = tar.extractfile(member)
    assert content is not None
    text = content.read()
    return "file", len(text), hashlib.sha256(text).hexdigest()
