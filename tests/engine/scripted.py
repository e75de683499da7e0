"""A cluster whose pods follow scripts: they hang, lag, die and lie as a test asks.

A script is an async function that is given a Pod, the far end of one exec, and whose return ends the session. Between
the two ends are a few messages of room each way, so a pod that doesn't hear is felt by whoever sends.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.engine.group import single_error
from asynccp.entry import Entry, Kind
from asynccp.errors import Refused, SessionLost
from asynccp.events import Listener
from asynccp.kube.base import Cluster, EphemeralContainer, Wanted, Watched
from asynccp.kube.exec import CLOSE_STDIN, STDERR, STDOUT, Event, decode, encode_status, stdin_message
from asynccp.options import Failures, Options
from asynccp.plan.plan import PullPlan, PushPlan, build_pull
from asynccp.report import Result
from asynccp.status import ExitStatus
from asynccp.target import Json, Log, Selector, Target, Transfer

TOKEN = "0123456789abcdef"
ROOM = 4  # messages
A_DAY_S = 24 * 3600.0
SUCCESS = ExitStatus(0)
NO_SHELL = ExitStatus(None, 'Internal error occurred: exec: "sh": executable file not found in $PATH')
RUNGS = ("tar", "shell", "beside")
"""Ways that a container does its part by: its tar, its shell alone, an ephemeral container beside it."""
ONCE = Options(failures=Failures(retries=0))


class Pod:
    """The far end of one exec."""

    def __init__(self, target: Target, argv: Sequence[str], protocol: str, room: int = ROOM) -> None:
        self.target = target
        self.argv = list(argv)
        self.words = dict(word.partition("=")[::2] for word in argv[8:])
        self.lacks_tar = False
        self.protocol = protocol
        self.ending = ""
        self.heard = 0  # bytes of stdin
        self.pinged_at: list[float] = []
        self.answers_pings = True
        self.ping_breaks = False
        self.stdin_closed = False
        self.overlaps = 0  # sends, or receives, that were made while another was under way
        self.over = anyio.Event()
        self._to_us, self._stdin = anyio.create_memory_object_stream[bytes](room)
        self._stdout, self._from_us = anyio.create_memory_object_stream[bytes](ROOM)
        self._has_script = False
        self._busy: Counter[str] = Counter()
        self._scope = anyio.CancelScope()

    async def hear(self) -> bytes:
        """Return the next message on stdin; nothing when stdin is closed."""
        try:
            message = b"" if self.stdin_closed else await self._stdin.receive()
        except anyio.EndOfStream:
            message = b""
        self.stdin_closed = message in (b"", CLOSE_STDIN)
        if self.stdin_closed:
            return b""
        assert message[0] == 0, "not for stdin"
        if not self._has_script:
            assert f"#{TOKEN}\n".encode() in message, "the script is what comes first"
            self._has_script = True
            return await self.hear()
        self.heard += len(message) - 1
        return bytes(message[1:])

    @property
    def unheard(self) -> int:
        """How many messages wait on stdin, besides the script that this one stands for."""
        return self._stdin.statistics().current_buffer_used - (not self._has_script)

    async def hear_archive(self) -> None:
        """Hear as many bytes as the command was told to expect, or until stdin is closed; what is framed to its end."""
        if self.lacks_tar:
            data = await self.hear()
            while f"./.asynccp-{TOKEN}-".encode() not in data and (more := await self.hear()):
                data = data[-100:] + more
            return
        size = (int(self.words["blocks"]) + int(self.words["more_blocks"])) * int(self.words["block"])
        while self.heard < size and await self.hear():
            pass
        assert self.heard <= size

    async def hear_line(self) -> None:
        """Do as the shell's `read -r _` does."""
        while (data := await self.hear()) and b"\n" not in data:
            pass

    async def wait_until_stdin_is_full(self) -> None:
        """Wait until a sender waits for us to hear."""
        while not self._stdin.statistics().tasks_waiting_send:
            await anyio.lowlevel.checkpoint()

    async def say(self, data: bytes, channel: int = STDOUT) -> None:
        await self._stdout.send(bytes((channel,)) + data)

    async def complain(self, text: str) -> None:
        await self.say(text.encode(), STDERR)

    async def hello(self, facts: str = "count=dd") -> None:
        """Say hello, on rung 2 as it is said there: before it stands that there is no tar."""
        if self.lacks_tar:
            await self.say(f"asynccp {TOKEN} hello lacks=tar\n".encode())
            assert (await self.hear()).startswith(b"learn ")
        await self.say(f"asynccp {TOKEN} hello {facts}\n".encode())

    async def received(self, facts: str = "rc=0 sentinel=yes") -> None:
        await self.say(f"asynccp {TOKEN} received {facts}\n".encode())

    async def note(self, text: str) -> None:
        await self.complain(f"asynccp {TOKEN} {text}\n")

    async def done(self, facts: str = "rc=0 settled=yes", *, ended: str = "") -> None:
        """Say the last line, and before it that all of stderr is there. ended: what that note tells."""
        await self.note(f"ended {ended}")
        await self.say(f"asynccp {TOKEN} done {facts}\n".encode())

    async def end(self, status: ExitStatus = SUCCESS) -> None:
        await self._stdout.send(encode_status(status))

    # The near end: what `kube.base.Session` promises.

    async def send(self, data: bytes | memoryview) -> None:
        await self._send(stdin_message(data))

    async def send_chunk(self, chunk: Chunk) -> None:
        await self.send(chunk.data)

    async def close_stdin(self) -> None:
        await self._send(CLOSE_STDIN)

    async def _send(self, message: bytes) -> None:
        async with self._alone("send"):
            try:
                await self._to_us.send(message)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise SessionLost("the session broke while sending") from None

    async def receive(self) -> Event | None:
        async with self._alone("receive"):
            try:
                while not (event := decode(await self._from_us.receive())):
                    pass
                return event
            except anyio.EndOfStream:
                return None

    async def ping(self) -> None:
        self.pinged_at.append(anyio.current_time())
        if self.ping_breaks:
            raise SessionLost("the session broke")
        if not self.answers_pings:
            await anyio.sleep_forever()

    @asynccontextmanager
    async def _alone(self, what: str) -> AsyncIterator[None]:
        self.overlaps += self._busy[what]
        self._busy[what] += 1
        try:
            yield
        finally:
            self._busy[what] -= 1

    async def follow(self, script: "Script") -> None:
        try:
            with self._scope:
                await script(self)
        finally:  # a script with a defect must not leave us waiting for its end
            self._stdout.close()
            self._stdin.close()
            self.over.set()

    async def leave(self) -> None:
        """The session is ended from our side."""
        self._scope.cancel()
        self._to_us.close()
        self._from_us.close()
        with anyio.CancelScope(shield=True):
            await self.over.wait()


Script = Callable[[Pod], Awaitable[None]]


@dataclass
class ScriptedCluster:
    """opening: called before a session is opened; raises what stands in the way. listing: what `list_pods` answers.

    logs: what `open_log` yields, or raises; nobody has one by default. beside: what `ephemeral` returns, or raises;
    nobody gets one by default. wanted: what was asked for there.
    pods: the far ends of all sessions so far. now: what `find_pod` says, by the pod's name. nodes: their zones.
    news: what `watch_pods` yields. room: messages that a pod's stdin takes before the pod hears.
    """

    tasks: TaskGroup
    script: Script
    opening: Callable[[Target, str], Awaitable[None]]
    listing: Callable[[Selector, str | None, str], list[list[Json]]]
    context: str | None = None
    members: dict[str, Cluster] = field(default_factory=dict)
    namespace: str = "default"
    connect_s: float = 0.05
    room: int = ROOM
    logs: Callable[[Target, Log], AsyncIterator[bytes]] | None = None
    beside: Callable[[Target, Wanted], EphemeralContainer] | None = None
    wanted: list[tuple[str, Wanted]] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    now: dict[str, Json | Exception | None] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    news: "MemoryObjectReceiveStream[Watched] | None" = None
    open: Counter[str] = field(default_factory=Counter)
    most_open: Counter[str] = field(default_factory=Counter)
    offers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    async def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        for page in self.listing(selector, namespace, fields):
            await anyio.lowlevel.checkpoint()
            yield page

    async def find_pod(self, target: Target) -> Json | None:
        await anyio.lowlevel.checkpoint()
        found = self.now.get(target.pod, running(target))
        if isinstance(found, Exception):
            raise found
        return found

    async def watch_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[Watched]:
        assert self.news, "nobody was to watch"
        async for one in self.news:
            yield one

    async def zones(self) -> dict[str, str]:
        await anyio.lowlevel.checkpoint()
        return self.nodes

    async def ephemeral(self, target: Target, wanted: Wanted) -> EphemeralContainer:
        await anyio.lowlevel.checkpoint()
        self.wanted.append((target.pod, wanted))
        if self.beside is None:
            raise Refused("there is no ephemeral container")
        return self.beside(target, wanted)

    @asynccontextmanager
    async def open_log(self, target: Target, log: Log) -> AsyncIterator[AsyncIterator[bytes]]:
        await anyio.lowlevel.checkpoint()
        if self.logs is None:
            raise Refused("there is no such log")
        yield self.logs(target, log)

    @asynccontextmanager
    async def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AsyncIterator[Pod]:
        self.offers[target.pod].append(protocol)
        places = ("in all", target.node)
        self.open.update(places)
        self.most_open |= self.open
        try:
            await self.opening(target, protocol)
            pod = Pod(target, argv, protocol, self.room)
            self.pods.append(pod)
            self.tasks.start_soon(pod.follow, self.script)
            try:
                yield pod
            finally:
                await pod.leave()
        finally:
            self.open.subtract(places)


async def open_at_once(target: Target, protocol: str) -> None:
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def scripted(
    script: Script | None = None,
    *,
    opening: Callable[[Target, str], Awaitable[None]] = open_at_once,
    listing: Callable[[Selector, str | None, str], list[list[Json]]] = lambda *_: [],
) -> AsyncIterator[ScriptedCluster]:
    """Return a cluster whose pods follow `script`. What isn't over in a day never will be: the clock jumps."""
    with anyio.fail_after(A_DAY_S), single_error():
        async with anyio.create_task_group() as tasks:
            yield ScriptedCluster(tasks, script or takes_all, opening, listing)
            tasks.cancel_scope.cancel()


def on_rung(rung: str, script: Script) -> Script:
    """Return what a container does that follows a script in its own way. It speaks first by `hello`."""

    async def followed(pod: Pod) -> None:
        pod.lacks_tar = rung == "shell"
        if rung == "beside" and pod.target.container == "main":
            await pod.end(NO_SHELL)
        else:
            await script(pod)

    return followed


def beside(of: Target, wanted: Wanted) -> EphemeralContainer:
    return EphemeralContainer("asynccp-1", "0123abc")


async def takes_all(pod: Pod) -> None:
    """A pod that receives a push as it should."""
    await pod.hello("count=dd")
    await pod.hear_archive()
    await puts_in_place(pod)


async def puts_in_place(pod: Pod) -> None:
    """The end of a push as it should be, from the pod's first word behind the archive."""
    await pod.received()
    await pod.hear_line()
    await pod.done()
    await pod.hear_line()
    await pod.end()


async def hangs(pod: Pod) -> None:
    await anyio.sleep_forever()


async def greets_and_hangs(pod: Pod) -> None:
    await pod.hello()
    await anyio.sleep_forever()


def by_name(default: Script = takes_all, **scripts: Script) -> Script:
    """Return a script that gives each pod its own: `web_0` is the script of `web-0`."""

    async def script(pod: Pod) -> None:
        await scripts.get(pod.target.pod.replace("-", "_"), default)(pod)

    return script


def target(pod: str = "web-0", node: str = "node-1", image: str = "gnu") -> Target:
    return Target("default", pod, "main", node, f"uid-{pod}", image)


def running(of: Target) -> Json:
    """Return the v1.Pod of a target that runs as before."""
    status = {"name": of.container, "state": {"running": {}}, "restartCount": of.restarts, "imageID": of.image}
    return {
        "metadata": {"name": of.pod, "namespace": of.namespace, "uid": of.uid},
        "spec": {"nodeName": of.node, "containers": [{"name": of.container}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def targets(count: int) -> list[Target]:
    return [target(f"web-{index}") for index in range(count)]


def layout_of(size: int) -> ArchiveLayout:
    """Return an archive with one file of zeros that is on no disk."""
    return ArchiveLayout([Entry(b"a", Kind.FILE, size)], TOKEN)


def push_plan(to: Sequence[Target], size: int = 1000) -> PushPlan:
    return PushPlan(("a",), layout_of(size), tuple(Transfer(one, "/etc/app") for one in to))


def pull_plan(destination: str, of: Sequence[Target], path: str = "/var/log") -> PullPlan:
    return build_pull(destination, [Transfer(one, path) for one in of], (), TOKEN)


@dataclass
class Recorder(Listener):
    """An observer that keeps what it hears."""

    started_with: dict[str, int | None] = field(default_factory=dict)
    sized_with: dict[str, int] = field(default_factory=dict)
    advanced_by: Counter[str] = field(default_factory=Counter)
    results: dict[str, Result] = field(default_factory=dict)
    finished_at: dict[str, float] = field(default_factory=dict)
    on_finished: Callable[[Result], None] = lambda result: None

    def started(self, transfer: Transfer, total: int | None) -> None:
        self.started_with[transfer.target.pod] = total

    def sized(self, transfer: Transfer, total: int) -> None:
        self.sized_with[transfer.target.pod] = total

    def advanced(self, transfer: Transfer, size: int) -> None:
        self.advanced_by[transfer.target.pod] += size

    def finished(self, result: Result) -> None:
        name = result.transfer.target.pod
        assert name not in self.results, "told twice"
        self.results[name] = result
        self.finished_at[name] = anyio.current_time()
        self.on_finished(result)
