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

import functools
import os
import posixpath
import re
from collections.abc import Sequence

from asynccp.options import LIFE_S, RECORD_SIZE

# Both scripts answer questions about what they hold: the line `sum`, then names, one a line, up to an empty line (the
# wire form of `wire.digests`). They come a hundred at a time, so that the answer fits a pipe: a script whose client is
# gone never blocks on it. Digests are of whole files as they stand on the disk.
_ANSWER = """\
sum=none
for c in sha256sum md5sum cksum; do
    if command -v $c >/dev/null; then sum=$c; break; fi
done
answer() {
    base=$1
    set --
    while IFS= read -r l <&3 && [ "$l" ]; do
        case $l in *\\\\*) l=$(printf '%b_' "$l"); l=${l%_} ;; esac
        set -- "$@" "$l"
    done
    (cd "$base" && $sum "$@")
    echo "asynccp $t summed"
}
"""

# No session outlives LIFE_S, so what runs after that has no client any more, even if its stdin is still open: when
# containerd is killed, its shim holds that open, and tar would wait for ever. In the end, whoever waits for that goes
# with the rest of the process group. A runtime that gives a command no group of its own has to do without. The variable
# is for tests.
_LIFE = f"""\
end() {{
    trap '' TERM
    kill -TERM -$$ 2>/dev/null
    exit "$1"
}}
if kill -0 -$$ 2>/dev/null; then
    {{ sleep "${{ASYNCCP_LIFE_S:-{LIFE_S}}}"; kill -TERM -$$; }} >/dev/null 2>&1 3<&- 4>&- &
fi
"""

# $1 token, $2 destination directory, $3 records of the first archive, $4 of the second (0: there is none), $5 options
# $6 the pod's identity, $7 programs to unpack with, the best first (empty: the archive comes as it is)
#
# With one of these and dd, the archive comes in parts (`disk.pack`): a line `z SIZE +` or `r SIZE +`, then so many
# bytes, packed or raw; the last part's line has no `+`. The shell reads a line byte by byte: what is dd's it leaves.
# `torn` is there when a part could not be unpacked: tar may have come to its end by then. That tar's rest is read to
# its end keeps gzip and zstd from ending with a broken pipe, and makes sure that `torn` is there before it is looked
# for.
#
# Everything is extracted into a directory of its own beside its destination, and put in its place by rename when all of
# it came and the client says so: a push that is cut leaves nothing torn under a final name, and nothing at all. Its
# name ends with the shell's process id; what an earlier shell of this pod left when it was killed goes first.
#
# The sentinel is each archive's last member. Every tar ends with 0 when its archive is cut between two members; only a
# sentinel that was extracted proves that tar came to the end. The second archive settles directories (`plan.layout`).
# That is for BusyBox's tar, and BusyBox has dd. Where head counts, the first tar gets both, and what it leaves is
# thrown away: head may read more than it hands on (toybox, BusyBox): a second one would wait for bytes that are gone.
#
# A directory that isn't there yet is renamed as a whole; one that is there is kept, gets what is in the new one, and
# then its mode and time. That nothing is left in the new one (rmdir) proves that all is in its place. A symbolic link
# to a directory counts as one: what a container has behind /bin stays there. `some` is "${1}" to "${200}": what mv is
# given at once, since a system takes 2 MiB of arguments and a path has up to 4 KiB.
_PUSH = f"""\
export LC_ALL=C
exec 3<&0
t=$1 d=$2 options=$5 problem= settled=yes
for c in tar mv rmdir; do
    command -v $c >/dev/null || problem=no-$c
done
if [ "$problem" ]; then :
elif [ -e "$d" ] && [ ! -d "$d" ]; then problem=not-a-directory
elif [ ! -d "$d" ] && ! mkdir -p "$d"; then problem=cannot-create
else
    for o in "$d/.asynccp-$6"-*; do
        if [ -h "$o" ] || kill -0 "${{o##*-}}" 2>/dev/null; then continue; fi
        {{ chmod -R u+rwx "$o"; rm -rf "$o"; }} 2>/dev/null
    done
    s=$d/.asynccp-$6-$$
    mkdir -m 700 "$s" && mkdir -m 700 "$s/new" || problem=not-writable
fi
if [ "$problem" ]; then echo "asynccp $t hello problem=$problem"; read -r _; exit 1; fi
leave() {{
    rm -rf "$s" 2>/dev/null || {{ chmod -R u+rwx "$s"; rm -rf "$s"; }} 2>/dev/null
    [ $# = 0 ] || end "$1"
}}
trap 'leave 143' HUP INT TERM
if dd bs={RECORD_SIZE} count=0 iflag=fullblock </dev/null >/dev/null 2>&1; then count=dd
elif head -c 0 </dev/null >/dev/null 2>&1; then count=head
else count=none
fi
z=
if [ $count = dd ]; then
    for c in $7; do
        if command -v $c >/dev/null; then z=$c; break; fi
    done
fi
{_ANSWER}{_LIFE}echo "asynccp $t hello count=$count sum=$sum z=$z"
part() {{ dd bs="$1" count=1 iflag=fullblock 2>/dev/null; }}
parts() {{
    while read -r k n m; do
        case $k in
        z) part "$n" | $z -dc ;;
        r) part "$n" ;;
        *) return 1 ;;
        esac || return
        [ "$m" ] || return 0
    done
    return 1
}}
receive() {{
    case $count$z in
    dd) dd bs={RECORD_SIZE} count="$1" iflag=fullblock 2>/dev/null | tar "$options" - -C "$s/new" ;;
    head)
        n=$(($1 * {RECORD_SIZE}))
        head -c $n | {{ tar "$options" - -C "$s/new" && head -c $n >/dev/null; }} ;;
    none) tar "$options" - -C "$s/new" ;;
    *) {{ parts || : >"$s/torn"; }} | {{ tar "$options" - -C "$s/new" && cat >/dev/null; }} ;;
    esac
    rc=$? whole=no
    if [ $rc = 0 ] && [ -e "$s/torn" ]; then rc=1; fi
    if [ -e "$s/new/.asynccp-$t" ]; then whole=yes; rm -f "$s/new/.asynccp-$t"; fi
}}
move() {{
    into=$1 i=0 some=
    shift
    if [ ! -e "$1" ] && [ ! -h "$1" ]; then return 0; fi
    while [ $# -gt 200 ]; do
        while [ $i -lt 200 ]; do i=$((i + 1)) some="$some \\"\\${{$i}}\\""; done
        eval "mv -f $some \\"\\$into/\\"" || return
        shift 200
    done
    mv -f "$@" "$into/"
}}
publish() {{
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ ! -d "$f" ] || [ -h "$f" ]; then continue; fi
        if [ -d "$2/${{f##*/}}" ]; then merge "$f" "$2/${{f##*/}}" "$3" || return
        elif [ ! -w "$f" ]; then
            m=$(stat -c %a "$f") && chmod u+w "$f" && mv -f "$f" "$2/" && chmod "$m" "$2/${{f##*/}}" || return
        fi
    done
    move "$2" "$1"/* && move "$2" "$1"/.[!.]* && move "$2" "$1"/..?*
}}
merge() {{
    set -- "$1" "$2" "$3" "$(stat -c %a "$1")"
    if [ "$options" = -xpf ]; then set -- "$@" "$(stat -c %u:%g "$1")"; fi
    touch -r "$1" "$s/$3"
    chmod u+rwx "$1" && publish "$1" "$2" $(($3 + 1)) && rmdir "$1" || return
    if [ $# = 5 ]; then chown "$5" "$2" || settled=no; fi
    chmod "$4" "$2" && touch -r "$s/$3" "$2" || settled=no
}}
if [ $count = head ]; then receive $(($3 + $4)); else receive "$3"; fi
if [ "$rc$whole" = 0yes ] && [ "$4" != 0 ] && [ $count = dd ]; then receive "$4"; fi
[ "$rc$whole" = 0yes ] || leave
echo "asynccp $t received rc=$rc sentinel=$whole"
if [ "$rc$whole" != 0yes ]; then read -r _; end $rc; fi
a=go
[ $count = none ] || while read -r a; do
    [ "$a" = sum ] || break
    answer "$s/new"
done
[ "$a" = go ] || leave 1
publish "$s/new" "$d" 1 && rmdir "$s/new"
rc=$?
leave
echo "asynccp $t done rc=$rc settled=$settled"
read -r _
end $rc
"""

# $1 token, $2 directory, $3 name in it, $4 `size` when a bar wants to know how much there is
# $5 records of the archive that the client has from a session that was lost (0: none), $6 their SHA-256
# $7 programs to compress with, the best first (empty: the archive goes as it is), $8 unless the node has more load than
# so much for each of its CPUs (0: whatever it has)
#
# From 1.5.7 on zstd takes a quarter of the node's CPUs, up to four, unless the environment says otherwise.
#
# tar's own exit code is kept behind a pipe, too: it goes through fd 5 into a variable. If what compresses fails, the
# client sees that its stream has no end.
#
# To continue, tar packs everything again, what the client has is hashed instead of sent, and only if it is the same to
# the byte the rest follows: what the client then has is what this tar has packed, whole. That takes dd, which reads no
# byte more than it is told, and a shell that leads its process group, so that all of the pipeline can be killed.
#
# A tar that failed may have ended inside a member, where `done` can't be told from content: then the exit code is the
# message, and nothing is waited for.
_PULL = f"""\
export LC_ALL=C ZSTD_NBTHREADS=1
exec 3<&0 4>&1
t=$1 d=$2 n=$3 problem= size=
if ! command -v tar >/dev/null; then problem=no-tar
elif [ "$n" = . ] && [ -e "$d" ] && [ ! -d "$d" ]; then problem=no-contents
elif [ ! -e "$d/$n" ] && [ ! -h "$d/$n" ]; then problem=missing
elif [ ! -r "$d/$n" ] && [ ! -h "$d/$n" ]; then problem=unreadable
fi
if [ "$problem" ]; then echo "asynccp $t hello problem=$problem"; read -r _; exit 1; fi
{_ANSWER}{_LIFE}if [ "$4" = size ]; then size=$(du -sk "$d/$n" 2>/dev/null); size=${{size%%[!0-9]*}}; fi
resume=$5 z= busy=
if kill -0 -$$ 2>/dev/null; then
    for c in $7; do
        if command -v $c >/dev/null; then z=$c; break; fi
    done
else resume=0
fi
if [ $z ] && [ $8 != 0 ] && [ -r /proc/loadavg ] && read -r l _ </proc/loadavg &&
    [ "${{l%.*}}" -ge $(($8 * $(nproc 2>/dev/null || echo 1))) ]
then z= busy=yes
fi
if [ $resume != 0 ] && {{
    [ $sum != sha256sum ] || ! dd bs={RECORD_SIZE} count=0 iflag=fullblock </dev/null >/dev/null 2>&1
}}; then resume=0; fi
continued() {{
    had=$(dd bs={RECORD_SIZE} count="$resume" iflag=fullblock 2>/dev/null | sha256sum)
    [ "${{had%% *}}" = "$1" ] || exit 1
    echo "asynccp $t hello resume=$resume sum=$sum z=$z busy=$busy" >&4
    ${{z:-cat}} ${{z:+-1c}} || exit 2
}}
piped() {{ rc=$({{ {{ tar cf - -C "$d" "$n" 3<&- 4>&- 5>&-; echo $? >&5; }} | "$@" >&4 5>&-; }} 5>&1) && exit "$rc"; }}
send() {{
    if [ $resume != 0 ]; then piped continued "$1"; [ $? = 1 ] || exit 1; fi
    echo "asynccp $t hello size=$size sum=$sum z=$z busy=$busy"
    if [ $z ]; then piped $z -1c; exit 1; fi
    exec tar cf - -C "$d" "$n" 3<&- 4>&-
}}
send "$6" 3<&- & p=$!
{{ a=; read -r a <&3 || kill -TERM -$$ 2>/dev/null || kill $p $$; [ "$a" != sum ]; }} & w=$!
wait $p
rc=$?
echo "asynccp $t done rc=$rc"
if [ $rc != 0 ]; then kill $w; end $rc; fi
if ! wait $w; then
    a=sum
    while [ "$a" = sum ]; do answer "$d"; read -r a <&3 || end 1; done
fi
end 0
"""


def push_argv(
    token: str,
    directory: str,
    records: tuple[int, int],
    *,
    identity: str = "",
    preserve_owner: bool = False,
    codecs: Sequence[str] = (),
) -> list[str]:
    """Return the command that extracts two archives of `records` × RECORD_SIZE bytes from stdin into `directory`.

    identity: what tells the pod from its replacement, and from others that share its volumes.
    codecs: programs that may unpack it, the best first; the pod's hello tells which of them it has taken.
    """
    # -p: modes as in the archive, whatever the umask. -o: files belong to the container's user, root included.
    options = "-xpf" if preserve_owner else "-xopf"
    values = [token, _argument(directory), *map(str, records), options, identity or "pod", " ".join(codecs)]
    return ["sh", "-c", _without_indents(_PUSH), "sh", *values]


def pull_argv(
    token: str, path: str, *, want_size: bool = False, records: int = 0, digest: str = "",
    codecs: Sequence[str] = (), most_load: int = 0,
) -> list[str]:  # fmt: skip
    """Return the command that writes an archive of `path` to stdout: all names start with `pull_name(path)`.

    records: how many times RECORD_SIZE bytes of it are here already; digest: their SHA-256, in hexadecimal.
    codecs: programs that may compress it, the best first; the pod's hello tells which of them it has taken.
    most_load: for each CPU of the node; where there is more, it is not compressed. 0: it doesn't matter.
    """
    directory, name = _split(path)
    values = [
        token,
        directory,
        name,
        "size" if want_size else "",
        str(records),
        digest,
        " ".join(codecs),
        str(most_load),
    ]
    return ["sh", "-c", _without_indents(_PULL), "sh", *values]


def pull_name(path: str) -> bytes:
    """Return the first component of every name in the archive of `path`; empty when the contents are asked for."""
    name = _split(path)[1]
    return b"" if name == "." else os.fsencode(name.removeprefix("./"))


@functools.cache
def _without_indents(script: str) -> str:
    """Return a script as it travels: in the URL of the exec, where proxies allow 8 KiB for all of it."""
    return re.sub(r"\n +", "\n", script)


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
