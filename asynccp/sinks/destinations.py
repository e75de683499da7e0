"""Which destination a pull has, by what its plan says."""

from typing import TYPE_CHECKING

from asynccp.archive.compression import codec_of
from asynccp.errors import Knob, UsageError
from asynccp.options import Dedup, Options
from asynccp.sinks.base import Destination
from asynccp.sinks.directory import Directory
from asynccp.target import STANDARD_OUTPUT, is_store

if TYPE_CHECKING:
    from asynccp.sinks.objects import Objects


def destination_of(name: str, options: Options, *, is_archive: bool = False, is_part: bool = False) -> Destination:
    """Return the destination of a pull. Raises UsageError.

    name: a directory of this machine, the URL of an object store, or `-`. is_archive: it is the file for one archive,
    whose ending says how it is compressed. is_part: other processes pull into the same store.
    """
    attributes = options.attributes
    if attributes.preserve_modes and not attributes.perms:
        raise UsageError("modes can't be taken as the pods have them and not be kept")
    if not is_archive and name != STANDARD_OUTPUT and not is_store(name):
        return Directory(name, attributes)
    if options.dedup is not Dedup.NONE:
        raise UsageError(
            "what pods have in common is shared only among files of this machine",
            hint=f"pull into a directory, or without {Knob.DEDUP}",
        )
    if not is_archive and is_store(name):
        return _objects(name, options, is_part=is_part)
    if options.collecting.mirror:
        raise UsageError(
            "an archive has nothing that a mirror could remove: it is always new",
            hint=f"pull into a directory, or without {Knob.MIRROR}",
        )
    if options.verification.checksum:
        raise UsageError(
            "files that go into an archive can't be compared with anything",
            hint=f"pull into a directory, or without {Knob.CHECKSUM}",
        )
    from asynccp.sinks.archive import Archive  # few need it, and it takes 4 ms to load

    if not is_archive:
        from asynccp.sinks.stdout import StandardOutput

        return Archive(StandardOutput(), attributes)
    from asynccp.sinks.archivefile import ArchiveFile, Packed

    file, codec = ArchiveFile(name), codec_of(name)
    return Archive(Packed(file, codec) if codec else file, attributes, has_report=True)


def _objects(name: str, options: Options, *, is_part: bool) -> "Objects":
    if options.collecting.mirror:
        raise UsageError(
            "a pull removes nothing from an object store",
            hint=f"pull without {Knob.MIRROR}, into a prefix of its own",
        )
    if options.verification.checksum:
        raise UsageError(
            "files in an object store are not read again to be compared: its manifest has their digests",
            hint=f"pull without {Knob.CHECKSUM}",
        )
    from asynccp.objects.url import parse_url  # few need it
    from asynccp.sinks.objects import Objects

    return Objects(parse_url(name), options.attributes, is_part=is_part)
