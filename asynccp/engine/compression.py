"""Which copies are compressed: decisions, each with its reason in words. Pure but for the sample that is read.

A push is decided before it begins, by the way and by the sources; a pull by what the run brings, since the sources are
in the pods, and what compresses is the pods' own CPU.
"""

import math
from typing import Protocol

from anyio import to_thread
from msgspec import Struct

from asynccp.archive.compression import CODECS, PROBE_SIZE, shrinks_to
from asynccp.archive.layout import ArchiveLayout
from asynccp.local.pack import sample
from asynccp.options import Compression
from asynccp.remote.messages import Hello
from asynccp.text import human_size

LEAST_SIZE = 256 * 1024
"""Bytes of archive from which on compression is thought of: a smaller one is one message."""

FAR_S = 0.02
"""Seconds from which on the way to the API server counts as a slow one: what a connection took, TLS and all. Buffers on
the way take the first megabytes of a push at once, so how fast they go tells nothing in time. On busy loopback a
connection takes 4 to 15 ms, over a line with a round trip of 20 ms 31 and more.

On loopback, where pods share two cores with everything else, 8 × 64 MiB of access logs took 7.6 to 12.7 s as they were
and 8.8 to 16.3 compressed; one pod took 3.1, 2.4, 1.8 s as they were and 4.2, 2.1, 2.0 compressed; servers' CPU 6.2 to
8.7 s against 1.5 to 3.0. Through 100 Mbit/s, 8 × 20 MiB took 16 s and 5.6."""

SHRINKS = 0.6
"""A push that shrinks to less than this share of its size is worth it: to carry a GiB costs the servers 14 to 20
CPU-seconds, to unpack it the pods 6 to 7."""


def is_far(connect_s: float) -> bool:
    """Tell whether the way to a server is a slow one, by what a connection took; inf where none was made."""
    return FAR_S <= connect_s < math.inf


class Offer(Struct, frozen=True):
    """What a pod may compress or unpack with, the best first; when it is nothing, `reason` says why."""

    codecs: tuple[str, ...] = ()
    reason: str = ""

    def taken(self, hello: Hello) -> tuple[str, str]:
        """Return the one that the pod has taken, empty for none, and why none."""
        if not self.codecs:
            return "", self.reason
        if hello.codec in self.codecs:
            return hello.codec, ""
        if hello.is_busy:
            return "", "the node is busy"
        return "", f"the container has no {' or '.join(self.codecs)}, or no dd"


def push_offer(compress: Compression, size: int, share: float, *, far: bool) -> Offer:
    """Decide for a push of `size` archive bytes, of which a sample shrinks to `share` of its size, to a server that is
    `far`, or may not be given all the bytes that it could take.
    """
    if compress is not Compression.AUTO:
        return Offer(compress.codecs)
    if size < LEAST_SIZE:
        return Offer((), f"{human_size(size)} are not worth it")
    if not far:
        return Offer((), "the API server is near")
    if share > SHRINKS:
        return Offer((), f"a sample shrinks only to {share:.0%}")
    return Offer(CODECS)


async def offer_push(layout: ArchiveLayout, compress: Compression, *, far: bool) -> Offer:
    """Decide for a push, by a look at its sources where that matters."""
    look = compress is Compression.AUTO and far and layout.size >= LEAST_SIZE
    share = shrinks_to(await to_thread.run_sync(sample, layout)) if look else 1.0
    return push_offer(compress, layout.size, share, far=far)


SLOW_LINK_PER_S = 60_000_000
"""Bytes: where a run receives fewer, compressing pods have more to give (gzip -1 packs 75 MB/s of access logs, BusyBox
43, into a sixth of their size; zstd -1 takes half the CPU of gzip)."""

MOST_SHARE = 0.5
"""A pull must shrink to less than this: the CPU is the pod's, and a session is given up for it."""

MOST_BUSY = 0.25
"""CPU-seconds a second that our own writing may take: where it takes more, the link isn't what is waited for."""

MOST_LOAD = 4
"""Processes that want to run, for each CPU: a node with more is not given compression as well."""

LOOK_AFTER_S, LOOK_AFTER_SIZE = 1.0, 2 * 1024 * 1024  # what is seen for so long, and so much, is a rate
ASK_AFTER_SIZE = 256 * 1024  # that one session has brought


def pull_pays(rate_per_s: float, busy: float, share: float) -> bool:
    """Decide for a pull of which the run has seen so much.

    rate_per_s: bytes that all pods together bring. busy: CPU-seconds a second that the writing of it takes here.
    share: what a sample shrinks to, of its size.
    """
    return rate_per_s < SLOW_LINK_PER_S and busy < MOST_BUSY and share < MOST_SHARE


class Link(Protocol):
    """The way to a cluster, as far as earlier runs have seen it."""

    @property
    def is_slow(self) -> bool:
        """Whether compression has paid lately."""

    def found_slow(self) -> None:
        """Hear that it pays."""


class UnknownLink:
    """One that nobody remembers anything of."""

    is_slow = False

    def found_slow(self) -> None:
        """There is nowhere to keep it."""


class Pulls:
    """What one run has seen of its pulls. `offer`: for the sessions that begin now.

    link: where it is known to be slow, all sessions are offered compression: to see it anew takes a second, and of each
    pod a session.
    """

    def __init__(self, compress: Compression, now: float, link: Link | None = None) -> None:
        self._link = link or UnknownLink()
        self._auto = compress is Compression.AUTO
        self.offer = Offer(CODECS if self._auto and self._link.is_slow else compress.codecs)
        self._since = now
        self._size = 0
        self._cpu_s = 0.0

    def pays(self, size: int, cpu_s: float, now: float, data: bytes | memoryview) -> bool:
        """Tell whether a session is better ended and continued with `offer`.

        size: what it has brought since it last asked, `data` being the last of it; cpu_s: what the writing of that
        took. now: seconds of a monotonic clock.
        """
        if not self._auto:
            return False
        if self.offer.codecs:
            return shrinks_to(data[:PROBE_SIZE]) < MOST_SHARE
        self._size += size
        self._cpu_s += cpu_s
        took_s = now - self._since
        if took_s < LOOK_AFTER_S or self._size < LOOK_AFTER_SIZE:
            return False
        pays = pull_pays(self._size / took_s, self._cpu_s / took_s, shrinks_to(data[:PROBE_SIZE]))
        if pays:
            self.offer = Offer(CODECS)
            self._link.found_slow()
        self._size, self._cpu_s, self._since = 0, 0.0, now
        return pays
