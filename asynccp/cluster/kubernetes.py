"""KubernetesCluster: a real API server behind the seam of `cluster.base`, on aiohttp.

Why not kubernetes_asyncio's own calls: its exec drops channel 3 and the body of a refused upgrade, decodes bytes as
UTF-8, blocks silently at 100 connections, and ignores proxy-url and tls-server-name; its typed pod lists cost 1.7 ms a
pod, raw JSON 0.4 ms.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import anyio
from anyio import move_on_after
from yarl import URL

from asynccp.cluster.access import Access, load_access
from asynccp.cluster.refusal import exec_refused, list_refused, retry_after_s
from asynccp.cluster.renewal import Renewal
from asynccp.cluster.unreachable import unreachable
from asynccp.errors import ClusterError, ConnectFailed, ProtocolRefused, Refused, SessionLost
from asynccp.escape import printable
from asynccp.options import CLOSE_GRACE_S
from asynccp.target import WORKLOADS, Json, Selector, Target, label_query
from asynccp.wire.exec import MAX_MESSAGE_SIZE

PAGE_SIZE = 500  # pods in one answer, as kubectl asks for
_CONNECT_TIMEOUT_S = 30.0
_BUSY_WAITS_S = (1.0, 3.0, 10.0)  # unlike exec, lists are under API priority and fairness, which answers 429


@asynccontextmanager
async def connect(kubeconfig: str | None = None, context: str | None = None) -> AsyncIterator["KubernetesCluster"]:
    """Connect to the cluster that kubectl would use with the same arguments. Raises ClusterError."""
    access = await load_access(kubeconfig, context)
    # The same context, whatever is the current one by then.
    async with KubernetesCluster(access, partial(load_access, kubeconfig, access.context, renew=True)) as cluster:
        yield cluster


class KubernetesCluster:
    """One API server. Used as `async with`, which ends its connections.

    renew: loads the access anew when the server has refused its credentials.
    """

    def __init__(self, access: Access, renew: Callable[[], Awaitable[Access]] | None = None) -> None:
        self._credentials = Renewal(access, renew)
        self.namespace = access.namespace

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            middlewares=(_keep_refusal,),
            skip_auto_headers=("User-Agent",),
            headers={"User-Agent": "asynccp"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with move_on_after(CLOSE_GRACE_S, shield=True):
            await self._http.close()

    async def list_pods(self, selector: Selector, namespace: str | None, fields: str) -> AsyncIterator[list[Json]]:
        where = f"namespaces/{namespace}/" if namespace else ""
        if selector.kind == "pod":
            found = await self._get(f"api/v1/{where}pods/{selector.name}", {}, selector)
            if found is not None:
                yield [found]
            return
        labels = selector.name
        if selector.kind in WORKLOADS:
            api, plural = WORKLOADS[selector.kind]
            workload = await self._get(f"{api}/{where}{plural}/{selector.name}", {}, selector)
            if workload is None:
                return
            labels = label_query(workload["spec"]["selector"])
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": str(PAGE_SIZE)}
        while True:
            page = await self._get(
                f"api/v1/{where}pods", {key: value for key, value in query.items() if value}, selector
            )
            yield (page or {}).get("items") or []
            if not (after := ((page or {}).get("metadata") or {}).get("continue")):
                return
            query["continue"] = after

    async def find_pod(self, target: Target) -> Json | None:
        selector = Selector("pod", target.pod, "", target.namespace)
        found: Json | None = await self._get(f"api/v1/namespaces/{target.namespace}/pods/{target.pod}", {}, selector)
        return found

    @asynccontextmanager
    async def open_exec(self, target: Target, argv: Sequence[str], protocol: str) -> AsyncIterator["_Session"]:
        query = [("container", target.container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        # Proxies take a request line of 8 KiB (nginx) and more: a script is 5 KiB with spaces as `+`, 7 KiB as `%20`.
        words = urlencode(query + [("command", word) for word in argv], safe="/:,!*()$'", errors="surrogateescape")
        path = f"api/v1/namespaces/{target.namespace}/pods/{target.pod}/exec?{words}"
        websocket = await self._upgraded(path, protocol)
        try:
            if websocket.protocol != protocol:
                raise ProtocolRefused(f"the API server did not agree to {protocol}")
            yield _Session(websocket, protocol)
        finally:
            with move_on_after(CLOSE_GRACE_S, shield=True):
                await websocket.close()

    async def _upgraded(self, path: str, protocol: str) -> aiohttp.ClientWebSocketResponse:
        """Return an open WebSocket. Credentials that are refused are renewed, and tried once more."""
        access = self._credentials.access
        try:
            try:
                return await self._upgrade(access, path, protocol)
            except _UpgradeRefused as exc:
                if exc.status != 401 or not await self._credentials.after_refusal(access):
                    raise
            access = self._credentials.access
            return await self._upgrade(access, path, protocol)
        except _UpgradeRefused as exc:
            raise exec_refused(exc.status, exc.body, exc.retry_after) from exc
        except ClusterError as exc:
            raise Refused(f"the credentials were refused, and can't be renewed: {exc}", hint=exc.hint) from exc
        except (aiohttp.ClientError, OSError) as exc:
            message, hint = unreachable(exc, access)
            raise ConnectFailed(f"the API server {message}", hint=hint) from None  # its words may hold a password

    async def _upgrade(self, access: Access, path: str, protocol: str) -> aiohttp.ClientWebSocketResponse:
        websocket: aiohttp.ClientWebSocketResponse = await self._http.ws_connect(
            URL(f"{access.url}/{path}", encoded=True),
            protocols=(protocol,),
            max_msg_size=MAX_MESSAGE_SIZE + 1,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_GRACE_S),
            **_connection(access),
        )
        return websocket

    async def _get(self, path: str, query: dict[str, str], selector: Selector) -> Any:
        """Return the JSON at `path`, None for a 404.

        A server that says it is busy is asked again when it says so; one that refuses our credentials once more, if
        they can be renewed.
        """
        path = f"{path}?{urlencode(query, quote_via=quote)}"
        waits_s, renewed = iter(_BUSY_WAITS_S), False
        while True:
            access = self._credentials.access
            status, body, asked_s = await self._ask(access, path)
            if status == 200:
                return _document(body, access)
            if status == 404:
                return None
            if status == 401 and not renewed and await self._credentials.after_refusal(access):
                renewed = True
                continue
            if status not in (429, 503) or (wait_s := next(waits_s, None)) is None:
                raise list_refused(status, body, str(selector), by_label=selector.kind == "labels")
            await anyio.sleep(min(asked_s or wait_s, _BUSY_WAITS_S[-1]))

    async def _ask(self, access: Access, path: str) -> tuple[int, bytes, float]:
        """Return status, body, and the seconds of Retry-After. No redirect is followed: our proof would go along."""
        url = URL(f"{access.url}/{path}", encoded=True)
        try:
            async with self._http.get(url, allow_redirects=False, **_connection(access)) as answer:
                return answer.status, await answer.read(), retry_after_s(answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            message, hint = unreachable(exc, access)
            where = printable(access.url)
            raise ClusterError(f"the API server at {where} {message}", hint=hint) from None  # may hold a password


def _connection(access: Access) -> dict[str, Any]:
    """Return what is said about the connection in every request."""
    settings = {"headers": access.headers, "proxy": access.proxy, "ssl": access.ssl or True}
    return {**settings, **({"server_hostname": access.server_hostname} if access.server_hostname else {})}


def _document(body: bytes, access: Access) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        where = printable(access.url)
        raise ClusterError(f"the API server at {where} can't be reached: what answers there is none") from None


class _Session:
    """One exec WebSocket.

    aiohttp's heartbeat stays off: it wants a pong in half its period, and the server can't answer while the pod's disk
    is slow, because its reader waits for the process. The engine pings, and only while nothing flows.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, protocol: str) -> None:
        self._websocket = websocket
        self.protocol = protocol
        self.ending = ""

    async def send(self, message: bytes | memoryview) -> None:
        try:
            await self._websocket.send_bytes(message)  # type: ignore[arg-type]  # any buffer will do
        except (aiohttp.ClientError, OSError) as exc:
            raise SessionLost(f"the session broke while sending: {_cause(exc)}") from exc

    async def receive(self) -> bytes | None:
        message = await self._websocket.receive()
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            case aiohttp.WSMsgType.TEXT:
                return str(message.data).encode()
            case aiohttp.WSMsgType.ERROR:
                self.ending = self.ending or f"the connection broke: {_cause(message.data)}"
            case _:
                self.ending = self.ending or _ending(self._websocket.close_code, message.extra)
        return None

    async def ping(self) -> None:
        try:
            await self._websocket.ping()
        except (aiohttp.ClientError, OSError) as exc:
            raise SessionLost(f"the session broke: {_cause(exc)}") from exc


class _UpgradeRefused(aiohttp.ClientError):
    """An upgrade that was answered with something else than 101."""

    def __init__(self, status: int, body: bytes, retry_after: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after


async def _keep_refusal(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the body of a refused upgrade, which aiohttp's ws_connect throws away: it holds the server's reason."""
    response = await handler(request)
    if response.status != 101 and "Upgrade" in request.headers:
        body = await response.content.read(64 * 1024)
        response.close()
        raise _UpgradeRefused(response.status, body, response.headers.get("Retry-After", ""))
    return response


def _ending(code: int | None, reason: Any) -> str:
    """Return what a Close code means (RFC 6455 section 7.4.1); empty for a regular end."""
    if code in (1000, None):
        return ""
    if code == 1006:
        return "the connection broke off"
    return f"the server closed the connection with code {code}" + (f": {printable(str(reason), 200)}" if reason else "")


def _cause(exc: BaseException | None) -> str:
    return printable(str(exc) or type(exc).__name__, 300)
