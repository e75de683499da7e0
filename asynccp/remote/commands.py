"""Every command that ever runs in a pod. Pure.

One exec a transfer, and in it the dialogue of `remote.dialogue`. The scripts (`scripts/*.sh`) are fixed text: paths
reach them only as positional parameters, never formatted in, and begin with `/` or `./`, so that none is taken for an
option; all else as words NAME=VALUE. They use what dash, BusyBox and GNU sh share, and the options that GNU, BusyBox,
libarchive's and toybox's tar share.

Rules that the scripts obey, each learned on a real cluster:

  - containerd closes stdin once the process closes its stdout or stderr: the shell's own fd 1 and 2 are never
    redirected, and a program is never the shell's last command (BusyBox would replace the shell by it).
  - nothing slow comes before the hello: it is what a session is given up for that does not answer.
  - every helper program is optional but tar (and to put a push in place mkdir, mv, rm), or was asked for.
"""

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from asynccp.archive.layout import Blocks
from asynccp.options import LIFE_S
from asynccp.remote.digests import encode_name, encode_names
from asynccp.remote.script import ABSOLUTE_SHELL, SHELL, Command, command, load
from asynccp.target import name_of

_COMMON = ("environment", "lifetime", "request", "digests", "census", "mounts")
_PUSHING = ("receive", "place", "stage", "batches", "publish")
PUSH_PARTS = (*_COMMON, *_PUSHING, "push")
SYNC_PARTS = (*_COMMON, *_PUSHING, "client", "part", "listing", "orders", "sync", "push")
PULL_PARTS = (*_COMMON, "source", "client", "load", "pull")
CHOOSE_PARTS = (*_COMMON, "source", "client", "part", "batches", "listing", "choose", "load", "pull")
LIST_PARTS = (*_COMMON, "source", "client", "batches", "listing", "list")
ROLLING_OUT = ("swap", "hooks")  # of a push that swaps its place, or has hooks: what others don't need
FORESEEING = "foresee"  # likewise, before the dry run of one
ROLLBACK_PARTS = (*_COMMON, "place", "stage", "batches", "publish", *ROLLING_OUT, "rollback")
UNPACK_PARTS, PACK_PARTS = ("unpack",), ("batches", "pack")

_LOOKS_FIRST = ("push", "source", "rollback")  # the first part that looks at a path


class Texts(Struct, frozen=True):
    """The scripts, as they travel. Each is read when it is first asked for: all of them took a fiftieth of a start.

    more: parts in their place, behind all that they are to change.
    """

    more: tuple[str, ...] = ()

    @property
    def push(self) -> bytes:
        return self._with(PUSH_PARTS)

    @property
    def sync(self) -> bytes:
        return self._with(SYNC_PARTS)

    @property
    def pull(self) -> bytes:
        return self._with(PULL_PARTS)

    @property
    def choose(self) -> bytes:
        return self._with(CHOOSE_PARTS)

    @property
    def list(self) -> bytes:
        return self._with(LIST_PARTS)

    @property
    def rollback(self) -> bytes:
        return self._with(ROLLBACK_PARTS)

    def _with(self, parts: Sequence[str]) -> bytes:
        return load(*with_parts(parts, *self.more))


def with_parts(parts: Sequence[str], *more: str) -> tuple[str, ...]:
    """Return a script's parts with others before the first that looks at a path."""
    place = next(number for number, part in enumerate(parts) if part in _LOOKS_FIRST)
    return (*parts[:place], *more, *parts[place:])


PLAIN = Texts()


def read_for_pushes(texts: Texts = PLAIN) -> None:
    """Read what pushes need. For who is imported by them: no file is read while an event loop waits."""
    _ = texts.push, texts.sync, load(*UNPACK_PARTS)


def read_for_pulls(texts: Texts = PLAIN) -> None:
    """Read what pulls need, likewise."""
    _ = texts.pull, texts.choose, load(*PACK_PARTS)


def read_for_rollouts() -> None:
    """Read what swaps, hooks and rollbacks need, likewise."""
    rolling = Texts(ROLLING_OUT)
    _ = rolling.push, rolling.sync, rolling.rollback, Texts((*ROLLING_OUT, FORESEEING)).sync


TO_PUSH = ("mkdir", "mv", "rm")  # programs that no push can do without
TO_SWAP = ("cp", "ls", "ln", "rmdir")  # likewise, of those that swap
_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
"""Where programs are looked for as well in a container whose PATH does not even have `sh`."""


class Swapping(Struct, frozen=True):
    """How a push replaces the directory that receives it, as a whole (`scripts/swap.sh`).

    how: `directory`, by two renames, but where it is a link; `link`, by one, to a directory named after `revision`.
    backups: how many of what was replaced are kept in the pod; 0: none, this one included. about: what is written down
    with one (`remote.revisions`).
    """

    how: str
    revision: str
    backups: int = 0
    about: str = ""


class PushRequest(NamedTuple):
    """What a pod is asked to receive.

    directory: that receives. blocks: of the archives; None where nobody knows: both come in parts then.
    renames: the archive is one file or directory, which gets the last component of `directory` for a name, in its
    parent, unless `directory` is one, or ends with a slash.
    identity: what tells the container from its replacement, and from others that share its volumes.
    codecs: programs that may unpack the archive, the best first; the pod's hello tells which of them it has taken.
    question: names that the pod is to list before it receives (`remote.digests.encode_names`); empty: it lists nothing.
    preserve_owner: owners are those of the archive. chown: whom the pod is asked for, as in `options.Attributes`.
    swapping: None: what is received is put where it belongs, piece by piece. foresees: nothing is sent, and it is only
    asked whether that could be. hooks: commands of the user's may follow.
    Others: as in `options.Options`.
    """

    token: str
    directory: str
    blocks: Blocks | None
    renames: bool = False
    identity: str = "pod"
    codecs: Sequence[str] = ()
    preserve_owner: bool = False
    chown: str = ""
    dir_perms: bool = False
    partial: bool = False
    in_place: bool = False
    question: bytes = b""
    swapping: Swapping | None = None
    foresees: bool = False
    hooks: bool = False


class RollbackRequest(Struct, frozen=True):
    """A pod is asked to bring back what a push has replaced at `path`; or, if it lists, what there is to bring back.

    wanted: the revision; empty: the newest. swapping: of what is replaced by it.
    """

    token: str
    path: str
    swapping: Swapping
    identity: str = "pod"
    wanted: str = ""
    lists: bool = False


class PullRequest(NamedTuple):
    """What a pod is asked for: an archive of `path`, all of whose names start with `pull_name(path)`.

    records: how many times RECORD_SIZE bytes of it are here already; digest: their SHA-256, in hexadecimal.
    codecs: programs that may compress it, the best first; the pod's hello tells which of them it has taken.
    most_load: for each CPU of the node; where there is more, it is not compressed. 0: it doesn't matter.
    chooses: of a directory the pod is to tell first what there is, and to send what it is told to.
    Others: as in `options.Options`.
    """

    token: str
    path: str
    records: int = 0
    digest: str = ""
    codecs: Sequence[str] = ()
    most_load: int = 0
    want_size: bool = False
    follow: bool = True
    chooses: bool = False
    one_file_system: bool = False
    copy_links: bool = False


class ListRequest(Struct, frozen=True):
    """What a pod is asked to tell: what is at `path`, and below it.

    names: below `path`, of which alone it is to tell: paths as in a manifest, none of them below another. Without
    any it is all, `path` included.
    follow: if `path` is a link, it stands for what it leads to. copy_links: so does any other.
    one_file_system: what is in a mount point below a name is left out.
    """

    token: str
    path: str
    names: Sequence[bytes] = ()
    follow: bool = True
    one_file_system: bool = False
    copy_links: bool = False


def push_command(request: PushRequest, *, shell: str = SHELL, texts: Texts = PLAIN) -> Command:
    """Return the command that extracts the archives from stdin and puts them in their place."""
    path, blocks, needed = request.directory, request.blocks or Blocks(1, 1, 1), [*TO_PUSH]
    if renames := may_rename(request):
        directory, name = split(path)
    else:
        directory, name = _argument(path), "."
    if request.dir_perms:
        needed += ["stat", "chmod", "touch"] + ["chown"] * request.preserve_owner
    if request.swapping:
        needed += TO_SWAP
    if request.in_place:
        needed += ["cat", "readlink"]
    words: dict[str, str | int] = {
        "block": blocks.size,
        "blocks": blocks.first,
        "more_blocks": blocks.second,
        "unsized": _flag(request.blocks is None),
        # -p: modes as in the archive, whatever the umask. -o: files belong to the container's user, root included.
        "tar_options": "-xpf" if request.preserve_owner else "-xopf",
        "identity": request.identity,
        "codecs": " ".join(request.codecs),
        "needed": " ".join(needed),
        "renames": _flag(renames),
        "dir_perms": _flag(request.dir_perms),
        "partial": _flag(request.partial),
        "in_place": _flag(request.in_place),
        "compare": _flag(bool(request.question)),
        "owner": request.chown,
    }
    if request.chown:
        words["etc"] = "/etc"
        texts = Texts((*texts.more, "owners"))
    if request.swapping or request.hooks:
        texts = Texts((*texts.more, *ROLLING_OUT))
        words |= _swapping_words(request.swapping or Swapping("", ""))
    if request.foresees:
        texts = Texts((*texts.more, FORESEEING))
    text = texts.sync if request.question else texts.push
    asked = _command(request.token, text, directory, name, words, shell)
    return asked._replace(script=asked.script + request.question)


def pull_command(request: PullRequest, *, shell: str = SHELL, texts: Texts = PLAIN) -> Command:
    """Return the command that writes an archive to stdout."""
    directory, name = split(request.path)
    words: dict[str, str | int] = {
        "records": request.records,
        "digest": request.digest,
        "codecs": " ".join(request.codecs),
        "most_load": request.most_load,
        "want_size": _flag(request.want_size),
        "follow": _flag(request.follow),
        "choose": _flag(request.chooses),
        "itself": encode_name(pull_name(request.path)).decode(),
        "needed": "",
    }
    if request.chooses:
        words |= {"one_file_system": _flag(request.one_file_system), "copy_links": _flag(request.copy_links)}
    return _command(request.token, texts.choose if request.chooses else texts.pull, directory, name, words, shell)


def lesson(request: PushRequest | PullRequest) -> bytes:
    """Return what a pod without tar is taught when its hello says so, and the line before it."""
    parts = UNPACK_PARTS if isinstance(request, PushRequest) else PACK_PARTS
    text = b"%b#%b\n" % (load(*parts), request.token.encode())
    return b"learn %d\n%b" % (len(text), text)


def list_command(request: ListRequest, *, shell: str = SHELL, texts: Texts = PLAIN) -> Command:
    """Return the command that tells what is there. The names stand behind the script: argv would not take them all."""
    directory, name = (_argument(request.path), ".") if request.names else split(request.path)
    words: dict[str, str | int] = {
        "itself": encode_name(pull_name(request.path)).decode(),
        "follow": _flag(request.follow),
        "one_file_system": _flag(request.one_file_system),
        "copy_links": _flag(request.copy_links),
        "needed": "",
    }
    asked = _command(request.token, texts.list, directory, name, words, shell)
    return asked._replace(script=asked.script + encode_names(request.names or (b"",)))


def rollback_command(request: RollbackRequest, *, shell: str = SHELL, texts: Texts = PLAIN) -> Command:
    """Return the command that brings a backup back, or lists them."""
    words: dict[str, str | int] = {
        "identity": request.identity,
        "needed": " ".join(("mkdir", "mv", "rm", *TO_SWAP)),
        "from": request.wanted,
        "lists": _flag(request.lists),
        **_swapping_words(request.swapping),
    }
    return _command(request.token, texts.rollback, _argument(request.path), ".", words, shell)


def _swapping_words(swapping: Swapping) -> dict[str, str | int]:
    keep = swapping.backups or ""
    return {"swaps": swapping.how, "rev": swapping.revision, "keep": keep, "about": swapping.about}


def may_rename(request: PushRequest) -> bool:
    """Tell whether the pod decides what its one entry is called: not where `directory` can only be a directory."""
    return request.renames and split(request.directory)[1] != "."


def pull_name(path: str) -> bytes:
    """Return the first component of every name in the archive of `path`; empty when the contents are asked for."""
    return name_of(path).encode("utf-8", "surrogateescape")


def _command(token: str, text: bytes, directory: str, name: str, words: dict[str, str | int], shell: str) -> Command:
    home = directory == "./~" or directory.startswith("./~/")
    if home:
        directory = "./" + directory[3:].lstrip("/")
    elif directory == "." and name == "./~":
        directory, name, home = ".", ".", True
    words |= {
        "life": LIFE_S,
        "home": _flag(home),
        "more_path": _USUAL_PATH if shell == ABSOLUTE_SHELL else "",
    }
    # All of them, always: the container's environment may have variables of these names.
    return command(token, text, (directory, name, *(f"{key}={value}" for key, value in words.items())), shell=shell)


def _flag(value: bool) -> str:
    return "yes" if value else ""


def split(path: str) -> tuple[str, str]:
    """Split a remote path by rsync's rule: `/var/log` is (`/var`, `./log`), `/var/log/` is (`/var/log`, `.`)."""
    clean = _argument(path)
    if path.endswith("/") or posixpath.basename(clean) in ("", ".", ".."):
        return clean, "."
    directory, name = posixpath.split(clean)
    return directory or "/", f"./{name}"


def _argument(path: str) -> str:
    """Return `path` so that no program takes it for an option, and without slashes at its end."""
    stripped = path.rstrip("/") or "/"
    return stripped if stripped.startswith(("/", "./")) else f"./{stripped}"
