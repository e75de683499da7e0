"""A request: what a command line asks for, as plain values; the defaults of a command line are those of these fields.

Groups again, each handed whole to who obeys it. That these are fields of one value lets a flag name what it sets by a
dotted path (`cli.flags`).
"""

import math
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from asynccp.errors import UsageError
from asynccp.options import Options
from asynccp.target import Log, Selection, parse_selectors


class Output(StrEnum):
    """What stdout has of a report or a plan."""

    TEXT = "text"
    JSON = "json"


_SECOND_NS = 1_000_000_000


# Neither compared nor printed: each method that isn't made for a class saves a third of a millisecond of every start.
class Server(NamedTuple):
    """Which API server, and as whom: what `connect` takes. None: as kubectl finds it."""

    kubeconfig: str | None = None
    context: str | None = None


class Showing(NamedTuple):
    """What is shown of a run, and where.

    dry_run: show the plan, or what a push would change, and end. report: a file that gets the report
    too, as JSON; html: one that gets it as a page. events: a file that gets what happens while it does, `-` for stdout.
    exit_code: it tells whether anything differs. unified: show how the text of small files does.
    quiet: nothing of what went well. verbose: 1 for a line when a pod starts and ends; 2 for a trace (`cli.trace`).
    """

    dry_run: bool = False
    exit_code: bool = False
    unified: bool = False
    output: Output = Output.TEXT
    report: Path | None = None
    html: Path | None = None
    events: str = ""
    quiet: bool = False
    verbose: int = 0


class Since(NamedTuple):
    """Since when: a pull takes of files what has changed, and of logs what was said.

    span_s: before now; 0: not said so. moment_ns: since 1970. file_ns: likewise, when a file was changed.
    """

    span_s: int = 0
    moment_ns: int | None = None
    file_ns: int | None = None

    def at_ns(self, now_ns: int) -> int | None:
        """Return the moment, None if there is none. Raises UsageError where it is said more than once."""
        said = (now_ns - self.span_s * _SECOND_NS if self.span_s else None, self.moment_ns, self.file_ns)
        found = [one for one in said if one is not None]
        if len(found) > 1:
            raise UsageError("since when is said more than once", hint="keep one of them")
        return found[0] if found else None


class LogWords(NamedTuple):
    """Whether a pull takes containers' logs, too, and what of them; fields as in `target.Log`.

    since_s: as `Request.dated` has it. tail: -1: all. previous: also those of the containers before the last restart.
    """

    wanted: bool = False
    previous: bool = False
    since_s: int = 0
    tail: int = -1
    timestamps: bool = False

    def logs(self) -> tuple[Log, ...]:
        """Return the logs that are asked for of each container. Raises UsageError."""
        narrowed = (self.previous, self.tail, self.timestamps) != (False, -1, False)
        if not self.wanted:
            if narrowed:
                raise UsageError(
                    "no logs are asked for, but which lines of them", hint="--container-logs takes containers' logs"
                )
            return ()
        one = Log(since_s=self.since_s, tail=None if self.tail < 0 else self.tail, timestamps=self.timestamps)
        return (one, one._replace(previous=True)) if self.previous else (one,)


class Request(NamedTuple):
    """What a command was asked for, besides its arguments.

    command: whose flags a hint may name. labels: as written for -l, a path perhaps behind each. where: a selection that
    has no selectors yet. template: where a pull's copies land; empty: as usual. archive: the file that they go into;
    empty: a directory. since: when; `dated` makes a moment of it. logs: of containers. preserve: of cp: keep modes in
    the container. anyway: of a second try: also when the sources have changed.
    """

    command: str = ""
    labels: tuple[str, ...] = ()
    where: Selection = Selection(())
    server: Server = Server()
    options: Options = Options()
    showing: Showing = Showing()
    template: str = ""
    archive: str = ""
    since: Since = Since()
    logs: LogWords = LogWords()
    preserve: bool = True
    anyway: bool = False

    @property
    def compares(self) -> bool:
        """Whether it is only looked at what a push would change."""
        return self.command == "diff" or (self.command == "push" and self.showing.dry_run)

    def dated(self, now_ns: int) -> "Request":
        """Return the request with the moment since when, for files and for logs. Raises UsageError.

        now_ns: of this machine's clock. Of logs a node's clock tells what was said so many seconds ago.
        """
        since_ns = self.since.at_ns(now_ns)
        if since_ns is None:
            return self
        collecting = self.options.collecting._replace(newer_than_ns=since_ns)
        ago_s = max(1, math.ceil((now_ns - since_ns) / _SECOND_NS))
        return self._replace(
            options=self.options._replace(collecting=collecting), logs=self.logs._replace(since_s=ago_s)
        )

    def selection(self, remotes: list[str]) -> Selection:
        """Return who is asked for by labels and arguments. Raises UsageError."""
        logs = self.logs.logs()
        selectors = parse_selectors(self.labels, remotes, needs_path=not logs)
        return self.where._replace(selectors=selectors, logs=logs)
