"""Copying: a command becomes a side of a comparison: a new destination, the copy, the check of all files.

What was copied goes with the fleet and the source, not at once: ext4 looks at each inode that was freed in the last
seconds before it takes another one. 40,000 files that were removed made the next copy, whoever's, seven times slower.
"""

import hashlib
import itertools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.command import Command
from benchmarks.compare import Side
from benchmarks.fleet import Digests, Fleet
from benchmarks.row import OURS
from benchmarks.sample import Incomplete, Sample, sampled

_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Copying:
    """Copies of one directory to or from a fleet. environment: for every command, beside what is set here."""

    fleet: Fleet
    source: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def push(self, make: Callable[[str], Command]) -> Side:
        """Return the side that pushes `source`. make: of the destination, which isn't there yet; its parent is."""

        def side() -> Sample:
            destination = new_destination()
            sample = self._sampled(make(destination))
            check(self.fleet.digests(destination), digests(self.source), len(self.fleet.pods))
            return sample

        return side

    def pull(self, make: Callable[[str, Path], Command]) -> Side:
        """Return the side that pulls what `place` has put there. make: of that, and of the directory for all."""

        def side() -> Sample:
            out = Path(tempfile.mkdtemp(dir=self.source.parent))
            sample = self._sampled(make(PLACED, out))
            found = [digests(out / pod) for pod in self.fleet.pods]
            check(found, digests(self.source), len(self.fleet.pods))
            return sample

        return side

    def pushes(self, at_once: int) -> dict[str, Side]:
        """Return ours, and the two that everybody knows."""
        fleet, source = self.fleet, self.source
        return {
            OURS: self.push(partial(command.asynccp_push, fleet, source)),
            f"xargs -P{at_once} kubectl cp": self.push(
                partial(command.kubectl_cp_push, fleet, source, at_once=at_once)
            ),
            f"xargs -P{at_once} tar, kubectl exec": self.push(
                partial(command.exec_tar_push, fleet, source, at_once=at_once)
            ),
        }

    def pulls(self, at_once: int) -> dict[str, Side]:
        """Return ours, and the two that everybody knows."""
        return {
            OURS: self.pull(partial(command.asynccp_pull, self.fleet)),
            f"xargs -P{at_once} kubectl cp": self.pull(partial(command.kubectl_cp_pull, self.fleet, at_once=at_once)),
            f"xargs -P{at_once} kubectl exec, tar": self.pull(
                partial(command.exec_tar_pull, self.fleet, at_once=at_once)
            ),
        }

    def _sampled(self, one: Command) -> Sample:
        return sampled(one.argv, stdin=one.stdin, environment=self.environment)


def new_destination() -> str:
    """Return a directory that is in no pod yet."""
    return f"/tmp/copied-{next(_NUMBERS)}"


PLACED = "/tmp/placed"


def place(fleet: Fleet, source: Path, destination: str = PLACED) -> None:
    """Put the contents of a directory into every pod, for pulls to fetch: their check is this one's, too."""
    sampled(command.asynccp_push(fleet, source, destination).argv)


def check(found: list[Digests], wanted: Digests, pods: int) -> None:
    """Raise Incomplete unless every pod has every file, and nothing else."""
    wrong = [one for one in found if one != wanted]
    if wrong or len(found) != pods:
        missing = len(wanted.keys() - wrong[0].keys()) if wrong else 0
        raise Incomplete(f"short in {len(wrong)} of {pods} pods; in the first, {missing} of {len(wanted)} files miss")


def digests(root: Path) -> Digests:
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
