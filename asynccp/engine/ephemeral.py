"""Beside: for targets without a shell, an ephemeral container beside each, from which its files are reached.

What a run learns it keeps: which images have no shell, so that only the first pods of each are asked, and as whom their
processes run, where only the image knows.
"""

from collections import defaultdict

import anyio
from msgspec.structs import replace

from asynccp.engine.place import Place
from asynccp.errors import OtherUser, TransferError
from asynccp.kube.base import Cluster, Wanted
from asynccp.options import Ephemeral
from asynccp.remote.rooted import RootedAgent, Site, lease_argv
from asynccp.target import Target


class Beside:
    """The ephemeral containers of one run. options: with an image."""

    def __init__(self, cluster: Cluster, options: Ephemeral) -> None:
        self._cluster = cluster
        self._options = options
        self._without_shell: set[str] = set()  # images
        self._users: dict[tuple[str, str], tuple[int, int]] = {}  # pod and container → what they had to be told
        # One at a time asks for a target's: several paths of it need one container.
        self._locks: dict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)

    def is_needed(self, target: Target) -> bool:
        """Tell whether it is known that a target has no shell."""
        return target.image in self._without_shell

    async def place(self, target: Target, refusal: TransferError | None = None) -> Place:
        """Return a place that reaches a target's files. refusal: what another place met. Raises TransferError.

        It is looked up each time, since it may have ended.
        """
        key = target.uid, target.container
        if isinstance(refusal, OtherUser):
            if key in self._users:
                raise refusal
            self._users[key] = refusal.user
        self._without_shell.add(target.image)
        wanted = Wanted(self._options.image, self._argv(target), self._users.get(key))
        async with self._locks[key]:
            found = await self._cluster.ephemeral(target, wanted)
        site = Site(found.target_id, f"{target.uid}/containers/{target.container}")
        beside = replace(target, container=found.name, image=f"ephemeral {self._options.image}")
        return Place(beside, RootedAgent(site, f"ephemeral {found.name}"))

    def _argv(self, target: Target) -> tuple[str, ...]:
        ttl_s = self._options.ttl_s
        purpose = f"asynccp: copies files of {target.container}, which has no shell; ends when idle for {ttl_s} s"
        return lease_argv(ttl_s, purpose)
