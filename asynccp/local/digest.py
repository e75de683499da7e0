"""Digests of files of this machine, in steps that block (`asynccp.steps`)."""

import os
from collections.abc import Generator

from asynccp.checksum import ALGORITHMS
from asynccp.entry import Entry, joined
from asynccp.local.directories import Directories
from asynccp.local.held import PIECE_SIZE, Held, content, lent
from asynccp.local.read import is_object, opened, unchanged

_ZEROS = bytes(PIECE_SIZE)


def digest_source(entry: Entry, algorithm: str) -> Generator[int, None, str]:
    """Return the digest of a file that is being pushed. Raises SourceChanged when it isn't as the scan found it."""
    if is_object(entry):
        from asynccp.objects.reading import digest as digest_object  # few need it

        return (yield from digest_object(entry, algorithm))
    with Directories() as directories, opened(entry, directories) as descriptor:
        unchanged(entry, descriptor)
        digest = yield from digest_of(descriptor, algorithm)
        unchanged(entry, descriptor)
    return digest


def digest_below(
    root: str, path: bytes, algorithm: str, known: dict[tuple[int, int], str]
) -> Generator[int, None, str | None]:
    """Return the digest of a file that was pulled, None when it can't be read. No symbolic link below root is followed.

    Read back from the disk, not taken from the bytes on their way there: what counts is what stands there now.
    known: of files that have several names, by device and inode, each read once.
    """
    above, last = os.path.split(os.fsencode(root))  # the last component of `root` may be no link either
    try:
        with lent(Held(above, joined(last, path))) as one:
            key = one.status.st_dev, one.status.st_ino
            if key not in known:
                digest = yield from digest_of(one.descriptor, algorithm)
                if one.status.st_nlink == 1:
                    return digest
                known[key] = digest
            return known[key]
    except OSError:
        return None


def digest_of(descriptor: int, algorithm: str) -> Generator[int, None, str]:
    """Return the digest of an open file. Yields the bytes of each piece that was read: 0 for the zeros of a hole."""
    digest = ALGORITHMS[algorithm]()
    for piece in content(descriptor):
        if isinstance(piece, int):
            digest.update(memoryview(_ZEROS)[:piece])
            yield 0
        else:
            digest.update(piece)
            yield len(piece)
    return digest.hexdigest()
