"""RemoteAgent: one way to have files sent and received by what a container has.

It puts a request into a command that speaks the dialogue (`remote.dialogue`). The ladder has two rungs, `TarAgent`
and, where there is no tar, `ShellAgent`: the pod says in its first hello which it is on, and stays in the same exec.
"""

from typing import Protocol

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.archive.framed import FRAMED
from asynccp.remote.commands import (
    PLAIN,
    ListRequest,
    PullRequest,
    PushRequest,
    lesson,
    list_command,
    pull_command,
    push_command,
)
from asynccp.remote.script import Command

Request = PushRequest | PullRequest | ListRequest


class RemoteAgent(Protocol):
    """takes: the format of what it is sent; what it sends is a tar. way: what it does that by, as the report has it."""

    takes: ArchiveFormat
    way: str

    def command(self, request: Request, *, shell: str) -> Command:
        """Return the command that carries a request out. shell: by what name the container has one."""


class TarAgent:
    """A POSIX shell and the container's own tar."""

    takes: ArchiveFormat = TAR
    way = "tar"
    texts = PLAIN

    def command(self, request: Request, *, shell: str) -> Command:
        if isinstance(request, PushRequest):
            return push_command(request, shell=shell, texts=self.texts)
        if isinstance(request, ListRequest):
            return list_command(request, shell=shell, texts=self.texts)
        return pull_command(request, shell=shell, texts=self.texts)


class ShellAgent(TarAgent):
    """A POSIX shell that is taught to do without tar, by what is there: dd or head, stat, chmod, touch."""

    takes: ArchiveFormat = FRAMED
    way = "shell"

    def lesson(self, request: Request) -> bytes:
        """Return what answers a hello that lacks tar."""
        assert not isinstance(request, ListRequest), "a listing needs none"
        return lesson(request)
