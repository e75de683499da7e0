"""OIDC: an id token from a kubeconfig, and a new one from the identity provider once it has expired.

Ours, because kubernetes_asyncio 36.1.0 sends the refresh token over TLS that it does not verify unless the kubeconfig
has `idp-certificate-authority-data`, and fails if it has. The rules: client-go plugin/pkg/client/auth/oidc.
"""

import base64
import json
import ssl
import time
from typing import Any
from urllib.parse import quote

import aiohttp
from anyio import to_thread

from asynccp.cluster.proxy import environment_proxy
from asynccp.errors import ClusterError

_SKEW_S = 10.0  # a token that has so little left counts as expired (client-go: expiryDelta)
_TIMEOUT_S = 30.0
_LOGIN = "log in again at your identity provider"

Tokens = dict[str, str]


async def refresh_tokens(config: dict[str, Any], *, even_if_valid: bool) -> Tokens:
    """Return a new `id-token`, and `refresh-token` if that changed; nothing while the old id token is good.

    config: of the kubeconfig's `auth-provider`. even_if_valid: the server has refused the token. Raises ClusterError.
    """
    refresh_token = config.get("refresh-token")
    if not expired(str(config.get("id-token") or ""), time.time()) and not (even_if_valid and refresh_token):
        return {}
    if not refresh_token or not config.get("idp-issuer-url") or not config.get("client-id"):
        raise ClusterError("the OIDC id token has expired, and there is no refresh token to renew it", hint=_LOGIN)
    try:
        answer = await _ask(config, str(refresh_token))
        new = {"id-token": str(answer["id_token"])}
        return {**new, **({"refresh-token": str(answer["refresh_token"])} if answer.get("refresh_token") else {})}
    except aiohttp.ClientResponseError as exc:
        raise ClusterError(
            f"the identity provider refused to renew the token: HTTP {exc.status}", hint=_LOGIN
        ) from None
    except (aiohttp.ClientError, OSError) as exc:
        raise ClusterError(f"the identity provider can't be reached: {type(exc).__name__}") from None
    except (ValueError, KeyError, TypeError):
        raise ClusterError("the identity provider's answer holds no id token") from None


def expired(id_token: str, now: float) -> bool:
    """Tell whether a JWT is past its `exp` (seconds since 1970), or none at all."""
    try:
        claims = id_token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]) - _SKEW_S <= now
    except (ValueError, IndexError, KeyError, TypeError):
        return True


async def _ask(config: dict[str, Any], refresh_token: str) -> dict[str, Any]:
    issuer, client, secret = (str(config.get(key) or "") for key in ("idp-issuer-url", "client-id", "client-secret"))
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
    basic = f"Basic {base64.b64encode(pair).decode()}"
    # By RFC 6749 section 2.3.1: as a header, or where that isn't supported, in the form.
    ways: list[tuple[dict[str, str], dict[str, str]]] = [({}, {"client_id": client, "client_secret": secret})]
    ways = [({"Authorization": basic}, {}), *ways] if secret else [({}, {"client_id": client})]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=await to_thread.run_sync(_tls, config)),
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
    ) as http:
        where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        async with http.get(where, proxy=environment_proxy(where), raise_for_status=True) as answer:
            endpoint = str((await answer.json(content_type=None))["token_endpoint"])
        for number, (headers, more) in enumerate(ways, 1):
            async with http.post(
                endpoint,
                data={**form, **more},
                headers=headers,
                proxy=environment_proxy(endpoint),
                allow_redirects=False,
            ) as answer:
                if answer.status in (400, 401) and number < len(ways):
                    continue
                answer.raise_for_status()
                tokens: dict[str, Any] = await answer.json(content_type=None)
                return tokens
    raise AssertionError("the last way returns or raises")


def _tls(config: dict[str, Any]) -> ssl.SSLContext:
    data = config.get("idp-certificate-authority-data")
    return ssl.create_default_context(
        cafile=config.get("idp-certificate-authority") or None,
        cadata=base64.b64decode(data).decode() if data else None,
    )
