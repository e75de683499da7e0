"""Which destination a pull has, by what it is called."""

from asynccp.errors import Knob, UsageError
from asynccp.options import Options
from asynccp.sinks.base import Destination
from asynccp.sinks.directory import Directory
from asynccp.target import STANDARD_OUTPUT


def destination_of(name: str, options: Options) -> Destination:
    """Return the destination of a pull. name: a directory of this machine, or `-`. Raises UsageError."""
    if options.attributes.preserve_modes and not options.attributes.perms:
        raise UsageError("modes can't be taken as the pods have them and not be kept")
    if name == STANDARD_OUTPUT:
        from asynccp.sinks.stdout import Stdout  # few need it, and it takes 4 ms to load

        if options.verification.checksum:
            raise UsageError(
                "files that go to standard output can't be compared with anything",
                hint=f"pull into a directory, or without {Knob.CHECKSUM}",
            )
        return Stdout(options.attributes)
    return Directory(name, options.attributes)
