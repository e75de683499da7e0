"""Every error of asynccp, named by who must act.

    AsyncCpError
    ├── UsageError              the command line says something impossible              exit 2
    ├── PlanError               nothing moved: source, selection or cluster at fault    exit 1
    │   ├── NoTargets           no running container was matched                        exit 3
    │   └── ClusterError        the API server was not reached, or refused to list      exit 1
    └── TransferError           one target's trouble; the other targets go on           exit 1 or 23
        ├── ConnectFailed       no session: network, or a server that is overloaded     retryable
        ├── Refused             no session: the server said why (RBAC, no such pod …)
        ├── SessionLost         the session ended before the pod had said its last word retryable
        │   └── WorkerLost      the process that had it ended before it was over
        ├── Stalled             nothing moved for too long
        ├── ProtocolViolation   the far end sent what the protocol doesn't allow
        ├── CommandMissing      no shell (ShellMissing), or no tar, in the container
        ├── TargetUnreachable   an ephemeral container may not look into its target (OtherUser: as the wrong user)
        ├── CommandFailed       the command in the pod failed: exit code, its last words
        │   └── HookFailed      it is one of the user's, before or after a push
        ├── NoBackup            a rollback: nothing was kept
        ├── DestinationError    the place to write to, in the pod or here, can't be written
        ├── SourceShrank        a tar ended in a file that lost its end under its hands     retryable
        ├── DigestsDiffer       a file arrived, but it is not what was sent                 retryable
        ├── SourceMissing       the pod has no such path (NoSuchPath), or none of it can be read, or is
        │                       wanted (NothingWanted, NothingMatches)
        ├── SourceChanged       a source changed while it was read                      exit 24
        │   └── SourceRotated   logs got other names while they were pulled by name     retryable
        ├── UnsafeEntry         an archive member that must not be written
        └── Interrupted         the person at the keyboard ended it                     exit 130

The exit code of a whole run is decided in `report.py`. Text in an error may come from a pod: whoever raises one with
such text has passed it through `text.printable`.
"""

from enum import StrEnum
from typing import ClassVar


class Knob(StrEnum):
    """What a hint names that may be turned: as a caller of the library knows it.

    The command line has flags for them (`cli.flags`). A knob is a word of the hint, not a field beside it: so it goes
    along through every error that is raised anew, into results, reports and JSON, and `Knob.SIZE in error.hint` tells
    a program.
    """

    ALL_NAMESPACES = "Selection.all_namespaces"
    ATOMIC = "Rollout.atomic"
    BACKUPS = "Rollout.backups"
    CANARY = "Waves.canary"
    CHECKSUM = "Verification.checksum"
    CHOWN = "Attributes.chown"
    CONTAINER = "Selection.container"
    COPY_LINKS = "Filtering.copy_links"
    CONTEXT = "connect(context=…)"
    DEDUP = "Options.dedup"
    DELETE = "Sync.delete"
    DEPTH = "Limits.depth"
    EPHEMERAL = "Ephemeral.image"
    ENTRIES = "Limits.entries"
    HEADER_SIZE = "Limits.header_size"
    INCLUDE = "Rule.keeps"
    IN_PLACE = "Publishing.in_place"
    KUBECONFIG = "connect(kubeconfig=…)"
    LABELS = "parse_selectors(labels=…)"
    MEMORY = "Limits.memory"
    MIRROR = "Collecting.mirror"
    MOST_DELETED = "Sync.most_deleted"
    NAMESPACES = "Selection.namespaces"
    NO_FOLLOW = "Attributes.follow"
    PARTIAL = "Publishing.partial"
    PATH_SIZE = "Limits.path_size"
    PRESERVE_OWNER = "Attributes.preserve_owner"
    SIZE = "Limits.size"
    STALL_AFTER = "Deadlines.stall_after_s"
    STRICT_SOURCES = "Verification.strict_sources"
    TEMPLATE = "plan_pull(template=…)"
    WAVE = "Waves.size"


class AsyncCpError(Exception):
    """The root: `str(error)` says what happened, `hint` what to do about it (empty when there is nothing to say)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AsyncCpError):
    """The command line, or a request, can't mean anything."""

    exit_code = 2


class PlanError(AsyncCpError):
    """No plan could be made; no byte has moved."""


class NoTargets(PlanError):
    """No container that runs now was matched."""

    exit_code = 3


class ClusterError(PlanError):
    """The cluster could not be asked: configuration, network, credentials or permission."""


class TransferError(AsyncCpError):
    """One target's transfer is not complete. Becomes that target's `Result`.

    after_s: how long the server asks to wait before another attempt, in seconds.
    """

    retryable: ClassVar[bool] = False

    at_once: ClassVar[bool] = False
    """Whether another attempt is best made without a pause: nobody is overloaded."""

    def __init__(self, message: str, *, hint: str = "", after_s: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.after_s = after_s


class ConnectFailed(TransferError):
    """No session could be opened: network, or a server that asks to come back later."""

    retryable = True


class Refused(TransferError):
    """The server refused the session, and said why."""


class ProtocolRefused(Refused):
    """The server does not speak the subprotocol that was offered (403 or 400 without a Kubernetes Status)."""


class SessionLost(TransferError):
    """The session ended before the pod had said its last word."""

    retryable = True


class WorkerLost(SessionLost):
    """The process that had a transfer has ended before it was over (`relay.workers`)."""


class Stalled(TransferError):
    """Nothing moved for longer than the deadline. Not retried: a pod is named when its deadline passes, not later."""


class ProtocolViolation(TransferError):
    """The far end sent what exec, the dialogue or tar doesn't allow."""


class CommandMissing(TransferError):
    """The container lacks a program that the copy needs."""


class ShellMissing(CommandMissing):
    """The container has no shell by the name under which it was looked for."""


class TargetUnreachable(TransferError):
    """An ephemeral container may not look into the target's file system, or does not find it."""


class OtherUser(TargetUnreachable):
    """It runs as another user than the target, so that it may not. user: the target's uid and gid."""

    def __init__(self, message: str, *, hint: str = "", after_s: float = 0.0, user: tuple[int, int] = (0, 0)) -> None:
        super().__init__(message, hint=hint, after_s=after_s)
        self.user = user


class CommandFailed(TransferError):
    """The command in the pod failed."""


class SourceShrank(CommandFailed):
    """A tar has ended in a file that lost its end under its hands, and read nothing of what comes after it."""

    retryable = True


class DestinationError(TransferError):
    """The destination, in the pod or on this machine, can't be written."""


class NoBackup(TransferError):
    """Nothing that a push has replaced is kept in the pod, or not what was asked for."""


class HookFailed(CommandFailed):
    """A command of the user's, or a signal, failed in the pod."""


class DigestsDiffer(TransferError):
    """A file here and in the pod is not the same, or one of the two can't tell."""

    retryable = True


class SourceMissing(TransferError):
    """The pod has no such path, or it may not be read."""


class NoSuchPath(SourceMissing):
    """The container has no such path, or log. may_lack: nobody misses it, if it is elsewhere (`report.settled`)."""

    may_lack = False


class NothingMatches(NoSuchPath):
    """Nothing in the container has a name that a pattern means: no trouble, if something in another one has."""

    may_lack = True


class NothingWanted(SourceMissing):
    """The path is there, but nothing of it is wanted."""


class SourceChanged(TransferError):
    """A source changed while it was read."""

    exit_code = 24


class SourceRotated(SourceChanged):
    """Logs were given other names while they were pulled by those that they had."""

    retryable = True
    at_once = True  # the time until the next rotation is never longer than now


class UnsafeEntry(TransferError):
    """An archive member that must not be written: it climbs out, is a device, comes twice …"""


class Interrupted(TransferError):
    """The run was ended from outside before this transfer was complete."""

    exit_code = 130


def may_pass(error_class: str) -> bool:
    """Tell whether a transfer that failed by an error of a class of this name may succeed later, as it is."""
    kind = globals().get(error_class)
    if not (isinstance(kind, type) and issubclass(kind, TransferError)):
        return False
    return kind.retryable or kind is Stalled
