"""What an HTTP answer that isn't the wished one means. Pure.

The API server explains itself in the body: a v1.Status as JSON. Refusals by something else (a proxy, the WebSocket
library when it knows no subprotocol that was offered) have no such body, which is how they are told apart.
"""

import json
import re
from typing import Any

from asynccp.errors import ClusterError, ConnectFailed, ProtocolRefused, Refused, TransferError, UsageError
from asynccp.text import printable

MOST_WAIT_S = 120.0  # a server may ask for more; then the attempt fails rather than the run hangs

_NEEDED = (
    "the user needs the verbs get and create on pods/exec (create since Kubernetes 1.35), and get and list on pods"
)
_ASKS = "this asks for what is missing: kubectl auth can-i"

# How the API server's authorizer words a refusal (k8s.io/apiserver, endpoints/handlers/responsewriters/errors.go).
_MISSING = re.compile(
    r'cannot (?P<verb>[a-z]+) resource "(?P<what>[a-z]+)(?:/(?P<part>[a-z]+))?" in API group "(?P<group>[a-z0-9.-]*)"'
    r'(?: in the namespace "(?P<namespace>[a-z0-9.-]+)")?'
)

# What a kubelet says that was restarted and has not heard of its pods again (k8s.io/kubernetes, pkg/kubelet/server).
# Of a pod that is gone the API server says something else: pods "web-0" not found.
_NOT_YET_KNOWN = "pod does not exist"
_LOGIN = "the credentials were not accepted: log in again"


class Forbidden(ClusterError):
    """The server knows the user, who may not list."""


def status_message(body: bytes) -> str | None:
    """Return the message of a v1.Status, escaped; None when the body isn't one."""
    try:
        status: Any = json.loads(body)
        return printable(str(status["message"])) if status["kind"] == "Status" else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _said(code: int, body: bytes) -> str:
    """Return what the server, or something on the way to it, says in an answer."""
    return status_message(body) or printable(body.strip(), 300) or f"HTTP {code} without a reason"


def retry_after_s(header: str) -> float:
    """Return the seconds that a Retry-After header asks for; 0 for none, and for a date, which no API server sends."""
    return min(float(header), MOST_WAIT_S) if header.isascii() and header.isdigit() else 0.0


def rbac_hint(said: str) -> str:
    """Return what a forbidden request lacks, with the command that asks whether it has it by now."""
    return _NEEDED + _asking(said)


def _asking(said: str) -> str:
    """Return the command that asks for the verb that the server says is missing; empty when it doesn't say."""
    if (found := _MISSING.search(said)) is None:
        return ""
    what = found["what"] + (f".{found['group']}" if found["group"] else "")
    part = f" --subresource={found['part']}" if found["part"] else ""
    where = f" -n {found['namespace']}" if found["namespace"] else " -A"
    return f"; {_ASKS} {found['verb']} {what}{part}{where}"


def exec_refused(code: int, body: bytes, retry_after: str = "") -> TransferError:
    """Return the error that a refused exec upgrade means. retry_after: the header of that name."""
    message, said = status_message(body), _said(code, body)
    match code:
        case 401:
            return Refused(f"the API server refused exec: {said}", hint=_LOGIN)
        case 403 if message and said.rstrip().endswith("is forbidden:"):
            # Who lacks `get` is told so by the authorizer; who lacks `create` gets no reason at all from the registry
            # (k8s.io/kubernetes, pkg/registry/core/pod/rest/subresources.go, since 1.35).
            reason = f"{said.rstrip()} the user may not create pods/exec, it seems, since the server names no verb"
            return Refused(f"exec is forbidden: {reason}", hint=f"{_NEEDED}; {_ASKS} create pods --subresource=exec")
        case 403 if message:
            return Refused(f"exec is forbidden: {said}", hint=rbac_hint(said))
        case 400 | 403 if message is None:
            return ProtocolRefused(f"the API server refused the exec protocol: {said}")
        case 404 if said == _NOT_YET_KNOWN:
            return ConnectFailed(
                "exec could not be started: the node does not know the pod, as when it has just restarted"
            )
        case 429 | 500 | 502 | 503 | 504:
            return ConnectFailed(f"exec could not be started: {said}", after_s=retry_after_s(retry_after))
        case _:
            return Refused(f"the API server refused exec: {said}")


def log_refused(code: int, body: bytes, retry_after: str = "") -> TransferError:
    """Return the error that a refused log means. retry_after: the header of that name."""
    said = _said(code, body)
    match code:
        case 401:
            return Refused(f"the API server refused the log: {said}", hint=_LOGIN)
        case 403:
            return Refused(
                f"logs are forbidden: {said}", hint=f"the user needs the verb get on pods/log{_asking(said)}"
            )
        case 429 | 500 | 502 | 503 | 504:
            return ConnectFailed(f"the log could not be read: {said}", after_s=retry_after_s(retry_after))
        case _:
            return Refused(f"there is no such log: {said}")


def ephemeral_refused(code: int, body: bytes, retry_after: str = "") -> TransferError:
    """Return the error that a refused ephemeral container means. retry_after: the header of that name."""
    said = _said(code, body)
    match code:
        case 401:
            return Refused(f"the API server refused the ephemeral container: {said}", hint=_LOGIN)
        case 403 if "violates PodSecurity" in said:
            return Refused(
                f"Pod Security forbids the ephemeral container: {said}",
                hint="the namespace's level judges the whole pod anew; what the target's securityContext lacks, its "
                "copy lacks, too",
            )
        case 403 if _MISSING.search(said):
            return Refused(
                f"an ephemeral container may not be added: {said}",
                hint=f"the user needs the verb patch on pods/ephemeralcontainers{_asking(said)}",
            )
        case 429 | 500 | 502 | 503 | 504:
            return ConnectFailed(f"no ephemeral container could be added: {said}", after_s=retry_after_s(retry_after))
        case _:
            return Refused(f"the API server refused the ephemeral container: {said}")


def list_refused(code: int, body: bytes, what: str, *, by_label: bool) -> Exception:
    """Return the error that a refused list of pods means."""
    said = _said(code, body)
    match code:
        case 400 if by_label:
            return UsageError(f"the selector can't be understood: {said}", hint="write it as for kubectl get pods -l")
        case 401:
            return ClusterError(f"{what} can't be listed: {said}", hint=_LOGIN)
        case 403:
            return Forbidden(f"{what} can't be listed: {said}", hint=rbac_hint(said))
        case _:
            return ClusterError(f"{what} can't be listed: {said} (HTTP {code})")


def watch_refused(code: int, body: bytes, what: str) -> Exception:
    """Return the error that a refused watch of pods means."""
    said = _said(code, body)
    if code == 403:
        return Forbidden(
            f"{what} can't be watched: {said}", hint=f"the user needs the verb watch on pods{_asking(said)}"
        )
    return ClusterError(f"{what} can't be watched: {said} (HTTP {code})", hint=_LOGIN if code == 401 else "")


def nodes_refused(code: int, body: bytes) -> ClusterError:
    """Return the error that a refused list of nodes means, which tells their zones."""
    said, what = _said(code, body), "nodes can't be listed, by which pods have a zone"
    if code == 403:
        hint = f"the user needs the verb list on nodes{_asking(said)}; a wave for each node needs it not"
        return Forbidden(f"{what}: {said}", hint=hint)
    return ClusterError(f"{what}: {said} (HTTP {code})", hint=_LOGIN if code == 401 else "")
