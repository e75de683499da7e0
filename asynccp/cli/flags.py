"""The flags: one line for each, from which all else about it follows.

What the line does not say, the field has that the flag sets: its type says how the word is read, its value what holds
without the flag, its name in the library what a hint calls it. From both follow typer's parameters and the panels of
--help (`cli.command`), variables of the environment, a request's values, and the flags that hints name (`cli.hints`).

So a new flag is a field of a group with its reason (`options`, or `cli.request`), a line here, and who obeys it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asynccp.cli import filters
from asynccp.cli.flag import Flag
from asynccp.cli.request import Request
from asynccp.cli.since import changed_ns
from asynccp.cli.words import (
    changes,
    image,
    lasting,
    owner,
    relays,
    share,
    shell_command,
    signal,
    tolerated,
    wave_by,
    whole,
    workers,
)
from asynccp.errors import Knob
from asynccp.limits import parse_size
from asynccp.times import parse_moment, parse_span

if TYPE_CHECKING:
    from asynccp.cli.settings import Setting

FLEET = "push diff pull"
FLEET_AND_CHECK = "push diff pull check"
COPIES = "push diff pull cp"
EVERY = "push diff pull cp check"
FLEET_AND_RETRY = "push diff pull retry"
PUSHES = "push diff"
MOVES = "push pull"
BACKWARDS = "rollback history"
BACKUPS = 3  # that are kept where nobody says how many

PANELS: Mapping[str, tuple[Flag, ...]] = {
    "Who": (
        Flag(
            "-l --selector",
            f"{FLEET_AND_CHECK} {BACKWARDS}",
            "labels",
            "Pods with these labels. Repeatable: a union.",
            "SELECTOR[:PATH]",
            knob=Knob.LABELS,
        ),
        Flag(
            "-n --namespace",
            f"{EVERY} {BACKWARDS}",
            "where.namespaces",
            "Look in this namespace. All but cp take several.",
            "NAME",
        ),
        Flag(
            "-A --all-namespaces",
            f"{FLEET_AND_CHECK} {BACKWARDS}",
            "where.all_namespaces",
            "Look for -l in all namespaces.",
        ),
        Flag(
            "-c --container",
            f"{EVERY} {BACKWARDS}",
            "where.container",
            "Which one. Default: the one that the pod's annotation names, else its first.",
            "NAME",
        ),
        Flag(
            "--all-containers",
            f"{FLEET} {BACKWARDS}",
            "where.all_containers",
            "Every container that runs; of a pull, of those that have the path.",
        ),
        Flag(
            "--field-selector",
            f"{FLEET_AND_CHECK} {BACKWARDS}",
            "where.fields",
            "Narrow -l and KIND/NAME by fields, as kubectl does.",
            "SELECTOR",
        ),
        Flag(
            "--context",
            f"{EVERY} retry {BACKWARDS}",
            "server.contexts",
            "The kubeconfig context to use. Several, or a pattern such as 'prod-*': all but cp work in each.",
            "NAME",
            knob=Knob.CONTEXT,
        ),
        Flag(
            "--kubeconfig",
            f"{EVERY} retry {BACKWARDS}",
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
            "--dedup",
            "pull",
            "options.dedup",
            "Fetch what several pods have once; the others' files are hard links to it, or, by --dedup=copy, copies.",
            "[=HOW]",
            alone="link",
        ),
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
            "--numeric-owner",
            FLEET,
            "options.attributes.preserve_owner",
            "The same by tar's name for it: owners are numbers here, and are never looked up by name.",
            knob="--numeric-owner",  # hints name the other one
        ),
        Flag(
            "--chown",
            PUSHES,
            "options.attributes.chown",
            "Give everything to this owner; names are those of the container. Needs root there.",
            "USER:GROUP",
            read=owner,
        ),
        Flag(
            "--chmod",
            FLEET,
            "options.attributes.chmod",
            "Change modes on the way, as rsync does: D755,F644 or Dg+s,ug+w,Fo-w,+X.",
            "CHANGES",
            read=changes,
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
            "Where each copy lands: '{namespace}/{pod}/{path}'; also {context}, {container}, {node}, {date}, "
            "{labels.NAME}.",
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
    "Roll-out": (
        Flag(
            "--atomic",
            "push",
            "options.rollout.atomic",
            "Replace the directory that is pushed into at once, as a whole, or change nothing.",
            knob=Knob.ATOMIC,
        ),
        Flag(
            "--atomic-link",
            "push",
            "options.rollout.link",
            "The same without a moment in which it is missing: DEST becomes a link to .DEST.REVISION.",
        ),
        Flag(
            "--backup",
            "push",
            "options.rollout.backups",
            f"Keep what is replaced in the pod, for rollback: the N newest; {BACKUPS} without =N. Implies --atomic.",
            "[=N]",
            least=1,
            read=whole,
            knob=Knob.BACKUPS,
            alone=str(BACKUPS),
        ),
        Flag(
            "--exec-before",
            "push",
            "options.rollout.before",
            "Run this in each pod before anything is replaced, which it can prevent: the new directory is "
            "$ASYNCCP_STAGED. Implies --atomic.",
            "COMMAND",
            read=shell_command,
        ),
        Flag(
            "--exec-after",
            "push rollback",
            "options.rollout.after",
            "Run this in each pod when all is in its place. If it fails so has the pod, and with --backup what was "
            "there comes back.",
            "COMMAND",
            read=shell_command,
        ),
        Flag(
            "--signal",
            "push rollback",
            "options.rollout.signal",
            "Then send a signal: HUP to the container's first process, HUP:nginx to those of a name.",
            "NAME[:PROCESS]",
            read=signal,
        ),
        Flag(
            "--exec-timeout",
            "push rollback",
            "options.rollout.command_timeout_s",
            "End one of these commands after so many seconds, or 5m; it has failed then.",
            "SPAN",
            least=1,
            read=lasting,
        ),
        Flag(
            "--to",
            "rollback",
            "to",
            "Bring back this revision, not the newest; `asynccp history` has them.",
            "REVISION",
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
            f"{FLEET} {BACKWARDS}",
            "options.concurrency.sessions",
            "Pods at once, each of its paths counted.",
            "N",
            least=1,
        ),
        Flag(
            "--per-node",
            f"{FLEET} {BACKWARDS}",
            "options.concurrency.sessions_per_node",
            "As many of them on one node.",
            "N",
            least=1,
        ),
        Flag(
            "--workers",
            MOVES,
            "workers",
            "Processes that share the pods, for all cores of this machine; auto: as many as pay.",
            "N|auto",
            read=workers,
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
            f"{COPIES} retry {BACKWARDS}",
            "options.deadlines.stall_after_s",
            "End a pod's transfer when nothing moved for so long.",
            "SECONDS",
            least=0.001,
        ),
        Flag(
            "--retries",
            f"{COPIES} retry {BACKWARDS}",
            "options.failures.retries",
            "Further attempts for a pod whose connection failed.",
            "N",
        ),
        Flag("--anyway", "retry", "anyway", "Push what the sources are now, also where they have changed since."),
        Flag(
            "--fail-fast", f"{FLEET} {BACKWARDS}", "options.failures.fail_fast", "End the run when the first pod fails."
        ),
        Flag(
            "--strict",
            f"{FLEET} {BACKWARDS}",
            "options.failures.strict",
            "A pod that was matched but skipped counts as failed.",
        ),
    ),
    "Going on": (
        Flag(
            "--follow",
            "push",
            "following.pods",
            "Go on: pods that come, or are restarted, get the same. ^C ends it, with a report.",
        ),
        Flag(
            "--watch",
            "push",
            "following.sources",
            "Go on: what changes here is pushed as it does.",
        ),
        Flag(
            "--follow",
            "pull",
            "following.every_s",
            "Go on: pull what is new every so many seconds, or 5m. ^C ends it, with a report.",
            "SPAN",
            least=1,
            read=lasting,
        ),
        Flag("--for", MOVES, "following.for_s", "Go on for so long: 2h.", "SPAN", least=1, read=lasting),
    ),
    "In waves": (
        Flag(
            "--canary",
            "push",
            "options.waves.canary",
            "Begin with so many pods, or percent of all, and go on when they are well.",
            "N|N%",
            read=share,
            knob=Knob.CANARY,
        ),
        Flag(
            "--wave",
            MOVES,
            "options.waves.size",
            "So many pods, or percent of all, at a time; the next when all of these are done.",
            "N|N%",
            read=share,
            knob=Knob.WAVE,
        ),
        Flag(
            "--wave-by",
            MOVES,
            "options.waves.by",
            "No wave has pods of two nodes, zones or namespaces; without --wave each of these is one.",
            "WHAT",
            read=wave_by,
        ),
        Flag(
            "--pause",
            MOVES,
            "options.waves.pause_s",
            "Wait so many seconds, or 5m, between waves.",
            "SPAN",
            least=1,
            read=lasting,
        ),
        Flag(
            "--max-failures",
            MOVES,
            "options.waves.most_failures",
            "Begin no other pod when more have failed. With waves, without this: when one has.",
            "N|N%",
            read=tolerated,
        ),
        Flag(
            "--settle",
            "push",
            "options.waves.settle_s",
            "Watch a wave's pods so long: one that stops being Ready, or restarts, has failed.",
            "SPAN",
            least=1,
            read=lasting,
        ),
        Flag(
            "--on-failure",
            "push",
            "options.waves.on_failure",
            "When more have failed than may: stop, or rollback what this run did in all pods.",
            "WHAT",
        ),
        Flag("--confirm", "push pull retry", "showing.confirm", "Ask before each wave; refused without a terminal."),
    ),
    "Without a shell": (
        Flag(
            "--ephemeral",
            f"{COPIES} {BACKWARDS}",
            "options.ephemeral.image",
            "For containers without a shell: add an ephemeral container of this image, and copy through it. A pod is "
            "never rid of one.",
            "IMAGE",
            read=image,
        ),
        Flag(
            "--ephemeral-ttl",
            f"{COPIES} {BACKWARDS}",
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
    "Relays": (
        Flag(
            "--relays",
            f"{MOVES} relay",
            "relays.number",
            "So many pods of a Job carry it out in the cluster, near those that they copy to.",
            "N",
            read=relays,
        ),
        Flag("--relays", "check", "relays.number", "Whether relays may be made, too."),
        Flag("--relay-image", f"{MOVES} relay", "relays.image", "Theirs, with asynccp in it.", "IMAGE", read=image),
        Flag(
            "--relay-namespace",
            f"{MOVES} relay check",
            "relays.namespace",
            "Where they run; default: where the pods are.",
            "NAME",
        ),
        Flag(
            "--relay-template",
            f"{MOVES} relay",
            "relays.template",
            "A file with a pod template, merged into theirs: tolerations, nodeSelector, env, pull secrets.",
            "FILE",
        ),
    ),
    "Report": (
        Flag("--dry-run", "push pull cp", "showing.dry_run", "Show what would be done, and end; a push asks the pods."),
        Flag("--unified", PUSHES, "showing.unified", "Show how small text files differ; of a push with --dry-run."),
        Flag("--exit-code", "push", "showing.exit_code", "With --dry-run: exit with 4 when something differs."),
        Flag(
            "-o --output",
            f"{EVERY} retry report config {BACKWARDS}",
            "showing.output",
            "The report, or the plan, on stdout: text or json.",
            "FORMAT",
        ),
        Flag(
            "--report",
            f"{FLEET_AND_RETRY} {BACKWARDS}",
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
            f"{FLEET_AND_RETRY} {BACKWARDS}",
            "showing.events",
            "Write what happens to this file while it does, a line of JSON each; - is stdout.",
            "FILE",
        ),
        Flag(
            "-q --quiet",
            f"{FLEET_AND_RETRY} {BACKWARDS}",
            "showing.quiet",
            "Only what failed, was left out or skipped, and the exit code.",
        ),
        Flag(
            "-v --verbose",
            f"{COPIES} retry {BACKWARDS}",
            "showing.verbose",
            "A line for each pod that starts and ends; -vv: a trace.",
        ),
        Flag(
            "--no-config",
            f"{EVERY} retry report config relay {BACKWARDS}",
            "configured",
            "Take no settings from files, ./.asynccp.toml and your own.",
        ),
    ),
}
FLAGS = tuple(flag for panel in PANELS.values() for flag in panel)


def flags_of(command: str) -> Iterator[Flag]:
    """Yield the flags of a command, as --help has them."""
    return (flag for flag in FLAGS if command in flag.commands)


def request_of(
    command: str,
    words: Mapping[str, Any],
    written: Sequence[str] = (),
    settings: Mapping[str, "Setting"] = MappingProxyType({}),
) -> Request:
    """Return what a command was asked for. words: by parameter; None for what was not given. Raises UsageError.

    written: the parameters as their words came. Where several flags add to one field, it has their values so; those of
    settings come behind, as the flags stand here. settings: of flags that were not given.
    """
    request = Request(command=command)
    added: dict[str, dict[str, Sequence[object]]] = {}
    for flag in flags_of(command):
        word, setting = words.get(flag.parameter), settings.get(flag.parameter)
        if word is not None:
            value = flag.value(word)
        elif setting:
            value = setting.value
        else:
            continue
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
