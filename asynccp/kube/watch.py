"""Watch: pods as they come, change and go. A list, and from its version on what the server tells, a line each.

It goes on for ever. A connection that ends, as each does after a minute or so, is made anew from the version of the
last line; where the server has no news of that time any more (410 Gone), all is listed anew. Bookmarks keep the version
young while nothing happens. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

Through kubernetes_asyncio's client, but not its Watch: that one makes models of documents, and ends on a 410.
"""

import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

import anyio

from asynccp.errors import ClusterError
from asynccp.kube import documents
from asynccp.kube.api_errors import Forbidden, watch_refused
from asynccp.kube.base import Watched
from asynccp.kube.connect_errors import unreachable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_LOG = logging.getLogger("asynccp.kube")

WATCH_S = 60
"""Seconds after which the server is to end a watch: a bookmark comes then at the latest, so a longer silence is a
connection that is lost."""
SILENCE_S = 75.0
WAITS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before another connection is tried, each a little more or less by chance."""
_GONE = 410
_BUSY = (429, 500, 502, 503, 504)
_MOST_BODY = 64 * 1024  # bytes of a refusal


class Wanted(Protocol):
    """What is watched: the path and query of a list, and what it is in words."""

    @property
    def path(self) -> str: ...
    @property
    def query(self) -> Mapping[str, str]: ...
    @property
    def what(self) -> str: ...


class _Lost(Exception):
    """The connection is lost, or the server is not well: it may be so again in a moment."""


class _Expired(Exception):
    """The server has no news from this version on any more."""


async def watched(
    look: Callable[[], Awaitable[documents.Page]],
    api_client: "Callable[[], AbstractAsyncContextManager[ApiClient]]",
    wanted: Wanted,
) -> AsyncGenerator[Watched, None]:
    """Yield news, as `kube.base.Cluster.watch_pods`. look: lists all."""
    async with api_client() as api:
        version, whole, failures, is_new = "", None, 0, True
        while True:
            try:
                if not version:
                    page = await look()
                    version, whole = page.version, Watched(page.items, whole=True)
                async with aclosing(_news(api, wanted, version)) as news:
                    async for one in news:
                        if whole:  # the watch is under way: nothing is missed between the list and it
                            yield whole
                            whole, is_new, failures = None, False, 0
                        if one is not None:
                            failures, version = 0, one.version or version
                            if one.kind != "BOOKMARK":
                                yield _told(one)
            except _Expired:
                version = ""
            except (_Lost, ClusterError) as exc:
                if is_new or isinstance(exc, Forbidden):
                    raise exc if isinstance(exc, ClusterError) else ClusterError(str(exc)) from None
                wait_s = WAITS_S[min(failures, len(WAITS_S) - 1)] * random.uniform(0.7, 1.3)  # noqa: S311
                failures += 1
                _LOG.debug("watch of %s: again in %.1f s: %s", wanted.what, wait_s, exc)
                await anyio.sleep(wait_s)


def _told(news: documents.News) -> Watched:
    return Watched((), gone=[news.pod]) if news.kind == "DELETED" else Watched([news.pod])


async def _news(api: "ApiClient", wanted: Wanted, version: str) -> AsyncGenerator[documents.News | None, None]:
    """Yield what the server tells from a version on, first None when it has begun to. Raises _Lost, _Expired."""
    from asynccp.kube.apiclient import lines_of, server_of

    asked = {**wanted.query, "watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version}
    query = urlencode({**asked, "timeoutSeconds": str(WATCH_S)}, quote_via=quote)
    try:
        async with lines_of(api, f"{wanted.path}?{query}") as (status, lines):
            if status != 200:
                raise await _refused(status, lines, wanted.what)
            yield None
            while (line := await _next(lines)) is not None:
                one = _read(line)
                if one.kind == "ERROR":
                    raise _Expired if one.code == _GONE else _Lost(f"the server ended the watch: HTTP {one.code}")
                yield one
    except (OSError, ValueError) as exc:
        message, _ = unreachable(exc, server_of(api))
        raise _Lost(f"the API server {message}") from None  # its words may hold a password


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    """Return the next line, None at the end. Raises _Lost."""
    with anyio.move_on_after(SILENCE_S):
        return await anext(lines, None)
    raise _Lost(f"the API server said nothing for {SILENCE_S:.0f} s")


def _read(line: bytes) -> documents.News:
    try:
        return documents.news_of(documents.parsed(line))
    except (documents.Unreadable, documents.TooMany):
        raise _Lost("the API server said something else than news of pods") from None


async def _refused(status: int, lines: AsyncIterator[bytes], what: str) -> Exception:
    body = b""
    while len(body) < _MOST_BODY and (line := await _next(lines)) is not None:
        body += line
    if status == _GONE:
        return _Expired()
    if status in _BUSY:
        return _Lost(f"the API server is not well: HTTP {status}")
    return watch_refused(status, body, what)
