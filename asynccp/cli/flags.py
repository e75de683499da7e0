"""The flags: one line for each, from which all else about it follows.

What the line does not say, the field has that the flag sets: its type says how the word is read, its value what holds
without the flag, its name in the library what a hint calls it. From both follow typer's parameters and the panels of
--help (`cli.command`), variables of the environment, a request's values, and the flags that hints name (`cli.hints`).

So a new flag is a field of a group with its reason (`options`, or `cli.request`), a line here, and who obeys it.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from asynccp.cli import filters
from asynccp.cli.request import Request
from asynccp.cli.since import changed_ns
from asynccp.errors import Knob, UsageError
from asynccp.limits import parse_size, size_word
from asynccp.text import printable
from asynccp.times import parse_moment, parse_span

DEFAULTS = Request()

FLEET = "push diff pull"
FLEET_AND_CHECK = "push diff pull check"
COPIES = "push diff pull cp"
EVERY = "push diff pull cp check"
FLEET_AND_RETRY = "push diff pull retry"
PUSHES = "push diff"
MOVES = "push pull"


def whole(word: str) -> int:
    """Return a whole number. Raises UsageError."""
    try:
        return int(word)
    except ValueError:
        raise UsageError(f"a whole number was expected, not '{printable(word)}'") from None


def lasting(word: str) -> int:
    """Return the seconds of a span of time, or of a number of them. Raises UsageError."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else parse_span(word)


def image(word: str) -> str:
    """Return the name of an image; what no node can read would stay in a pod for ever. Raises UsageError."""
    if not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._/:@-]{0,510}", word):
        raise UsageError(f"'{printable(word)}' is no image", hint="write it as in a pod: busybox:1.36")
    return word


class Flag(NamedTuple):
    """One flag of some commands.

    names: the short one first. on: the commands that have it. sets: the dotted path of a field of `Request`.
    metavar: what stands for its word; a flag without one is a switch, or counts how often it was given.
    least: the smallest value, of a number. read: what makes a value of its word, where the field's type can't tell; of
        several words, of each.
    knob: what a hint calls it, where that isn't the field's name.
    """

    names: str
    on: str
    sets: str
    help: str
    metavar: str = ""
    least: float = 0
    read: Callable[[str], object] | None = None
    knob: str = ""

    @property
    def short(self) -> str:
        return self.names.partition(" ")[0]

    @property
    def long(self) -> str:
        return self.names.rpartition(" ")[2]

    @property
    def commands(self) -> list[str]:
        """Those that have it."""
        return self.on.split()

    @property
    def parameter(self) -> str:
        """What typer calls it."""
        return self.long.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        return f"ASYNCCP_{self.parameter.upper()}"

    @property
    def default(self) -> Any:
        return reduce(getattr, self.sets.split("."), DEFAULTS)

    @property
    def named(self) -> str:
        """What a hint calls it: as a caller of the library knows it."""
        *group, field = self.sets.split(".")
        return self.knob or f"{type(reduce(getattr, group, DEFAULTS)).__name__}.{field}"

    def shown_default(self) -> str:
        """Return what --help says holds without the flag; empty where the flag's own words do."""
        if not self.metavar or self.default in (None, "", 0, ()):
            return ""
        return size_word(self.default) if self.read is parse_size else format(self.default, _FORMATS.get(self.kind, ""))

    @property
    def kind(self) -> type:
        return type(self.default)

    def value(self, word: Any) -> Any:
        """Return what a word means, or each of several; of a switch it is True, or how often it was given. Raises
        UsageError.
        """
        if not self.metavar:
            return self._switched(word)
        if self.kind is tuple:
            return tuple(map(self.read, word) if self.read else word)
        value = self.read(word) if self.read else self._of_kind(word)
        if isinstance(value, int | float) and not value >= self.least:
            raise UsageError(f"{self.long} is at least {self.least:g}")
        return value

    def _of_kind(self, word: str) -> object:
        if self.default is None:
            return word
        try:
            return self.kind(word)
        except ValueError:
            wanted = _KINDS.get(self.kind) or f"one of {', '.join(iter(self.kind))}"  # type: ignore[call-overload]
            raise UsageError(f"{self.long} is {wanted}, not '{printable(word)}'") from None

    def _switched(self, word: Any) -> object:
        """Return the value of a switch: what the default isn't. A variable has a word for it, or a number."""
        times = _times(word) if isinstance(word, str) else int(word)
        if times is None:
            raise UsageError(f"{self.variable} is 1 or 0, not '{printable(word)}'")
        return times if self.kind is int else self.default != bool(times)


_FORMATS: Mapping[type, str] = {float: "g"}
_KINDS: Mapping[type, str] = {int: "a whole number", float: "a number"}
_YES, _NO = ("true", "t", "yes", "y", "on"), ("false", "f", "no", "n", "off")


def _times(word: str) -> int | None:
    if word.isdecimal():
        return int(word)
    return {**dict.fromkeys(_YES, 1), **dict.fromkeys(_NO, 0)}.get(word.lower())


PANELS: Mapping[str, tuple[Flag, ...]] = {
    "Who": (
        Flag(
            "-l --selector",
            FLEET_AND_CHECK,
            "labels",
            "Pods with these labels. Repeatable: a union.",
            "SELECTOR[:PATH]",
            knob=Knob.LABELS,
        ),
        Flag("-n --namespace", EVERY, "where.namespaces", "Look in this namespace. All but cp take several.", "NAME"),
        Flag("-A --all-namespaces", FLEET_AND_CHECK, "where.all_namespaces", "Look for -l in all namespaces."),
        Flag(
            "-c --container",
            EVERY,
            "where.container",
            "Which one. Default: the one that the pod's annotation names, else its first.",
            "NAME",
        ),
        Flag(
            "--all-containers",
            FLEET,
            "where.all_containers",
            "Every container that runs; of a pull, of those that have the path.",
        ),
        Flag(
            "--field-selector",
            FLEET_AND_CHECK,
            "where.fields",
            "Narrow -l and KIND/NAME by fields, as kubectl does.",
            "SELECTOR",
        ),
        Flag(
            "--context", f"{EVERY} retry", "server.context", "The kubeconfig context to use.", "NAME", knob=Knob.CONTEXT
        ),
        Flag(
            "--kubeconfig",
            f"{EVERY} retry",
            "server.kubeconfig",
            "Default: $KUBECONFIG, else ~/.kube/config, else the pod's own account.",
            "FILE",
            knob=Knob.KUBECONFIG,
        ),
    ),
    "What": (
        Flag(
            "--include",
            FLEET,
            "options.filtering.rules",
            "Copy what matches, whatever a later --exclude says. Of these three the first that matches decides.",
            "PATTERN",
            read=filters.included,
            knob=Knob.INCLUDE,
        ),
        Flag(
            "--exclude",
            FLEET,
            "options.filtering.rules",
            "Leave out what matches, and what is below it. Patterns are gitignore's.",
            "PATTERN",
            read=filters.excluded,
        ),
        Flag(
            "--exclude-from",
            FLEET,
            "options.filtering.rules",
            "Leave out what git would ignore by this file.",
            "FILE",
            read=filters.excluded_from,
        ),
        Flag(
            "-x --one-file-system",
            FLEET,
            "options.filtering.one_file_system",
            "Don't enter directories on which another file system is mounted.",
        ),
        Flag(
            "-L --copy-links",
            FLEET,
            "options.filtering.copy_links",
            "Copy what symbolic links lead to, also those below a source.",
        ),
        Flag(
            "--checksum",
            FLEET,
            "options.verification.checksum",
            "Compare the SHA-256 of every file at both ends; the report has them.",
        ),
        Flag("--ignore-times --force", MOVES, "options.sync.always", "Copy everything, also what is there already."),
        Flag("--mirror", "pull", "options.collecting.mirror", "Remove here what the pod doesn't have any more."),
        Flag(
            "--since",
            "pull",
            "since.span_s",
            "Only what has changed in the last 90s, 10m, 2h; of logs, what was said.",
            "SPAN",
            least=1,
            read=parse_span,
        ),
        Flag(
            "--since-time",
            "pull",
            "since.moment_ns",
            "The same, since 2026-11-29T10:00:00Z.",
            "TIME",
            least=-math.inf,
            read=parse_moment,
        ),
        Flag(
            "--newer-than",
            "pull",
            "since.file_ns",
            "The same, since this file here was changed.",
            "FILE",
            least=-math.inf,
            read=changed_ns,
        ),
        Flag(
            "--tail-bytes",
            "pull",
            "options.collecting.tail_size",
            "Of a larger file only its end, from a line's begin: 500K, 50M.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--delete",
            "push",
            "options.sync.delete",
            "Remove what the source doesn't have: of dir/ in the destination, of dir in DEST/dir.",
            knob=Knob.DELETE,
        ),
        Flag(
            "--max-delete",
            "push",
            "options.sync.most_deleted",
            "Leave a pod alone that would lose more entries.",
            "N",
            read=whole,
            knob=Knob.MOST_DELETED,
        ),
        Flag(
            "--delete-excluded",
            "push",
            "options.sync.delete_excluded",
            "With --delete: also remove what the filters leave out.",
        ),
        Flag("--existing", PUSHES, "options.sync.existing", "Make nothing that isn't there yet."),
        Flag("--ignore-existing", PUSHES, "options.sync.ignore_existing", "Change nothing that is there."),
        Flag("--update", PUSHES, "options.sync.update", "Leave files alone that are newer in the pod."),
        Flag(
            "--strict-sources",
            "pull",
            "options.verification.strict_sources",
            "A file that was appended to while it was read counts as changed.",
        ),
        Flag(
            "--preserve-owner",
            FLEET,
            "options.attributes.preserve_owner",
            "Keep numeric owners; needs root where the files are written.",
        ),
        Flag(
            "--preserve-modes",
            "pull cp",
            "options.attributes.preserve_modes",
            "Keep modes as they are in the pods, also what the umask here forbids.",
        ),
        Flag(
            "--no-perms",
            FLEET,
            "options.attributes.perms",
            "Give files the modes of new ones: 0644, or 0755 if they may be run.",
        ),
        Flag(
            "--no-times",
            FLEET,
            "options.attributes.times",
            "Give files the time of the copy, not their own.",
        ),
        Flag(
            "--template",
            "pull",
            "template",
            "Where each copy lands: '{namespace}/{pod}/{path}'; also {container}, {node}, {date}, {labels.NAME}.",
            "TEMPLATE",
            knob=Knob.TEMPLATE,
        ),
        Flag(
            "--archive",
            "pull",
            "archive",
            "Pull into one new archive, instead of a directory: a .tar, .tar.gz, .tgz or .tar.zst.",
            "FILE",
        ),
        Flag("--no-preserve", "cp", "preserve", "In the container, give files and directories its usual modes."),
        Flag(
            "--no-follow",
            FLEET,
            "options.attributes.follow",
            "Copy a named symbolic link itself, not what it leads to.",
        ),
        Flag(
            "--dir-perms",
            PUSHES,
            "options.attributes.dir_perms",
            "Directories that exist already get the source's mode and time as well.",
        ),
        Flag(
            "--partial",
            "push",
            "options.publishing.partial",
            "Put the rest in place when some of it can't be, such as a mounted file.",
        ),
        Flag(
            "--in-place",
            "push",
            "options.publishing.in_place",
            "Overwrite a file where it may be written but its directory may not; not atomic.",
        ),
    ),
    "Logs": (
        Flag(
            "--container-logs",
            "pull",
            "logs.wanted",
            "What kubectl logs has, too, of containers that run or ran, as CONTAINER.log; no path is needed then.",
        ),
        Flag("--previous", "pull", "logs.previous", "Also the log before the last restart, as CONTAINER.previous.log."),
        Flag("--tail", "pull", "logs.tail", "Only the last N lines of each log; -1 for all.", "N", least=-1),
        Flag("--timestamps", "pull", "logs.timestamps", "The time before each line."),
    ),
    "How": (
        Flag(
            "-j --concurrency",
            FLEET,
            "options.concurrency.sessions",
            "Pods at once, each of its paths counted.",
            "N",
            least=1,
        ),
        Flag(
            "--per-node", FLEET, "options.concurrency.sessions_per_node", "As many of them on one node.", "N", least=1
        ),
        Flag(
            "--bwlimit",
            MOVES,
            "options.concurrency.rate_per_s",
            "Bytes per second of all pods together: 500K, 10M.",
            "RATE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "-z --compress",
            MOVES,
            "options.compression",
            "auto (where it pays), none, or the container's gzip or zstd.",
            "HOW",
        ),
        Flag(
            "--timeout",
            f"{COPIES} retry",
            "options.deadlines.stall_after_s",
            "End a pod's transfer when nothing moved for so long.",
            "SECONDS",
            least=0.001,
        ),
        Flag(
            "--retries",
            f"{COPIES} retry",
            "options.failures.retries",
            "Further attempts for a pod whose connection failed.",
            "N",
        ),
        Flag("--anyway", "retry", "anyway", "Push what the sources are now, also where they have changed since."),
        Flag("--fail-fast", FLEET, "options.failures.fail_fast", "End the run when the first pod fails."),
        Flag("--strict", FLEET, "options.failures.strict", "A pod that was matched but skipped counts as failed."),
    ),
    "Without a shell": (
        Flag(
            "--ephemeral",
            COPIES,
            "options.ephemeral.image",
            "For containers without a shell: add an ephemeral container of this image, and copy through it. A pod is "
            "never rid of one.",
            "IMAGE",
            read=image,
        ),
        Flag(
            "--ephemeral-ttl",
            COPIES,
            "options.ephemeral.ttl_s",
            "It ends when no copy has used it for so many seconds, or 15m, 2h.",
            "SPAN",
            least=30,  # less may be over before its first copy begins
            read=lasting,
        ),
    ),
    "Limits": (
        Flag(
            "--max-file-size",
            "pull",
            "options.collecting.most_file_size",
            "Leave out files with more bytes: 500M, 10G.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--max-pod-size",
            "pull",
            "options.collecting.most_pod_size",
            "Of one pod take the newest files, until they have so many bytes.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--max-total",
            "pull",
            "options.collecting.most_total_size",
            "The same of all pods together.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--max-entries",
            "pull",
            "options.limits.entries",
            "Refuse a pod that sends more files and directories.",
            "N",
            least=1,
        ),
        Flag(
            "--max-size",
            "pull",
            "options.limits.size",
            "Refuse a pod whose files have more bytes: 500M, 10G, 4T.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--max-path", "pull", "options.limits.path_size", "Refuse a pod that sends a longer name.", "BYTES", least=1
        ),
        Flag(
            "--max-depth",
            "pull",
            "options.limits.depth",
            "Refuse a pod that sends a name with more components.",
            "N",
            least=1,
        ),
        Flag(
            "--max-header",
            "pull",
            "options.limits.header_size",
            "Refuse a pod that sends a larger tar extension.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
        Flag(
            "--max-memory",
            "pull",
            "options.limits.memory",
            "Remember no more of what all pods send: names, directories.",
            "SIZE",
            least=1,
            read=parse_size,
        ),
    ),
    "Report": (
        Flag("--dry-run", "push pull cp", "showing.dry_run", "Show what would be done, and end; a push asks the pods."),
        Flag("--unified", PUSHES, "showing.unified", "Show how small text files differ; of a push with --dry-run."),
        Flag("--exit-code", "push", "showing.exit_code", "With --dry-run: exit with 4 when something differs."),
        Flag(
            "-o --output",
            f"{EVERY} retry report",
            "showing.output",
            "The report, or the plan, on stdout: text or json.",
            "FORMAT",
        ),
        Flag(
            "--report",
            FLEET_AND_RETRY,
            "showing.report",
            "Write the report to this file too, as JSON; of a retry instead of the one that it is of.",
            "FILE",
            read=Path,
        ),
        Flag(
            "--html",
            f"{FLEET_AND_RETRY} report",
            "showing.html",
            "Write the report to this file too, as one page for a browser.",
            "FILE",
            read=Path,
        ),
        Flag(
            "--events",
            FLEET_AND_RETRY,
            "showing.events",
            "Write what happens to this file while it does, a line of JSON each; - is stdout.",
            "FILE",
        ),
        Flag(
            "-q --quiet",
            FLEET_AND_RETRY,
            "showing.quiet",
            "Only what failed, was left out or skipped, and the exit code.",
        ),
        Flag(
            "-v --verbose",
            f"{COPIES} retry",
            "showing.verbose",
            "A line for each pod that starts and ends; -vv: a trace.",
        ),
    ),
}
FLAGS = tuple(flag for panel in PANELS.values() for flag in panel)


def flags_of(command: str) -> Iterator[Flag]:
    """Yield the flags of a command, as --help has them."""
    return (flag for flag in FLAGS if command in flag.commands)


def request_of(command: str, words: Mapping[str, Any], written: Sequence[str] = ()) -> Request:
    """Return what a command was asked for. words: by parameter; None for what was not given. Raises UsageError.

    written: the parameters as their words came. Where several flags add to one field, it has their values so; those of
    variables come behind, as the flags stand here.
    """
    request = Request(command=command)
    added: dict[str, dict[str, Sequence[object]]] = {}
    for flag in flags_of(command):
        word = words.get(flag.parameter)
        if word is None:
            continue
        value = flag.value(word)
        if flag.kind is tuple:
            added.setdefault(flag.sets, {})[flag.parameter] = value
        else:
            request = with_value(request, flag.sets, value)
    for field, values in added.items():
        request = with_value(request, field, _in_order(values, written))
    return request


def _in_order(values: Mapping[str, Sequence[object]], written: Sequence[str]) -> tuple[object, ...]:
    rest = {parameter: iter(some) for parameter, some in values.items()}
    first = [next(rest[parameter]) for parameter in written if parameter in rest]
    return (*first, *chain.from_iterable(rest.values()))


def with_value(group: Any, path: str, value: object) -> Any:
    """Return a group with another value for the field at a dotted path."""
    field, _, rest = path.partition(".")
    return group._replace(**{field: with_value(getattr(group, field), rest, value) if rest else value})
