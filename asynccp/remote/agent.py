"""RemoteAgent: one way to have files sent and received by what a container has.

It puts a request into a command that speaks the dialogue (`remote.dialogue`). The ladder: `TarAgent` and, where there
is no tar, `ShellAgent`: the pod says in its first hello which it is on, and stays in the same exec. Where there is no
shell `RootedAgent` works from beside it, if that is wanted; else `AloneAgent` has at least a tar pack.
"""

from typing import Protocol

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.archive.framed import FRAMED, FRAMED_TEXT
from asynccp.remote import worker
from asynccp.remote.commands import (
    PLAIN,
    ListRequest,
    PullRequest,
    PushRequest,
    RollbackRequest,
    lesson,
    list_command,
    pull_command,
    push_command,
    rollback_command,
)
from asynccp.remote.messages import Hello
from asynccp.remote.script import Command
from asynccp.remote.worker import Worker

Request = PushRequest | PullRequest | ListRequest | RollbackRequest


class RemoteAgent(Protocol):
    """takes: the format of what it is sent; what it sends is a tar. way: what it does that by, as the report has it.

    worker: who packs and unpacks.
    """

    takes: ArchiveFormat
    way: str
    worker: Worker

    def command(self, request: Request, *, shell: str) -> Command:
        """Return the command that carries a request out. shell: by what name the container has one."""


class TarAgent:
    """A POSIX shell and the container's own tar."""

    takes: ArchiveFormat = TAR
    way = "tar"
    worker = worker.TAR
    texts = PLAIN

    def command(self, request: Request, *, shell: str) -> Command:
        if isinstance(request, PushRequest):
            return push_command(request, shell=shell, texts=self.texts)
        if isinstance(request, ListRequest):
            return list_command(request, shell=shell, texts=self.texts)
        if isinstance(request, RollbackRequest):
            return rollback_command(request, shell=shell, texts=self.texts)
        return pull_command(request, shell=shell, texts=self.texts)


class ShellAgent(TarAgent):
    """A POSIX shell that is taught to do without tar, by what is there: dd or head, stat, chmod, touch."""

    takes: ArchiveFormat = FRAMED_TEXT
    way = "shell"
    worker = worker.SHELL

    def format(self, hello: Hello) -> ArchiveFormat:
        """Return what of `takes` suits a shell that has learned it."""
        return FRAMED if hello.holds_bytes else FRAMED_TEXT

    def lesson(self, request: Request) -> bytes:
        """Return what answers a hello that lacks tar."""
        assert isinstance(request, PushRequest | PullRequest), "nothing else needs one"
        return lesson(request)
