"""Files of settings: TOML → layers of settings. Two are looked for, the user's own and the working directory's.

    timeout = 60                      of every command that has --timeout
    [push]
    checksum = true                   of push alone
    [profiles.web]                    of `@web`, the same again; and `arguments`, which take its place
    selector = ["app=web:/etc/app"]
    [profiles.web.push]
    arguments = ["./config/"]

`./.asynccp.toml` comes with the directory, which may be anybody's: a repository that was cloned to be looked at. So it
says how a copy is made, and not to whom, of what, with which rights: it has the settings of `HOW` alone, and its
profiles, which somebody has asked for by name as for a Makefile's target, those of `NAMED` too. Neither leads out of
the directory, to another cluster, to another's program (a kubeconfig runs plugins, an ephemeral container is one, and
so is a command before or behind a push), or to fewer guards against pods. A file that others may write is nobody's
own, and is refused as by ssh.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asynccp.cli.configured import HERE, users_path
from asynccp.cli.flag import Flag
from asynccp.cli.flags import FLAGS, flags_of
from asynccp.cli.settings import Layer, Setting
from asynccp.errors import UsageError
from asynccp.target import is_remote
from asynccp.text import printable

FILE_SIZE = 64 * 1024
"""Bytes of a file of settings, at most: tomllib takes a second for the worst file of that size."""

HOW = frozenset((
    "concurrency", "per-node", "bwlimit", "compress", "timeout", "retries", "fail-fast", "strict", "strict-sources",
    "checksum", "include", "exclude", "one-file-system", "output", "verbose", "unified",
))  # fmt: skip
NAMED = frozenset((
    "selector", "namespace", "all-namespaces", "container", "all-containers", "field-selector", "template",
    "no-follow", "ignore-times", "force", "mirror", "dedup", "since", "since-time", "tail-bytes", "delete",
    "max-delete", "delete-excluded", "existing", "ignore-existing", "update", "no-perms", "no-times", "dir-perms",
    "chmod", "partial", "in-place", "container-logs", "previous", "tail", "timestamps", "max-file-size", "max-pod-size",
    "max-total", "dry-run", "exit-code", "quiet", "canary", "wave", "wave-by", "pause", "max-failures", "settle",
    "confirm",
))  # fmt: skip
ARGUMENTS = "arguments"

_BY_NAME: dict[str, list[Flag]] = {}
for _flag in FLAGS:
    for _name in _flag.names.split():
        if _name.startswith("--"):
            _BY_NAME.setdefault(_name.removeprefix("--"), []).append(_flag)
_COMMANDS = tuple(dict.fromkeys(command for flag in FLAGS for command in flag.commands))
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w.\"' -]+?)\s*=")


class Section(NamedTuple):
    """A table of settings: those of every command, those of one, and likewise arguments; of none the key is empty."""

    settings: Mapping[str, Layer]
    arguments: Mapping[str, tuple[str, ...]]

    def of(self, command: str) -> Layer:
        """Return what it sets for a command."""
        mine = {flag.parameter for flag in flags_of(command)}
        shared = {name: one for name, one in self.settings.get("", {}).items() if name in mine}
        return {**shared, **self.settings.get(command, {})}

    def arguments_of(self, command: str) -> tuple[str, ...]:
        return self.arguments.get(command, self.arguments.get("", ()))


class ConfigFile(NamedTuple):
    """What a file says. shown: what it is called."""

    shown: str
    section: Section
    profiles: Mapping[str, Section]


class _Place(NamedTuple):
    """Where something stands in a file. is_here: it is the working directory's. profile: its name."""

    shown: str
    text: str
    is_here: bool
    table: tuple[str, ...] = ()
    profile: str = ""

    def below(self, key: str) -> "_Place":
        return self._replace(table=(*self.table, key))

    @property
    def origin(self) -> str:
        line = line_of(self.text, self.table)
        return f"{self.shown}:{line}" if line else self.shown

    def wrong(self, why: str, *, hint: str = "") -> UsageError:
        return UsageError(f"{self.origin}: {why}", hint=hint)


def read_file(path: str, *, is_here: bool) -> ConfigFile | None:
    """Return what a file says; None if it isn't there. Raises UsageError."""
    text = _read(path)
    return None if text is None else parse(text, path, is_here=is_here)


def find_profile(files: Sequence[ConfigFile], name: str, variables: Mapping[str, str]) -> Section:
    """Return a profile. Raises UsageError: one that is in both files may be either's, and their rights differ."""
    having = [one for one in files if name in one.profiles]
    if len(having) > 1:
        where = " and in ".join(printable(one.shown) for one in having)
        raise UsageError(f"the profile {printable(name)} is in {where}", hint="give one of them another name")
    if having:
        return having[0].profiles[name]
    if not files:
        why = f"neither {HERE} nor {printable(users_path(variables))} is there"
        raise UsageError(
            f"there is no profile {printable(name)}: {why}", hint=f"a file is written ./@{printable(name)}"
        )
    known = sorted({profile for one in files for profile in one.profiles})
    there = f"there are: {printable(', '.join(known))}" if known else "there are none"
    raise UsageError(f"there is no profile {printable(name)}; {there}", hint=f"a file is written ./@{printable(name)}")


def parse(text: str, shown: str, *, is_here: bool) -> ConfigFile:
    """Return what a file says. shown: what it is called; is_here: it is the working directory's. Raises UsageError."""
    import tomllib  # here: most have no such file, and every start would wait for it

    try:
        root = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{printable(shown)} is nested too deeply") from None
    except ValueError as exc:  # also of a number with thousands of digits
        where = re.search(r"\(at line (\d+)", str(exc))
        name = f"{printable(shown)}:{where[1]}" if where else printable(shown)
        raise UsageError(f"{name}: this is no TOML: {printable(str(exc).partition(' (at ')[0], 200)}") from None
    place = _Place(printable(shown), text, is_here)
    profiles = root.pop("profiles", {})
    if not isinstance(profiles, dict):
        raise place.below("profiles").wrong("profiles is a table, with a table for each profile")
    named = {
        name: _section(one, place.below("profiles").below(name)._replace(profile=name))
        for name, one in profiles.items()
    }
    return ConfigFile(shown, _section(root, place), named)


def line_of(text: str, keys: Sequence[str]) -> int:
    """Return the line on which a key stands, or else the table that has it; 0 if neither is found."""
    table: tuple[str, ...] = ()
    best, line = 0, 0
    for number, one in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(one):
            table = found = _dotted(header[1])
        elif key := _KEY.match(one):
            found = (*table, *_dotted(key[1]))
        else:
            continue
        if len(found) > best and tuple(keys[: len(found)]) == found:
            best, line = len(found), number
    return line


def _dotted(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _read(path: str) -> str | None:
    """Return the text of a file; None if it isn't there. Raises UsageError."""
    try:
        os.stat(path)
    except OSError:  # it isn't there, or is in somebody else's home, which isn't ours to look at
        return None
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            _refuse_strangers(os.fstat(opened.fileno()), path)
            data = opened.read(FILE_SIZE + 1)
    except OSError as exc:
        raise _unread(path, f"can't be read: {exc.strerror}") from None
    if len(data) > FILE_SIZE:
        raise _unread(path, f"has more than {FILE_SIZE // 1024} KiB")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        raise UsageError(f"{printable(path)}:{line}: this is no UTF-8") from None


def _refuse_strangers(facts: os.stat_result, path: str) -> None:
    """Raise UsageError for a file that another user has written, or may write. A group of one's own is nobody else."""
    if not stat.S_ISREG(facts.st_mode):
        raise _unread(path, "is no file")
    if facts.st_uid not in (0, os.geteuid()):
        raise _unread(path, f"belongs to another user (uid {facts.st_uid})")
    if facts.st_mode & stat.S_IWOTH:
        raise _unread(path, "may be written by everybody")
    if facts.st_mode & stat.S_IWGRP and facts.st_gid not in (0, os.getegid()):
        raise _unread(path, f"may be written by another group (gid {facts.st_gid})")


def _unread(path: str, why: str) -> UsageError:
    return UsageError(
        f"the file of settings {printable(path)} {why}", hint="mend it, or pass over such files with --no-config"
    )


def _section(table: Any, place: _Place) -> Section:
    if not isinstance(table, dict):
        raise place.wrong(f"{printable(place.table[-1])} is a table of settings")
    settings: dict[str, dict[str, Setting]] = {"": {}}
    arguments: dict[str, tuple[str, ...]] = {}
    for command, key, value, where in _entries(table, place):
        if key == ARGUMENTS:
            arguments[command] = _arguments(value, where)
            continue
        setting = _setting(key, value, command, where)
        if setting.flag.parameter in settings.setdefault(command, {}):
            raise where.wrong(f"{printable(key)} is another name of what was set before")
        settings[command][setting.flag.parameter] = setting
    return Section(settings, arguments)


def _entries(table: Mapping[str, Any], place: _Place) -> Iterator[tuple[str, str, Any, _Place]]:
    """Yield (command or nothing, key, value, where it stands) of a table and of those in it that are of a command."""
    for key, value in table.items():
        where = place.below(key)
        if key in _COMMANDS and key not in _BY_NAME:
            if not isinstance(value, dict):
                raise where.wrong(f"{key} is a table, of settings of that command")
            yield from ((key, name, one, where.below(name)) for name, one in value.items())
        else:
            yield "", key, value, where


def _setting(key: str, value: Any, command: str, place: _Place) -> Setting:
    flags = _BY_NAME.get(key, [])
    if not flags or flags[0].sets == "configured":
        raise place.wrong(f"there is no setting {printable(key, 100)}", hint="settings are flags without their --")
    mine = [flag for flag in flags if not command or command in flag.commands]
    if not mine:
        raise place.wrong(f"{command} has no --{key}")
    flag, *others = mine
    if others:
        which = " and ".join(f"[{one.commands[0]}]" for one in mine)
        raise place.wrong(f"{key} is not the same for all commands", hint=f"set it in {which}")
    if place.is_here and not _may_say(key, by_name=bool(place.profile)):
        raise place.wrong(
            f"{key} may not be set by the working directory" + ("" if key not in NAMED else " outside of a profile"),
            hint="set it in your own file (asynccp config tells which), in the environment, or on the command line",
        )
    return Setting(flag, _word(flag, value, place), place.origin, place.profile)


def _may_say(key: str, *, by_name: bool) -> bool:
    return key in HOW or (by_name and key in NAMED)


def _word(flag: Flag, value: Any, place: _Place) -> Any:
    """Return a value as a word of the command line. Raises UsageError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not flag.metavar:
        if isinstance(value, bool) or (flag.kind is int and is_number and value in range(4)):
            return value
        raise place.wrong(f"{place.table[-1]} is true or false")
    if flag.alone and value is True:
        return flag.alone
    if flag.kind is tuple:
        words = [value] if isinstance(value, str) else value
        if not (isinstance(words, list) and all(isinstance(one, str) for one in words)):
            raise place.wrong(f"{place.table[-1]} is a text, or a list of them")
        return [_of_home(flag, one) for one in words]
    if not (isinstance(value, str) or is_number):
        raise place.wrong(f"{place.table[-1]} is a text or a number")
    return _of_home(flag, str(value))


def _of_home(flag: Flag, word: str) -> str:
    """Return a path with the home directory that a shell would have put there."""
    return os.path.expanduser(word) if flag.metavar == "FILE" else word


def _arguments(value: Any, place: _Place) -> tuple[str, ...]:
    if not place.profile:
        raise place.wrong("only a profile has arguments")
    if not (isinstance(value, list) and all(isinstance(one, str) and one for one in value)):
        raise place.wrong("arguments is a list of texts")
    if odd := [one for one in value if one.startswith(("-", "@")) and one != "-"]:
        raise place.wrong(f"{printable(odd[0], 100)} is no argument", hint="flags are settings of their own")
    if place.is_here:
        _refuse_outside([one for one in value if os.path.lexists(one) or not is_remote(one)], place)
    return tuple(os.path.expanduser(one) if one.startswith("~") else one for one in value)


def _refuse_outside(paths: Collection[str], place: _Place) -> None:
    """Raise UsageError for a path that isn't below the working directory, whatever links it goes through."""
    here = os.path.realpath(".")
    for one in paths:
        real = os.path.realpath(one)
        if one.startswith("~") or os.path.commonpath([here, real]) != here:
            raise place.wrong(
                f"{printable(one, 200)} is not in the working directory",
                hint="what a profile of that directory copies is below it; name it on the command line",
            )
