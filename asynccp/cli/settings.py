"""Settings: what holds for a flag that was not written, and where that comes from.

    flag > variable of the environment > profile > ./.asynccp.toml > the user's own file > default

A setting is a word for a flag, and what its word means the flag says, as for one that was written. Layers are looked at
in this order; of a flag the first that has it counts, and what contradicts it in a later layer does not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from asynccp.cli.flag import Flag
from asynccp.cli.flags import flags_of
from asynccp.errors import UsageError
from asynccp.text import printable

PROFILE = "@"

# Of these only one is meant: one that is nearer takes the place of another one further away.
_RIVALS = (
    {"namespace", "all_namespaces"},
    {"container", "all_containers"},
    {"since", "since_time", "newer_than"},
    {"quiet", "verbose"},
)
REPEATS = ("retry",)
"""What a report keeps of a run, these do again, whatever the files say by then: in the same cluster first of all."""

_SHOWN = ("showing.output", "showing.quiet", "showing.verbose", "configured")


class Setting(Struct, frozen=True):
    """One flag's word, as `Flag.value` takes it. origin: where it stands, in words; profile: of which."""

    flag: Flag
    word: Any
    origin: str = ""
    profile: str = ""

    @property
    def value(self) -> Any:
        """What the word means. Raises UsageError."""
        try:
            return self.flag.value(self.word)
        except UsageError as exc:
            raise UsageError(f"{self.origin}: {exc}", hint=exc.hint) from None


Layer = Mapping[str, Setting]
"""The settings of one place, by parameter."""


def environment(command: str, variables: Mapping[str, str]) -> Layer:
    """Return what the environment sets for a command. Raises UsageError."""
    found = {}
    for flag in flags_of(command):
        if word := variables.get(flag.variable):
            words = _several(flag, word) if flag.kind is tuple else word
            found[flag.parameter] = Setting(flag, words, flag.variable)
    return found


def joined(command: str, written: Iterable[str], layers: Sequence[Layer]) -> dict[str, Setting]:
    """Return the settings that count, by parameter. written: the parameters on the command line; layers: nearest
    first.
    """
    found: dict[str, Setting] = {}
    nearer = set(written)
    for layer in layers:
        hidden = nearer.union(*(rivals for rivals in _RIVALS if rivals & nearer))
        found |= {parameter: one for parameter, one in layer.items() if parameter not in hidden}
        nearer |= layer.keys()
    if command in REPEATS:
        return {name: one for name, one in found.items() if one.flag.sets in _SHOWN or not _is_filed(one)}
    return found


def _is_filed(setting: Setting) -> bool:
    return setting.origin != setting.flag.variable


def profile_of(arguments: Sequence[str]) -> str:
    """Return the name of the profile among arguments, empty if there is none. Raises UsageError."""
    names = [one.removeprefix(PROFILE) for one in arguments if one.startswith(PROFILE)]
    if len(names) > 1:
        raise UsageError(f"a command has one profile, not {len(names)}: {printable(', '.join(names))}", hint=_A_FILE)
    return _named(names[0]) if names else ""


def with_arguments(arguments: Sequence[str], of_profile: Sequence[str]) -> list[str]:
    """Return arguments with those of a profile in its place."""
    found: list[str] = []
    for one in arguments:
        found += of_profile if one.startswith(PROFILE) else [one]
    return found


_A_FILE = "a file whose name begins with @ is written ./@NAME"


def _named(name: str) -> str:
    if not name:
        raise UsageError("@ names no profile", hint=_A_FILE)
    return name


def _several(flag: Flag, text: str) -> list[str]:
    """Return the words of a variable: at blanks, but for those in quotes."""
    import shlex  # here: few have such a variable

    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        raise UsageError(f"{flag.variable} has a quote that does not end") from None
