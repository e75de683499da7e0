"""PushPlan and PullPlan: who gets what, or gives what and where it lands. Settled before the first byte; pure.

A plan is what a dry run prints, and all that the engine needs besides a cluster.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.errors import UsageError
from asynccp.options import Rule
from asynccp.plan.template import Template, check_apart, shared, usual
from asynccp.plan.waves import wave_lines
from asynccp.report import ARCHIVED_NAME, MANIFEST_NAME, PARTS_NAME, SCHEMA_VERSION, Sources
from asynccp.target import STANDARD_OUTPUT, Skipped, Transfer, by_reason, is_store
from asynccp.text import counted, exact, human_size, listed, printable
from asynccp.wave import Wave

if TYPE_CHECKING:
    from asynccp.plan.globs import Glob

_NAMES = 8  # of pods, on one line
_REASONS = 20  # for which pods are skipped, each a line


class PushPlan(Struct, frozen=True):
    """One archive, and the targets that receive it. `Transfer.path` is the destination directory.

    renames: the archive is one file (or for `cp` one directory), and the path may be what it is called in the pod.
    not_kept: what no archive can carry of the entries that are copied.
    excluded: how many entries filters leave out; those in a directory that isn't entered are not counted.
    rules: of filters, for sources that are directories, by their name; by the empty one if contents are meant.
    waves: in which the transfers begin; none where all begin at once.
    """

    sources: tuple[str, ...]
    layout: ArchiveLayout
    transfers: tuple[Transfer, ...]
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    renames: bool = False
    not_kept: tuple[NotKept, ...] = ()
    excluded: int = 0
    rules: Mapping[bytes, tuple[tuple[Rule, ...], ...]] = field(default_factory=dict)
    waves: tuple[Wave, ...] = ()

    def landing(self, path: str, *, named: bool) -> str:
        """Return where the one entry came to stand; empty when that never was in question.

        named: the pod says that `path` is what it is called now.
        """
        if not self.renames:
            return ""
        return path if named else f"{path.rstrip('/')}/{self.entries[0].path.decode('utf-8', 'surrogateescape')}"

    @property
    def entries(self) -> Sequence[Entry]:
        """What is copied, in order."""
        return self.layout.entries

    @property
    def as_sources(self) -> Sources:
        """What a report has of them."""
        return Sources(self.digest, len(self.entries), self.size)

    @property
    def digest(self) -> str:
        """The SHA-256 of what the sources are: names, kinds, sizes, modes, what links say, and when files were changed.

        Not of their content, which would have to be read once more: two sources that are equal in all these are taken
        for the same, as a push takes files. Nor of a directory's time, which a file in it changes that came and went.
        For 20,000 entries it takes 0.05 s.
        """
        found = sha256()
        for one in self.entries:
            changed_ns = one.origin.mtime_ns if one.origin and one.kind is not Kind.DIRECTORY else 0
            found.update(repr((one.path, one.kind.value, one.size, one.mode, one.link, changed_ns)).encode())
        return found.hexdigest()

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
            "version": SCHEMA_VERSION,
            "direction": "push",
            "entries": [_entry_json(entry) for entry in self.entries],
            "bytes": self.size,
            "archive_bytes": self.layout.size,
            "pods": [one.to_json() for one in self.transfers],
            **_rest_json(self.skipped, self.left_out),
            "not_kept": [one.to_json() for one in self.not_kept],
            "excluded": self.excluded,
            **_waves_json(self.waves),
        }

    def to_text(self) -> str:
        lines = [f"{_mark(entry)}{printable(entry.path)}" for entry in self.entries]
        lines += [f"left out {one}" for one in self.left_out]
        lines += [f"not kept {one}" for one in self.not_kept] + excluded_lines(self.excluded)
        lines += [f"→ {one}" for one in self.transfers] + skipped_lines(self.skipped) + [*wave_lines(self.waves)]
        what = f"{counted(len(self.entries), 'entry', 'entries')}, {human_size(self.size)}"
        each = "each of " if len(self.transfers) > 1 else ""
        size = human_size(self.layout.size)
        return "\n".join([*lines, f"would push {what} ({size} on the wire) to {each}{where(self.transfers)}"])


class Gather(NamedTuple):
    """One transfer of a pull, and where it lands.

    directory: relative to the plan's destination. name: of the copy in it; empty: a directory's contents stand there.
    landed: where that is, for the report, if it is the user who said so.
    onto: the destination may be what the copy itself is called here, as with `cp -r`.
    shares: copies of other pods land in that directory, too.
    """

    transfer: Transfer
    directory: str
    name: str
    onto: bool = False
    landed: str = ""
    shares: bool = False


class PullPlan(Struct, frozen=True):
    """Where the files of each target land. How much they are is known when the pods speak.

    destination: a directory, or `-`. is_archive: it is the file for one archive.
    beside: what lands there, too, but is not copied this time (`plan.again`): none of a mirror's to remove.
    waves: as of a push.
    """

    destination: str
    gathers: tuple[Gather, ...]
    token: str
    skipped: tuple[Skipped, ...] = ()
    is_archive: bool = False
    beside: tuple[Gather, ...] = ()
    waves: tuple[Wave, ...] = ()

    def place(self, gather: Gather) -> str:
        """Return where a copy lands; a directory's contents in what ends with a slash."""
        if gather.onto:
            return self.destination
        path = f"{gather.directory}/{gather.name}" if gather.directory else gather.name
        return _place(self.destination, path, is_archive=self.is_archive)

    def inside(self) -> dict[str, list[bytes]]:
        """Return where other copies land among a directory's contents, by the directory here, as paths from there.

        They are none of a mirror's to remove, nor what is below them.
        """
        found: dict[str, list[bytes]] = {one.directory: [] for one in self.gathers if not one.name}
        for one in (*self.gathers, *self.beside):
            path = "/".join(filter(None, (one.directory, one.name)))
            for above in dict.fromkeys(("", *(path[:at] for at, char in enumerate(path) if char == "/"))):
                if above in found and above != path:
                    found[above].append(path[len(above) :].lstrip("/").encode("utf-8", "surrogateescape"))
        return {directory: paths for directory, paths in found.items() if paths}

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        return tuple(one.transfer for one in self.gathers)

    @property
    def has_logs(self) -> bool:
        return any(one.transfer.log for one in self.gathers)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return ()

    @property
    def not_kept(self) -> tuple[NotKept, ...]:
        return ()

    @property
    def expected_total(self) -> None:
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "version": SCHEMA_VERSION,
            "direction": "pull",
            "destination": exact(self.destination),
            "pods": [
                {
                    **one.transfer.to_json(),
                    "directory": exact(one.directory),
                    "lands_as": exact(self.place(one)),
                }
                for one in self.gathers
            ],
            **_rest_json(self.skipped, ()),
            **_waves_json(self.waves),
        }

    def to_text(self) -> str:
        lines = [f"{one.transfer} → {printable(self.place(one))}" for one in self.gathers]
        last = f"would pull from {where(self.transfers)}; sizes are known once pods are asked"
        return "\n".join([*lines, *skipped_lines(self.skipped), *wave_lines(self.waves), last])


def build_pull(
    destination: str,
    transfers: Sequence[Transfer],
    skipped: Sequence[Skipped],
    token: str,
    *,
    template: Template | None = None,
    is_archive: bool = False,
) -> PullPlan:
    """Return the plan of a pull. template: says where each copy lands; None: below a directory of its pod's name.
    is_archive: as in the plan.

    Raises UsageError when two copies would land on one name, PlanError when the cluster has no name for one.
    """
    by = template or usual()
    landings = [(one, by.landing(replace(one, path=fetched(one.path)))) for one in transfers]
    check_apart(landings, reserved=_reserved(destination, is_archive=is_archive))
    among_others = shared(landings)
    gathers = tuple(
        Gather(
            one,
            *landing,
            landed=_place(destination, landing.path, is_archive=is_archive) if by.text else "",
            shares=landing.directory in among_others,
        )
        for one, landing in landings
    )
    return PullPlan(destination, gathers, token, tuple(skipped), is_archive)


def _reserved(destination: str, *, is_archive: bool) -> list[str]:
    """Return names in the destination that are no copy's."""
    if is_store(destination) and not is_archive:
        return [ARCHIVED_NAME, MANIFEST_NAME, PARTS_NAME]
    return [ARCHIVED_NAME] if is_archive else []


def glob(path: str) -> "Glob | None":
    """Return the glob that a path of a pull is; None if it has no wildcards. Raises UsageError.

    A bracket or a backslash alone that makes no pattern is a part of a name.
    """
    if not any(one in path for one in "*?[{\\"):
        return None
    from asynccp.plan.globs import glob_of  # few need it

    try:
        return glob_of(path)
    except UsageError:
        if any(one in path for one in "*?{"):
            raise
        return None


def fetched(path: str) -> str:
    """Return the path that a pod is asked for: of a glob the directory that it is in, for its contents."""
    found = glob(path)
    return f"{found.directory.rstrip('/')}/" if found else path


def excluded_lines(excluded: int) -> list[str]:
    """Return the line that says how much filters leave out, if they do."""
    return [f"filters leave out {counted(excluded, 'entry', 'entries')}, with what is below"] if excluded else []


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """Return a line for each reason, with the pods that it is true of; of very many reasons, how many more."""
    lines = [
        f"skipped {f'{len(pods)} pods' if len(pods) > 1 else pods[0]}: {reason}"
        + (f" ({listed(pods, _NAMES)})" if len(pods) > 1 else "")
        for reason, pods in by_reason(skipped).items()
    ]
    return lines[:_REASONS] + ([f"skipped for {len(lines) - _REASONS} more reasons"] if len(lines) > _REASONS else [])


def where(transfers: Sequence[Transfer], among: int = 0) -> str:
    """Return how many pods these are: `2 pods`; with several paths in one, how many places: `4 places in 2 pods`.

    among: how many pods were matched, if more were.
    """
    pods = len({one.target.of_pod for one in transfers})
    told = f"{pods} of {among} pods" if among > pods else counted(pods, "pod", "pods")
    return told if unit(transfers) == "pods" else f"{len(transfers)} places in {told}"


def unit(transfers: Sequence[Transfer]) -> str:
    """Return what is counted when transfers are: `pods`, or `places` where one pod has several."""
    return "pods" if len({one.target.of_pod for one in transfers}) == len(transfers) else "places"


def _place(destination: str, path: str, *, is_archive: bool) -> str:
    """Return where a path below the destination is, in words; in an archive it is a member's name."""
    return path if is_archive or destination == STANDARD_OUTPUT else f"{destination.rstrip('/')}/{path}"


def _mark(entry: Entry) -> str:
    size = human_size(entry.size) if entry.kind is Kind.FILE else entry.kind.value
    return f"{size:>10}  "


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {"path": exact(entry.path), "kind": entry.kind.value, "bytes": entry.size, "mode": f"{entry.mode:04o}"}


def _rest_json(skipped: Sequence[Skipped], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    return {
        "skipped": [one.to_json() for one in skipped],
        "left_out": [one.to_json() for one in left_out],
    }


def _waves_json(waves: Sequence[Wave]) -> dict[str, Any]:
    return {"waves": [one.to_json() for one in waves]} if waves else {}
