"""OIDC: an id token from a kubeconfig, and a new one from the identity provider once it has expired.

Ours, because kubernetes_asyncio 36.1.0 sends the refresh token over TLS that it does not verify unless the kubeconfig
has `idp-certificate-authority-data`, and fails if it has. The rules: client-go plugin/pkg/client/auth/oidc.
"""

import base64
import json
import logging
import ssl
import time
from typing import Any
from urllib.parse import quote

import aiohttp
from anyio import to_thread
from yarl import URL

from asynccp.errors import ClusterError
from asynccp.net.proxy import environment_proxy, is_loopback
from asynccp.text import printable

_LOG = logging.getLogger("asynccp.auth")
_SKEW_S = 10.0  # a token that has so little left counts as expired (client-go: expiryDelta)
_TIMEOUT_S = 30.0
_MAX_ANSWER_SIZE = 1024 * 1024  # bytes; a provider's description of itself takes some KiB
_MOST_REDIRECTS = 10  # as Go's net/http
_LOGIN = "log in again at your identity provider"

Tokens = dict[str, str]


def has_to_renew(config: dict[str, Any], *, even_if_valid: bool) -> bool:
    """Tell whether the identity provider has to be asked. Raises ClusterError if it has, and can't be.

    config: of the kubeconfig's `auth-provider`. even_if_valid: the server has refused the id token.
    """
    refresh_token = config.get("refresh-token")
    if not expired(str(config.get("id-token") or ""), time.time()) and not (even_if_valid and refresh_token):
        return False
    if not refresh_token or not config.get("idp-issuer-url") or not config.get("client-id"):
        raise ClusterError("the OIDC id token has expired, and there is no refresh token to renew it", hint=_LOGIN)
    return True


async def renewed_tokens(config: dict[str, Any]) -> Tokens:
    """Return a new `id-token`, and `refresh-token` if that changed. Raises ClusterError."""
    try:
        answer = await _ask(config)
        new = {"id-token": _token(answer["id_token"])}
        left_s = _expires_at(new["id-token"]) - time.time()
        _LOG.debug("the identity provider gave a new id token, for %.0f s", left_s)
        return {**new, **({"refresh-token": _token(answer["refresh_token"])} if answer.get("refresh_token") else {})}
    except _Refused as exc:
        raise ClusterError(f"the identity provider refused to renew the token: HTTP {exc}", hint=_LOGIN) from None
    except (aiohttp.ClientError, OSError) as exc:
        raise ClusterError(f"the identity provider can't be reached: {type(exc).__name__}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ClusterError("the identity provider's answer holds no id token") from None


def expired(id_token: str, now: float) -> bool:
    """Tell whether a JWT is past its `exp`, or none at all."""
    return not _expires_at(id_token) - _SKEW_S > now


def _expires_at(id_token: str) -> float:
    """Return the `exp` of a JWT, seconds since 1970; 0 if it is none."""
    try:
        claims = id_token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError):
        return 0.0


class _Refused(Exception):
    """The identity provider answered with another status than 200."""


async def _ask(config: dict[str, Any]) -> dict[str, Any]:
    issuer, client, secret, refresh_token = (
        str(config.get(key) or "") for key in ("idp-issuer-url", "client-id", "client-secret", "refresh-token")
    )
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
    basic = f"Basic {base64.b64encode(pair).decode()}"
    # By RFC 6749 section 2.3.1: as a header, or where that isn't supported, in the form.
    ways: list[tuple[dict[str, str], dict[str, str]]] = [({}, {"client_id": client, "client_secret": secret})]
    ways = [({"Authorization": basic}, {}), *ways] if secret else [({}, {"client_id": client})]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=await to_thread.run_sync(_tls, config)),
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        headers={"Accept-Encoding": "identity"},  # what is short as it comes is short
        auto_decompress=False,
    ) as http:
        described = await _described(http, _private(f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
        endpoint = _private(str(described["token_endpoint"]))
        for number, (headers, more) in enumerate(ways, 1):
            asked = http.post(
                endpoint,
                data={**form, **more},
                headers=headers,
                proxy=environment_proxy(str(endpoint)),
                allow_redirects=False,
            )
            async with asked as answer:
                if answer.status in (400, 401) and number < len(ways):
                    continue
                return await _document(answer)
    raise AssertionError("the last way returns or raises")


async def _described(http: aiohttp.ClientSession, where: URL) -> dict[str, Any]:
    """Return what a provider says of itself (OpenID Connect Discovery 1.0, section 4). It may be behind redirects."""
    for _ in range(_MOST_REDIRECTS):
        async with http.get(where, proxy=environment_proxy(str(where)), allow_redirects=False) as answer:
            if "Location" not in answer.headers or answer.status not in (301, 302, 303, 307, 308):
                return await _document(answer)
            where = _private(str(where.join(URL(answer.headers["Location"]))))
    raise _Refused("redirects without end")


def _private(url: str) -> URL:
    """Return a URL as aiohttp reads it. Raises ClusterError if what is sent there could be read on the way.

    All of them, not the token endpoint alone: who may change the answer before decides where that is.
    """
    try:
        found = URL(url)
    except ValueError:
        raise ClusterError("the identity provider has an address that is no URL") from None
    if found.scheme != "https" and not (found.scheme == "http" and is_loopback(found.host or "")):
        where = f"{found.scheme}://{found.host}"
        raise ClusterError(
            f"the identity provider wants the refresh token over a connection without TLS: {printable(where, 300)}",
            hint="use one whose idp-issuer-url and token_endpoint are https://",
        )
    return found


async def _document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the JSON of an answer. Raises _Refused, ValueError for what is none or too long."""
    if answer.status != 200:
        raise _Refused(answer.status)
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _MAX_ANSWER_SIZE:
            raise ValueError("an answer that does not end")
    document: dict[str, Any] = json.loads(body)
    return document


def _token(value: object) -> str:
    """Return what may stand in a header. Raises ValueError."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ValueError("no token")
    return value


def _tls(config: dict[str, Any]) -> ssl.SSLContext:
    data = config.get("idp-certificate-authority-data")
    return ssl.create_default_context(
        cafile=config.get("idp-certificate-authority") or None,
        cadata=base64.b64decode(data).decode() if data else None,
    )
