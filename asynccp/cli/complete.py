"""Complete: what may stand at the cursor of a shell's command line, within half a second, or nothing.

    asynccp __complete WORD...      the words behind the program's name, the last one as far as it is written

Each line of the answer is a whole word in place of the last, a tab, and what it is; `:files` means that the shell's own
names of files may stand there as well. A shell puts what it is given on a command line that somebody will run, and
labels, names and files are made by others: so a word that a shell could take for more than a word is left out.

The scripts of the shells are `shells/`; `asynccp completion` prints them.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn, Protocol

from asynccp.cli import interrupt
from asynccp.cli.configured import WITH_PROFILES, configured, found_files
from asynccp.cli.flag import Flag
from asynccp.cli.flags import flags_of
from asynccp.cli.line import Line, read_line
from asynccp.cli.request import Request
from asynccp.errors import AsyncCpError
from asynccp.target import WORKLOADS, is_remote

FILES = ":files"
MOST = 500  # words
KINDS = ("deploy", "sts", "ds", "rs", "job", "svc")
_PLAIN = re.compile(r"[-A-Za-z0-9._/:=,@+%]+")
_LOCAL_FIRST = ("push", "diff")
_OF_FILES = ("retry", "report")


class Word(NamedTuple):
    """One that may stand there. about: what it is, for shells that show it."""

    text: str
    about: str = ""


class Names(Protocol):
    """What there is in a cluster (`cli.lookup`). Where nobody can tell, nothing. namespace: None is all."""

    async def contexts(self) -> Sequence[str]: ...
    async def namespaces(self) -> Sequence[str]: ...
    async def pods(self, namespace: str = "") -> Sequence[tuple[str, str, Mapping[str, str]]]:
        """Return namespace, name and labels of each. namespace: empty means as the line and the settings say."""

    async def workloads(self, kind: str) -> Sequence[str]: ...
    async def containers(self) -> Sequence[str]: ...
    async def paths(self, who: str, path: str, *, by_labels: bool) -> Sequence[str]:
        """Return the paths that begin with `path` in a container: of who is named, or of one with these labels."""


def main(words: Sequence[str]) -> NoReturn:
    """Answer a shell, and end the process: whatever goes wrong is no answer."""
    found: list[Word] = []
    with suppress(Exception):
        line = read_line(words)
        found = _local(line) or _asked(line)
    text = "".join(f"{one.text}\t{one.about}\n" for one in fit(found))
    with suppress(OSError):
        os.write(1, text.encode())
    os._exit(0)  # waits for no thread, such as one that asks a name server


def fit(found: Iterable[Word]) -> list[Word]:
    """Return the words that no shell can take for more than a word, each once."""
    once = {one.text: one for one in found if one.text == FILES or _PLAIN.fullmatch(one.text)}
    return [Word(text, one.about.replace("\n", " ")) for text, one in once.items()][:MOST]


def _local(line: Line) -> list[Word]:
    """Return what is known without anybody being asked."""
    if not line.command:
        return [one for one in _commands() if one.text.startswith(line.word)]
    if line.flag:
        return [Word(line.stem + one) for one in _choices(line.flag) if one.startswith(line.word)]
    if line.word.startswith("-") and not line.is_literal and line.word != "-":
        return [Word(name, about) for name, about in _flags(line.command) if name.startswith(line.word)]
    if line.command == "config":
        names = dict.fromkeys(command for flag in flags_of("config") for command in flag.commands)
        return [*_starting(line, [*names]), *_profiles(line)]
    if line.command == "completion":
        return _starting(line, ["bash", "zsh", "fish"])
    if line.word.startswith("@") and line.command in WITH_PROFILES:
        return _profiles(line)
    return [Word(FILES)] if line.command in _OF_FILES else []


def _asked(line: Line) -> list[Word]:
    """Return what has to be asked for, if it comes in time."""
    import anyio  # here: most words are known without it

    from asynccp.cli.lookup import Lookup

    found: list[Word] = []
    lookup = Lookup(line, settled(line))

    async def ask() -> None:
        with anyio.move_on_after(interrupt.patience_s() - since_start_s()):
            found.extend(await words_of(line, lookup))

    anyio.run(ask)
    return found or _files(line)


def settled(line: Line) -> Request:
    """Return what a line asks for so far, with its settings. What is not right yet is left out."""
    from asynccp.cli.flags import request_of

    words = {flag.parameter: one for flag in flags_of(line.command) if (one := _written(flag, line))}
    try:
        found = configured(line.command, [], list(words), os.environ)
        return request_of(line.command, words, (), found.settings)
    except AsyncCpError:
        return Request(command=line.command)


def _written(flag: Flag, line: Line) -> list[str] | str | None:
    if flag.sets.partition(".")[0] not in ("server", "where"):
        return None
    given = line.given.get(flag.parameter)
    return None if not given else list(given) if flag.kind is tuple else given[-1] or "1"


async def words_of(line: Line, names: Names) -> list[Word]:
    """Return what may stand at the cursor. Raises AsyncCpError where nobody can tell."""
    if line.flag:
        return [Word(line.stem + one.text, one.about) for one in await _values(line, line.flag, names)]
    return [*await _targets(line, names), *_files(line)]


async def _values(line: Line, flag: Flag, names: Names) -> list[Word]:
    match flag.parameter:
        case "context":
            return _starting(line, await names.contexts())
        case "namespace":
            return _starting(line, await names.namespaces())
        case "container":
            return _starting(line, await names.containers())
        case "selector":
            return await _selector(line.word, names)
    return [Word(FILES)] if flag.metavar == "FILE" else []


async def _selector(word: str, names: Names) -> list[Word]:
    """Return label keys, values of one, or paths behind the colon."""
    who, colon, path = word.partition(":")
    if colon:
        return [Word(f"{who}:{one}") for one in await names.paths(who, path, by_labels=True)]
    before, comma, term = who.rpartition(",")
    labels = [labels for _, _, labels in await names.pods()]
    found = re.fullmatch(r"([^=!]*)(!=|==|=)(.*)", term)
    stem = before + comma
    if found:
        key, operator, part = found.groups()
        counts = _counted(one[key] for one in labels if key in one)
        return [
            Word(f"{stem}{key}{operator}{value}", f"{count} pods")
            for value, count in counts.items()
            if value.startswith(part)
        ]
    counts = _counted(key for one in labels for key in one)
    return [Word(f"{stem}{key}=", f"{count} pods") for key, count in counts.items() if key.startswith(term)]


async def _targets(line: Line, names: Names) -> list[Word]:
    """Return pods, workloads, namespaces, or paths behind a colon."""
    if line.command not in WITH_PROFILES or line.word.startswith((".", "/", "~")):
        return []
    who, colon, path = line.word.partition(":")
    if colon and is_remote(line.word):
        labels = line.last("selector").partition(":")[0]
        if not (who or labels):
            return []
        found = await names.paths(who or labels, path, by_labels=not who)
        return [Word(f"{who}:{one}") for one in found]
    end = "" if line.command == "check" else ":"
    first, slash, _ = who.partition("/")
    if slash and first in WORKLOADS:
        return _starting(line, [f"{first}/{name}{end}" for name in await names.workloads(first)])
    if slash:
        pods = await names.pods("" if first in ("pod", "pods", "po") else first)
        return _starting(line, [f"{first}/{name}{end}" for _, name, _ in pods])
    kinds = [Word(f"{kind}/") for kind in KINDS if kind.startswith(line.word)]
    return [*_starting(line, [f"{name}{end}" for _, name, _ in await names.pods()]), *kinds]


def _files(line: Line) -> list[Word]:
    """Return whether files of this machine may stand there."""
    if line.flag:
        return [Word(FILES)] if line.flag.metavar == "FILE" else []
    is_over = ":" in line.word and is_remote(line.word)
    if is_over or line.command == "check":
        return []
    is_first = not any(not is_remote(one) for one in line.arguments)
    wants = line.command in (*_LOCAL_FIRST, "cp") or (
        line.command == "pull" and bool(line.arguments or line.last("selector"))
    )
    return [Word(FILES)] if wants and (is_first or line.command in _LOCAL_FIRST) else []


def _starting(line: Line, found: Iterable[str]) -> list[Word]:
    return [Word(one) for one in found if one.startswith(line.word)]


def _profiles(line: Line) -> list[Word]:
    names = {name: file.shown for file in found_files(os.environ) for name in file.profiles}
    return [Word(f"@{name}", f"of {shown}") for name, shown in names.items() if f"@{name}".startswith(line.word)]


def _commands() -> list[Word]:
    from asynccp.cli.app import program  # here: typer takes a third of the time

    commands = program().registered_commands
    return [Word(one.callback.__name__ if one.callback else "", one.short_help or "") for one in commands]


def _flags(command: str) -> Iterator[tuple[str, str]]:
    for flag in flags_of(command):
        about = flag.help.partition(". ")[0].rstrip(".")
        yield from ((name, about) for name in flag.names.split() if name.startswith("--"))
    yield "--help", "Show what the command takes"


def _choices(flag: Flag) -> list[str]:
    """Return the words that a flag takes, where there are few."""
    members = getattr(flag.kind, "__members__", {})
    return [str(one.value) for one in members.values()]


def _counted(found: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one] = counts.get(one, 0) + 1
    return dict(sorted(counts.items()))


def since_start_s() -> float:
    """Return the seconds since this process was started: what Python has taken counts, too."""
    with suppress(OSError, ValueError, IndexError, AttributeError):
        with open("/proc/self/stat", "rb") as opened:
            ticks = int(opened.read().rpartition(b")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.process_time()
