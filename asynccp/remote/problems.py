"""Problems: what a hello means that says why the pod can't do what was asked (`remote/scripts`). Pure."""

import re
from collections.abc import Mapping, Sequence

from asynccp.errors import (
    CommandMissing,
    DestinationError,
    Knob,
    NoBackup,
    NoSuchPath,
    OtherUser,
    ProtocolViolation,
    SourceMissing,
    TargetUnreachable,
    TransferError,
)
from asynccp.remote.messages import Hello
from asynccp.remote.worker import TAR, Worker
from asynccp.text import printable

_NO_NODE = "a pod with the node's rights could copy these files; asynccp starts none (there is no --via-node yet)"
_RULE = "ptrace(2), PTRACE_MODE_READ"
_NO_CHROOT = "to chroot into the target takes CAP_SYS_CHROOT, and a shell that needs no library"

# problem → error, sentence, hint. PATH is what was asked for, TYPE a file system's, WHY the system's own reason.
_MEANING: dict[str, tuple[type[TransferError], str, str]] = {
    "missing": (NoSuchPath, "PATH does not exist in the container, or its directory may not be enteredWHY", ""),
    "dangling": (
        SourceMissing,
        "PATH is a symbolic link that leads nowhere in the container",
        f"{Knob.NO_FOLLOW} copies the link itself",
    ),
    "unfollowed": (
        SourceMissing,
        "PATH is a symbolic link, which a tar without a shell does not follow",
        f"name what it leads to, or write a slash behind a directory; {Knob.NO_FOLLOW} copies the link itself",
    ),
    "pseudo": (
        SourceMissing,
        "PATH is on a file system of type TYPE, whose files have no size before they are read: no tar can copy them",
        "read them one by one: kubectl exec POD -- cat PATH",
    ),
    "unreadable": (SourceMissing, "PATH may not be read by the container's userWHY", ""),
    "no-contents": (SourceMissing, "PATH is not a directory", "leave the slash at its end out"),
    "no-home": (
        DestinationError,
        "PATH can't be found: the container has no HOME",
        "write the directory's path instead of ~",
    ),
    "not-a-directory": (
        DestinationError,
        "PATH is not a directory",
        "the path after the colon is the directory that receives the source, or of a single file its new name",
    ),
    "glob": (
        DestinationError,
        "PATH looks like a pattern, and nothing in the container has just that name",
        "patterns are not expanded in the container; name the directory",
    ),
    "link": (
        DestinationError,
        "PATH is a symbolic link that another user of the container can turn round",
        "name the directory that it is to lead to",
    ),
    "cannot-create": (DestinationError, "PATH can't be created in the containerWHY", ""),
    "not-writable": (
        DestinationError,
        "PATH is not writable for the container's user, or on a read-only file systemWHY",
        f"{Knob.IN_PLACE} overwrites files that may be written in a directory that may not",
    ),
    "unknown-owner": (
        DestinationError,
        "the container knows no such ownerWHY",
        f"a name of {Knob.CHOWN} is looked up in its /etc/passwd and /etc/group; a number needs none",
    ),
    "not-root": (
        DestinationError,
        "files can't be given to another owner: the container's user is not rootWHY",
        f"push without {Knob.CHOWN}: what it writes is its own",
    ),
    # What can't be replaced as a whole (`remote/scripts/swap.sh`).
    "mount-point": (
        DestinationError,
        "PATH can't be replaced at once: a volume is mounted there, and a mount point can't be renamed",
        f"push into a directory of its own below it, or without {Knob.ATOMIC}",
    ),
    "mount-below": (
        DestinationError,
        "PATH can't be replaced at once: something is mounted below it (a ConfigMap's or Secret's key, or a volume)",
        f"push into a directory of its own, or without {Knob.ATOMIC}",
    ),
    "closed-parent": (
        DestinationError,
        "PATH can't be replaced at once: the directory that it is in may not be written, or is read-onlyWHY",
        f"push without {Knob.ATOMIC}, or into a directory of a volume",
    ),
    "others-directory": (
        DestinationError,
        "PATH can't be replaced at once: it is another user's, whom the new one could not be given to",
        f"push without {Knob.ATOMIC}",
    ),
    "layered": (
        DestinationError,
        "PATH can't be replaced at once: it is a part of the image, and overlayfs renames no such directory",
        f"push into a directory of a volume or one that isn't in the image, or without {Knob.ATOMIC}",
    ),
    "no-name": (
        DestinationError,
        "PATH can't be replaced at once: it has no name that another directory could get",
        "name a directory of its own",
    ),
    "rooted": (
        DestinationError,
        f"PATH can't be replaced at once: {_NO_CHROOT}",
        f"push without {Knob.ATOMIC}",
    ),
    "closed-store": (
        DestinationError,
        "no backup of PATH can be kept beside it: .asynccp-backup there is not the container user's aloneWHY",
        "remove it, if nobody needs it",
    ),
    "no-backup": (NoBackup, "no backup of PATH is there", f"a push with {Knob.BACKUPS} keeps what it replaces"),
    "no-revision": (NoBackup, "there is no such revision of PATH", "`asynccp history` lists them"),
    # What a shell in an ephemeral container finds (`remote/scripts/reach.sh`, `rooted.sh`).
    "no-target": (
        TargetUnreachable,
        "the ephemeral container sees no process of the container that it is for",
        "it has just ended, or the node's runtime shows it no other container's processes (targetContainerName)",
    ),
    "no-capability": (
        TargetUnreachable,
        f"the ephemeral container may not look into the target, which has capabilities that it lacks ({_RULE})",
        f"name them in the target's securityContext, which is what it gets, too; {_NO_NODE}",
    ),
    "no-root": (
        TargetUnreachable,
        f"the ephemeral container may not look into the target, though it is the same user ({_RULE})",
        f"its program may be one that its user may not read, or SELinux or AppArmor forbids it; {_NO_NODE}",
    ),
    "outward-link": (
        TargetUnreachable,
        f"PATH is a symbolic link that can't be followed safely: {_NO_CHROOT}",
        "name what the link leads to",
    ),
    "outward-links": (
        TargetUnreachable,
        f"symbolic links can't be followed safely: {_NO_CHROOT}",
        f"copy without {Knob.COPY_LINKS}, and name what the links lead to",
    ),
}


def refusal(
    hello: Hello, path: str, said: str, others: Sequence[str] = (), worker: Worker = TAR
) -> TransferError | None:
    """Return the error that a hello means, None when the pod is ready.

    path: that was asked for, escaped. said: the tail of the pod's stderr, escaped; it holds the system's own reason.
    others: the pod's other containers. worker: who is to pack or unpack.
    """
    problem = hello.problem
    if problem is None:
        return None
    if problem == "other-user" and hello.user:
        uid, gid = hello.user
        return OtherUser(
            f"the ephemeral container may not look into the target, whose user is another: {uid}:{gid} ({_RULE})",
            hint=f"name that user in the pod, as runAsUser and runAsGroup; {_NO_NODE}",
            user=hello.user,
        )
    if problem in _MEANING:
        error, sentence, hint = _MEANING[problem]
        if problem == "missing" and any(sign in path for sign in "*?["):
            hint = "patterns are not expanded in the container: name the directory"
        words = {
            "PATH": path,
            "TYPE": printable(hello.file_system, 20),
            "WHY": f" ({said})" if said else "",
        }
        return error(_filled(sentence, words), hint=_filled(hint, words))
    if problem.startswith("no-"):
        program = printable(problem.removeprefix("no-"), 60)
        lacks, add = f"no {program}", program
        if worker is not TAR:  # which would have done without that program
            lacks, add = f"neither tar nor {program}", f"tar or {program}"
        return CommandMissing(
            f"there is {lacks} in the container", hint=f"{elsewhere(others)}, or add {add} to the image"
        )
    return ProtocolViolation(f"the pod reports a problem that is not known here: {printable(problem, 60)}")


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Put words where their names stand. Once: what the pod says may have such names in it."""
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def elsewhere(others: Sequence[str]) -> str:
    """Return what to do when a container lacks something that others of its pod may have."""
    if others:
        run = "runs" if len(others) == 1 else "run"
        return f"name another container with {Knob.CONTAINER} ({', '.join(others)} {run} there too)"
    return f"name a container that has one with {Knob.CONTAINER}"
