"""Endpoint: where an HTTP server is, and the way there."""

from dataclasses import dataclass, field
from ssl import SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """ssl: None for plain HTTP. server_hostname: the name in the server's certificate, when it isn't the URL's.

    proxy: None when there is none between; may hold a password.
    """

    url: str = field(kw_only=False)
    ssl: SSLContext | None = None
    server_hostname: str | None = None
    proxy: str | None = field(default=None, repr=False)
