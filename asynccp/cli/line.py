"""Line: what stands on a command line before the cursor, and so what the word at the cursor is. Pure.

Taken apart by the table of flags, as typer does, but nothing is refused: a line that is being written is never right.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asynccp.cli.flag import Flag
from asynccp.cli.flags import flags_of


class Line(NamedTuple):
    """A line up to the cursor.

    command: empty where it is the word itself. word: what is there of it; stem: what stands before that in it, as
    `--context=`. flag: whose value it is; None: it is an argument, or a flag itself. is_literal: behind `--`.
    given: the words of flags, by parameter. arguments: before the word.
    """

    command: str
    word: str
    stem: str = ""
    flag: Flag | None = None
    is_literal: bool = False
    given: Mapping[str, Sequence[str]] = {}
    arguments: Sequence[str] = ()

    def last(self, parameter: str) -> str:
        """Return the last word of a flag; empty where it was not given."""
        return next(iter([*self.given.get(parameter, ())][-1:]), "")


def read_line(words: Sequence[str]) -> Line:
    """Return what a line says. words: those behind the program's name; the last one is at the cursor, perhaps empty."""
    *before, word = words or [""]
    if not before:
        return Line("", word)
    command, *rest = before
    flags = {name: flag for flag in flags_of(command) for name in flag.names.split()}
    given: dict[str, list[str]] = {}
    arguments: list[str] = []
    open_flag: Flag | None = None
    is_literal = False
    for one in rest:
        if open_flag:
            given.setdefault(open_flag.parameter, []).append(one)
            open_flag = None
        elif is_literal or not one.startswith("-") or one == "-":
            arguments.append(one)
        elif one == "--":
            is_literal = True
        else:
            flag, value = _flag(one, flags)
            if flag and value is not None:
                given.setdefault(flag.parameter, []).append(value)
            elif flag:
                open_flag = flag
    line = Line(command, word, "", open_flag, is_literal, given, arguments)
    if open_flag or is_literal or not word.startswith("-"):
        return line
    flag, value = _flag(word, flags)
    if flag and value and flag.metavar:
        return line._replace(word=value, stem=word[: len(word) - len(value)], flag=flag)
    if flag and word.startswith("--") and word.endswith("="):
        return line._replace(word="", stem=word, flag=flag)
    return line


def _flag(word: str, flags: Mapping[str, Flag]) -> tuple[Flag | None, str | None]:
    """Return the flag that a word names, and its value: None where that is the next word, empty for a switch."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        flag = flags.get(name)
        is_followed = bool(flag and flag.metavar and not flag.alone)
        return flag, value if equals or not is_followed else None
    flag = None
    for at, letter in enumerate(word[1:], 2):  # -qv, -nNAME
        flag = flags.get(f"-{letter}")
        if flag is None or flag.metavar:
            return flag, word[at:] or None
    return flag, ""
