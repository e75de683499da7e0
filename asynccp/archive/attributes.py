"""Attributes: what an entry may have that no copy of ours carries, in words. One table for both directions.

A push meets them as extended attributes of this machine, a pull as records of a pax header (bsdtar writes them always,
GNU tar with --xattrs) and as bits of the mode, which a pod must not set here.
"""

import stat
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from asynccp.entry import Entry, Kind
from asynccp.options import Attributes

USUAL_MASK = ~0o022
"""What the usual umask leaves of a mode; whose it is that a pod's programs have, nobody knows beforehand."""

CAPABILITIES = "capabilities"
ACL = "ACL"
EXTENDED = "extended attributes"

# The rest says nothing to a copy: labels of SELinux, IMA and EVM belong to a system, com.apple.* to a download, and NFS
# lists `system.nfs4_acl` of every file.
_NAMES = {
    "security.capability": CAPABILITIES,
    "system.posix_acl_access": ACL,
    "system.posix_acl_default": ACL,
}
_PREFIXES = ("user.", "trusted.")

_BITS = {
    stat.S_ISUID: "set-user-id bit",
    stat.S_ISGID: "set-group-id bit",
    stat.S_ISVTX: "sticky bit",
}
SPECIAL_BITS = sum(_BITS)

_ATTRIBUTE_RECORDS = (b"SCHILY.xattr.", b"LIBARCHIVE.xattr.")
_ACL_RECORDS = b"SCHILY.acl."


def usual_mode(entry: Entry) -> int:
    """Return the mode that programs ask for, before the umask, when they make something like an entry.

    Who may run it, its owner may: the one bit of a mode that git keeps, and that says something anywhere.
    """
    return 0o777 if entry.kind is not Kind.FILE or entry.mode & stat.S_IXUSR else 0o666


def as_asked(entry: Entry, attributes: Attributes, now_ns: int) -> Entry:
    """Return an entry as an archive is to have it: with the usual mode, and the time of now, if its own aren't kept."""
    if entry.kind is not Kind.SYMLINK and not (attributes.perms and not attributes.chmod):
        mode = entry.mode if attributes.perms else usual_mode(entry) & USUAL_MASK
        if attributes.chmod:
            from asynccp.modes import mode_after  # few ask for it

            mode = mode_after(mode, attributes.chmod, is_directory=entry.kind is Kind.DIRECTORY)
        entry = replace(entry, mode=mode)
    return entry if attributes.times else replace(entry, mtime_ns=now_ns)


def words_of_names(names: Iterable[str]) -> list[str]:
    """Return what extended attributes of these names are to a user, each word once."""
    found = (_NAMES.get(name) or (EXTENDED if name.startswith(_PREFIXES) else None) for name in names)
    return list(dict.fromkeys(word for word in found if word))


def words_of_records(records: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return the same for the records of a pax header."""
    names = [_attribute(keyword) for keyword in records if keyword[:1].isupper()]  # of a vendor; path, mtime … are not
    return tuple(words_of_names(names)) if names else ()


def words_of_mode(mode: int) -> list[str]:
    """Return the bits of a mode that are never set here."""
    return [word for bit, word in _BITS.items() if mode & bit]


def _attribute(keyword: bytes) -> str:
    """Return the extended attribute that a keyword stands for. Names that libarchive encodes as in URLs begin alike."""
    if keyword.startswith(_ACL_RECORDS):
        return "system.posix_acl_access"
    for prefix in _ATTRIBUTE_RECORDS:
        if keyword.startswith(prefix):
            return keyword.removeprefix(prefix).decode("ascii", "replace")
    return keyword.removeprefix(b"RHT.").decode("ascii", "replace")  # RHT.security.capability
