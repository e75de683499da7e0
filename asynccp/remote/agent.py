"""RemoteAgent: one way to have files sent and received by what a container has.

It puts a request into a command that speaks the dialogue (`remote.dialogue`), in one archive format both ways.
"""

from typing import Protocol

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.remote.commands import (
    PLAIN,
    ListRequest,
    PullRequest,
    PushRequest,
    list_command,
    pull_command,
    push_command,
)
from asynccp.remote.script import Command

Request = PushRequest | PullRequest | ListRequest


class RemoteAgent(Protocol):
    """format: of the archives that its commands read and write."""

    format: ArchiveFormat

    def command(self, request: Request, *, shell: str) -> Command:
        """Return the command that carries a request out. shell: by what name the container has one."""


class TarAgent:
    """A POSIX shell and the container's own tar."""

    format = TAR
    texts = PLAIN

    def command(self, request: Request, *, shell: str) -> Command:
        if isinstance(request, PushRequest):
            return push_command(request, shell=shell, texts=self.texts)
        if isinstance(request, ListRequest):
            return list_command(request, shell=shell, texts=self.texts)
        return pull_command(request, shell=shell, texts=self.texts)
