"""Which destination a pull has, by what it is called."""

from asynccp.options import Options
from asynccp.sinks.base import Destination
from asynccp.sinks.directory import Directory


def destination_of(name: str, options: Options) -> Destination:
    """Return the destination of a pull. name: a directory of this machine."""
    return Directory(name, preserve_owner=options.preserve_owner, preserve_modes=options.preserve_modes)
