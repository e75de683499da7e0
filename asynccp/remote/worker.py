"""Worker: who packs and unpacks in a container, as errors and hints call it: its tar, or its shell in place of one."""

from msgspec import Struct


class Worker(Struct, frozen=True):
    """name: as the subject of a sentence. lost, merged: what may be the matter where a pull lacks entries, and where a
    push has made fewer than were sent."""

    name: str
    lost: str
    merged: str


TAR = Worker(
    "tar",
    lost="is its tar a wrapper, or told by a variable to skip something?",
    merged="is its tar a wrapper, or its file system one that takes two names for one? nothing was changed",
)
SHELL = Worker(
    "the shell",
    lost="was something made or removed there meanwhile? pull again",
    merged="is its file system one that takes two names for one? nothing was changed",
)
