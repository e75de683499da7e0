"""Access: where the API server is, and how we show who we are. The only module that imports kubernetes_asyncio.

`cluster.kubeconfig` chooses the cluster and the user; a plugin or an identity provider may add to the user; what comes
of that, or of a pod's service account, kubernetes_asyncio turns into addresses, certificates and a header. The
connections are ours (`cluster.kubernetes` says why).
"""

import base64
import functools
import importlib.util
import os
import ssl
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from asynccp.cluster.kubeconfig import Choice, Fields, impersonation, keep_tokens, kubeconfig_paths, read_kubeconfig
from asynccp.cluster.oidc import refresh_tokens
from asynccp.cluster.plugin import credentials_of
from asynccp.cluster.proxy import environment_proxy
from asynccp.errors import ClusterError
from asynccp.escape import printable

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_USER_FILES = ("client-certificate", "client-key", "tokenFile")

Loaded = TypeVar("Loaded")


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster, one user, at one moment.

    ssl: None for plain HTTP. server_hostname: the name in the server's certificate, when it isn't the URL's.
    proxy: `proxy-url` of the kubeconfig, else what HTTPS_PROXY and NO_PROXY say, else None; may hold a password.
    headers: they prove who we are. context: of the kubeconfig; None in a cluster.
    """

    url: str
    namespace: str = "default"
    ssl: SSLContext | None = None
    server_hostname: str | None = None
    proxy: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    context: str | None = None


async def load_access(kubeconfig: str | None = None, context: str | None = None, *, renew: bool = False) -> Access:
    """Return the access that kubectl would use: --kubeconfig, else $KUBECONFIG, else ~/.kube/config, else in-cluster.

    renew: the credentials that were loaded before have been refused. Raises ClusterError, in one sentence, without any
    secret, for whatever is wrong.
    """
    paths = kubeconfig_paths(kubeconfig, os.environ.get("KUBECONFIG"))
    there = await to_thread.run_sync(lambda: any(os.path.exists(path) for path in paths))
    if not there and not kubeconfig and not context and "KUBERNETES_SERVICE_HOST" in os.environ:
        return await to_thread.run_sync(_usable, "the pod's service account", _in_cluster)
    shown = printable(os.pathsep.join(paths))
    if not there:
        raise ClusterError(f"there is no kubeconfig at {shown}", hint="name one with --kubeconfig or $KUBECONFIG")
    choice = await to_thread.run_sync(_usable, f"the kubeconfig {shown}", lambda: read_kubeconfig(paths, context))
    user = await _with_credentials(choice, renew)
    return await to_thread.run_sync(_usable, f"the kubeconfig {shown}", lambda: _from_kubeconfig(choice, user))


async def _with_credentials(choice: Choice, renew: bool) -> Fields:
    """Return the user's fields, with those that a plugin or an identity provider gave."""
    user = choice.user
    plain = {key: value for key, value in user.items() if key not in ("exec", "auth-provider")}
    if plugin := user.get("exec"):
        return {**plain, **await credentials_of(plugin, choice.cluster)}
    if not user.get("auth-provider"):
        return plain
    config = user["auth-provider"].get("config") or {}
    if tokens := await refresh_tokens(config, even_if_valid=renew):
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_keep, choice, tokens)
    return {**plain, "token": tokens.get("id-token") or config["id-token"]}


def _keep(choice: Choice, tokens: Fields) -> None:
    try:
        keep_tokens(choice, tokens)
    except OSError as exc:
        # The old refresh token may be used up: to go on without a word would lock the user out of the next run.
        raise ClusterError(
            f"renewed OIDC tokens can't be written to {printable(choice.user_file)}: {exc.strerror}"
        ) from None


def _usable(what: str, load: Callable[[], Loaded]) -> Loaded:
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
    except _kubernetes_asyncio()[0].ConfigException as exc:  # names fields and places, never what they hold
        raise ClusterError(f"{what} can't be used: {printable(str(exc))}") from None


def _from_kubeconfig(choice: Choice, user: Fields) -> Access:
    for fields, keys in ((choice.cluster, ("certificate-authority",)), (user, _USER_FILES)):
        for key in keys:
            if fields.get(key) and not fields.get(f"{key}-data") and not os.path.isfile(fields[key]):
                raise ClusterError(f"the kubeconfig's {key} names a file that is not there")  # it may be a pasted key
    config, make_configuration = _kubernetes_asyncio()
    configuration = make_configuration()
    with TemporaryDirectory(prefix="asynccp-") as directory:  # OpenSSL reads keys from files alone; gone at once
        one = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": _with_files(choice.cluster, Path(directory))}],
            "users": [{"name": "it", "user": _with_files(user, Path(directory))}],
        }
        _run(config.load_kube_config_from_dict(one, client_configuration=configuration))
        return _access(configuration, choice.namespace, impersonation(user), choice.context)


def _run(coroutine: Coroutine[Any, Any, Loaded]) -> Loaded:
    """Run one of kubernetes_asyncio's coroutines: without plugin and identity provider they wait for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        returned: Loaded = end.value
        return returned
    raise AssertionError("it waits for something")


def _in_cluster() -> Access:
    config, make_configuration = _kubernetes_asyncio()
    configuration = make_configuration()
    config.load_incluster_config(
        configuration,
        try_refresh_token=False,  # a refused token is read again
        token_filename=str(SERVICE_ACCOUNT / "token"),
        cert_filename=str(SERVICE_ACCOUNT / "ca.crt"),
    )
    return _access(configuration, (SERVICE_ACCOUNT / "namespace").read_text().strip() or "default")


def _with_files(fields: Fields, directory: Path) -> Fields:
    """Write what the fields hold as base64 into files, and name those instead."""
    found = dict(fields)
    for key in ("certificate-authority", "client-certificate", "client-key"):
        if data := found.pop(f"{key}-data", None):
            (directory / key).write_bytes(base64.b64decode(data))
            found[key] = str(directory / key)
    return found


def _access(
    configuration: Any, namespace: str, more_headers: Sequence[tuple[str, str]] = (), context: str | None = None
) -> Access:
    url = configuration.host.rstrip("/")
    settings = _run(configuration.auth_settings())
    headers = (*((one["key"], one["value"].strip()) for one in settings.values()), *more_headers)
    if not all(value.isprintable() for _, value in headers):
        raise ValueError("a header can't hold it")
    return Access(
        url,
        namespace,
        _tls(configuration) if url.startswith("https:") else None,
        configuration.tls_server_name,
        configuration.proxy or environment_proxy(url),
        headers,
        context,
    )


def _tls(configuration: Any) -> SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        # A key that wants a password is refused, as by kubectl; without one here OpenSSL would ask the terminal.
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Cluster CAs are often older than RFC 5280's rules that Python 3.13 enforces; Go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@functools.cache
def _kubernetes_asyncio() -> tuple[Any, Any]:
    """Return kubernetes_asyncio's `config` and its class Configuration, without its 900 modules of models and APIs.

    Its packages import all of them: 0.4 s and 38 MiB, more than a small copy takes. So two empty packages stand in
    while the few modules that read configurations are loaded, and are gone afterwards: who imports kubernetes_asyncio
    later gets it whole. Where it is loaded already it is used as it is.
    """
    before = {name for name in sys.modules if name.partition(".")[0] == "kubernetes_asyncio"}
    if not before:
        spec = importlib.util.find_spec("kubernetes_asyncio")
        (root,) = (spec and spec.submodule_search_locations) or ("",)
        for name in ("kubernetes_asyncio", "kubernetes_asyncio.client"):
            sys.modules[name] = package = ModuleType(name)
            package.__path__ = [os.path.join(root, *name.split(".")[1:])]
        from kubernetes_asyncio.client.configuration import Configuration

        vars(package).update(Configuration=Configuration, ApiClient=None)
    try:
        from kubernetes_asyncio import config
        from kubernetes_asyncio.client import Configuration
    finally:
        if not before:
            for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes_asyncio"]:
                del sys.modules[name]
    return config, Configuration
