"""Cluster and Session: the only seam between the engine and what is out there.

Each clause below is a test in `tests/contracts`, which every implementation passes. What is raised is of `errors`, its
text and that of `ending` is escaped, and a method may be cancelled at any await.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from msgspec import Struct

from asynccp.chunk import Chunk
from asynccp.kube.exec import Event
from asynccp.target import Json, Log, Selector, Target


class Session(Protocol):
    """One exec: bytes to stdin, events back. Not for use by two senders, or two receivers, at once."""

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on: `kube.exec.V4` or `V5`."""

    @property
    def ending(self) -> str:
        """Why the session ended, in words; empty before it has, and for a regular end (Close 1000, or no code)."""

    async def send(self, data: bytes | memoryview) -> None:
        """Send bytes to stdin; return when the transport has room for more.

        Raises SessionLost once the session is over. Before that is known, bytes may be lost in silence.
        """

    async def send_chunk(self, chunk: Chunk) -> None:
        """Send a chunk to stdin, which is framed once for all sessions, as `send` does: behind what was sent before."""

    async def close_stdin(self) -> None:
        """End stdin, behind what was sent before; once more changes nothing. For V5 alone: V4 has no such message.

        Raises SessionLost.
        """

    async def receive(self) -> Event | None:
        """Return what comes next; None when the session is over, and ever after. Not calling it slows the pod down.

        Stdout and stderr keep their own orders, and neither keeps the other's; the status is the last event. None
        without a status before it: the session was lost, and `ending` may say why. Messages of stdout that have come
        together may be one. What an event holds is good until the next call. Raises ProtocolViolation for what no
        server sends.
        """

    async def ping(self) -> None:
        """Keep the connection from looking idle; no answer is awaited. Raises SessionLost."""


class Wanted(NamedTuple):
    """An ephemeral container that is asked for. argv: what runs in it first.

    user: uid and gid to run as; None: as the target's securityContext says, or the cluster tells.
    """

    image: str
    argv: Sequence[str]
    user: tuple[int, int] | None = None


class EphemeralContainer(Struct, frozen=True):
    """One that runs. target_id: by which the node's runtime knows the container that it is for; empty: nobody tells."""

    name: str
    target_id: str


class Watched(Struct, frozen=True):
    """News of pods. pods: how some are now. gone: some that are no more, as they were. whole: there are no others."""

    pods: Sequence[Json]
    gone: Sequence[Json] = ()
    whole: bool = False


class Cluster(Protocol):
    """The API server, as far as a copy needs it."""

    @property
    def context(self) -> str | None:
        """The kubeconfig's context that it was named by; None in a pod, and where it is several clusters."""

    @property
    def members(self) -> Mapping[str, "Cluster"]:
        """The clusters that it is, by their contexts, which are those of their targets; empty where it is one."""

    @property
    def namespace(self) -> str:
        """The namespace that the configuration names, `default` when it names none; empty where it is several."""

    @property
    def connect_s(self) -> float:
        """The least seconds that a connection took to be made, TLS and all: two or three round trips. At first, inf."""

    def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        """Yield pages of v1.Pod as JSON that `selector` matches; namespace None means all.

        fields: a field selector, for labels and workloads; empty for none. A pod, workload or service that is named
        and does not exist gives no page; one without pods, and labels that no pod has, an empty page.

        Raises ClusterError when the server can't be asked, or refuses; UsageError for a selector that is none; and
        NoTargets for a workload or service whose pods nobody can tell.
        """

    def watch_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[Watched]:
        """Yield the pods that `list_pods` would, and then what becomes of them, for ever: none is passed over.

        The first news are `whole`, and so are those after a time of which nothing is known. A pod that does not match
        any more is gone. A connection that is lost is made anew. Raises as `list_pods`, in the beginning of all; later
        only when the server refuses.
        """

    async def find_pod(self, target: Target) -> Json | None:
        """Return the pod as it is now, None when it is gone. Raises ClusterError."""

    async def zones(self) -> Mapping[str, str]:
        """Return the zone of each node that has one, by what `Target.host` calls the node. Raises ClusterError."""

    def open_log(self, target: Target, log: Log) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Ask for what the node keeps of a container's output; yields it as it comes, until its end.

        Leaving the context ends the answer. Not asking for more slows the server down.

        Raises ConnectFailed when the server is not there, or overloaded; Refused for all else, such as a container that
        has no log; and while it is read SessionLost, when it breaks off before the end that HTTP has for it, or the
        node says that it has; NoSuchPath, when the node says that it has the log from before a restart no more.
        """

    def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AbstractAsyncContextManager[Session]:
        """Run a command in the target, with stdin, stdout and stderr. argv: bytes that are no UTF-8 as surrogates.

        To leave the context ends the session within CLOSE_GRACE_S, however it is left. Of the command that ends stdin,
        no more: one that does not read it goes on in the pod.

        Raises, before there is a session: ConnectFailed, when the server is not there, or overloaded; ProtocolRefused,
        when it does not speak `protocol`; Refused for all else, such as a pod that is gone.
        """

    async def ephemeral(self, target: Target, wanted: Wanted) -> EphemeralContainer:
        """Return an ephemeral container for the target, with its securityContext: one that runs already, or a new one.

        Returns when it runs. Raises Refused when it can't be had, and says why; ConnectFailed when the server is not
        there, or overloaded.
        """
