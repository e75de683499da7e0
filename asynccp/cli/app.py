"""The command line: flags → request → one call → exit code. Nothing is decided here that a library user would miss.

What a copy needs is imported by the command that copies: --help and --version are there in a third of the time.
"""

import dataclasses
import functools
import gc
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from asynccp import AsyncCpError, Options, Selection, UsageError, __version__, parse_selectors
from asynccp.cli import interrupt, streams
from asynccp.cli.hints import in_flags
from asynccp.limits import Limits, parse_size
from asynccp.target import nothing_local, parse_side, split_arguments
from asynccp.text import printable

DEMO = Path("asynccp-demo")
_DEFAULTS = Options()

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="kubectl cp for a fleet: complete, or failed and named; never silently short.",
)


class Compress(StrEnum):
    """What -z takes."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class Output(StrEnum):
    """What -o takes."""

    TEXT = "text"
    JSON = "json"


def _flag(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002 (typer's own word)
    """Return a typer option that can also be set as ASYNCCP_NAME in the environment."""
    variable = "ASYNCCP_" + names[-1].lstrip("-").upper().replace("-", "_")
    return typer.Option(*names, help=help, envvar=variable, show_envvar=False, metavar=metavar)


# Flags are neither compared nor printed: each method that isn't made for a class saves a third of a millisecond.
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WhoFlags:
    """Which pods of which cluster: what push, pull and check have in common."""

    selector: Annotated[
        list[str] | None,
        _flag("-l", "--selector", metavar="SELECTOR[:PATH]", help="Pods with these labels. Repeatable: a union."),
    ] = None
    namespace: Annotated[
        list[str] | None, _flag("-n", "--namespace", metavar="NAME", help="Look in this namespace. Repeatable.")
    ] = None
    all_namespaces: Annotated[bool, _flag("-A", "--all-namespaces", help="Look for -l in all namespaces.")] = False
    container: Annotated[
        str,
        _flag(
            "-c",
            "--container",
            metavar="NAME",
            help="Which one. Default: the one that the pod's annotation names, else its first.",
        ),
    ] = ""
    field_selector: Annotated[
        str, _flag("--field-selector", metavar="SELECTOR", help="Narrow -l and KIND/NAME by fields, as kubectl does.")
    ] = ""
    context: Annotated[str | None, _flag("--context", metavar="NAME", help="The kubeconfig context to use.")] = None
    kubeconfig: Annotated[
        str | None,
        _flag(
            "--kubeconfig",
            metavar="FILE",
            help="Default: $KUBECONFIG, else ~/.kube/config, else the pod's own account.",
        ),
    ] = None

    def selection(self, remotes: list[str]) -> Selection:
        found = parse_selectors(self.selector or (), remotes)
        return Selection(found, tuple(self.namespace or ()), self.all_namespaces, self.container, self.field_selector)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CheckFlags(WhoFlags):
    """What check takes."""

    output: Annotated[
        Output, _flag("-o", "--output", metavar="FORMAT", help="What came of it, on stdout: text or json.")
    ] = Output.TEXT


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Flags(WhoFlags):
    """What push and pull have in common."""

    concurrency: Annotated[
        int, _flag("-j", "--concurrency", metavar="N", help="Pods at once, each of its paths counted.")
    ] = _DEFAULTS.sessions
    per_node: Annotated[int, _flag("--per-node", metavar="N", help="As many of them on one node.")] = (
        _DEFAULTS.sessions_per_node
    )
    timeout: Annotated[
        float, _flag("--timeout", metavar="SECONDS", help="End a pod's transfer when nothing moved for so long.")
    ] = _DEFAULTS.stall_after_s
    retries: Annotated[
        int, _flag("--retries", metavar="N", help="Further attempts for a pod whose connection failed.")
    ] = _DEFAULTS.retries
    fail_fast: Annotated[bool, _flag("--fail-fast", help="End the run when the first pod fails.")] = False
    checksum: Annotated[
        bool, _flag("--checksum", help="Compare the SHA-256 of every file at both ends; the report has them.")
    ] = False
    compress: Annotated[
        Compress,
        _flag("-z", "--compress", metavar="HOW", help="auto (where it pays), none, or the container's gzip or zstd."),
    ] = Compress.AUTO
    bwlimit: Annotated[
        str, _flag("--bwlimit", metavar="RATE", help="Bytes per second of all pods together: 500K, 10M.")
    ] = ""
    preserve_owner: Annotated[
        bool, _flag("--preserve-owner", help="Keep numeric owners; needs root where the files are written.")
    ] = False
    no_follow: Annotated[
        bool, _flag("--no-follow", help="Copy a named symbolic link itself, not what it leads to.")
    ] = False
    strict: Annotated[bool, _flag("--strict", help="A pod that was matched but skipped counts as failed.")] = False
    dry_run: Annotated[bool, _flag("--dry-run", help="Show who would get what, and end.")] = False
    output: Annotated[
        Output, _flag("-o", "--output", metavar="FORMAT", help="The report, or the plan, on stdout: text or json.")
    ] = Output.TEXT
    report: Annotated[
        Path | None, _flag("--report", metavar="FILE", help="Write the report to this file too, as JSON.")
    ] = None
    quiet: Annotated[
        bool, _flag("-q", "--quiet", help="Only what failed, was left out or skipped, and the exit code.")
    ] = False
    verbose: Annotated[bool, _flag("-v", "--verbose", help="A line for each pod that starts and ends.")] = False

    def options(self) -> Options:
        if min(self.concurrency, self.per_node) < 1 or self.timeout <= 0 or self.retries < 0:
            raise UsageError(
                "--concurrency and --per-node are at least 1, --timeout more than 0, --retries not below 0"
            )
        rate_per_s = parse_size(self.bwlimit) if self.bwlimit else 0
        if self.bwlimit and not rate_per_s:
            raise UsageError("--bwlimit is at least 1 byte per second")
        return Options(
            sessions=self.concurrency,
            sessions_per_node=self.per_node,
            stall_after_s=self.timeout,
            retries=self.retries,
            fail_fast=self.fail_fast,
            checksum=self.checksum,
            compress=self.compress.value,
            rate_per_s=rate_per_s,
            preserve_owner=self.preserve_owner,
            want_size=sys.stderr.isatty() and not self.quiet,
            follow=not self.no_follow,
            strict=self.strict,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PushFlags(Flags):
    """What push has besides: how it may change what is there."""

    dir_perms: Annotated[
        bool, _flag("--dir-perms", help="Directories that exist already get the source's mode and time as well.")
    ] = False
    partial: Annotated[
        bool, _flag("--partial", help="Put the rest in place when some of it can't be, such as a mounted file.")
    ] = False
    in_place: Annotated[
        bool,
        _flag("--in-place", help="Overwrite a file where it may be written but its directory may not; not atomic."),
    ] = False

    def options(self) -> Options:
        return dataclasses.replace(
            Flags.options(self), dir_perms=self.dir_perms, partial=self.partial, in_place=self.in_place
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PullFlags(Flags):
    """What pull has besides: what is kept, and the limits of what one pod may send."""

    preserve_modes: Annotated[
        bool, _flag("--preserve-modes", help="Keep modes as they are in the pods, also what the umask forbids.")
    ] = False
    strict_sources: Annotated[
        bool, _flag("--strict-sources", help="A file that was appended to while it was read counts as changed.")
    ] = False
    max_entries: Annotated[
        int, _flag("--max-entries", metavar="N", help="Refuse a pod that sends more files and directories.")
    ] = _DEFAULTS.limits.entries
    max_size: Annotated[
        str, _flag("--max-size", metavar="SIZE", help="Refuse a pod whose files have more bytes: 500M, 10G, 4T.")
    ] = "4T"
    max_path: Annotated[int, _flag("--max-path", metavar="BYTES", help="Refuse a pod that sends a longer name.")] = (
        _DEFAULTS.limits.path_size
    )
    max_depth: Annotated[
        int, _flag("--max-depth", metavar="N", help="Refuse a pod that sends a name with more components.")
    ] = _DEFAULTS.limits.depth
    max_header: Annotated[
        str, _flag("--max-header", metavar="SIZE", help="Refuse a pod that sends a larger tar extension.")
    ] = "1M"
    max_memory: Annotated[
        str, _flag("--max-memory", metavar="SIZE", help="Remember no more of what all pods send: names, directories.")
    ] = "64M"

    def options(self) -> Options:
        size, header, memory = map(parse_size, (self.max_size, self.max_header, self.max_memory))
        if min(self.max_entries, self.max_path, self.max_depth, size, header, memory) < 1:
            raise UsageError("a limit is at least 1")
        limits = Limits(self.max_entries, size, self.max_path, self.max_depth, header, memory)
        return dataclasses.replace(
            Flags.options(self), limits=limits, strict_sources=self.strict_sources, preserve_modes=self.preserve_modes
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CpFlags:
    """What cp takes: kubectl cp's own flags, and how it is told."""

    namespace: Annotated[
        str, _flag("-n", "--namespace", metavar="NAME", help="Of pods that are written without one.")
    ] = ""
    container: Annotated[
        str,
        _flag(
            "-c",
            "--container",
            metavar="NAME",
            help="Default: the one that the pod's annotation names, else its first.",
        ),
    ] = ""
    no_preserve: Annotated[
        bool, _flag("--no-preserve", help="In the container, give files and directories its usual modes.")
    ] = False
    preserve_modes: Annotated[
        bool, _flag("--preserve-modes", help="Keep modes as they are in the pod, also what the umask here forbids.")
    ] = False
    retries: Annotated[int, _flag("--retries", metavar="N", help="Further attempts when the connection fails.")] = (
        _DEFAULTS.retries
    )
    context: Annotated[str | None, _flag("--context", metavar="NAME", help="The kubeconfig context to use.")] = None
    kubeconfig: Annotated[str | None, _flag("--kubeconfig", metavar="FILE", help="As for kubectl.")] = None
    timeout: Annotated[float, _flag("--timeout", metavar="SECONDS", help="End when nothing moved for so long.")] = (
        _DEFAULTS.stall_after_s
    )
    dry_run: Annotated[bool, _flag("--dry-run", help="Show what would be copied, and end.")] = False
    output: Annotated[Output, _flag("-o", "--output", metavar="FORMAT", help="The report: text or json.")] = Output.TEXT
    verbose: Annotated[bool, _flag("-v", "--verbose", help="Say what was copied, not only what wasn't.")] = False

    def flags(self) -> PullFlags:
        """Return them as those of a pull, or a push. Where nobody looks it is as silent as kubectl cp."""
        return PullFlags(
            namespace=[self.namespace] if self.namespace else None,
            container=self.container,
            retries=self.retries,
            context=self.context,
            kubeconfig=self.kubeconfig,
            timeout=self.timeout,
            dry_run=self.dry_run,
            output=self.output,
            verbose=self.verbose,
            quiet=not self.verbose and not self.dry_run and not sys.stderr.isatty(),
            preserve_modes=self.preserve_modes,
        )


def _with_flags(command: Callable[[list[str], Any], None]) -> Callable[..., None]:
    """Give a command every flag of the class that it takes: typer reads a signature, so one is made from the fields."""
    first, second = inspect.signature(command).parameters.values()
    of_class: type[Any] = second.annotation

    @functools.wraps(command)
    def called(arguments: list[str], **flags: Any) -> None:
        command(arguments, of_class(**flags))

    fields = dataclasses.fields(of_class)
    rest = [inspect.Parameter(one.name, first.KEYWORD_ONLY, default=one.default, annotation=one.type) for one in fields]
    called.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in (first, *rest)}
    return called


class _Command(typer.core.TyperCommand):
    """A command whose arguments are shown as they are written: typer has braces around those that must be there."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.removeprefix("{").removesuffix("}") for piece in super().collect_usage_pieces(ctx)]


def _arguments(metavar: str, **more: Any) -> Any:
    return typer.Argument(metavar=metavar, show_default=False, hidden=True, **more)  # the usage has them


@app.command(cls=_Command, short_help="Copy files of this machine into pods.")
@_with_flags
def push(
    arguments: Annotated[list[str], _arguments("SOURCE... [TARGET...]")],
    flags: PushFlags,
) -> None:
    """Copy files of this machine into every matched pod.

    Example: asynccp push ./config -l app=web:/etc/app

    ./config lands as /etc/app/config, ./config/ lands as its contents. A TARGET is [[NAMESPACE/]POD:]PATH, or
    KIND/NAME:PATH for the pods of a deploy, sts, ds, rs, job or svc; a bare :PATH belongs to each -l that has none.
    """
    sources, remotes = _split(arguments, arguments)
    if not sources:
        raise nothing_local("source", remotes[0], remotes, "asynccp push ./config -l app=web:/etc/app")
    selection = flags.selection(remotes)
    from asynccp.cli import run

    _exit(run.push, flags, sources, selection)


@app.command(cls=_Command, short_help="Copy files of pods to this machine.")
@_with_flags
def pull(
    arguments: Annotated[list[str], _arguments("[TARGET...] DIRECTORY")],
    flags: PullFlags,
) -> None:
    """Copy files of every matched pod to this machine, each pod's into a directory of its own.

    Example: asynccp pull -l app=web:/var/log ./logs

    /var/log lands as ./logs/POD/log, /var/log/ as its contents in ./logs/POD. A TARGET is written as for push.
    """
    directories, remotes = _split(arguments, arguments[-1:])
    if not directories:
        raise nothing_local("directory", remotes[-1], remotes, "asynccp pull -l app=web:/var/log ./logs")
    if len(directories) > 1:
        raise UsageError(
            f"a pull goes to one local directory, not to {len(directories)}: {printable(', '.join(directories))}",
            hint="asynccp pull -l app=web:/var/log ./logs",
        )
    selection = flags.selection(remotes)
    from asynccp.cli import run

    _exit(run.pull, flags, directories[0], selection)


@app.command(cls=_Command, short_help="Copy to, from or between single pods, as kubectl cp.")
@_with_flags
def cp(arguments: Annotated[list[str], _arguments("SOURCE DESTINATION")], flags: CpFlags) -> None:
    """Copy a file or directory to, from or between single pods, in kubectl cp's own words.

    Example: asynccp cp ./app.toml web-0:/etc/app/app.conf

    One side, or both, is [NAMESPACE/]POD:PATH. DESTINATION is the new name, or the directory to put it in, if there is
    one. Only a directory that comes to this machine is not put in it: its contents are, as with kubectl cp.
    """
    if len(arguments) != 2:
        raise UsageError("cp takes a source and a destination", hint="asynccp cp ./app.toml web-0:/etc/app/app.conf")
    source, destination = (parse_side(one, is_here=os.path.lexists(one)) for one in arguments)
    if isinstance(source, str) and isinstance(destination, str):
        raise UsageError("one side of cp must be in a pod", hint="a pod's path is written [NAMESPACE/]POD:PATH")
    from asynccp.cli import run

    _exit(run.cp, flags, source, destination)


@app.command(cls=_Command, short_help="Ask whether a copy would work, and what is missing.")
@_with_flags
def check(arguments: Annotated[list[str], _arguments("TARGET...", default_factory=list)], flags: CheckFlags) -> None:
    """Ask the cluster whether a copy would work: which pods match, what the user may, whether an exec comes through.

    Example: asynccp check -l app=web

    Targets are written as for push; a path may be left out. Nothing is copied: `true` is run in one pod of each image.
    What is missing is shown with the commands that grant it; the exit code is 1 then.
    """
    labels, targets = (
        [one if ":" in one else f"{one}:/" for one in given or ()] for given in (flags.selector, arguments)
    )
    selection = dataclasses.replace(flags, selector=labels).selection(targets)
    from asynccp.cli.check import check as look

    _exit(look, flags, selection)


@app.command(short_help="Try both on a cluster inside this process.")
def demo(
    pods: Annotated[int, typer.Option("--pods", metavar="N", min=1, help="How many pods the demo cluster has.")] = 8,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the cluster running, for commands of your own.")] = False,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIRECTORY]", help="Where the pods, the kubeconfig and the result go.")
    ] = DEMO,
) -> None:
    """Push to and pull from a cluster inside this process, whose pods are directories; no Kubernetes is needed."""
    from asynccp.cli import run

    _exit(run.serve if serve else run.demonstrate, directory, pods)


@app.callback(invoke_without_command=True)
def version(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    if version:
        typer.echo(f"asynccp {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line: every error is a sentence on stderr, and an exit code."""
    name = os.path.basename(sys.argv[0])
    code: Any = 0
    try:
        app(prog_name=name.replace("kubectl-", "kubectl ") if name.startswith("kubectl-") else "asynccp")
    except SystemExit as exc:
        code = exc.code or 0
    except Exception as exc:
        code = _told(exc)
    finally:
        gc.freeze()  # else the interpreter looks for cycles before it ends: a sixth of a small copy's CPU
    sys.exit(streams.end(code))


def _told(exc: Exception) -> int:
    """Say what went wrong; return the exit code. Raises a defect of ours on request, for its traceback."""
    if isinstance(exc, AsyncCpError):
        streams.tell(f"asynccp: {exc}" + (f"\n    {in_flags(exc.hint)}" if exc.hint else ""))
        return exc.exit_code
    if "ASYNCCP_TRACEBACK" in os.environ:
        raise exc
    streams.tell(f"asynccp: a defect of asynccp itself: {printable(repr(exc))}")
    streams.tell("    please report it, with what ASYNCCP_TRACEBACK=1 shows")
    return 1


def _exit(work: Callable[..., Awaitable[int]], *arguments: Any) -> NoReturn:
    import logging

    import anyio

    if "ASYNCCP_TRACEBACK" not in os.environ:
        # What asyncio logs of a connection that broke (asyncio/sslproto.py) each pod's own error says, in words.
        logging.getLogger("asyncio").addHandler(logging.NullHandler())
        logging.getLogger("asyncio").propagate = False
    raise typer.Exit(anyio.run(_to_its_end, work, *arguments))


async def _to_its_end(work: Callable[..., Awaitable[int]], *arguments: Any) -> int:
    """Await the work, and return the exit code. If it was interrupted, the process ends here.

    Both asyncio and Python would wait for every thread then, such as one that asks a name server or looks at a disk.
    """
    gc.freeze()
    gc.enable()
    try:
        code = await work(*arguments)
    except Exception as exc:
        if not interrupt.heard():
            raise
        _told(exc)
        code = interrupt.EXIT_CODE
    if interrupt.heard():
        os._exit(streams.end(code))
    return code


def _split(arguments: list[str], perhaps_local: list[str]) -> tuple[list[str], list[str]]:
    """Split arguments into local paths and remote ones. perhaps_local: those that are local if they exist here."""
    return split_arguments(arguments, [one for one in perhaps_local if os.path.lexists(one)])
