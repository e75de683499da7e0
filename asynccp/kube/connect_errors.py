"""What a connection that came to nothing means, in one sentence with a hint. Pure.

Nothing of a proxy's URL but its host and port is said, since it may hold a password.
"""

import ssl
from urllib.parse import urlsplit

from asynccp.errors import ClusterError
from asynccp.net.endpoint import Endpoint
from asynccp.net.http import Disconnected, ProxyRefused, ProxyUnreachable
from asynccp.text import printable

# X509_V_ERR_… of OpenSSL, as in SSLCertVerificationError.verify_code
_NOT_YET, _EXPIRED, _WRONG_NAMES, _UNKNOWN_ISSUERS = 9, 10, (62, 64), (2, 18, 19, 20, 21)

_SKIP = "insecure-skip-tls-verify in the kubeconfig turns the check off, and gives whoever is in between all you send"


def unanswered(exc: OSError | ValueError, server: Endpoint) -> ClusterError:
    """Return the error of a request to which no whole answer came."""
    message, hint = unreachable(exc, server)
    return ClusterError(f"the API server at {printable(server.url)} {message}", hint=hint)


def unreachable(exc: BaseException | None, server: Endpoint) -> tuple[str, str]:
    """Return what happened, to follow "the API server …", and what to do about it."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _untrusted(exc, server)
    if isinstance(exc, ProxyRefused):
        hint = "put user:password@ into the proxy's URL" if exc.status == 407 else ""
        return f"can't be reached: the proxy {_host(server.proxy)} answered HTTP {exc.status}", hint
    if isinstance(exc, ProxyUnreachable):
        reason = getattr(exc.cause, "strerror", "") or str(exc.cause) or type(exc.cause).__name__
        return f"can't be reached: the proxy {_host(server.proxy)} can't be: {printable(reason, 300)}", ""
    said = printable(str(exc) or type(exc).__name__, 300)
    if "WRONG_VERSION_NUMBER" in said or "record layer failure" in said.lower():
        return "can't be reached: what answers there speaks no TLS", "is the server's URL http:// ?"
    if "CERTIFICATE_REQUIRED" in said:
        return "wants a client certificate", "the kubeconfig's user has none"
    if "ALERT" in said and ("CERTIFICATE" in said or "UNKNOWN_CA" in said):
        return f"refused our client certificate: {said}", "is it expired, or of another cluster? log in again"
    # TLS 1.3: a server that misses a client certificate says so after the handshake, and may be gone before we hear it.
    hint = "it may want a client certificate" if server.ssl and isinstance(exc, Disconnected) else ""
    return f"can't be reached: {said}", hint


def _untrusted(error: ssl.SSLCertVerificationError, server: Endpoint) -> tuple[str, str]:
    name = printable(server.server_hostname or urlsplit(server.url).hostname or "")
    reason = printable(error.verify_message or str(error), 300)
    if error.verify_code == _EXPIRED:
        return "is not trusted: its certificate has expired", f"check this machine's clock; {_SKIP}"
    if error.verify_code == _NOT_YET:
        return "is not trusted: its certificate is not valid yet", "check this machine's clock"
    if error.verify_code in _WRONG_NAMES:
        return f"is not trusted: its certificate is not for {name}", f"tls-server-name names what it is for; {_SKIP}"
    if error.verify_code in _UNKNOWN_ISSUERS:
        hint = f"name its authority in the kubeconfig as certificate-authority; {_SKIP}"
        return f"is not trusted: no certificate authority that we know has signed its certificate ({reason})", hint
    return f"is not trusted: {reason}", _SKIP


def _host(proxy: str | None) -> str:
    parts = urlsplit(proxy or "")
    return printable(f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname))
