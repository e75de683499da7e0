"""Rooted: from an ephemeral container, which has a shell and a tar, into the file system of one that has not. Pure.

The target's file system is /proc/PID/root of any of its processes, volumes and all, for who shares its process
namespace and may look into it. `scripts/reach.sh` finds the process and looks; then the usual scripts run with that for
their root (chroot), or below it where that may not be (`scripts/rooted.sh`). Which of the two, is found out in the pod:
so it is one exec, as everywhere, and both texts travel in it.

An ephemeral container can't be removed, or used for another target. So it ends itself (`scripts/lease.sh`) when nobody
has used it for a while.
"""

from typing import NamedTuple

from asynccp.remote.agent import Request, TarAgent
from asynccp.remote.commands import Texts, read_for_pulls, read_for_pushes
from asynccp.remote.script import Command, command, load

_REACH, _LEASE = load("reach"), load("lease")
ROOTED = Texts(("rooted",))
read_for_pushes(ROOTED)
read_for_pulls(ROOTED)


class Site(NamedTuple):
    """Where a target's processes are known by: the id of its container, and the place of what the kubelet mounts there.

    place: PODUID/containers/NAME.
    """

    container_id: str
    place: str


class RootedAgent(TarAgent):
    """A shell and a tar beside the target."""

    texts = ROOTED

    def __init__(self, site: Site, way: str) -> None:
        self._site = site
        self.way = way

    def command(self, request: Request, *, shell: str) -> Command:
        inner = super().command(request, shell=shell)
        outer = command(request.token, _REACH, (*self._site, *inner.argv[1:]), shell=shell)
        return Command(outer.argv, outer.script + inner.script)


def lease_argv(ttl_s: int, purpose: str) -> tuple[str, ...]:
    """Return what runs first in an ephemeral container, until it was idle for so long. purpose: for who lists it."""
    text = _LEASE.decode().replace("$", "$$")  # as a container's command has to be written: it has variables of its own
    return ("sh", "-c", text, purpose, str(ttl_s))
