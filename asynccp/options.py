"""Every knob: its unit, its default, and why that default. Those that a caller may turn are in groups."""

from enum import StrEnum
from typing import NamedTuple

from asynccp.limits import DEFAULT_LIMITS, Limits

RECORD_SIZE = 64 * 1024
"""Bytes that the pod's `dd` reads at a time. An archive for a push is padded with zeros to a multiple of it."""

CHUNK_SIZE = 256 * 1024
"""Bytes of archive in one message of a push: 128 to 256 KiB cost the servers 10 to 15 % less than 32 or 64 KiB."""

PART_SIZE = 2 * 1024 * 1024
"""Bytes of archive in one part of a compressed push. The pod starts two programs for each."""

WINDOW_SIZE = 64 * 1024 * 1024
"""Bytes of encoded archive kept for all pods of a push. An archive up to this size is read once, however many pods."""

HELD_SIZE = 32 * 1024 * 1024
"""Bytes that all sessions at once may hold until the writer takes them. As much again is being written, so that a
hundred pulls, one of them stalled, stay below 200 MiB in all."""

MOST_HOP_SIZE, LEAST_HOP_SIZE = 512 * 1024, 64 * 1024
"""Bytes handed to the writer at a time, so that the switch of threads does not show: 64 pulls of 32 MiB took 7.4 s of
CPU with 512 KiB, 8.8 with 256 KiB; 1 MiB was no better with 8 pulls."""

PING_AFTER_S = 20.0
"""Seconds without a byte before a ping. Load balancers cut idle connections after 60 s and more; a ping while bytes
flow could only do harm (kubernetes #60140)."""

LOOK_EVERY_S = 1.0
"""Seconds between two looks at whether a session has moved; a deadline is met so exactly."""

RATE_DEADLINES, LEAST_RATE_PER_S = 10, 16
"""A transfer of which fewer bytes come than so many a second, over so many deadlines (twenty minutes), stands still: a
byte now and then would hold a place for the four hours that a kubelet allows. 16 are what a modem of 9,600 baud leaves
for each of 64 pods."""

CLOSE_GRACE_S = 3.0
"""Seconds that ending one session may take, also when the run is being interrupted."""

LIFE_S = 4 * 3600 + 300
"""Seconds after which a command in a pod ends itself. A kubelet ends every connection after four hours (options.go), so
by then there can be no client."""

OPENS_PER_S = 200.0
"""Sessions begun per second, at most, each a little early or late by chance: a fleet must not arrive as one blow."""

OPENS_AT_ONCE = 16
"""Sessions that may begin together after a while without any: at 5 ms each, a copy to eight pods began 40 ms late."""


SLOWEST_DIGEST_PER_S = 20_000_000
"""Bytes that a pod digests in a second, at least: what a network volume of a small cloud disk gives. For so long as its
files take at that pace, a pod that digests may be silent."""

SLOWEST_WALK_PER_S = 2_000
"""Entries that a pod lists in a second, at least, each a question to a network file system. For so long as its entries
take at that pace, a pod that counts them may be silent."""

RESUME_RECORDS = 64
"""Records of an archive (4 MiB) from which on a pull that lost its session continues: below, starting over is cheaper
than having the pod read everything twice."""


class Compression(StrEnum):
    """What is compressed on its way: `auto`, what pays (`engine.compression`); nothing; or all, by one program."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def codecs(self) -> tuple[str, ...]:
        """The programs that are asked for, whether it pays or not."""
        return () if self in (Compression.AUTO, Compression.NONE) else (self.value,)


class Dedup(StrEnum):
    """What a file becomes here whose content another pod's has: one of its own, fetched; or, of a content that is
    fetched once, a hard link, where mode and time are the same as well, or a copy."""

    NONE = "none"
    LINK = "link"
    COPY = "copy"


class Concurrency(NamedTuple):
    """How much goes on at the same time.

    sessions: exec sessions at once. 64: on a real node 200 at once were no faster, and each costs the node 0.1 CPU-s.
    sessions_per_node: of these, on one node, which does most of the work. A node refuses above 1,000 waiting ones.
    rate_per_s: bytes a second that all sessions together may bring and take; 0 is as many as there can be.
    """

    sessions: int = 64
    sessions_per_node: int = 64
    rate_per_s: int = 0


class Deadlines(NamedTuple):
    """How long silence may last.

    stall_after_s: a transfer that moves no byte for so long is ended. A pod with a slow disk may be silent for a
        minute (the server does not even answer pings then), so it is twice that.
    late_after_s: of an archive whose tar has ended in the pod, what does not come for so long is not waited for: what
        was under way came long ago. The pod may go then, and tells why. So long it may take, too, until a tar ends
        behind the end of its archive. A pod that stops early is told within 5 s: a look is a second late at most.
    open_timeout_s: from the request to the pod's first word. Nodes that start 200 processes at once need 15 s.
    """

    stall_after_s: float = 120.0
    late_after_s: float = 4.0
    open_timeout_s: float = 60.0


class Failures(NamedTuple):
    """What counts as a failure, and what one leads to.

    retries: further attempts for a transfer whose connection failed (`engine.retry` has the rules). Four wait for 8
        to 15 s in all, which is what an API server needs to come back.
    fail_fast: end the run when the first transfer fails; the default is that one pod's trouble is no other's.
    strict: a pod that was matched but skipped counts as failed.
    """

    retries: int = 4
    fail_fast: bool = False
    strict: bool = False


class Verification(NamedTuple):
    """What is proved beyond the archive's completeness, at the cost of reading every file once more.

    checksum: compare every file's digest at both ends before a transfer counts as complete.
    strict_sources: of a pull: a file that was only appended to while it was read counts as changed.
    """

    checksum: bool = False
    strict_sources: bool = False


class Attributes(NamedTuple):
    """What is kept of an entry besides its bytes.

    preserve_owner: keep numeric owners; needs root at the writing end.
    chown: of a push: USER:GROUP that owns everything, each a number, a name that the container knows, or nothing: its
        own user. Empty: not asked for.
    chmod: changes to modes (`asynccp.modes`), in their order; of a pull to what the umask leaves of them.
    preserve_modes: of a pull: keep modes as the pod has them, also what the umask forbids.
    dir_perms: of a push: directories that are there already get the source's mode and time as well.
    perms: modes; else a file is as a program makes it, one that its owner may run 0777 and another 0666, less 022 of a
        push and the umask of a pull.
    times: mtimes; else those of the push, or of when a pull wrote.
    follow: a path that was named and is a symbolic link is copied as what it leads to (`cp -RH`); else as the link.
    """

    preserve_owner: bool = False
    preserve_modes: bool = False
    dir_perms: bool = False
    perms: bool = True
    times: bool = True
    follow: bool = True
    chmod: tuple[str, ...] = ()
    chown: str = ""

    @property
    def sets_owner(self) -> bool:
        """Whether owners are set at all; else everything is the writer's."""
        return self.preserve_owner or bool(self.chown)


class Rule(NamedTuple):
    """What a filter says of the paths that it matches (`plan.filters`).

    keeps: they are copied; else they are not. patterns: of gitignore, one or a file's; the last that matches decides,
    and one that begins with `!` takes back. Bytes that are no UTF-8 are as in `sys.argv`.
    """

    keeps: bool
    patterns: tuple[str, ...]


class Filtering(NamedTuple):
    """What of a tree is copied.

    rules: the first that matches a path, or a directory above it, decides; what none matches is copied.
    ignore_files: of a push: the `.asynccpignore` of a directory that is a source is one more rule, the last.
    one_file_system: a directory on which another file system is mounted is copied empty.
    copy_links: a symbolic link is copied as what it leads to, also below what was named.
    """

    rules: tuple[Rule, ...] = ()
    ignore_files: bool = True
    one_file_system: bool = False
    copy_links: bool = False


class Publishing(NamedTuple):
    """How a push takes its place when all of it has come to the pod.

    partial: put the rest in place when some of it can't be (a mounted file, a directory in the way).
    in_place: where a file may be written but its directory may not, overwrite the file.
    """

    partial: bool = False
    in_place: bool = False


class Rollout(NamedTuple):
    """How a push takes its place where others use it meanwhile.

    atomic: the directory that receives it is replaced at once, as a whole, by two renames; where it is a symbolic link,
        by one. link: it is a link to a directory of the push's own, or is made one, so that it always is one rename.
    backups: of what was replaced so many are kept in the pod, the newest; 0: none, and none is made.
    before: a command that is run in each pod before anything is replaced: if it fails, nothing is. after: likewise when
        all is in its place; with a backup, what was there before comes back if it fails.
    signal: NAME or NAME:PROCESS, sent in each pod after that.
    command_timeout_s: for how long one of these may run.
    """

    atomic: bool = False
    link: bool = False
    backups: int = 0
    before: str = ""
    after: str = ""
    signal: str = ""
    command_timeout_s: int = 60

    @property
    def swaps(self) -> str:
        """How the directory is replaced: `link`, `directory`; empty if it isn't. What is run before sees all of it, and
        what is kept is all of it, so both replace it."""
        if self.link:
            return "link"
        return "directory" if self.atomic or self.backups or self.before else ""

    @property
    def has_hooks(self) -> bool:
        return bool(self.before or self.after or self.signal)


class Sync(NamedTuple):
    """What a push does about what is there already: rsync's options of these names. A pull knows `always` alone.

    always: everything is sent, whatever is there. Else what is the same is not (`plan.delta`, `plan.fetch`).
    existing: nothing new is made. ignore_existing: nothing that is there is changed. update: no file that has a later
        time in the pod is.
    delete: what the sources don't have is removed, below the destination of a `dir/` source or below `DEST/dir`.
        delete_excluded: so is what a filter excludes. most_deleted: a pod that would lose more entries is refused, and
        nothing of it changed; None: there is no such limit.
    """

    always: bool = False
    existing: bool = False
    ignore_existing: bool = False
    update: bool = False
    delete: bool = False
    delete_excluded: bool = False
    most_deleted: int | None = None


class Collecting(NamedTuple):
    """What a pull takes of what the pods have, besides filters. Sizes are bytes of content; 0: there is no such limit.

    mirror: what a pod does not have is removed here, in the directory that is that pod's alone.
    newer_than_ns: only what has changed since this moment, in nanoseconds since 1970; 0: whatever its time.
    tail_size: of each file no more than so many bytes of its end, for logs that nobody wants all of.
    most_file_size: a file of which more would be taken is left out. most_pod_size, most_total_size: of one pod, and of
        all of a run together, the newest files until there is no room. A disk here may be smaller than a fleet's logs.
    """

    mirror: bool = False
    newer_than_ns: int = 0
    tail_size: int = 0
    most_file_size: int = 0
    most_pod_size: int = 0
    most_total_size: int = 0


class Ephemeral(NamedTuple):
    """What is done about a container that has no shell.

    image: of an ephemeral container that is added to its pod, and copies for it: it has a shell and a tar, best a
        static BusyBox. Empty: nothing, because a pod can't be rid of it again.
    ttl_s: after so long without a copy it ends. Until then further runs use it: a second one starts at once.
    """

    image: str = ""
    ttl_s: int = 15 * 60


class Share(NamedTuple):
    """So many pods; or so many percent of those of the run."""

    number: int
    is_percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.is_percent else str(self.number)


class WaveBy(StrEnum):
    """What pods have in common that are in one wave: no wave has pods of two."""

    NODE = "node"
    ZONE = "zone"  # the node's label topology.kubernetes.io/zone
    NAMESPACE = "namespace"


class OnFailure(StrEnum):
    """What is done when more pods of a run have failed than may: begin no further wave, or undo what it did as well."""

    STOP = "stop"
    ROLLBACK = "rollback"


class Waves(NamedTuple):
    """In which steps a copy goes through a fleet (`plan.waves`), and what ends it before its time.

    canary: pods of the first wave. size: of the others; None: all there are. by: what a wave's pods have in common.
    pause_s: from the end of a wave to the next.
    most_failures: pods that may fail before no further one is begun; None: none may where there are waves, or what
        was done is to be undone; else as many as there are.
    settle_s: how long the pods of a wave must stay Ready, without a restart, before the next begins; one that does not
        has failed. A probe's period is 10 s by default, and it fails three times before anybody hears of it.
    """

    canary: Share | None = None
    size: Share | None = None
    by: WaveBy | None = None
    pause_s: int = 0
    most_failures: Share | None = None
    settle_s: int = 0
    on_failure: OnFailure = OnFailure.STOP

    @property
    def divides(self) -> bool:
        """Whether there may be more waves than one."""
        return bool(self.canary or self.size or self.by)


class Options(NamedTuple):
    """What a caller may choose about how a run is carried out: one group for each module, or two, that obeys it.

    dedup: of a pull into a directory: what is done about a content that several pods have.
    limits: of what one pod of a pull may send.
    want_size: have the pod add up a pull's size while it sends, for a bar with an end.
    """

    concurrency: Concurrency = Concurrency()
    deadlines: Deadlines = Deadlines()
    failures: Failures = Failures()
    verification: Verification = Verification()
    attributes: Attributes = Attributes()
    filtering: Filtering = Filtering()
    publishing: Publishing = Publishing()
    rollout: Rollout = Rollout()
    sync: Sync = Sync()
    collecting: Collecting = Collecting()
    compression: Compression = Compression.AUTO
    dedup: Dedup = Dedup.NONE
    ephemeral: Ephemeral = Ephemeral()
    waves: Waves = Waves()
    limits: Limits = DEFAULT_LIMITS
    want_size: bool = False

    @property
    def narrows_pulls(self) -> bool:
        """Tell whether a pull takes another thing than all that is there, so that a pod is asked what it has."""
        filtering = self.filtering
        is_all = not filtering.rules and not filtering.one_file_system and not filtering.copy_links
        return not is_all or self.collecting != Collecting()


def hop_size(sessions: int) -> int:
    """Return how many bytes of stdout one session may hold when there are so many: a power of two, so that memory that
    one session gives back is good for another."""
    fair = HELD_SIZE // max(1, sessions)
    return max(LEAST_HOP_SIZE, min(MOST_HOP_SIZE, 1 << fair.bit_length() - 1))
