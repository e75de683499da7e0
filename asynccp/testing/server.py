"""FakeCluster: a Kubernetes API server in this process, on loopback, by plain HTTP or TLS, for whom `guard` admits.

Its pods are directories, and their commands run on this machine (see `paths` for what that means: it is no sandbox).
What it reads out is in `api`, an exec session in `exec`; here are its life, what a test or a demo does to it, and the
one request that starts something. Jobs are in `jobs`; all other pods come and go by its methods.
"""

import logging
import os
import shutil
import ssl
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from anyio import CancelScope, create_task_group, move_on_after, to_thread

from asynccp.kube.exec import V4
from asynccp.status import ExitStatus
from asynccp.target import WORKLOADS
from asynccp.testing import api, documents
from asynccp.testing.documents import Refused, Workload, bad_request, ephemeral_refused, upgrade_forbidden
from asynccp.testing.exec import ExecOptions, Link, Session, finish, negotiate, new_socket, not_run
from asynccp.testing.faults import Fault, Faults, StruckLink
from asynccp.testing.guard import Guard
from asynccp.testing.jobs import Jobs
from asynccp.testing.kinds import gnu, kind_of_image
from asynccp.testing.logs import log_lines
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.process import NotStarted, Process, start

KILL_GRACE_S = 5.0  # for processes to be gone after SIGKILL
SHUTDOWN_GRACE_S = 1.0  # for requests that are being answered
MAX_HEADER_SIZE = 1024 * 1024  # bytes, the request line too: net/http DefaultMaxHeaderBytes

_LOGGER = logging.getLogger(__name__)
# Who sends what is no HTTP hears 400; the terminal is not theirs to write to.
_LOGGER.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))


class FakeCluster:
    """A cluster; an async context manager, which leaves no process behind.

    directory: holds the pods' file systems, as NAMESPACE/POD/CONTAINER; it stays.
    protocols: v5, v4; the exec subprotocols that it speaks. An API server before 1.30 has v4 alone.
    closes_stdin_early: a command that closes stdout or stderr loses its stdin, as with containerd.
    tls: the server's side of TLS, which may ask for client certificates; None for plain HTTP.
    host: a name by which it may be asked for besides loopback's, as by who comes through a proxy.
    url: where it is, for whom may ask: its path is a secret.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        protocols: Sequence[str] = ("v5", "v4"),
        closes_stdin_early: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        host: str = "",
    ) -> None:
        self.directory = Path(directory)
        self.url = ""
        self._guard = Guard(host)
        self._protocols = [f"{protocol}.channel.k8s.io" for protocol in protocols]
        self._closes_stdin_early = closes_stdin_early
        self._port = port
        self._tls = tls
        self._store = api.Store()
        self._jobs = Jobs(
            self._store, self.add_pod, self._gone, self.write_kubeconfig, self.directory / ".kubeconfig-of-jobs"
        )
        self._faults = Faults()
        self._processes: dict[Process, tuple[FakePod, Container]] = {}
        self._sessions: set[CancelScope] = set()
        self._stopping = False

    async def __aenter__(self) -> Self:
        self.directory = await to_thread.run_sync(_prepared, self.directory)
        app = web.Application()
        ours = [
            web.route("*", api.POD + "/exec", self._exec),
            web.get(api.POD + "/log", self._log),
            web.patch(api.POD + "/ephemeralcontainers", self._add_ephemeral),
        ]
        app.add_routes([*self._jobs.routes(), *api.routes(self._store), *ours])
        entrance = web.Application(middlewares=[api.refusals, self._guard.admit])
        entrance.add_subapp(f"/{self._guard.secret}", app)
        self._runner = web.AppRunner(
            entrance,
            access_log=None,
            logger=_LOGGER,
            shutdown_timeout=SHUTDOWN_GRACE_S,
            max_line_size=MAX_HEADER_SIZE,
            max_field_size=MAX_HEADER_SIZE,
        )
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        origin = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"
        self.url = f"{origin}/{self._guard.secret}"
        self._keepers = create_task_group()
        await self._keepers.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stopping = True
        self._faults.heal()
        with CancelScope(shield=True):
            for session in self._sessions:
                session.cancel()
            await self._runner.cleanup()
            with move_on_after(KILL_GRACE_S) as grace:
                await _kill(list(self._processes))
        if grace.cancelled_caught:  # something has left its process group: it can't be killed, nor waited for
            self._keepers.cancel_scope.cancel()
        # Without the body's error: a task group would hand it on inside an ExceptionGroup.
        await self._keepers.__aexit__(None, None, None)

    async def write_kubeconfig(self, path: Path | str, user: str = documents.USER) -> None:
        """Write a kubeconfig whose current context, `demo`, is this cluster; for its owner alone to read."""
        await to_thread.run_sync(_write_private, Path(path), documents.kubeconfig(self.url, user))

    async def add_pod(self, pod: FakePod | str, **fields: Any) -> FakePod:
        """Add a pod, given as such, or as its name and other fields of FakePod. Files that are in its roots stay."""
        if isinstance(pod, str):
            pod = FakePod(pod, **fields)
        await to_thread.run_sync(pod.prepare, self.directory)
        self._store.pods[pod.namespace, pod.name] = pod
        return pod

    def place(self, node: str, zone: str) -> None:
        """Say in which zone a node is."""
        self._store.zones[node] = zone

    async def delete_pod(self, name: str, namespace: str = "default") -> None:
        """Forget a pod, kill its processes, remove its files. Its exec sessions end with 137. A Job has another one."""
        pod = self._store.pods[namespace, name]
        await self._gone(name, namespace)
        await self._jobs.replace(pod)

    async def delete_job(self, name: str, namespace: str = "default") -> None:
        """Delete a Job, with its pods and all that it owns."""
        await self._jobs.delete(namespace, name)

    def names_of(self, prefix: str) -> list[str]:
        """Return the names of pods that begin so."""
        return [name for _, name in self._store.pods if name.startswith(prefix)]

    def owned(self) -> list[str]:
        """Return what Jobs own, and have not taken along, as PLURAL/NAME."""
        return [f"{plural}/{name}" for plural, _, name in self._jobs.objects]

    async def _gone(self, name: str, namespace: str) -> None:
        pod = self._store.pods.pop((namespace, name))
        await _kill([process for process, (owner, _) in self._processes.items() if owner is pod])
        await to_thread.run_sync(shutil.rmtree, self.directory / namespace / name, True)

    async def restart_container(self, pod: FakePod, container: str = "") -> None:
        """Kill a container's processes and count a restart. Its files stay, as if all were on a volume."""
        chosen = pod.container(container)
        await _kill([process for process, (_, owner) in self._processes.items() if owner is chosen])
        chosen.restarts += 1

    def add_workload(self, kind: str, name: str, match: Mapping[str, Any], namespace: str = "default") -> None:
        """Add the owner of pods, or a service. kind: any of kubectl's names for it.

        match: labels, or a v1.LabelSelector; a service may have no labels, and then it has no selector.
        """
        group_version, plural = WORKLOADS[kind]
        if plural != "services" and match.keys().isdisjoint(("matchLabels", "matchExpressions")):
            match = {"matchLabels": dict(match)}
        self._store.workloads[plural, namespace, name] = Workload(group_version, plural, name, dict(match), namespace)

    def add_deployment(self, name: str, match: Mapping[str, Any], namespace: str = "default") -> None:
        """Add a Deployment, as `add_workload` does."""
        self.add_workload("deployment", name, match, namespace)

    def forbid(self, verb: str, resource: str, user: str = documents.USER) -> None:
        """Take a permission from a user: `forbid("create", "pods/exec")`, `forbid("*", "*", "nobody")`."""
        self._store.forbidden.add((user, verb, resource))

    def strike(self, pod: FakePod, fault: Fault) -> None:
        """Let a fault strike the pod's next session, or all of them; several wait for their turn."""
        self._faults.plan(pod, fault)

    def heal(self, pod: FakePod | None = None) -> None:
        """Let no fault strike the pod, or all, any more; break off the sessions that one did: some never end else."""
        self._faults.heal(pod)

    def accept_only(self, *users: str) -> None:
        """Answer everyone else with 401, from now on. A user is a token, or the name in a client certificate."""
        self._store.accepted = frozenset(users)

    def running_processes(self) -> list[str]:
        """Return the commands of which something still lives, be it only a process that the command left behind."""
        return [process.command for process in self._processes if not process.ended.is_set()]

    async def wait_idle(self, pod: FakePod | None = None) -> None:
        """Wait until nothing runs in the pod, or in any."""
        for process, (owner, _) in list(self._processes.items()):
            if pod in (None, owner):
                await process.ended.wait()

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod, container, options, protocol = self._admit(request)
        fault = self._faults.next(pod, request)
        if fault is not None and (answer := await fault.open(request)) is not None:
            return answer
        socket = new_socket(protocol)
        with CancelScope() as scope:
            self._sessions.add(scope)
            try:
                await socket.prepare(request)
                link = Link(socket) if fault is None else StruckLink(socket, request, fault)
                await link.send(options.first_message())
                status = await self._converse(link, pod, container, options, protocol)
                await finish(link, status)
            except ConnectionError:
                pass  # the client is gone: nobody is left to hear of it
            finally:
                self._sessions.discard(scope)
        if scope.cancelled_caught and request.transport is not None:
            request.transport.abort()
        return socket

    async def _add_ephemeral(self, request: web.Request) -> web.Response:
        """Take a strategic merge patch of ephemeral containers: new ones are added, and those that are there stay."""
        self._store.authorize(request, "patch", "pods/ephemeralcontainers")
        pod = self._store.pod(request)
        try:
            wanted = [dict(one) for one in (await request.json())["spec"]["ephemeralContainers"]]
            asked = [(one, str(one["name"]), str(one["image"]), str(one["targetContainerName"])) for one in wanted]
        except (ValueError, TypeError, KeyError) as exc:
            raise bad_request(f"the object provided is unrecognized: {exc}") from None
        there = {one.name: one.spec for one in pod.ephemeral}
        for spec, name, image, target in asked:
            if name in there and there[name] != spec:
                raise ephemeral_refused(pod.name, f"existing ephemeral containers {name!r} may not be changed")
            if target not in {one.name for one in pod.containers}:
                raise ephemeral_refused(pod.name, f'targetContainerName: Not found: "{target}"')
            if name not in there:
                kind = await to_thread.run_sync(kind_of_image, image)
                container = Container(name, kind or gnu(), target=target, spec=spec)
                container.waiting = "" if kind else "ImagePullBackOff"
                await to_thread.run_sync(pod.add_ephemeral, container, self.directory)
        return web.json_response(pod.to_json())

    async def _log(self, request: web.Request) -> web.StreamResponse:
        self._store.authorize(request, "get", "pods/log")
        pod = self._store.pod(request)
        container = _choose(pod, request.query.get("container", ""))
        lines = log_lines(pod, container, request.query, datetime.now(UTC))
        first = next(lines, b"")  # what is refused is refused before the answer begins
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(first)
        for line in lines:
            await answer.write(line)
        await answer.write_eof()
        return answer

    def _admit(self, request: web.Request) -> tuple[FakePod, Container, ExecOptions, str]:
        """Make sure of everything that can be refused before the 101, in the real server's order. Raises Refused."""
        if self._stopping:
            raise Refused(503)
        self._store.authorize(request, "create" if request.method == "POST" else "get", "pods/exec")
        if not self._store.may(request, "create", "pods/exec"):
            raise upgrade_forbidden(request.match_info["name"])
        pod = self._store.pod(request)
        options = ExecOptions.parse(request.rel_url.raw_query_string)
        container = _choose(pod, options.container)
        if not pod.node:
            raise bad_request(f"pod {pod.name} does not have a host assigned")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("Upgrade request required")
        if request.method != "GET":
            raise Refused(405, "bad method")
        offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocol = negotiate(offered, self._protocols)
        if protocol is None:
            raise Refused(403)
        if protocol == V4 and (refused := _node_refuses(pod, container, options)):
            raise refused
        return pod, container, options, protocol

    async def _converse(
        self, link: Link, pod: FakePod, container: Container, options: ExecOptions, protocol: str
    ) -> ExitStatus | None:
        """Run the command and carry its bytes; return how it ended, None when the client went away before."""
        if refused := _node_refuses(pod, container, options):  # v5: whoever translates has said 101 by then
            return ExitStatus(None, f"Internal error occurred: unable to upgrade connection: {refused.body}")
        try:
            process = await start(pod, container, options.command, options.channels, options.tty)
        except NotStarted as exc:
            return not_run(protocol, str(exc))
        self._processes[process] = (pod, container)
        self._keepers.start_soon(self._keep, process)
        if self._store.pods.get((pod.namespace, pod.name)) is not pod:
            process.kill()  # it was deleted while the command started
        try:
            return await Session(link, process, protocol, container.root, self._closes_stdin_early).run()
        finally:
            process.released.set()

    async def _keep(self, process: Process) -> None:
        try:
            await process.keep()
        finally:
            del self._processes[process]


def _choose(pod: FakePod, name: str) -> Container:
    """Return the container that an exec means (pkg/registry/core/pod/strategy.go, validateContainer)."""
    names = [one.name for one in (*pod.containers, *pod.ephemeral)]
    if not name and len(pod.containers) > 1:
        chosen = " ".join(names)
        raise bad_request(f"a container name must be specified for pod {pod.name}, choose one of: [{chosen}]")
    if name and name not in names:
        raise bad_request(f"container {name} is not valid for pod {pod.name}")
    return pod.container(name)


def _node_refuses(pod: FakePod, container: Container, options: ExecOptions) -> Refused | None:
    """Return the kubelet's refusal to run a command, None when it will."""
    if pod.state(container)[0] != "running":
        return Refused(500, f'container not found ("{container.name}")')
    return None if options.channels else Refused(400, "you must specify at least 1 of stdin, stdout, stderr")


async def _kill(processes: Iterable[Process]) -> None:
    """Kill processes, and wait until they are gone."""
    for process in processes:
        process.kill()
    for process in processes:
        await process.ended.wait()


def _prepared(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()  # commands say it without symlinks, and it must be found in what they say


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
