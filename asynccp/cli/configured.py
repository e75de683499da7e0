"""Configured: a command line with what the environment and files of settings say besides.

Files are looked for at each start, which costs two questions to the disk; what reads them is loaded where there is one.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from asynccp.cli.settings import Layer, Setting, environment, joined, profile_of, with_arguments
from asynccp.errors import UsageError
from asynccp.text import printable

if TYPE_CHECKING:
    from asynccp.cli.configfile import ConfigFile

HERE = "./.asynccp.toml"
WITH_PROFILES = ("push", "diff", "pull", "cp", "check", "rollback", "history")


class Configured(Struct, frozen=True):
    """What a command has besides its flags. settings: by parameter, of flags that were not written; arguments: those
    that were, with a profile's in its place. files: those that were read, by what they are called.
    """

    settings: Mapping[str, Setting]
    arguments: Sequence[str]
    files: Sequence[str] = ()


def configured(
    command: str, arguments: Sequence[str], written: Sequence[str], variables: Mapping[str, str]
) -> Configured:
    """Return what a command has. written: the parameters of its flags that were. Raises UsageError."""
    of_variables = environment(command, variables)
    name = profile_of(arguments) if command in WITH_PROFILES else ""
    is_refused = "no_config" in written or ("no_config" in of_variables and not of_variables["no_config"].value)
    files = [] if is_refused else found_files(variables)
    layers: list[Layer] = [of_variables]
    if name:
        if is_refused:
            raise UsageError(f"{printable(name)} is a profile of a file, and --no-config takes nothing from files")
        from asynccp.cli.configfile import find_profile

        profile = find_profile(files, name, variables)
        arguments = with_arguments(arguments, profile.arguments_of(command))
        layers.append(profile.of(command))
    layers += [one.section.of(command) for one in files]
    return Configured(joined(command, written, layers), arguments, [one.shown for one in files])


def found_files(variables: Mapping[str, str]) -> "list[ConfigFile]":
    """Return the files of settings that there are, the nearer first. Raises UsageError."""
    places = {HERE: True, users_path(variables): False}
    if not any(map(os.path.exists, places)):
        return []
    from asynccp.cli.configfile import read_file

    found = (read_file(path, is_here=is_here) for path, is_here in places.items())
    return [one for one in found if one]


def users_path(variables: Mapping[str, str]) -> str:
    """Return where the user's own file is."""
    return os.path.join(own_directory(variables, "XDG_CONFIG_HOME", "~/.config"), "config.toml")


def own_directory(variables: Mapping[str, str], variable: str, usual: str) -> str:
    """Return our directory below one of the XDG Base Directory Specification: an absolute path, or it means nothing."""
    home = variables.get(variable, "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser(usual), "asynccp")
