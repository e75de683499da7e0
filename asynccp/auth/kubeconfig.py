"""Kubeconfig: which cluster, which user and which namespace the files name, by the rules of kubectl.

The merge and the choice are ours, because kubernetes_asyncio's differ from kubectl's where it matters who acts on what:
its last file decides `current-context` (kubectl: the first), it looks for a user's certificates beside the cluster's
file, prefers an exec plugin to a token, and knows no impersonation. The rules: client-go tools/clientcmd, loader.go,
client_config.go and validation.go.

Values may be secret and so appear in no message: names, paths, fields and line numbers do.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml
from msgspec import Struct

from asynccp.auth.rewrite import rewrite
from asynccp.errors import ClusterError, Knob
from asynccp.net.proxy import is_loopback
from asynccp.text import printable

Fields = dict[str, Any]

_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}
_IMPERSONATION = ("as", "as-uid", "as-groups", "as-user-extra")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it: 0.4 ms for 2 KiB, not 4 ms
_GONE = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}  # auth providers that kubectl 1.26 took out


class Choice(Struct, frozen=True):
    """What a context names. cluster, user: their fields, with every path absolute. user_file: where the user stands."""

    context: str
    cluster: Fields
    user: Fields
    user_name: str
    user_file: str
    namespace: str


class _Named(Struct, frozen=True):
    name: str
    fields: Fields
    file: str


def kubeconfig_paths(given: str | None, environment: str | None) -> list[str]:
    """Return the files that kubectl would read: --kubeconfig, else those of $KUBECONFIG, else ~/.kube/config."""
    if given:
        return [os.path.expanduser(given)]
    paths = [path for path in (environment or "").split(os.pathsep) if path]
    return [os.path.expanduser(path) for path in paths or ["~/.kube/config"]]


def read_kubeconfig(paths: Sequence[str], context: str | None) -> Choice:
    """Read files, merge them, and choose the context named, else the current one. Raises ClusterError."""
    return choose([(path, _read(path)) for path in paths if os.path.exists(path)], context)


def context_names(paths: Sequence[str]) -> list[str]:
    """Return the names of all contexts of some files. Raises ClusterError."""
    documents = [_read(path) for path in paths if os.path.exists(path)]
    entries = [entry for one in documents for entry in one.get("contexts") or ()]
    return list(dict.fromkeys(str(entry["name"]) for entry in entries))


def choose(documents: Sequence[tuple[str, Fields]], context: str | None) -> Choice:
    """Choose from documents, given with their files. The first to name something wins. Raises ClusterError."""
    wanted = context or next((str(one["current-context"]) for _, one in documents if one.get("current-context")), None)
    if wanted is None:
        raise ClusterError(
            "the kubeconfig has no current context", hint=f"kubectl config use-context, or {Knob.CONTEXT}"
        )
    chosen = _named(documents, "contexts", wanted).fields
    cluster = _named(documents, "clusters", str(chosen.get("cluster", "")))
    user = _Named("", {}, "")
    if chosen.get("user"):
        user = _named(documents, "users", str(chosen["user"]))
    _check_cluster(cluster)
    fields = _one_identity(user)
    if not _is_private(cluster.fields):
        fields = {key: fields[key] for key in _IMPERSONATION if key in fields}
    return Choice(wanted, cluster.fields, fields, user.name, user.file, str(chosen.get("namespace") or "") or "default")


def impersonation(user: Fields) -> list[tuple[str, str]]:
    """Return the headers by which a user acts as another (`kubectl --as`)."""
    headers = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    headers += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{_header_key(str(key))}", str(value)) for value in values]
    return headers


def keep_tokens(choice: Choice, tokens: Fields, *, even_if_locked: bool = False) -> None:
    """Write a user's new OIDC tokens into the user's file, as kubectl does: the old refresh token may be used up.

    Without tokens the file is written as it is, which shows whether it can be. Raises ClusterError, OSError, Locked.
    """

    def change(old: bytes) -> bytes:
        return _with_tokens(old, choice, tokens) if tokens else old

    rewrite(choice.user_file, change, even_if_locked=even_if_locked)


def _with_tokens(data: bytes, choice: Choice, tokens: Fields) -> bytes:
    document = _parsed(data, choice.user_file)
    try:
        user = next(entry["user"] for entry in document["users"] if entry["name"] == choice.user_name)
        user["auth-provider"]["config"].update(tokens)
    except (StopIteration, KeyError, TypeError, AttributeError):
        raise ClusterError(
            f"the kubeconfig {printable(choice.user_file)} was changed meanwhile, and has no place for new OIDC tokens"
        ) from None
    return yaml.safe_dump(document, sort_keys=False, encoding="utf-8", allow_unicode=True)  # type: ignore[no-any-return]


def _read(path: str) -> Fields:
    try:
        with open(path, "rb") as file:
            return _parsed(file.read(), path)
    except OSError as exc:
        raise ClusterError(f"the kubeconfig {printable(path)} can't be read: {exc.strerror}") from None


def _parsed(data: bytes, path: str) -> Fields:
    try:
        document = yaml.load(data, _LOADER)  # noqa: S506 (safe, either of them)
    except yaml.MarkedYAMLError as exc:  # its text quotes the line
        where = f" (line {exc.problem_mark.line + 1})" if exc.problem_mark else ""
        raise ClusterError(f"the kubeconfig {printable(path)} is not YAML{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ClusterError(f"the kubeconfig {printable(path)} is not YAML") from None
    if not isinstance(document or {}, dict):
        raise ClusterError(f"the kubeconfig {printable(path)} is not a kubeconfig")
    return document or {}


def _named(documents: Iterable[tuple[str, Fields]], kind: str, name: str) -> _Named:
    """Return the first cluster, user or context of a name, with its paths made absolute."""
    for file, document in documents:
        for entry in document.get(kind) or ():
            if not isinstance(entry, dict) or not isinstance(entry.get(kind[:-1]) or {}, dict):
                raise ClusterError(f"the kubeconfig {printable(file)} is not one: {kind} holds something else")
            if entry.get("name") == name:
                fields = dict(entry.get(kind[:-1]) or {})
                return _Named(
                    name, _absolute(fields, _PATHS.get(kind, ()), os.path.dirname(os.path.abspath(file))), file
                )
    raise ClusterError(
        f"the kubeconfig has no {kind[:-1]} {printable(name)!r}", hint="kubectl config get-contexts shows what is there"
    )


def _absolute(fields: Fields, keys: Iterable[str], base: str) -> Fields:
    found: Fields = {key: os.path.join(base, str(fields[key])) for key in keys if fields.get(key)}
    plugin = fields.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):  # else it is looked for on PATH
        found["exec"] = {**plugin, "command": os.path.join(base, str(plugin["command"]))}
    return {**fields, **found}


def _check_cluster(cluster: _Named) -> None:
    about = f"the cluster {printable(cluster.name)!r} of the kubeconfig"
    server, proxy = _parts(cluster.fields, "server", about), _parts(cluster.fields, "proxy-url", about)
    if server.scheme not in ("http", "https") or not server.hostname:
        raise ClusterError(f"{about} has no server, or one that is not http:// or https://")
    if server.username or server.password:
        raise ClusterError(f"{about} has a password in its server's URL", hint="move it to the user's fields")
    if cluster.fields.get("proxy-url") and (proxy.scheme not in ("http", "https") or not proxy.hostname):
        raise ClusterError(f"{about} has a proxy-url that is not http:// or https://", hint="SOCKS is not supported")
    trusted = cluster.fields.get("certificate-authority") or cluster.fields.get("certificate-authority-data")
    if trusted and cluster.fields.get("insecure-skip-tls-verify"):
        raise ClusterError(f"{about} has a certificate authority and insecure-skip-tls-verify", hint="remove either")


def _is_private(cluster: Fields) -> bool:
    """Tell whether credentials may be sent: like kubectl we send none over plain HTTP, except to this machine.

    What a proxy elsewhere is asked for goes there, whatever host it names.
    """
    server, proxy = (urlsplit(str(cluster.get(key) or "")) for key in ("server", "proxy-url"))
    return server.scheme == "https" or all(is_loopback(url.hostname) for url in (server, proxy) if url.hostname)


def _parts(fields: Fields, key: str, about: str) -> Any:
    try:
        parts = urlsplit(str(fields.get(key) or ""))
        _ = parts.port  # which is checked when it is asked for
    except ValueError:
        raise ClusterError(f"{about} has a {key} that is no URL") from None
    return parts


def _one_identity(user: _Named) -> Fields:
    """Return the user's fields with one way left to show who they are: the one that kubectl would use."""
    fields, about = dict(user.fields), f"the user {printable(user.name)!r} of the kubeconfig"
    for key in ("exec", "auth-provider", "as-user-extra"):
        if not isinstance(fields.get(key) or {}, dict):
            raise ClusterError(f"{about} has a field {key} that is not understood")
    if not isinstance((fields.get("auth-provider") or {}).get("config") or {}, dict):
        raise ClusterError(f"{about} has an auth-provider whose config is not understood")
    token = fields.get("tokenFile") or fields.get("token")
    if token and (fields.get("username") or fields.get("password")):
        raise ClusterError(f"{about} has a token and a password", hint="kubectl takes either, and so does asynccp")
    if fields.get("exec") and fields.get("auth-provider"):
        raise ClusterError(f"{about} has both exec and auth-provider", hint="remove either")
    if not fields.get("as") and any(fields.get(key) for key in _IMPERSONATION):
        raise ClusterError(f"{about} impersonates groups, a uid or extra fields, but nobody", hint="add `as`")
    provider = str((fields.get("auth-provider") or {}).get("name", ""))
    if provider in _GONE:
        raise ClusterError(
            f"{about} has the auth-provider {provider!r}, which kubectl dropped in 1.26",
            hint=f"use the exec plugin {_GONE[provider]}",
        )
    if provider not in ("", "oidc"):
        raise ClusterError(f"{about} has an unknown auth-provider, {printable(provider)!r}")
    if fields.get("tokenFile"):
        fields.pop("token", None)
    if token:
        fields.pop("exec", None)
        fields.pop("auth-provider", None)
    return fields


def _header_key(key: str) -> str:
    """Percent-encode what a header's name can't hold, as client-go's headerKeyEscape does."""
    tokens = "!#$&'*+-.^_`|~"
    return "".join(
        one if one.isascii() and (one.isalnum() or one in tokens) else "".join(f"%{byte:02X}" for byte in one.encode())
        for one in key
    )
