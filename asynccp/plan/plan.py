"""PushPlan and PullPlan: who gets what, or gives what and where it lands. Settled before the first byte; pure.

A plan is what `--dry-run` prints, and all that the engine needs besides a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asynccp.entry import Entry, Kind
from asynccp.errors import UsageError
from asynccp.escape import printable
from asynccp.plan.layout import ArchiveLayout
from asynccp.report import LeftOut, human_size
from asynccp.target import Skipped, Target, Transfer


@dataclass(frozen=True, slots=True)
class PushPlan:
    """One archive, and the targets that receive it. `Transfer.path` is the destination directory."""

    sources: tuple[str, ...]
    layout: ArchiveLayout
    transfers: tuple[Transfer, ...]
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def entries(self) -> Sequence[Entry]:
        """What is copied, in order."""
        return self.layout.entries

    @property
    def size(self) -> int:
        """Content bytes that each target receives."""
        return sum(entry.size for entry in self.entries)

    @property
    def expected_total(self) -> int:
        """Archive bytes that all targets together receive."""
        return self.layout.size * len(self.transfers)

    def to_json(self) -> dict[str, Any]:
        return {
            "direction": "push",
            "entries": [_entry_json(entry) for entry in self.entries],
            "bytes": self.size,
            "archive_bytes": self.layout.size,
            "pods": [one.to_json() for one in self.transfers],
            **_rest_json(self.skipped, self.left_out),
        }

    def to_text(self) -> str:
        lines = [f"{_mark(entry)}{printable(entry.path)}" for entry in self.entries]
        lines += [f"left out {one}" for one in self.left_out]
        lines += [f"→ {one}" for one in self.transfers]
        what = f"{len(self.entries)} entries, {human_size(self.size)} ({human_size(self.layout.size)} on the wire)"
        return "\n".join([*lines, f"would push {what} to each of {len(self.transfers)} pods"])


@dataclass(frozen=True, slots=True)
class Gather:
    """One transfer of a pull, and the local directory, relative to the plan's destination, that it lands in."""

    transfer: Transfer
    directory: str


@dataclass(frozen=True, slots=True)
class PullPlan:
    """Where the files of each target land. How much they are is known when the pods speak."""

    destination: str
    gathers: tuple[Gather, ...]
    token: str
    skipped: tuple[Skipped, ...] = ()

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        return tuple(one.transfer for one in self.gathers)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return ()

    @property
    def expected_total(self) -> None:
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "direction": "pull",
            "destination": printable(self.destination),
            "pods": [{**one.transfer.to_json(), "directory": printable(one.directory)} for one in self.gathers],
            **_rest_json(self.skipped, ()),
        }

    def to_text(self) -> str:
        root = self.destination.rstrip("/")
        lines = [f"{one.transfer} → {printable(root)}/{printable(one.directory)}/" for one in self.gathers]
        return "\n".join(
            [*lines, f"would pull from {len(self.gathers)} pods; their sizes are known when they are asked"]
        )


def build_pull(destination: str, transfers: Sequence[Transfer], skipped: Sequence[Skipped], token: str) -> PullPlan:
    """Return the plan of a pull: each pod under `POD`, or `NAMESPACE/POD/CONTAINER` if there are several of those two.

    Raises UsageError when two paths of one pod would land on one name.
    """
    targets = [one.target for one in transfers]
    deep = len({one.namespace for one in targets}) > 1 or len({one.container for one in targets}) > 1
    landed: dict[tuple[Target, str], str] = {}
    for one in transfers:
        name = one.path.rsplit("/", 1)[-1]
        name = "" if name in (".", "..") else name  # the contents, as with a slash at the end
        before = landed.setdefault((one.target, name), one.path)
        if before != one.path:
            raise UsageError(
                f"{printable(before)} and {printable(one.path)} of {one.target} would land on one name",
                hint="pull them one after the other, into two directories",
            )
    gathers = tuple(Gather(one, _directory(one.target, deep)) for one in transfers)
    return PullPlan(destination, gathers, token, tuple(skipped))


def _directory(target: Target, deep: bool) -> str:
    return f"{target.namespace}/{target.pod}/{target.container}" if deep else target.pod


def _mark(entry: Entry) -> str:
    size = human_size(entry.size) if entry.kind is Kind.FILE else entry.kind.value
    return f"{size:>10}  "


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {"path": printable(entry.path), "kind": entry.kind.value, "bytes": entry.size, "mode": f"{entry.mode:04o}"}


def _rest_json(skipped: Sequence[Skipped], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    return {
        "skipped": [one.to_json() for one in skipped],
        "left_out": [one.to_json() for one in left_out],
    }
