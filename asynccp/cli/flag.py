"""Flag: one flag of some commands, and what a word of it means."""

from collections.abc import Callable, Mapping
from functools import reduce
from keyword import iskeyword
from typing import Any

from msgspec import Struct

from asynccp.cli.request import Request
from asynccp.errors import UsageError
from asynccp.limits import parse_size, size_word
from asynccp.text import printable

DEFAULTS = Request()


class Flag(Struct, frozen=True):
    """One flag of some commands.

    names: the short one first. on: the commands that have it. sets: the dotted path of a field of `Request`.
    metavar: what stands for its word; a flag without one is a switch, or counts how often it was given.
    least: the smallest value, of a number. read: what makes a value of its word, where the field's type can't tell; of
        several words, of each.
    knob: what a hint calls it, where that isn't the field's name.
    alone: its word where it has none; then one has to follow an equals sign: `--backup=5`.
    """

    names: str
    on: str
    sets: str
    help: str
    metavar: str = ""
    least: float = 0
    read: Callable[[str], object] | None = None
    knob: str = ""
    alone: str = ""

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
        name = self.long.removeprefix("--").replace("-", "_")
        return f"{name}_" if iskeyword(name) else name

    @property
    def variable(self) -> str:
        return f"ASYNCCP_{self.parameter.rstrip('_').upper()}"

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
