"""Cluster and Session: the only seam between the engine and what is out there."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from asynccp.chunk import Chunk
from asynccp.kube.exec import Event
from asynccp.target import Json, Selector, Target


class Session(Protocol):
    """One exec: bytes to stdin, events back. Not for use by two senders, or two receivers, at once."""

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on: `kube.exec.V4` or `V5`."""

    @property
    def ending(self) -> str:
        """How the session ended, in words, escaped; empty before it has, and for a regular end (Close 1000)."""

    async def send(self, data: bytes | memoryview) -> None:
        """Send bytes to stdin; return when the transport has room for more. Raises SessionLost."""

    async def send_chunk(self, chunk: Chunk) -> None:
        """Send a chunk to stdin, which is framed once for all sessions. Otherwise as `send`."""

    async def close_stdin(self) -> None:
        """End stdin. For V5 alone: V4 has no such message. Raises SessionLost."""

    async def receive(self) -> Event | None:
        """Return what comes next, None when the session is over. Not calling it is how to slow the pod down.

        Messages of stdout that have come together may be one. What an event holds is good until the next call. Raises
        ProtocolViolation for what no server sends.
        """

    async def ping(self) -> None:
        """Keep the connection from looking idle. Raises SessionLost."""


class Cluster(Protocol):
    """The API server, as far as a copy needs it."""

    @property
    def namespace(self) -> str:
        """The namespace that the configuration names, `default` when it names none."""

    @property
    def connect_s(self) -> float:
        """The least seconds that a connection took to be made, TLS and all: two or three round trips. At first, inf."""

    def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        """Yield pages of v1.Pod as JSON that `selector` matches; namespace None means all.

        A pod, workload or service that is named and does not exist gives no page; one without pods an empty page.
        Raises ClusterError, UsageError, and NoTargets for a service whose pods nobody can tell.
        """

    async def find_pod(self, target: Target) -> Json | None:
        """Return the pod as it is now, None when it is gone. Raises ClusterError."""

    def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AbstractAsyncContextManager[Session]:
        """Run a command in the target, with stdin, stdout and stderr; leaving the context ends the session.

        Raises ConnectFailed, Refused, ProtocolRefused (the server does not speak `protocol`).
        """
