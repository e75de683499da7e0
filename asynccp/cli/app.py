"""The command line: words → request → one call → exit code. Nothing is decided here that a library user would miss.

What a copy needs is imported by the command that copies: --help and --version are there in a third of the time.
"""

import copy
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from asynccp import AsyncCpError, UsageError, __version__
from asynccp.cli import interrupt, streams
from asynccp.cli.command import Command, Program, with_flags, words
from asynccp.cli.examples import example
from asynccp.cli.hints import in_flags
from asynccp.cli.request import Request
from asynccp.target import is_store, nothing_local, parse_side, split_arguments
from asynccp.text import printable

DEMO = Path("asynccp-demo")

_app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    add_completion=False,  # `asynccp completion` knows of clusters, and of words with = and : in them
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="kubectl cp for a fleet: complete, or failed and named; never silently short.",
)


@_app.command(cls=Command, short_help="Copy files of this machine into pods.")
def push(
    arguments: Annotated[list[str], words("SOURCE... [TARGET...]")],
    request: Request,
) -> None:
    """Copy files of this machine into every matched pod.

    ./config lands as /etc/app/config, ./config/ lands as its contents. A TARGET is [[NAMESPACE/]POD:]PATH, or
    KIND/NAME:PATH for the pods of a deploy, sts, ds, rs, job or svc; a bare :PATH belongs to each -l that has none.
    """
    sources, remotes = _split(arguments, arguments)
    if not sources:
        raise nothing_local("source", remotes[0], remotes, example("push"))
    selection = request.selection(remotes)
    from asynccp.cli import run

    _exit(run.push, request, sources, selection, verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Show in which pods files differ from those here.")
def diff(
    arguments: Annotated[list[str], words("SOURCE... [TARGET...]")],
    request: Request,
) -> None:
    """Show what a push would change in every matched pod, and what is there besides. Nothing is changed.

    Arguments are those of push. The exit code is 4 when something differs.
    """
    sources, remotes = _split(arguments, arguments)
    if not sources:
        raise nothing_local("source", remotes[0], remotes, example("diff"))
    request = request._replace(showing=request.showing._replace(exit_code=True))
    from asynccp.cli import run

    _exit(run.diff, request, sources, request.selection(remotes), verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Copy files of pods to this machine.")
def pull(
    arguments: Annotated[list[str], words("[TARGET...] [DIRECTORY]", default_factory=list)],
    request: Request,
) -> None:
    """Copy files of every matched pod to this machine, each pod's into a directory of its own.

    /var/log lands as ./logs/POD/log, /var/log/ as its contents in ./logs/POD. A TARGET is written as for push.
    A DIRECTORY that is called - is standard output: one tar of all that would lie in it. With --archive there is none.
    """
    directories, remotes = _split(arguments, [] if request.archive else arguments[-1:], stdout=True)
    if request.archive and directories:
        raise UsageError(
            f"a pull goes into an archive or into a directory, not into {printable(directories[0])} as well",
            hint="leave one of them out",
        )
    directories = [request.archive] if request.archive else directories
    if not directories:
        raise nothing_local("directory", remotes[-1] if remotes else "", remotes, example("pull"))
    if len(directories) > 1:
        raise UsageError(
            f"a pull goes to one local directory, not to {len(directories)}: {printable(', '.join(directories))}",
            hint=example("pull"),
        )
    request = request.dated(time.time_ns())
    selection = request.selection(remotes)
    from asynccp.cli import run

    _exit(run.pull, request, directories[0], selection, verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Copy to, from or between single pods, as kubectl cp.")
def cp(arguments: Annotated[list[str], words("SOURCE DESTINATION")], request: Request) -> None:
    """Copy a file or directory to, from or between single pods, in kubectl cp's own words.

    One side, or both, is [NAMESPACE/]POD:PATH. DESTINATION is the new name, or the directory to put it in, if there is
    one. Only a directory that comes to this machine is not put in it: its contents are, as with kubectl cp.
    """
    if len(arguments) != 2:
        raise UsageError("cp takes a source and a destination", hint=example("cp"))
    if any(map(is_store, arguments)):
        raise UsageError("an object store takes part in push and pull, not in cp", hint=example("push"))
    source, destination = (parse_side(one, is_here=os.path.lexists(one)) for one in arguments)
    if isinstance(source, str) and isinstance(destination, str):
        raise UsageError("one side of cp must be in a pod", hint="a pod's path is written [NAMESPACE/]POD:PATH")
    from asynccp.cli import run

    _exit(run.cp, request, source, destination, verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Bring back what a push has replaced.")
def rollback(arguments: Annotated[list[str], words("[TARGET...]", default_factory=list)], request: Request) -> None:
    """Bring back what a push with --backup has replaced in every matched pod: all of it, or nothing in that pod.

    The path is the directory that was pushed into. What is replaced now is kept in its stead, so that a second rollback
    undoes the first. A pod that keeps nothing counts as failed.
    """
    selection = request.selection(arguments)
    from asynccp.cli import run

    _exit(run.rollback, request, selection, verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="List what pushes have replaced, and pods keep.")
def history(arguments: Annotated[list[str], words("[TARGET...]", default_factory=list)], request: Request) -> None:
    """List what every matched pod keeps for a rollback: when it was replaced, by whom, from where, by what."""
    selection = request.selection(arguments)
    from asynccp.cli import run

    _exit(run.rollback, request, selection, verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Try again what a report says is not complete.")
def retry(arguments: Annotated[list[str], words("FILE")], request: Request) -> None:
    """Do what failed, was interrupted or never begun in the run whose --report FILE is, as it was asked for then.

    What was complete is left alone. FILE then has how each pod ended at last, so nothing is left to do when all are
    complete. A push whose sources have changed since is refused. The exit code is that of the whole.
    """
    from asynccp.cli import again

    _exit(again.retry, request, _file(arguments, "retry"), verbose=request.showing.verbose)


@_app.command(cls=Command, short_help="Show a report again, as text, JSON or a page.")
def report(arguments: Annotated[list[str], words("FILE")], request: Request) -> None:
    """Show again what a run has written for --report FILE. No cluster is asked; the exit code is 0 for any report."""
    from asynccp.cli import again

    _exit(again.show, request, _file(arguments, "report"))


@_app.command(cls=Command, short_help="Ask whether a copy would work, and what is missing.")
def check(arguments: Annotated[list[str], words("TARGET...", default_factory=list)], request: Request) -> None:
    """Ask the cluster whether a copy would work: which pods match, what the user may, whether an exec comes through.

    Targets are written as for push; a path may be left out. Nothing is copied: `true` is run in one pod of each image.
    What is missing is shown with the commands that grant it; the exit code is 1 then.
    """
    labels, targets = (
        [one if ":" in one else f"{one}:/" for one in written] for written in (request.labels, arguments)
    )
    selection = request._replace(labels=tuple(labels)).selection(targets)
    from asynccp.cli.check import check as look

    _exit(look, request, selection)


@_app.command(cls=Command, short_help="Print what relays in a cluster need.")
def relay(arguments: Annotated[list[str], words("manifest")], request: Request) -> None:
    """Print what --relays makes in a cluster, as YAML: a service account, its role and binding, and the Job.

    For who applies such things themselves: a template that names a service account (serviceAccountName) has that used,
    and nothing but the Job is made. A role is needed in each namespace with pods that are copied to.
    """
    if arguments != ["manifest"]:
        raise UsageError("relay prints a manifest, and does nothing else", hint=example("relay"))
    from asynccp.cli.relays import print_manifest

    raise typer.Exit(print_manifest(request))


@_app.command(cls=Command, short_help="Show which settings hold, and where they come from.")
def config(
    arguments: Annotated[list[str], words("[COMMAND...] [@PROFILE]", default_factory=list)], request: Request
) -> None:
    """Show each setting that is no default, of all commands or of some, and where it comes from.

    What is written comes first, then $ASYNCCP_FLAG, the profile, ./.asynccp.toml, and your own file.
    """
    from asynccp.cli import config as settings

    raise typer.Exit(settings.config(request, arguments))


@_app.command(short_help="Print what makes a shell complete words of a command line.")
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print a script that makes bash, zsh or fish complete commands, options, and the names that a cluster has.

    Contexts, namespaces, labels, pods, containers, workloads, and paths in pods: within half a second, or not at all.
    For bash: source <(asynccp completion bash)
    """
    from asynccp.cli.shells import script

    typer.echo(script(shell), nl=False)


def _of_demo(name: str, about: str, **more: Any) -> Any:
    """Return what typer is told of an option of the demo, which isn't in the table of flags."""
    return typer.Option(name, envvar=f"ASYNCCP_{name[2:].upper()}", show_envvar=False, help=about, **more)


@_app.command(short_help="Try both on a cluster inside this process.")
def demo(
    pods: Annotated[int, _of_demo("--pods", "How many pods the demo cluster has.", metavar="N", min=1)] = 8,
    serve: Annotated[bool, _of_demo("--serve", "Keep the cluster running, for commands of your own.")] = False,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIRECTORY]", help="Where the pods, the kubeconfig and the result go.")
    ] = DEMO,
) -> None:
    """Push to and pull from a cluster inside this process, whose pods are directories; no Kubernetes is needed."""
    from asynccp.cli import run

    _exit(run.serve if serve else run.demonstrate, directory, pods)


@_app.callback(invoke_without_command=True)
def version(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    if version:
        typer.echo(f"asynccp {__version__}")
        raise typer.Exit


def program(command: str = "") -> typer.Typer:
    """Return what reads a command line that is meant for one command; for any of them, if there is none of that name.

    To make ready what has all the flags of every command took a twelfth of a start.
    """
    found = copy.copy(_app)
    meant = [one for one in _app.registered_commands if one.callback and one.callback.__name__ == command]
    found.registered_commands = [copy.copy(one) for one in meant or _app.registered_commands]
    for one in found.registered_commands:
        if one.cls is Command and one.callback:
            one.callback = with_flags(one.callback)
    return found


def main() -> None:
    """Run the command line: every error is a sentence on stderr, and an exit code."""
    name = os.path.basename(sys.argv[0])
    app = program(sys.argv[1] if len(sys.argv) > 1 else "")
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


def _exit(work: Callable[..., Awaitable[int]], *arguments: Any, verbose: int = 0) -> NoReturn:
    import logging

    import anyio

    if "ASYNCCP_TRACEBACK" not in os.environ:
        # What asyncio logs of a connection that broke (asyncio/sslproto.py) each pod's own error says, in words.
        logging.getLogger("asyncio").addHandler(logging.NullHandler())
        logging.getLogger("asyncio").propagate = False
    raise typer.Exit(anyio.run(_to_its_end, verbose, work, *arguments))


async def _to_its_end(verbose: int, work: Callable[..., Awaitable[int]], *arguments: Any) -> int:
    """Await the work, perhaps with a trace, and return the exit code. If it was interrupted, the process ends here.

    Both asyncio and Python would wait for every thread then, such as one that asks a name server or looks at a disk.
    """
    from asynccp.cli.trace import traced

    gc.freeze()
    gc.enable()
    try:
        with traced(verbose):
            code = await work(*arguments)
    except Exception as exc:
        if not interrupt.heard():
            raise
        _told(exc)
        code = interrupt.EXIT_CODE
    if interrupt.heard():
        os._exit(streams.end(code))
    return code


def _file(arguments: list[str], command: str) -> Path:
    if len(arguments) != 1:
        raise UsageError(f"{command} takes the file of one report", hint=example(command))
    return Path(arguments[0])


def _split(arguments: list[str], perhaps_local: list[str], *, stdout: bool = False) -> tuple[list[str], list[str]]:
    """Split arguments into local paths and remote ones. perhaps_local: those that are local if they exist here."""
    return split_arguments(arguments, [one for one in perhaps_local if os.path.lexists(one)], stdout=stdout)
