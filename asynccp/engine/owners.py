"""Owners: what is pushed as one pod is to have it, where it was asked who is to own it.

A name is the pod's own: what number it has there, the pod's hello says (`remote/scripts/owners.sh`). Pods that say the
same share the entries, and so the archive.
"""

from collections.abc import Sequence

from anyio import Lock, to_thread
from msgspec.structs import replace

from asynccp.entry import Entry
from asynccp.errors import ProtocolViolation
from asynccp.remote.messages import Hello

MOST_KNOWN = 8
"""Owners whose entries are kept. A fleet has one; that each pod says another takes time then, and no memory."""


class Owners:
    """entries: as they are here."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._known: dict[tuple[int, int], Sequence[Entry]] = {}
        self._making = Lock()

    async def entries(self, hello: Hello) -> Sequence[Entry]:
        """Return the entries as a pod is to have them. Raises ProtocolViolation."""
        if hello.owner is None:
            raise ProtocolViolation("the pod did not tell who is to own what comes")
        async with self._making:
            if hello.owner not in self._known:
                made = await to_thread.run_sync(_owned, self._entries, hello.owner)
                for oldest in list(self._known)[: len(self._known) - MOST_KNOWN + 1]:
                    del self._known[oldest]
                self._known[hello.owner] = made
            return self._known[hello.owner]


def _owned(entries: Sequence[Entry], owner: tuple[int, int]) -> Sequence[Entry]:
    uid, gid = owner
    return [replace(entry, uid=uid, gid=gid) for entry in entries]
