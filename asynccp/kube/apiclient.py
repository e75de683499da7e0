"""ApiClient: kubernetes_asyncio's, in and out.

    access_of        a caller's ApiClient → the Access by which we exec: the same server, the same user
    BroughtCluster   lists by that client, exec by us
    api_client_of    our Access → an ApiClient, for all that is neither a list nor an exec: watch, patch, Jobs, reviews

Loaded only where one of them is wanted: to import any part of kubernetes_asyncio 36 takes 0.45 s of CPU and 58 MiB,
more than a small copy takes in all. Documents stay raw JSON (`_preload_content=False`): a pod of 5 KiB takes json.loads
0.13 ms, its models 0.87.
"""

import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import anyio
from anyio import to_thread
from kubernetes_asyncio.client import ApiClient, Configuration

from asynccp.auth.access import Access, tls_context, usable
from asynccp.auth.renewal import Renewal
from asynccp.errors import ClusterError
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.connect_errors import unanswered
from asynccp.net.endpoint import Endpoint
from asynccp.net.http import MAX_ANSWER_SIZE, Answer, Headers, ProxyRefused, ProxyUnreachable, TooLarge
from asynccp.net.proxy import environment_proxy
from asynccp.text import printable

ANSWER_TIMEOUT_S = 30.0

_LOG = logging.getLogger("asynccp.kube")
_OF_ONE_REQUEST = re.compile("user-agent|host|connection|upgrade|(accept|content-|sec-websocket-).*", re.IGNORECASE)


async def access_of(api: ApiClient, tls: SSLContext | None = None) -> Access:
    """Return where an ApiClient asks, and as whom at this moment: its refresh hook is heard. Raises ClusterError.

    tls: of a client whose session was replaced, since a session keeps its own to itself; else one is made, as the
    client's was, of the files that its Configuration names.
    """
    configuration = api.configuration
    url = str(configuration.host or "").rstrip("/")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ClusterError("the ApiClient's host is neither http:// nor https://")
    if "@" in urlsplit(url).netloc:  # as of a kubeconfig: errors name the server
        raise ClusterError(
            "the ApiClient has a password in its host", hint="who asks is proved by its api_key, or a certificate"
        )
    if configuration.proxy_headers:
        hint = "put user:password@ into its configuration.proxy"
        raise ClusterError("the ApiClient has proxy_headers, which exec can't send", hint=hint)
    if tls is None and url.startswith("https:"):
        tls = await to_thread.run_sync(usable, "the ApiClient's configuration", partial(_tls, configuration))
    return Access(
        url,
        ssl=tls,
        server_hostname=configuration.tls_server_name or None,
        proxy=configuration.proxy or environment_proxy(url),
        headers=await _headers(api),
    )


def _tls(configuration: Configuration) -> SSLContext:
    trusted = {"certificate-authority": configuration.ssl_ca_cert}
    user = {"client-certificate": configuration.cert_file, "client-key": configuration.key_file}
    return tls_context({**trusted, "insecure-skip-tls-verify": not configuration.verify_ssl}, user)


async def _headers(api: ApiClient) -> tuple[tuple[str, str], ...]:
    """Return what the client's requests say of who asks: a token, whom it impersonates, and what a gateway may want."""
    given = {**api.default_headers, **({"Cookie": api.cookie} if api.cookie else {})}
    if proof := await _proof(api):
        given = {name: value for name, value in given.items() if name.lower() != "authorization"}
        given["Authorization"] = proof["value"]
    return tuple((name, str(value)) for name, value in given.items() if not _OF_ONE_REQUEST.fullmatch(name))


async def _proof(api: ApiClient) -> dict[str, str] | None:
    """Return what a request proves its user with, as the client puts it on; None for a certificate, or nobody."""
    try:
        found = (await api.configuration.auth_settings()).get("BearerToken")
    except Exception as exc:  # of the caller's hook; its words may hold a secret
        raise ClusterError(f"the ApiClient's refresh_api_key_hook failed: {type(exc).__name__}") from exc
    return {**found, "value": str(found["value"]).strip()} if found and found["value"] else None


def server_of(api: ApiClient) -> Endpoint:
    """Return where an ApiClient asks, ours or a caller's, as far as words for its failures need it."""
    if isinstance(api.rest_client.pool_manager, _Session):
        return api.rest_client.pool_manager.access
    configuration = api.configuration
    name, proxy = configuration.tls_server_name or None, configuration.proxy or None
    return Endpoint(str(configuration.host or ""), server_hostname=name, proxy=proxy)


async def answered(
    api: ApiClient, method: str, path: str, body: object = None, *, content_type: str = "application/json"
) -> Answer:
    """As `asked`, within ANSWER_TIMEOUT_S. Raises ClusterError where no whole answer comes."""
    try:
        with anyio.move_on_after(ANSWER_TIMEOUT_S):
            return await asked(api, method, path, body, content_type=content_type)
        raise TimeoutError(f"no answer within {ANSWER_TIMEOUT_S:.0f} s")
    except (OSError, ValueError) as exc:
        raise unanswered(exc, server_of(api)) from None  # its words may hold a password


async def asked(
    api: ApiClient, method: str, path: str, body: object = None, *, content_type: str = "application/json"
) -> Answer:
    """Return what the server answers, whatever that is. Raises OSError, ValueError, TooLarge, ClusterError."""
    where, _, query = path.partition("?")
    proof = await _proof(api)
    try:
        answer = await api.call_api(
            f"/{where}",
            method,
            query_params=parse_qsl(query),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"] if proof else [],
            # Else it would hear its hook, whose errors are none of the server's. Its stubs call this a str; it is none.
            _request_auth=proof,  # type: ignore[arg-type]
            _preload_content=False,
        )
        async with answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, await _read(answer))
    except aiohttp.ClientError as exc:
        raise _plain(exc) from exc


@asynccontextmanager
async def lines_of(api: ApiClient, path: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
    """Ask for what comes in lines, as a watch does; yields the status, and the lines. Raises as `asked`, also in lines.

    Of an answer that is refused the lines are its body.
    """
    where, _, query = path.partition("?")
    proof = await _proof(api)
    try:
        answer = await api.call_api(
            f"/{where}",
            "GET",
            query_params=parse_qsl(query),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"] if proof else [],
            _request_auth=proof,  # type: ignore[arg-type]
            _preload_content=False,
        )
    except aiohttp.ClientError as exc:
        raise _plain(exc) from exc

    async def lines() -> AsyncIterator[bytes]:
        try:
            while line := await answer.content.readline():
                yield line
        except aiohttp.ClientError as exc:
            raise _plain(exc) from exc

    try:
        yield answer.status, lines()
    finally:
        answer.close()


def _plain(exc: aiohttp.ClientError) -> Exception:
    """Return what `kube.connect_errors` has words for: what `net.http` raises for the same."""
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return exc.certificate_error
        case aiohttp.ClientHttpProxyError():
            return ProxyRefused(exc.status)
        case aiohttp.ClientProxyConnectionError():
            return ProxyUnreachable(exc.os_error)
        case aiohttp.ClientConnectorError():
            return exc.os_error
        case _:
            return ConnectionError(str(exc) or type(exc).__name__)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_SIZE:
            raise TooLarge
    return bytes(body)


class BroughtCluster(KubernetesCluster):
    """The cluster of an ApiClient that somebody brought along, and that stays theirs: it is never closed here."""

    def __init__(self, api: ApiClient, access: Access, renew: Callable[[], Awaitable[Access]] | None) -> None:
        super().__init__(access, renew)
        self._api = api

    def api_client(self) -> AbstractAsyncContextManager[ApiClient]:
        """Return theirs; leaving the context does nothing to it."""
        return nullcontext(self._api)

    async def _answer(self, access: Access, path: str, more: Headers = ()) -> Answer:  # noqa: ARG002 (its own)
        return await asked(self._api, "GET", path)


@asynccontextmanager
async def api_client_of(credentials: Renewal) -> AsyncIterator[ApiClient]:
    """An ApiClient that asks as we do; closed when the context is left.

    Its Configuration holds no secret and names no file: who it is and whom it trusts is part of each request
    (`_Session`). So another client that is made of the same Configuration is nobody.
    """
    configuration = Configuration(host=credentials.access.url)
    configuration.connection_pool_maxsize = 0  # by default the 101st request waits, and nothing says so
    async with ApiClient(configuration) as api:
        await api.rest_client.close()
        api.rest_client.pool_manager = _Session(credentials)
        yield api


class _Session:
    """What an ApiClient asks through, in place of its own aiohttp session.

    That one sends the password of ~/.netrc to who has no token, follows redirects with `Impersonate-User` along, knows
    one value of a header, and never renews a certificate. This does none of it, and one that is refused (401) asks once
    more if the credentials can be renewed, as lists and exec do.
    """

    def __init__(self, credentials: Renewal) -> None:
        self._credentials = credentials
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            trust_env=False,
            read_bufsize=2 * 1024 * 1024,  # an event of a watch is one line, of at most the 1.5 MiB that etcd takes
        )

    @property
    def access(self) -> Access:
        return self._credentials.access

    async def request(self, **asked: Any) -> aiohttp.ClientResponse:
        access = self._credentials.access
        answer = await self._asked_as(access, **asked)
        if answer.status != 401:
            return answer
        try:
            renewed = await self._credentials.after_refusal(access)
        except ClusterError:
            answer.close()
            raise
        if not renewed:
            return answer
        answer.close()
        return await self._asked_as(self._credentials.access, **asked)

    async def close(self) -> None:
        await self._session.close()

    async def _asked_as(self, access: Access, *, headers: dict[str, str], **asked: Any) -> aiohttp.ClientResponse:
        ours = {name.lower() for name, _ in access.headers}
        theirs = [(name, value) for name, value in headers.items() if name.lower() not in ours]
        way = {"ssl": access.ssl or True, "server_hostname": access.server_hostname, "proxy": access.proxy}
        begun_s = time.monotonic()
        answer = await self._session.request(
            **{**asked, **way}, headers=[*theirs, *access.headers], allow_redirects=False
        )
        path, took_s = _below(access.url, str(answer.url)), time.monotonic() - begun_s
        _LOG.debug("%s %s: HTTP %d, %.3f s", answer.method, path, answer.status, took_s)
        return answer


def _below(server: str, url: str) -> str:
    """Return the path that is asked for, without that of the server, which may be a secret, and without its query."""
    return printable(urlsplit(url).path.removeprefix(urlsplit(server).path).removeprefix("/"))
