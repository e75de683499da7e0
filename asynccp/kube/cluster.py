"""KubernetesCluster: a real API server behind the seam of `kube.base`, on connections of `net.http`.

Lists and exec are ours, for cost and safety: to import kubernetes_asyncio 36 doubles the time of a small copy, and
its exec costs a pull 1.8 times the CPU and five times the memory, drops the body of a refused upgrade, and goes past
proxy-url and tls-server-name. All that is neither list nor exec is for it (`api_client`), and `connect` takes one.
"""

import functools
import logging
import math
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from ssl import SSLContext
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import anyio
from anyio import move_on_after, to_thread
from msgspec import Struct

from asynccp.auth.access import Access, load_access
from asynccp.auth.renewal import Renewal
from asynccp.errors import ClusterError, ConnectFailed, Knob, NoTargets, Refused, SessionLost, TransferError, UsageError
from asynccp.kube import documents
from asynccp.kube.api_errors import exec_refused, list_refused, log_refused, nodes_refused, retry_after_s
from asynccp.kube.base import Cluster, EphemeralContainer, Session, Wanted, Watched
from asynccp.kube.buffers import Hops
from asynccp.kube.connect_errors import unanswered, unreachable
from asynccp.kube.log_errors import TAIL_SIZE, gave_up
from asynccp.kube.session import WebSocket
from asynccp.net.http import Answer, Headers, HttpConnection, Streamed, TooLarge, Upgraded, open_connection
from asynccp.net.websocket import handshake, make_key, refused_handshake
from asynccp.options import CLOSE_GRACE_S, hop_size
from asynccp.target import WORKLOADS, Json, Log, Selector, Target, pods_query, zones_of
from asynccp.text import printable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_LOG = logging.getLogger("asynccp.kube")

Answered = TypeVar("Answered", Answer, Upgraded | Answer, Streamed | Answer)
Document = TypeVar("Document")

PAGE_SIZE = 500  # pods in one answer, as kubectl asks for
_LEAST_PAGE_SIZE = 5  # of pods that have 1.5 MiB each, the most that etcd takes
_MOST_PAGES = 5_000  # with a selector there may be few pods in one
_MOST_PODS = 150_000  # Kubernetes' own bound (https://kubernetes.io/docs/setup/best-practices/cluster-large/)
_MOST_SIZE = 512 * 1024 * 1024  # bytes of memory for what is read of a list: that many pods have two thirds
_FEWER = "labels that match fewer pods, or a namespace, make it shorter, unless the server is broken"
_CONNECT_TIMEOUT_S = 30.0
_ANSWER_TIMEOUT_S = 90.0  # the API server itself gives up after 60 s (kube-apiserver --request-timeout)
_PLACE = re.compile("(&continue=)[^&]*")  # where a page ended: a kilobyte that nobody reads
_METADATA = (("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"),)
_BUSY_WAITS_S = (1.0, 3.0, 10.0)  # unlike exec, lists are under API priority and fairness, which answers 429


@asynccontextmanager
async def connect(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    api_client: "ApiClient | None" = None,
    namespace: str | None = None,
    ssl_context: SSLContext | None = None,
) -> AsyncIterator["KubernetesCluster"]:
    """Connect to the cluster that kubectl would use with the same arguments. Raises ClusterError, UsageError.

    api_client: of kubernetes_asyncio, instead of a kubeconfig. It lists; we exec as whoever it is, and ask it who that
        is anew when we are refused. It stays its owner's, and open.
    namespace: where to look by default, instead of the kubeconfig's; an ApiClient has none, so it is `default` then.
    ssl_context: of an ApiClient whose session was replaced, since it can't be read from that.
    """
    if api_client is not None and (kubeconfig or context):
        raise UsageError("an api_client and a kubeconfig, or its context, are two clusters")
    if api_client is None and ssl_context is not None:
        raise UsageError("an ssl_context belongs to an api_client; a kubeconfig names its own certificates")
    made = _brought(api_client, ssl_context) if api_client is not None else _configured(kubeconfig, context)
    async with await made as cluster:
        cluster.namespace = namespace or cluster.namespace
        yield cluster


async def _configured(kubeconfig: str | None, context: str | None) -> "KubernetesCluster":
    access = await load_access(kubeconfig, context)
    # The same context, whatever is the current one by then.
    return KubernetesCluster(access, partial(load_access, kubeconfig, access.context, renew=True))


async def _brought(api: "ApiClient", tls: SSLContext | None) -> "KubernetesCluster":
    from asynccp.kube.apiclient import BroughtCluster, access_of

    load = partial(access_of, api, tls)
    return BroughtCluster(api, await load(), load)


class KubernetesCluster:
    """One API server. Used as `async with`, which ends its connections.

    renew: loads the access anew when the server has refused its credentials.
    """

    members: Mapping[str, Cluster] = MappingProxyType({})  # it is one

    def __init__(self, access: Access, renew: Callable[[], Awaitable[Access]] | None = None) -> None:
        self.connect_s = math.inf
        self._credentials = Renewal(access, renew)
        self.namespace = access.namespace
        self.context = access.context
        self._idle: list[tuple[Access, HttpConnection]] = []
        self._sessions = 0
        self._hops = Hops(lambda: hop_size(self._sessions))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with move_on_after(CLOSE_GRACE_S, shield=True):
            for _, connection in self._idle:
                connection.abort()
                await connection.lost.wait()

    def api_client(self) -> AbstractAsyncContextManager["ApiClient"]:
        """Return an ApiClient of kubernetes_asyncio that asks as we do, for all that is neither a list nor an exec."""
        return _api_client_of(self._credentials)

    async def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        if selector.kind == "pod":
            path = f"api/v1/{_of(namespace)}pods/{selector.name}"
            if (found := await self._get(path, {}, _refused(selector), documents.pod_of)) is not None:
                yield [found]
        elif wanted := await self._pods(selector, namespace, fields):
            async for page in self._pages(wanted):
                yield page.items

    async def watch_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[Watched]:
        from asynccp.kube import watch  # here: few need it, and it needs `api_client`

        if selector.kind == "pod":  # one that does not exist yet may be watched
            selector, fields = Selector("labels", "", ""), f"metadata.name={selector.name}"
        wanted = await self._pods(selector, namespace, fields)
        if wanted is None:
            raise NoTargets(f"there is no {selector} in namespace {namespace}")
        async with aclosing(watch.watched(partial(self._whole, wanted), self.api_client, wanted)) as news:
            async for one in news:
                yield one

    async def _whole(self, wanted: "_List") -> documents.Page:
        pages = [page async for page in self._pages(wanted)]
        return pages[0]._replace(items=[one for page in pages for one in page.items])

    async def _pods(self, selector: Selector, namespace: str | None, fields: str) -> "_List | None":
        """Return the list of the pods of labels, a workload or a service; None if there is no such workload."""
        where, refused, labels = _of(namespace), _refused(selector), selector.name
        if selector.kind in WORKLOADS:
            api, plural = WORKLOADS[selector.kind]
            read_owner = partial(documents.owner_of, plural)
            owner = await self._get(f"{api}/{where}{plural}/{selector.name}", {}, refused, read_owner)
            if owner is None:
                return None
            if not (labels := pods_query(plural, owner)):  # which as a query would mean every pod
                name = f"{selector.kind}/{selector.name}"
                raise NoTargets(
                    f"{name} in namespace {namespace} has no selector, so no pods belong to it",
                    hint=f"name the pods, POD:PATH, or their labels with {Knob.LABELS}",
                )
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        return _List(f"api/v1/{where}pods", query, str(selector), refused, documents.page_of)

    async def zones(self) -> Mapping[str, str]:
        wanted = _List("api/v1/nodes", {}, "the nodes", nodes_refused, documents.nodes_of)
        found: dict[str, str] = {}
        async for page in self._pages(wanted):
            found |= zones_of(page.items)
        return found

    async def objects(self, path: str) -> list[Json]:
        """Return names and labels of the objects at a path of the API, of a page at most. Raises ClusterError.

        It is asked once: for who completes a word, an answer that comes late is none.
        """
        access = self._credentials.access
        try:
            answer = await self._answer(access, f"{path}?limit={PAGE_SIZE}", _METADATA)
        except (OSError, ValueError) as exc:
            raise unanswered(exc, access) from None
        if answer.status != 200:
            raise ClusterError(f"the API server answered with HTTP {answer.status}")
        return _document(answer.body, access, documents.objects_of).items

    async def _pages(self, wanted: "_List") -> AsyncIterator[documents.Page]:
        """Yield a list page by page, smaller ones where its items are large. Raises ClusterError if it has no end."""
        limit, items, size, seen = PAGE_SIZE, 0, 0, {""}
        after = ""
        while True:
            asked = {**wanted.query, "limit": str(limit), **({"continue": after} if after else {})}
            try:
                page = await self._get(wanted.path, asked, wanted.refused, wanted.read) or documents.Page([], "", 0)
            except _TooLarge:
                if limit <= _LEAST_PAGE_SIZE:
                    raise
                limit //= 10
                continue
            yield page
            after, items, size = page.after, items + len(page.items), size + page.size
            if not after:
                return
            if after in seen or len(seen) > _MOST_PAGES or items > _MOST_PODS or size > _MOST_SIZE:
                raise ClusterError(f"the API server's list of {wanted.what} has no end", hint=_FEWER)
            seen.add(after)

    async def find_pod(self, target: Target) -> Json | None:
        selector = Selector("pod", target.pod, "", target.namespace)
        path = f"api/v1/namespaces/{target.namespace}/pods/{target.pod}"
        return await self._get(path, {}, _refused(selector), documents.pod_of)

    async def ephemeral(self, target: Target, wanted: Wanted) -> EphemeralContainer:
        from asynccp.kube import ephemeral  # here: few need it, and what adds one needs `api_client`

        selector = Selector("pod", target.pod, "", target.namespace)
        path = f"api/v1/namespaces/{target.namespace}/pods/{target.pod}"
        look = partial(self._get, path, {}, _refused(selector), documents.inhabited)
        return await ephemeral.ephemeral(look, partial(ephemeral.add, self.api_client, path), target, wanted)

    @asynccontextmanager
    async def open_log(self, target: Target, log: Log) -> AsyncIterator[AsyncIterator[bytes]]:
        query = {"container": target.container, **_log_query(log)}
        path = f"api/v1/namespaces/{target.namespace}/pods/{target.pod}/log?{urlencode(query)}"
        begun_s, who = time.monotonic(), printable(f"{target.of_pod}/{target.container}")
        try:
            stream = await self._renewing(lambda access: self._stream(access, path))
        except TransferError as exc:
            _LOG.debug("log of %s: none after %.3f s: %s", who, _since(begun_s), exc)
            raise
        if isinstance(stream, Answer):
            raise log_refused(stream.status, stream.body, stream.headers.get("retry-after", ""))
        try:
            async with aclosing(_pieces(stream, target, log)) as pieces:
                yield pieces
        finally:
            stream.connection.abort()
            _LOG.debug("log of %s: over after %.3f s", who, _since(begun_s))

    async def _stream(self, access: Access, path: str) -> Streamed | Answer:
        async def ask(connection: HttpConnection) -> Streamed | Answer:
            return await connection.stream(_host(access), _target(access, path), access.headers)

        return await self._on_connection(access, ask)

    @asynccontextmanager
    async def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AsyncIterator[Session]:
        # Proxies take a request line of 8 KiB (nginx) and more: a script is 5 KiB with spaces as `+`, 7 KiB as `%20`.
        words = "".join(f"&command={_quoted(word)}" for word in argv)
        path = (
            f"api/v1/namespaces/{target.namespace}/pods/{target.pod}/exec"
            f"?container={target.container}&stdin=true&stdout=true&stderr=true{words}"
        )
        begun_s, who = time.monotonic(), printable(f"{target} by {protocol}")
        try:
            upgraded = await self._upgraded(path, protocol)
        except TransferError as exc:
            _LOG.debug("exec in %s, a URL of %d bytes: none after %.3f s: %s", who, len(path), _since(begun_s), exc)
            raise
        _LOG.debug("exec in %s, a URL of %d bytes: open after %.3f s", who, len(path), _since(begun_s))
        self._sessions += 1
        session = WebSocket(upgraded, protocol, self._hops)
        try:
            yield session
        finally:
            self._sessions -= 1
            await session.close()
            ending = session.ending and f": {session.ending}"
            _LOG.debug("exec in %s: over after %.3f s%s", who, _since(begun_s), ending)

    async def _upgraded(self, path: str, protocol: str) -> Upgraded:
        """Return a connection that speaks WebSocket."""
        answer = await self._renewing(lambda access: self._upgrade(access, path, protocol))
        if isinstance(answer, Answer):
            raise exec_refused(answer.status, answer.body, answer.headers.get("retry-after", ""))
        return answer

    async def _renewing(self, ask: Callable[[Access], Awaitable[Answered]]) -> Answered:
        """Return the answer. Credentials that are refused are renewed, and tried once more. Raises TransferError."""
        access = self._credentials.access
        try:
            answer = await ask(access)
            if isinstance(answer, Answer) and answer.status == 401 and await self._credentials.after_refusal(access):
                access = self._credentials.access
                answer = await ask(access)
        except ClusterError as exc:
            raise Refused(f"the credentials were refused, and can't be renewed: {exc}", hint=exc.hint) from exc
        except (OSError, ValueError) as exc:
            message, hint = unreachable(exc, access)
            raise ConnectFailed(f"the API server {message}", hint=hint) from None  # its words may hold a password
        return answer

    async def _upgrade(self, access: Access, path: str, protocol: str) -> Upgraded | Answer:
        key = make_key()
        offer = handshake(key, protocol)

        async def ask(connection: HttpConnection) -> Upgraded | Answer:
            answer = await connection.upgrade(_host(access), _target(access, path), (*offer, *access.headers))
            if isinstance(answer, Upgraded) and (problem := refused_handshake(answer.headers, key, protocol)):
                raise problem
            return answer

        return await self._on_connection(access, ask)

    async def _get(
        self, path: str, query: dict[str, str], refused: "_Refusal", read: Callable[[Any], Document]
    ) -> Document | None:
        """Return what is read of the JSON at `path`, None for a 404. Raises what `refused` makes of a refusal.

        A server that says it is busy is asked again when it says so; one that refuses our credentials once more, if
        they can be renewed.
        """
        path = f"{path}?{urlencode(query, quote_via=quote)}"
        waits_s, renewed = iter(_BUSY_WAITS_S), False
        while True:
            access = self._credentials.access
            status, body, asked_s = await self._ask(access, path)
            if status == 200:
                return _document(body, access, read)
            if status == 404:
                return None
            if status == 401 and not renewed and await self._credentials.after_refusal(access):
                renewed = True
                continue
            if status not in (429, 503) or (wait_s := next(waits_s, None)) is None:
                raise refused(status, body)
            wait_s = min(asked_s or wait_s, _BUSY_WAITS_S[-1])
            _LOG.debug("the server is busy, and is asked again in %.1f s", wait_s)
            await anyio.sleep(wait_s)

    async def _ask(self, access: Access, path: str) -> tuple[int, bytes, float]:
        """Return status, body, and the seconds of Retry-After."""
        begun_s, what = time.monotonic(), printable(_PLACE.sub(r"\1…", path))
        try:
            with anyio.move_on_after(_ANSWER_TIMEOUT_S) as limit:
                answer = await self._answer(access, path)
            if limit.cancelled_caught:
                raise TimeoutError(f"no whole answer within {_ANSWER_TIMEOUT_S:.0f} s")
        except TooLarge:
            raise _too_large(access) from None
        except (OSError, ValueError) as exc:
            error = unanswered(exc, access)
            _LOG.debug("GET %s: no answer after %.3f s: %s", what, _since(begun_s), error)
            raise error from None  # its words may hold a password
        _LOG.debug("GET %s: HTTP %d, %d bytes, %.3f s", what, answer.status, len(answer.body), _since(begun_s))
        return answer.status, answer.body, retry_after_s(answer.headers.get("retry-after", ""))

    async def _answer(self, access: Access, path: str, more: Headers = ()) -> Answer:
        """Return what the server answers to a GET. No redirect is followed: our proof would go along."""

        async def ask(connection: HttpConnection) -> Answer:
            return await connection.get(_host(access), _target(access, path), (*access.headers, *more))

        return await self._on_connection(access, ask)

    async def _on_connection(self, access: Access, ask: Callable[[HttpConnection], Awaitable[Answered]]) -> Answered:
        """Ask on a connection that is idle, else on a new one, which is kept afterwards if another may be asked.

        A server may close an idle connection at any moment: one that says nothing at all is asked again on a new one
        (RFC 9112 section 9.3.1).
        """
        while kept := self._take_idle(access):
            try:
                return await self._asked(access, kept, ask)
            except OSError:
                if kept.heard:
                    raise
        with anyio.move_on_after(_CONNECT_TIMEOUT_S) as limit:
            begun_s = time.monotonic()
            connection = await open_connection(access)
            self.connect_s = min(self.connect_s, time.monotonic() - begun_s)
        if limit.cancelled_caught:
            raise TimeoutError(f"no connection within {_CONNECT_TIMEOUT_S:.0f} s")
        return await self._asked(access, connection, ask)

    async def _asked(
        self, access: Access, connection: HttpConnection, ask: Callable[[HttpConnection], Awaitable[Answered]]
    ) -> Answered:
        try:
            answer = await ask(connection)
        except BaseException:
            connection.abort()
            raise
        if isinstance(answer, Answer):
            if connection.reusable:
                self._idle.append((access, connection))
            else:
                connection.abort()
        return answer

    def _take_idle(self, access: Access) -> HttpConnection | None:
        """Return an idle connection that was made with this proof of who we are."""
        while self._idle:
            made_with, connection = self._idle.pop()
            if made_with is access and connection.reusable:
                return connection
            connection.abort()
        return None


@asynccontextmanager
async def _api_client_of(credentials: Renewal) -> AsyncIterator["ApiClient"]:
    await to_thread.run_sync(_load_apiclient)
    from asynccp.kube.apiclient import api_client_of  # here: a copy needs none of it

    async with api_client_of(credentials) as api:
        yield api


def _load_apiclient() -> None:
    import asynccp.kube.apiclient  # noqa: F401 (half a second of CPU, in which all else would wait)


class _List(Struct, frozen=True):
    """A list that is asked for. what: in words. read: makes a page of an answer."""

    path: str
    query: Mapping[str, str]
    what: str
    refused: "_Refusal"
    read: Callable[[Any], documents.Page]


_Refusal = Callable[[int, bytes], Exception]
"""Makes the error of an answer's status and body."""


def _of(namespace: str | None) -> str:
    """Return the part of a path that is for one namespace; empty for all."""
    return f"namespaces/{quote(namespace, safe='')}/" if namespace else ""


def _refused(selector: Selector) -> _Refusal:
    return partial(list_refused, what=str(selector), by_label=selector.kind == "labels")


@functools.lru_cache(maxsize=64)
def _quoted(word: str) -> str:
    """Quote one word of a command: a script, the same one for every pod, takes 2 ms."""
    return quote_plus(word, safe="/:,!*()$'", errors="surrogateescape")


def _log_query(log: Log) -> dict[str, str]:
    """Return what of a v1.PodLogOptions differs from its defaults."""
    query = {"previous": "true"} if log.previous else {}
    query |= {"timestamps": "true"} if log.timestamps else {}
    query |= {"sinceSeconds": str(log.since_s)} if log.since_s else {}
    return query | ({"tailLines": str(log.tail)} if log.tail is not None else {})


async def _pieces(stream: Streamed, target: Target, log: Log) -> AsyncGenerator[bytes, None]:
    tail = b""
    try:
        async for piece in stream.pieces():
            tail = (tail + piece)[-TAIL_SIZE:]
            yield piece
    except (OSError, ValueError) as exc:
        raise SessionLost(f"the API server's answer broke off: {printable(str(exc), 200)}") from None
    if error := gave_up(tail, target, log):
        raise error


def _since(begun_s: float) -> float:
    return time.monotonic() - begun_s


def _host(access: Access) -> str:
    return urlsplit(access.url).netloc.rpartition("@")[2]


def _target(access: Access, path: str) -> str:
    """Return what a request line names: the server's URL may have a path of its own."""
    return f"{urlsplit(access.url).path}/{path}"


class _TooLarge(ClusterError):
    """An answer that takes more memory than it may."""


def _too_large(access: Access) -> _TooLarge:
    return _TooLarge(f"the API server at {printable(access.url)} answered with more than anybody can read", hint=_FEWER)


def _document(body: bytes, access: Access, read: Callable[[Any], Document]) -> Document:
    where = printable(access.url)
    try:
        document = documents.parsed(body)
    except documents.TooMany:
        raise _too_large(access) from None
    except documents.Unreadable:
        raise ClusterError(f"the API server at {where} can't be reached: what answers there is none") from None
    try:
        return read(document)
    except documents.Unreadable:
        raise ClusterError(f"the API server at {where} answered with something else than it was asked for") from None
