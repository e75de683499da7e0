"""Renewal: credentials that were refused are loaded anew, by one for all who wait, and not in a hurry.

A token matters only at the handshake: sessions that are open go on. So nothing is renewed before the server has said
401, which all kinds of credentials have in common; clocks and expiry dates they have not.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio

from asynccp.auth.access import Access
from asynccp.errors import ClusterError

_LOG = logging.getLogger("asynccp.auth")
RENEW_EVERY_S = 5.0  # at most: a thousand pods whose credentials stay refused don't start a thousand plugins


class Renewal:
    """The access in use. load: returns it anew; None when there is no way to, as for an Access made by hand."""

    def __init__(self, access: Access, load: Callable[[], Awaitable[Access]] | None = None) -> None:
        self.access = access
        self._load = load
        self._one = anyio.Lock()
        self._renewed_at = -RENEW_EVERY_S
        self._failure: ClusterError | None = None

    async def after_refusal(self, refused: Access) -> bool:
        """Tell whether there is another access than the one that was refused. Raises ClusterError."""
        async with self._one:
            if self.access is refused and self._load and anyio.current_time() - self._renewed_at >= RENEW_EVERY_S:
                self._failure = None
                _LOG.debug("the credentials were refused, and are loaded anew")
                try:
                    self.access = _same_server(refused, await self._load())
                except ClusterError as exc:
                    self._failure = exc
                    _LOG.debug("there are no new credentials: %s", exc)
                self._renewed_at = anyio.current_time()
            if self.access is refused and self._failure:
                raise ClusterError(str(self._failure), hint=self._failure.hint)
            return self.access is not refused


def _same_server(before: Access, now: Access) -> Access:
    """Return `now`. Raises ClusterError if it leads elsewhere: the pods that were matched are not there."""
    if now.url != before.url:
        raise ClusterError("the kubeconfig was changed meanwhile, and names another server", hint="run it again")
    return now
