"""Case: an archive and what must come of it. `run` extracts one between canaries, and watches."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asynccp.errors import AsyncCpError
from asynccp.limits import DEFAULT_LIMITS, Limits
from asynccp.text import printable
from tests.archives import archive, file
from tests.sinks.extracting import extracting

Shown = Mapping[str, str]
"""What is below a directory: `/` for a directory, `-> target` for a symbolic link, else a file's content (latin-1)."""

ABSOLUTE = Path(tempfile.gettempdir()).resolve() / "asynccp-canary"  # where absolute names and targets of cases lead
DEADLINE_S = 5.0
MAX_CONTENT_SIZE = 64 * 1024  # bytes that a snapshot shows of a file
STEPS = (1 << 30, 1, 509)
MAX_SIZE_BY_BYTE = 64 * 1024  # of archives that are fed byte by byte

OK = file(b"ok", b"1")


@dataclass(frozen=True, slots=True)
class Case:
    """archives: extracted one after the other into one directory, with what it holds `before`.

    verdict: of the last one: `complete`, `partial` with what is left out, or the class of the error.
    left: what is on the disk then. before: `= victim` is a hard link to a file outside.
    """

    name: str
    archives: tuple[bytes, ...]
    verdict: str
    left: Shown
    requested: bytes = b""
    before: Shown = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case. breaches: what must never be; said: the error, or the reasons of what was left out."""

    verdict: str
    said: str
    left: Shown
    breaches: tuple[str, ...]


def refused(error: str, name: str, *parts: bytes) -> Case:
    """Return a case whose archive has one good file, and then what must be refused: the file stays."""
    return Case(name, (archive(OK, *parts),), error, {"ok": "1"})


def unsafe(name: str, *parts: bytes) -> Case:
    return refused("UnsafeEntry", name, *parts)


def malformed(name: str, *parts: bytes) -> Case:
    return refused("ProtocolViolation", name, *parts)


def left_out(name: str, names: str, *parts: bytes, left: Shown | None = None) -> Case:
    """Return a case that is complete but for `names`."""
    return Case(name, (archive(OK, *parts),), f"partial: {names}", {"ok": "1", **(left or {})})


def complete(name: str, *parts: bytes, left: Shown) -> Case:
    return Case(name, (archive(*parts),), "complete", left)


@contextlib.contextmanager
def surroundings() -> Iterator[Path]:
    """Make a place for `run`, with canaries: what an archive could reach, by names that cases use, at every level."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        for level in (place, place / "pods", place / "outside", ABSOLUTE):
            if not (level / "dir").is_dir():
                (level / "dir").mkdir(parents=True)
                for canary in ("victim", "evil", "x", "link-target"):
                    (level / canary).write_text("untouched")
        yield place


def run(case: Case, step: int, place: Path, *, by_shell: bool = False) -> Verdict:
    """Extract a case's archives, fed `step` bytes at a time. by_shell: as from a pod whose shell packs."""
    with watched(place, case.before) as (root, breaches):
        start = time.monotonic()
        verdict, said = "", ""
        for data in case.archives:
            verdict, said = _extract(root, data, case, step, by_shell)
        if time.monotonic() - start > DEADLINE_S:
            breaches.append(f"took more than {DEADLINE_S} s")
        if verdict.startswith("untyped"):
            breaches.append(verdict)
        if printable(said, len(said)) != said:
            breaches.append(f"says {said!r}")
        left = snapshot(root)
    return Verdict(verdict, said.replace(str(place), ""), left, tuple(breaches))


@contextlib.contextmanager
def watched(place: Path, before: Shown) -> Iterator[tuple[Path, list[str]]]:
    """Yield a root that holds `before`, and a list that in the end has every breach; the root is removed then."""
    root, breaches = place / "pods" / "pod", list[str]()
    try:
        _plant(root, place, before)
        around = dict(_around(place))
        yield root, breaches
        breaches += [f"outside, {path} changed" for path in sorted(_changed(around, dict(_around(place))))]
        breaches += _breaches(root, before)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _extract(root: Path, data: bytes, case: Case, step: int, by_shell: bool) -> tuple[str, str]:
    extractor = extracting(root, case.requested, limits=case.limits, bundles=by_shell)
    try:
        for start in range(0, len(data), step):
            if extractor.feed(memoryview(data)[start : start + step]).strip(b"\0"):
                return "rest", "something stands behind the end"  # the engine's to judge: no `done` line of a pod's
        extractor.finish()
    except AsyncCpError as exc:
        return type(exc).__name__, str(exc)
    except BaseException as exc:
        return f"untyped {type(exc).__name__}", ""
    finally:
        extractor.abort()
    paths = ", ".join(os.fsdecode(one.path) for one in extractor.left_out)
    return (f"partial: {paths}" if paths else "complete"), "; ".join(map(str, extractor.left_out))


def snapshot(top: Path) -> Shown:
    """Return what is below a directory."""
    return {os.path.relpath(path, top): shown(path) for path in below(top)}


def below(top: Path) -> Iterator[str]:
    for place, directories, files in os.walk(top):
        yield from (os.path.join(place, name) for name in sorted(directories + files))


def shown(path: str) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "-> " + os.readlink(path)
    if stat.S_ISDIR(mode):
        return "/"
    if not stat.S_ISREG(mode):
        return "a special file"
    if not mode & 0o400:
        return f"mode {stat.S_IMODE(mode):o}"
    with open(path, "rb") as opened:
        content = opened.read(MAX_CONTENT_SIZE + 1)
    size = os.lstat(path).st_size
    return content.decode("latin-1") if size <= MAX_CONTENT_SIZE else f"{size} bytes"


def _plant(root: Path, place: Path, before: Shown) -> None:
    for name, content in before.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "/":
            path.mkdir()
        elif content.startswith("-> "):
            path.symlink_to(content[3:])
        elif content.startswith("= "):
            path.hardlink_to(place / "outside" / content[2:])
        else:
            path.write_text(content)


def _around(place: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield what is around the root, each with all that a write, a chmod, a rename or a new name would change."""
    for top in (place, ABSOLUTE):
        for directory, directories, files in os.walk(top):
            if directory == str(place / "pods"):
                directories[:] = set(directories) - {"pod"}
            for name in directories + files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                changed = 0 if path == str(place / "pods") else status.st_mtime_ns  # the root is made in it
                yield path, (status.st_ino, status.st_mode, status.st_uid, changed, status.st_size)


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}


def _breaches(root: Path, before: Shown) -> list[str]:
    """Return what must not be below the root, whatever the archive was."""
    found = []
    for path in below(root):
        name, status = os.path.relpath(path, root), os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            planted = before.get(name) == "-> " + os.readlink(path)
            if not planted and not Path(os.path.realpath(path)).is_relative_to(root):
                found.append(f"the link {name} leads out")
        elif not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            found.append(f"{name} is a special file")
        elif status.st_mode & 0o7000:
            found.append(f"{name} has the mode {status.st_mode:o}")
        if name.rpartition("/")[2].startswith(".asynccp-"):
            found.append(f"{name} is left behind")
    return found
