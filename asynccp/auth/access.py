"""Access: where the API server is, and how we show who we are.

`auth.kubeconfig` chooses the cluster and the user; a plugin or an identity provider may add to the user; what comes
of that, or of a pod's service account, becomes an address, certificates and headers here. The rules: client-go
rest/config.go and transport/round_trippers.go.

Why not kubernetes_asyncio 36's loaders: they ignore `as`, take the last file's current context, renew OIDC tokens over
TLS that nobody verifies, and quote secrets in errors; and to import any part of it doubles the time of a small copy.
"""

import base64
import logging
import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from ssl import SSLContext
from tempfile import TemporaryDirectory
from typing import NoReturn, TypeVar

import anyio
from anyio import to_thread

from asynccp.auth.kubeconfig import Choice, Fields, impersonation, keep_tokens, kubeconfig_paths, read_kubeconfig
from asynccp.auth.plugin import credentials_of
from asynccp.auth.rewrite import Locked
from asynccp.errors import ClusterError, Knob
from asynccp.net.endpoint import Endpoint
from asynccp.net.proxy import environment_proxy
from asynccp.text import printable

_LOG = logging.getLogger("asynccp.auth")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_LOCK_TRIES, _LOCK_WAIT_S = 25, 0.2  # kubectl holds the lock of a kubeconfig for milliseconds
_USER_FILES = ("client-certificate", "client-key", "tokenFile")

Loaded = TypeVar("Loaded")


class Access(Endpoint, frozen=True, kw_only=True):
    """One cluster, one user, at one moment.

    proxy: `proxy-url` of the kubeconfig, else what HTTPS_PROXY and NO_PROXY say. headers: they prove who we are.
    context: of the kubeconfig; None in a cluster.
    """

    namespace: str = "default"
    headers: tuple[tuple[str, str], ...] = ()
    context: str | None = None


async def load_access(kubeconfig: str | None = None, context: str | None = None, *, renew: bool = False) -> Access:
    """Return the access that kubectl would use: --kubeconfig, else $KUBECONFIG, else ~/.kube/config, else in-cluster.

    renew: the credentials that were loaded before have been refused. Raises ClusterError, in one sentence, without any
    secret, for whatever is wrong.
    """
    paths = kubeconfig_paths(kubeconfig, os.environ.get("KUBECONFIG"))
    there = await to_thread.run_sync(lambda: any(os.path.exists(path) for path in paths))
    if not there and not kubeconfig and not context and "KUBERNETES_SERVICE_HOST" in os.environ:
        _LOG.debug("no kubeconfig: the pod's service account")
        return await to_thread.run_sync(usable, "the pod's service account", _in_cluster)
    shown = printable(os.pathsep.join(paths))
    if not there:
        raise ClusterError(f"there is no kubeconfig at {shown}", hint=f"name one with {Knob.KUBECONFIG} or $KUBECONFIG")
    choice = await to_thread.run_sync(usable, f"the kubeconfig {shown}", lambda: read_kubeconfig(paths, context))
    _LOG.debug("context %s of %s: %s", printable(choice.context), shown, _who(choice))
    user = await _with_credentials(choice, renew)
    return await to_thread.run_sync(usable, f"the kubeconfig {shown}", lambda: _from_kubeconfig(choice, user))


def _who(choice: Choice) -> str:
    """Say how a user shows who it is, and no more of that."""
    ways = {
        "exec": "a plugin", "auth-provider": "an identity provider", "tokenFile": "a file with a token",
        "token": "a token", "username": "a password",
        "client-certificate": "a certificate", "client-certificate-data": "a certificate",
    }  # fmt: skip
    shown = dict.fromkeys(words for field, words in ways.items() if choice.user.get(field))
    return f"user {printable(choice.user_name)!r} with {' and '.join(shown) or 'nothing'}"


async def _with_credentials(choice: Choice, renew: bool) -> Fields:
    """Return the user's fields, with those that a plugin or an identity provider gave."""
    user = choice.user
    plain = {key: value for key, value in user.items() if key not in ("exec", "auth-provider")}
    if plugin := user.get("exec"):
        return {**plain, **await credentials_of(plugin, choice.cluster)}
    if not user.get("auth-provider"):
        return plain
    from asynccp.auth.oidc import has_to_renew, renewed_tokens  # here: aiohttp takes 0.2 s, and few need it

    config = user["auth-provider"].get("config") or {}
    tokens: Fields = {}
    if has_to_renew(config, even_if_valid=renew):
        await _keep(choice, {}, "the OIDC tokens have to be renewed, but new ones can't be written to")
        tokens = await renewed_tokens(config)
        with anyio.CancelScope(shield=True):
            await _keep(choice, tokens, "renewed OIDC tokens can't be written to")
    return {**plain, "token": tokens.get("id-token") or config["id-token"]}


async def _keep(choice: Choice, tokens: Fields, problem: str) -> None:
    """Write tokens into the kubeconfig. Without any, before the identity provider is asked, it is only tried.

    The old refresh token may be used up afterwards: who loses the new one has to log in again. So they are written in
    the end even if another program doesn't give the kubeconfig's lock back: that was there when it was tried.
    """
    for left in range(_LOCK_TRIES, -1, -1):
        try:
            even_if_locked = bool(tokens) and not left
            await to_thread.run_sync(partial(keep_tokens, choice, tokens, even_if_locked=even_if_locked))
            return
        except Locked as exc:
            if not left:
                hint = f"if no other program writes it, remove {printable(exc.filename)}"
                raise ClusterError(f"{problem} {printable(choice.user_file)}: {exc.strerror}", hint=hint) from None
            await anyio.sleep(_LOCK_WAIT_S)
        except OSError as exc:
            raise ClusterError(f"{problem} {printable(choice.user_file)}: {exc.strerror}") from None


def usable(what: str, load: Callable[[], Loaded]) -> Loaded:
    """Return what `load` does. What is wrong with a configuration is one sentence that quotes nothing of it."""
    try:
        return load()
    except ssl.SSLError:
        raise ClusterError(f"{what} can't be used: a certificate or a key is not valid, or they don't match") from None
    except OSError as exc:
        named = f"{printable(str(exc.filename))}: " if exc.filename else ""
        raise ClusterError(f"{what} can't be used: {named}{exc.strerror or 'a file is not there'}") from None
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError):
        raise ClusterError(f"{what} can't be used: a field is missing, or holds what it can't") from None


def _from_kubeconfig(choice: Choice, user: Fields) -> Access:
    for fields, keys in ((choice.cluster, ("certificate-authority",)), (user, _USER_FILES)):
        for key in keys:
            if fields.get(key) and not fields.get(f"{key}-data") and not os.path.isfile(fields[key]):
                raise ClusterError(f"the kubeconfig's {key} names a file that is not there")  # it may be a pasted key
    url = str(choice.cluster["server"]).rstrip("/")
    return Access(
        url,
        ssl=tls_context(choice.cluster, user) if url.startswith("https:") else None,
        server_hostname=choice.cluster.get("tls-server-name") or None,
        proxy=choice.cluster.get("proxy-url") or environment_proxy(url),
        namespace=choice.namespace,
        headers=_headers(_proof(user), *impersonation(user)),
        context=choice.context,
    )


def _in_cluster() -> Access:
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if not host or not port:
        raise ClusterError("there is no kubeconfig, and KUBERNETES_SERVICE_HOST and _PORT name no server")
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    headers = _headers(_proof({"tokenFile": SERVICE_ACCOUNT / "token"}))
    namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip() or "default"
    tls = tls_context({"certificate-authority": SERVICE_ACCOUNT / "ca.crt"}, {})
    return Access(url, ssl=tls, proxy=environment_proxy(url), namespace=namespace, headers=headers)


def _proof(user: Fields) -> str:
    """Return what the Authorization header says, empty for who has a certificate or nothing."""
    if file := user.get("tokenFile"):
        return f"Bearer {Path(file).read_text().strip() or _nothing_in(file)}"
    if token := user.get("token"):
        return f"Bearer {str(token).strip()}"
    if name := user.get("username"):
        return "Basic " + base64.b64encode(f"{name}:{user.get('password') or ''}".encode()).decode()
    return ""


def _nothing_in(file: str | Path) -> NoReturn:
    raise ClusterError(f"the token file {printable(str(file))} is empty")


def _headers(proof: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    headers = (*((("Authorization", proof),) if proof else ()), *more)
    if not all(value.isprintable() for _, value in headers):
        raise ValueError("a header can't hold it")
    return headers


def tls_context(cluster: Fields, user: Fields) -> SSLContext:
    """Return whom we trust and what we show, by the fields of a cluster and a user. Raises OSError, ValueError."""
    with TemporaryDirectory(prefix="asynccp-") as directory:  # OpenSSL reads keys from files alone; gone at once
        cluster, user = _with_files(cluster, Path(directory)), _with_files(user, Path(directory))
        context = ssl.create_default_context(cafile=cluster.get("certificate-authority") or None)
        if certificate := user.get("client-certificate"):
            # A key that wants a password is refused, as by kubectl; without one here OpenSSL would ask the terminal.
            context.load_cert_chain(certificate, user.get("client-key") or None, password="")
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Cluster CAs are often older than RFC 5280's rules that Python 3.13 enforces; Go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _with_files(fields: Fields, directory: Path) -> Fields:
    """Write what the fields hold as base64 into files, and name those instead."""
    found = dict(fields)
    for key in ("certificate-authority", "client-certificate", "client-key"):
        if data := found.pop(f"{key}-data", None):
            (directory / key).write_bytes(base64.b64decode(data))
            found[key] = str(directory / key)
    return found
