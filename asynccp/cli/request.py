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
    """Which API server, and as whom; or several: a context may be a pattern. None: as kubectl finds it."""

    kubeconfig: str | None = None
    contexts: tuple[str, ...] = ()

    @property
    def names_several(self) -> bool:
        """Whether more than one cluster may be meant, whoever matches today."""
        return len(self.contexts) > 1 or any(sign in one for one in self.contexts for sign in "*?[")

    @property
    def context(self) -> str | None:
        """The one that counts where one is meant: the last, as for kubectl."""
        return self.contexts[-1] if self.contexts else None


class Showing(NamedTuple):
    """What is shown of a run, and where.

    dry_run: show the plan, or what a push would change, and end. report: a file that gets the report
    too, as JSON; html: one that gets it as a page. events: a file that gets what happens while it does, `-` for stdout.
    exit_code: it tells whether anything differs. unified: show how the text of small files does.
    confirm: somebody is asked before each wave.
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
    confirm: bool = False


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


class Following(NamedTuple):
    """Whether a command goes on, and for how long.

    pods: of a push: those that come, or are restarted, get the same. sources: all get what has changed here. every_s:
    of a pull: seconds from one to the next; 0: there is one. for_s: until it ends by itself; 0: it does not.
    """

    pods: bool = False
    sources: bool = False
    every_s: int = 0
    for_s: int = 0

    @property
    def goes_on(self) -> bool:
        return self.pods or self.sources or self.every_s > 0


class RelayWords(NamedTuple):
    """Whether relays in the cluster carry a command out. number: of them; 0: none do.

    image: with asynccp in it. namespace: empty: that of the pods. template: a file with a pod template.
    """

    number: int = 0
    image: str = ""
    namespace: str = ""
    template: str = ""


class Request(NamedTuple):
    """What a command was asked for, besides its arguments.

    command: whose flags a hint may name. labels: as written for -l, a path perhaps behind each. where: a selection that
    has no selectors yet. template: where a pull's copies land; empty: as usual. archive: the file that they go into;
    empty: a directory. workers: processes that carry it out; 0: as many as pay. since: when; `dated` makes a moment of
    it. logs: of containers. preserve: of cp: keep modes in the container. anyway: of a second try: also when the
    sources have changed. configured: by files of settings, too. to: of a rollback: which revision.
    """

    command: str = ""
    labels: tuple[str, ...] = ()
    where: Selection = Selection(())
    server: Server = Server()
    options: Options = Options()
    showing: Showing = Showing()
    template: str = ""
    archive: str = ""
    workers: int = 1
    relays: RelayWords = RelayWords()
    since: Since = Since()
    logs: LogWords = LogWords()
    preserve: bool = True
    anyway: bool = False
    following: Following = Following()
    configured: bool = True
    to: str = ""

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
