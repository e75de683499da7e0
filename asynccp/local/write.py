"""Writing: all of what is given, however little the system takes at a time. Blocks."""

import errno
import os


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all bytes to a descriptor. Raises OSError, EIO when the system takes none and says no why."""
    view = memoryview(data)
    while view:
        written = os.write(fd, view)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = view[written:]
