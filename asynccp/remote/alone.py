"""Alone: a container that has a tar, and no shell to run it. For pulls; pure.

The tar is the command, `tar cf - -C DIRECTORY ./NAME`, and nobody there speaks the dialogue. What it would say is said
here in its place (`Spoken`), as far as it can be known; `engine.alone` puts that in front of a session.

What is proved all the same: the archive has its end marker, which every tar writes last; the server tells tar's exit
code; and tar's words on stderr mean what they mean elsewhere (`remote.complaints`). So a pull that is cut, or whose tar
fails, is no complete one: no acknowledgement keeps the process alive until all has come (kubernetes #60140), so a slow
reader may find the end gone, and tries again.

What is not: how many entries there are, so that a variable like TAR_OPTIONS may have GNU tar skip some, and nobody can
unset it; what changed meanwhile, but by GNU tar's own words; digests. libarchive's tar fills up with zeros what a file
has lost, without a word, and ends at what it can't read: it is not asked. Nothing can be chosen, or continued. A client
that dies leaves its tar behind, blocked, as `kubectl exec` does.

There is no push. A sentinel could be proved by another exec, `tar cf - -C DIRECTORY ./SENTINEL`, and then the copy is
complete. But what a push promises besides can't be had:

  - nothing is changed before all has come: without mkdir and mv nothing can be extracted beside its place and be put
    there when it is whole, so one that is cut would leave the old and the new mixed, and files torn, in a container
    that reads them;
  - nothing else is changed: a sentinel that has come could be removed by GNU tar alone (`--remove-files`), which the
    other tars don't know, and who dies between the two execs leaves it; a directory that stands there gets other times
    and modes, and a link in it that leads out is followed, as the tar likes;
  - no destination can be made, and how much stands there nobody counts.

So a push is refused; `--ephemeral` has all of that.
"""

from collections.abc import Iterator

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.entry import Kind
from asynccp.errors import AsyncCpError, CommandMissing
from asynccp.limits import DEFAULT_LIMITS
from asynccp.remote import worker
from asynccp.remote.commands import PullRequest, split
from asynccp.remote.script import Command

VERSION_ARGV = ("tar", "--version")  # that it can be run is what is asked; BusyBox's says how it is used, and fails
_MOST_HELD = 256 * 1024  # bytes of an archive that are held back until it tells whether a directory is in it
_BSDTAR = b"bsdtar"


def is_trusted(said: bytes) -> bool:
    """Tell whether a tar that answers so to `--version` says what it can't read, and what has lost its end."""
    return _BSDTAR not in said


class AloneAgent:
    """The container's own tar, without a shell."""

    takes: ArchiveFormat = TAR
    way = "tar-alone"
    worker = worker.TAR

    def command(self, request: object, *, shell: str) -> Command:  # noqa: ARG002 (there is none)
        assert isinstance(request, PullRequest), "nothing else is asked of it"
        directory, name = split(request.path)
        if directory.split("/")[:2] == [".", "~"] or name == "./~":
            what = "what ~ is can't be told: there is no shell in the container"
            raise CommandMissing(what, hint="write the directory's path instead of ~")
        return Command(("tar", "chf" if request.copy_links else "cf", "-", "-C", directory, name), b"")


class Spoken:
    """What a script would say around one archive, after what tar writes and how it ends.

    follow: a link that was named is not to be copied as one.
    """

    def __init__(self, token: str, *, follow: bool) -> None:
        from asynccp.archive.tar import TarDecoder  # few need it, and a push decodes nothing

        self._start = f"asynccp {token}"
        self._follow = follow
        self._decoder = TarDecoder(DEFAULT_LIMITS)
        self._held = b""
        self._greeted = False

    def hear(self, data: memoryview) -> Iterator[bytes]:
        """Yield what stands on stdout for what tar has written there."""
        if self._greeted:
            yield bytes(data)
            return
        self._held += data
        kind = self._kind(data)
        if kind is Kind.SYMLINK and self._follow:
            yield from self._greeting("problem=unfollowed")
        elif kind or len(self._held) > _MOST_HELD:
            yield from self._greeting(f"directory={'yes' if kind is Kind.DIRECTORY else ''}")

    def _kind(self, data: memoryview) -> Kind | None:
        """Return what the archive's first entry is; a file, for what nobody can read: that is told by who reads it."""
        from asynccp.archive.tar import ArchiveEnd, Member

        try:
            for event in self._decoder.feed(data):
                if isinstance(event, Member):
                    return event.entry.kind
                if not isinstance(event, ArchiveEnd):
                    return Kind.FILE
                return None
        except AsyncCpError:
            return Kind.FILE
        return None

    def _greeting(self, facts: str) -> Iterator[bytes]:
        self._greeted = True
        yield f"{self._start} hello tar=alone sum=none stat= z= {facts}\n".encode()
        yield self._held
        self._held = b""

    def end(self, code: int | None, said: bytes) -> Iterator[bytes]:
        """Yield what stands on stdout at the end. said: tar's words.

        None, or more than 128: it did not run, or was killed, and whether it has written all is not known.
        """
        if code is None or code > 128:
            return
        if not self._greeted:
            if code and b"No such file or directory" in said:
                yield from self._greeting("problem=missing")
                return
            if not self._held:  # the session's end has its words
                return
            yield from self._greeting("")
        yield f"{self._start} done rc={code} hidden=\n".encode()

    def ended(self, code: int | None) -> bytes:
        """Return the note on stderr that nothing more comes there."""
        return f"{self._start} ended rc={'' if code is None else code}\n".encode()
