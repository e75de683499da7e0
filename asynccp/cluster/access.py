"""Access: where the API server is, and how we show who we are. The only module that imports kubernetes_asyncio.

kubernetes_asyncio reads kubeconfig files, runs exec plugins and refreshes OIDC tokens, and does so with blocking calls:
it works in a thread, with an event loop of its own. Of what it loads we take the address, the certificates and the
Authorization header; the connections are ours (`cluster.kubernetes` says why).
"""

import asyncio
import importlib.util
import os
import ssl
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from anyio import to_thread

from asynccp.errors import ClusterError
from asynccp.escape import printable


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster, one user.

    ssl: None for plain HTTP. server_hostname: the name in the server's certificate, when it isn't the URL's.
    proxy: `proxy-url` of the kubeconfig, else what HTTPS_PROXY and NO_PROXY say, else None.
    """

    url: str
    namespace: str
    ssl: ssl.SSLContext | None
    server_hostname: str | None
    proxy: str | None
    configuration: Any

    async def headers(self) -> dict[str, str]:
        """Return the headers that prove who we are, refreshed when the configuration can."""
        settings = await self.configuration.auth_settings()
        return {one["key"]: one["value"] for one in settings.values()}


async def load_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """Return the access that kubectl would use: --kubeconfig, else $KUBECONFIG, else ~/.kube/config, else in-cluster.

    Raises ClusterError, in one sentence, for whatever is wrong with it.
    """
    return await to_thread.run_sync(lambda: asyncio.run(_load(kubeconfig, context)))


async def _load(kubeconfig: str | None, context: str | None) -> Access:
    config, configuration = _kubernetes_asyncio()
    paths, there = _kubeconfig(kubeconfig)
    try:
        if there:
            # persist_config would write refreshed OIDC tokens back, but raises TypeError instead (36.1.0).
            loader = await config.load_kube_config(paths, context, configuration, persist_config=False)
            namespace = (loader.current_context or {})["context"].get("namespace") or "default"
        elif kubeconfig or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise ClusterError(
                f"there is no kubeconfig at {printable(paths)}", hint="name one with --kubeconfig or $KUBECONFIG"
            )
        else:
            config.load_incluster_config(client_configuration=configuration)
            namespace = _in_cluster_namespace()
        return _access(configuration, namespace)
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ClusterError(f"the kubeconfig {printable(paths)} can't be used: {printable(str(exc))}") from exc


def _kubernetes_asyncio() -> tuple[Any, Any]:
    """Return kubernetes_asyncio's `config` and a new Configuration, without its 900 modules of models and APIs.

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
    return config, Configuration()


def _kubeconfig(given: str | None) -> tuple[str, bool]:
    """Return the paths that kubectl would read, and whether one of them exists."""
    paths = given or os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    return paths, any(os.path.exists(path) for path in paths.split(os.pathsep))


def _access(configuration: Any, namespace: str) -> Access:
    url = configuration.host.rstrip("/")
    return Access(
        url,
        namespace,
        _tls(configuration) if url.startswith("https:") else None,
        configuration.tls_server_name,
        configuration.proxy or _environment_proxy(url),
        configuration,
    )


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Cluster CAs are often older than RFC 5280's rules that Python 3.13 enforces; Go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _environment_proxy(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None  # Go's net/http never sends loopback through a proxy
    return getproxies().get(parts.scheme)


def _in_cluster_namespace() -> str:
    with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as file:
        return file.read().strip() or "default"
