"""A pod's paths on this machine. Pure.

A pod's file system is a directory, its root, and nothing is chrooted: that would need rights and a C library in each
root. Instead the words of a command are changed on their way in, and its complaints on their way out:

  * every word after the first that starts with `/` gets the root put in front, and can't climb over it with `..`;
    so a script must take its paths as positional parameters (`sh -c 'cd "$1"' sh /etc`), as asynccp's do;
  * where the command itself is tar without -C, such a word becomes relative to the root, which is the working
    directory: member names would hold the root otherwise, and `kubectl cp` refuse them;
  * what the command says on stderr loses the root again, so that it reads as if it came from the pod.

Not changed: stdout, the text of a script, `--option=/path`, the targets of symlinks. So this is no sandbox: a command
has the rights of whoever started the cluster.
"""

from collections.abc import Sequence


def words_inside(root: bytes, command: Sequence[bytes]) -> list[bytes]:
    """Return the words of `command` as they are run on this machine."""
    if command[0] == b"tar" and not any(word.startswith((b"-C", b"--directory")) for word in command):
        return [command[0], *(_relative(word) for word in command[1:])]
    return [command[0], *(inside(root, word) for word in command[1:])]


def inside(root: bytes, word: bytes) -> bytes:
    """Return an absolute path with the root in front; any other word as it is."""
    return root + _clamped(word) if word.startswith(b"/") else word


def _relative(word: bytes) -> bytes:
    return (_clamped(word).lstrip(b"/") or b".") if word.startswith(b"/") else word


def _clamped(path: bytes) -> bytes:
    """Return the absolute path without each `..` that would climb over `/`, where the kernel ignores it too."""
    kept: list[bytes] = []
    depth = 0
    for name in path.split(b"/")[1:]:
        if name == b"..":
            if depth == 0:
                continue
            depth -= 1
        elif name not in (b"", b"."):
            depth += 1
        kept.append(name)
    return b"/" + b"/".join(kept)


class RootEraser:
    """Takes a root out of a stream of bytes that comes in pieces of any size."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what is sure by now: a tail that may become the root is kept back for the next piece."""
        data = self._erased(self._held + data)
        longest = min(len(data), len(self._root))
        kept = next((n for n in range(longest, 0, -1) if self._root.startswith(data[-n:])), 0)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept]

    def flush(self) -> bytes:
        """Return the tail, at the end of the stream."""
        held, self._held = self._held, b""
        return b"/" if held == self._root else held

    def _erased(self, data: bytes) -> bytes:
        below = data.replace(self._root + b"/", b"/")
        whole, tail = (below[: -len(self._root)], self._root) if below.endswith(self._root) else (below, b"")
        return whole.replace(self._root, b"/") + tail
