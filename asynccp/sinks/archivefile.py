"""A file of this machine, as where an archive goes; and its compression, which is what the file's name says.

It is written beside its place, under a name that proves whose it is (`local.tree`), and renamed when it is whole: under
its own name no torn archive ever stands, and what a killed run left goes with the next one there.
"""

import errno
import math
import os

from asynccp.archive.compression import Packer
from asynccp.local.tree import Tree
from asynccp.local.umask import umask
from asynccp.local.write import write_all
from asynccp.text import printable


class ArchiveFile:
    """One file, which is not there yet."""

    patience_s = math.inf  # a disk that stands still is waited for, as by every program; a second ^C ends it

    def __init__(self, path: str) -> None:
        self.name = printable(path)
        directory, name = os.path.split(path)
        self._directory, self._name = directory or ".", os.fsencode(name)
        self._tree: Tree | None = None
        self._fd = -1

    def begin(self) -> None:
        self._tree = Tree(os.path.realpath(self._directory))
        self._fd = self._tree.create_file(self._tree.at(b""))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        write_all(self._fd, data)

    def finish(self) -> None:
        assert self._tree
        parent = self._tree.at(b"")
        if os.access(self._name, os.F_OK, dir_fd=parent, follow_symlinks=False):  # since the plan was made
            raise FileExistsError(errno.EEXIST, "there is one by now")
        os.fchmod(self._fd, 0o666 & ~umask())
        fd, self._fd = self._fd, -1
        self._tree.publish_file(fd, parent, self._name)

    def discard(self) -> None:
        if not self._tree:
            return
        if self._fd >= 0:
            self._tree.discard(self._tree.at(b""))
            os.close(self._fd)
            self._fd = -1
        self._tree.close()
        self._tree = None


class Packed:
    """What is written to it goes on compressed."""

    def __init__(self, output: ArchiveFile, codec: str) -> None:
        self.name, self.patience_s = output.name, output.patience_s
        self._output = output
        self._codec = codec

    def begin(self) -> None:
        self._packer = Packer(self._codec)
        self._output.begin()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if packed := self._packer.feed(data):
            self._output.write(packed)

    def finish(self) -> None:
        self._output.write(self._packer.end())
        self._output.finish()

    def discard(self) -> None:
        self._output.discard()
