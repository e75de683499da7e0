"""Containers without tar beside the same with GNU tar: 200 small files, text and random bytes, to and from 50 pods of
each, and one file of 64 MiB to and from 4 of each.

Both sides are asynccp's: what it costs that the container's shell does tar's work. At most twice the time for small
files is a ratio of 0.5.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.compare import TIME, Side, compare
from benchmarks.copying import PLACED, Copying, place
from benchmarks.fleet import Fleet, fleet
from benchmarks.row import OURS, Row
from benchmarks.setting import Setting
from benchmarks.sources import configuration, noise

TAR = "asynccp, GNU tar"
PODS, LARGE_PODS = 50, 4
LARGE_SIZE = 64 * 1024**2


def measure(setting: Setting) -> list[Row]:
    few, pods = setting.scaled(LARGE_PODS), setting.scaled(PODS)
    files, size = setting.scaled(200), setting.scaled(LARGE_SIZE)
    with tempfile.TemporaryDirectory() as directory:
        text = configuration(Path(directory, "text"), files, files * 7680)
        random = noise(Path(directory, "random"), files, 7680)
        large = noise(Path(directory, "large"), 1, size)
        with _fleets(few) as fleets:
            found = _measured(fleets, large, f"a file of {size >> 20} MiB", setting, 0.8)
        with _fleets(pods) as fleets:
            for source, what in ((random, "random"), (text, "text")):
                found += _measured(fleets, source, f"{files} files of 7.5 KiB, {what}", setting, 0.5)
    return found


@contextmanager
def _fleets(pods: int) -> Iterator[dict[str, Fleet]]:
    """Start so many pods of each side."""
    with fleet("shell-only", pods, checked_apart=True) as shell, fleet("gnu", pods, checked_apart=True) as tar:
        yield {OURS: shell, TAR: tar}


def _measured(fleets: dict[str, Fleet], source: Path, what: str, setting: Setting, wanted: float) -> list[Row]:
    """Return the rows of a push and of a pull."""
    pods = f"{len(fleets[OURS].pods)} pods without tar"
    pushed = compare(_sides(fleets, source, _push), setting.runs)
    placed = f"{PLACED}-{source.name}"
    for one in fleets.values():
        place(one, source, placed)
    pulled = compare(_sides(fleets, source, partial(_pull, placed)), setting.runs)
    return [
        pushed.row(f"push {what} → {pods}", TIME, wanted),
        pulled.row(f"pull {what} ← {pods}", TIME, wanted),
    ]


def _sides(fleets: dict[str, Fleet], source: Path, make: Callable[[Copying], Side]) -> dict[str, Side]:
    return {side: make(Copying(one, source)) for side, one in fleets.items()}


def _push(copying: Copying) -> Side:
    return copying.push(partial(command.asynccp_push, copying.fleet, copying.source))


def _pull(placed: str, copying: Copying) -> Side:
    return copying.pull(lambda _, out: command.asynccp_pull(copying.fleet, placed, out))
