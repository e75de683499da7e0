"""Every argv that ever runs in a pod. Pure.

One exec a transfer, and in it the dialogue of `wire.dialogue`. The scripts are fixed text: paths reach them only as
positional parameters, never formatted in, and begin with `/` or `./`, so that none is taken for an option. They use
what dash, BusyBox and GNU sh share, and the options that GNU, BusyBox, libarchive's and toybox's tar share.

Rules that the scripts obey, each learned on a real cluster:

  - containerd closes stdin once the process closes its stdout or stderr: the shell's own fd 1 and 2 are never
    redirected, and a program is never the shell's last command (BusyBox would replace the shell by it).
  - exec v4 can't close stdin, and BusyBox tar and bsdtar wait for its end: so `dd` hands tar an exact count, or `head`
    where there is no dd (toybox). BusyBox's head halves the speed, but BusyBox has dd; toybox's took 0.8 s for 64 MiB
    on v4 with 0.15 CPU-seconds of API server, where v5 without a count took 0.8 s and 0.58.
  - a client that dies leaves tar blocked on a full pipe for ever, but stdin does reach its end then: a watcher that
    reads stdin is the acknowledgement and the clean-up at the same time.
  - a background command gets /dev/null for stdin (POSIX 2.9.3): the watcher reads a copy, fd 3.
"""

import os
import posixpath

from asynccp.options import RECORD_SIZE

# $1 token, $2 destination directory, $3 records of the first archive, $4 of the second (0: there is none), $5 options
#
# The sentinel is each archive's last member. Every tar ends with 0 when its archive is cut between two members; only a
# sentinel that was extracted proves that tar came to the end. The second archive settles directories (`plan.layout`).
# That is for BusyBox's tar, and BusyBox has dd. Where head counts, the first tar gets both, and what it leaves is
# thrown away: head may read more than it hands on (toybox, BusyBox): a second one would wait for bytes that are gone.
_PUSH = f"""\
export LC_ALL=C
t=$1 d=$2 options=$5 problem=
if ! command -v tar >/dev/null; then problem=no-tar
elif [ -e "$d" ] && [ ! -d "$d" ]; then problem=not-a-directory
elif ! mkdir -p "$d"; then problem=cannot-create
elif [ ! -w "$d" ]; then problem=not-writable
fi
if [ "$problem" ]; then echo "asynccp $t hello problem=$problem"; read -r _; exit 1; fi
if dd bs={RECORD_SIZE} count=0 iflag=fullblock </dev/null >/dev/null 2>&1; then count=dd
elif head -c 0 </dev/null >/dev/null 2>&1; then count=head
else count=none
fi
echo "asynccp $t hello count=$count"
receive() {{
    case $count in
    dd) dd bs={RECORD_SIZE} count="$1" iflag=fullblock 2>/dev/null | tar "$options" - -C "$d" ;;
    head)
        n=$(($1 * {RECORD_SIZE}))
        head -c $n | {{ tar "$options" - -C "$d" && head -c $n >/dev/null; }} ;;
    none) tar "$options" - -C "$d" ;;
    esac
    rc=$? s=no
    if [ -e "$d/.asynccp-$t" ]; then s=yes; rm -f "$d/.asynccp-$t"; fi
}}
if [ $count = head ]; then receive $(($3 + $4)); else receive "$3"; fi
if [ "$rc$s" = 0yes ] && [ "$4" != 0 ] && [ $count = dd ]; then receive "$4"; fi
echo "asynccp $t done rc=$rc sentinel=$s"
read -r _
exit $rc
"""

# $1 token, $2 directory, $3 name in it, $4 `size` when a bar wants to know how much there is
#
# A tar that failed may have ended inside a member, where `done` can't be told from content: then the exit code is the
# message, and nothing is waited for.
_PULL = """\
export LC_ALL=C
exec 3<&0
t=$1 d=$2 n=$3 problem= size=
if ! command -v tar >/dev/null; then problem=no-tar
elif [ "$n" = . ] && [ -e "$d" ] && [ ! -d "$d" ]; then problem=no-contents
elif [ ! -e "$d/$n" ] && [ ! -h "$d/$n" ]; then problem=missing
elif [ ! -r "$d/$n" ] && [ ! -h "$d/$n" ]; then problem=unreadable
fi
if [ "$problem" ]; then echo "asynccp $t hello problem=$problem"; read -r _; exit 1; fi
if [ "$4" = size ]; then size=$(du -sk "$d/$n" 2>/dev/null); size=${size%%[!0-9]*}; fi
echo "asynccp $t hello size=$size"
tar cf - -C "$d" "$n" 3<&- & p=$!
{ read -r _ <&3 || kill $p $$; } & w=$!
wait $p
rc=$?
echo "asynccp $t done rc=$rc"
if [ $rc = 0 ]; then wait $w; else kill $w; fi
exit $rc
"""


def push_argv(token: str, directory: str, records: tuple[int, int], *, preserve_owner: bool) -> list[str]:
    """Return the command that extracts two archives of `records` × RECORD_SIZE bytes from stdin into `directory`."""
    # -p: modes as in the archive, whatever the umask. -o: files belong to the container's user, root included.
    options = "-xpf" if preserve_owner else "-xopf"
    return ["sh", "-c", _PUSH, "sh", token, _argument(directory), *map(str, records), options]


def pull_argv(token: str, path: str, *, want_size: bool) -> list[str]:
    """Return the command that writes an archive of `path` to stdout: all names start with `pull_name(path)`."""
    directory, name = _split(path)
    return ["sh", "-c", _PULL, "sh", token, directory, name, "size" if want_size else ""]


def pull_name(path: str) -> bytes:
    """Return the first component of every name in the archive of `path`; empty when the contents are asked for."""
    name = _split(path)[1]
    return b"" if name == "." else os.fsencode(name.removeprefix("./"))


def _split(path: str) -> tuple[str, str]:
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
