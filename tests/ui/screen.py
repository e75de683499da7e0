"""A terminal as far as tqdm needs one: newline, carriage return, one up. Anything else of the kind is an error."""

import io
import os
import re

from asynccp.report import Outcome, Result
from asynccp.target import Target, Transfer

_PIECE = re.compile("\x1b\\[A|.", re.DOTALL)


class Screen(io.StringIO):
    """What a person sees: `rows`, without trailing blanks. `text` is everything since the start."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self.columns, self.lines = columns, lines
        self.wrapped = False  # a line reached the right edge
        self._cells: list[str] = [""]
        self._row = self._column = 0

    def isatty(self) -> bool:
        return True

    def size(self) -> os.terminal_size:
        return os.terminal_size((self.columns, self.lines))

    def resize(self, columns: int, lines: int) -> None:
        """Cut what is beyond the edge, as xterm does; other terminals fold it, and no program can know."""
        self.columns, self.lines = columns, lines
        self._cells = [line[:columns] for line in self._cells]
        self._column = min(self._column, columns - 1)

    def write(self, text: str) -> int:
        for piece in _PIECE.findall(text):
            match piece:
                case "\x1b[A":
                    self._row = max(0, self._row - 1)
                case "\r":
                    self._column = 0
                case "\n":
                    self._go_down()
                case _:
                    assert piece.isprintable(), f"{piece!r} reached the terminal"
                    self._put(piece)
        return super().write(text)

    @property
    def text(self) -> str:
        return self.getvalue()

    @property
    def rows(self) -> list[str]:
        stripped = [line.rstrip() for line in self._cells]
        while stripped and not stripped[-1]:
            stripped.pop()
        return stripped

    def _go_down(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._cells):
            self._cells.append("")

    def _put(self, piece: str) -> None:
        if self._column >= self.columns - 1:
            self.wrapped = True
        if self._column >= self.columns:
            self._go_down()
        line = self._cells[self._row].ljust(self._column)
        self._cells[self._row] = line[: self._column] + piece + line[self._column + 1 :]
        self._column += 1


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pod(name: str = "web-1", path: str = "/etc/app", namespace: str = "default") -> Transfer:
    return Transfer(Target(namespace, name, "app"), path)


def complete(transfer: Transfer) -> Result:
    return Result(transfer, Outcome.COMPLETE, 1_572_864, 200, wire_size=1_600_000, seconds=0.81, protocol="v4")


def failed(transfer: Transfer, error: str = "the container has no tar", hint: str = "") -> Result:
    return Result(transfer, Outcome.FAILED, error=error, hint=hint)
