"""Endpoint: where an HTTP server is, and the way there."""

from ssl import SSLContext

from msgspec import Struct


class Endpoint(Struct, frozen=True):
    """ssl: None for plain HTTP. server_hostname: the name in the server's certificate, when it isn't the URL's.

    proxy: None when there is none between; may hold a password, so that only the URL is shown.
    """

    url: str
    ssl: SSLContext | None = None
    server_hostname: str | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
