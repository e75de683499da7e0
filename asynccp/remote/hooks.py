"""Hooks: how a pod is told what to run besides a copy, and what it tells of it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from asynccp.archive.printf import for_printf
from asynccp.errors import HookFailed
from asynccp.remote.messages import number
from asynccp.report import HookRun
from asynccp.text import printable

OUTPUT_SIZE = 4096  # bytes of the end of what a hook says that are kept, and stand in the report
_TOLD = 300  # characters of it in an error
_MOST_COMM = 15  # bytes of a process's name that the system keeps (proc_pid_comm(5))
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/:,=+@%")
_TIMED_OUT = 124
_WORDS = {"before": "the command before", "after": "the command after", "signal": "the signal"}


def hook_line(when: str, command: str, timeout_s: int) -> bytes:
    """Return the line that has a command run. when: `before` or `after`."""
    text = for_printf(command.encode("utf-8", "surrogateescape"), _PLAIN)
    return b"%b %d %b\n" % (when.encode(), timeout_s, text)


def signal_line(signal: str) -> bytes:
    """Return the line that has a signal sent: NAME, or NAME:PROCESS."""
    name, _, process = signal.partition(":")
    return f"signal {name} {process[:_MOST_COMM]}".rstrip().encode() + b"\n"


def words_of(when: str) -> str:
    return _WORDS[when]


class Ran(NamedTuple):
    """How a hook ended. code: its exit code. back: whether what it followed is undone; None if that was not tried."""

    code: int
    back: bool | None

    @classmethod
    def read(cls, facts: Mapping[str, str]) -> Self:
        code, back = number(facts, "rc"), facts.get("back", "")
        return cls(255 if code is None or code > 255 else code, {"yes": True, "no": False}.get(back))

    def output(self, said: bytes) -> str:
        """Return the end of what it said, line by line, safe to show."""
        return "\n".join(printable(line, OUTPUT_SIZE) for line in said.rstrip(b"\n").split(b"\n"))

    def error(self, run: HookRun, timeout_s: float, *, keeps: bool) -> HookFailed:
        """Return the error of one that failed. keeps: what is replaced is kept."""
        said = " / ".join(filter(None, (line.strip() for line in run.output.split("\n"))))[-_TOLD:]
        how = f"failed with exit code {run.exit_code}"
        if run.exit_code == _TIMED_OUT and run.seconds >= timeout_s:
            how = f"took longer than {timeout_s:g} s and was ended"
        what = f"{words_of(run.when)} {how}" + (f": {said}" if said else "")
        if run.when == "before":
            return HookFailed(f"nothing was changed, because {what}")
        if self.back:
            return HookFailed(f"{what}; what was there before is there again")
        if self.back is False:
            return HookFailed(f"{what}; and what was there before could not be brought back")
        hint = "what was pushed is in its place; a push with a backup would have brought back what was there"
        return HookFailed(what, hint="nothing had been replaced, so there was nothing to bring back" if keeps else hint)
