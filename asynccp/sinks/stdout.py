"""Standard output, as where an archive goes: `asynccp pull web-0:/var/log web-1:/var/log - | tar xf -`."""

import os
import sys
from contextlib import suppress

from asynccp.errors import UsageError
from asynccp.local.write import write_all


class StandardOutput:
    """Takes standard output for itself: what is printed from now on goes to standard error."""

    name = "standard output"
    patience_s = 3.0

    def __init__(self) -> None:
        if os.isatty(1):
            raise UsageError(
                "an archive is nothing for a terminal", hint="give it to a file, or to a program: | tar xf -"
            )
        sys.stdout.flush()
        self._fd = os.dup(1)
        os.dup2(2, 1)

    def begin(self) -> None:
        """There is nothing to make."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        write_all(self._fd, data)

    def finish(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def discard(self) -> None:
        with suppress(OSError):
            self.finish()
