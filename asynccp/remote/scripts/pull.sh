# A pull: hello; the archive; `done`; questions; one line more. On stderr `ended`, when all of tar's own words are there
# before it: stdout and stderr come by two ways, and either may overtake the other.
need tar
# The time of this is when it was first looked at, as long as it is held: no entry that is older may be missing.
if [ -d /proc/$$ ]; then exec 6</proc/$$; fi
# A path that was named and is a link is followed, as by `cp -RH`; links below it are copied as links.
create=cf what=$n
if [ "$follow" ] && [ -h "$p" ]; then
    if [ -d "$p" ]; then what=$n/. p=$p/; else create=chf; fi
fi
if [ "$copy_links" ]; then create=chf; fi
# libarchive's tar ends at the first entry that it can't read, unless it is told each one's name.
# It tells where a file has holes; GNU tar does when it is asked, in the form that libarchive has (pax, GNU.sparse 1.0).
# GNU tar takes `a\b` for a backspace, and finds no such file, unless it is told not to, of what is named to it.
# Times to the nanosecond would be a header more for each entry, and a number in its name another one in each session.
lists= kind= sparse=
case $(
    trap : TERM
    is_own tar || tar --version 2>/dev/null </dev/null
) in
bsdtar*)
    kind=bsdtar
    if [ $directory ] && [ ! "$copy_links" ] && [ "$group" ] && find /dev/null -print0 >/dev/null 2>&1; then lists=yes; fi
    ;;
toybox*) kind=toybox ;;
*'(GNU tar)'*)
    sparse='-S --no-unquote --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime,delete=mtime'
    ;;
esac
if [ "$tarless" ]; then kind=sh; fi
z= busy=
if [ "$group" ]; then
    for c in $codecs; do
        if command -v "$c" >/dev/null; then
            z=$c
            break
        fi
    done
else
    records=0
fi
if [ "$z" ] && [ "$most_load" != 0 ] && is_busy "$most_load" /proc; then z= busy=yes; fi
if [ "$z" ]; then export ZSTD_NBTHREADS=1; fi # from 1.5.7 on it takes a quarter of the node's CPUs otherwise
if [ "$records" != 0 ] && {
    [ $sum != sha256sum ] || [ ! "$b" ]
}; then records=0; fi
# To continue, tar packs everything again, what the client has is hashed instead of sent, and only if it is the same to
# the byte the rest follows: what the client then has is what this tar has packed, whole. That takes dd, which reads no
# byte more than it is told, and a shell that leads its process group, so that all of the pipeline can be ended.
continued() {
    trap : TERM
    had=$(
        trap : TERM
        dd bs=65536 count="$records" iflag=fullblock 2>/dev/null | sha256sum
    )
    [ "${had%% *}" = "$digest" ] || exit 1
    hello "resume=$records" >&4
    ${z:-cat} ${z:+-1c} || exit 2
}
# tar's own exit code is kept behind a pipe, too: it goes through fd 5 into a variable. If what compresses fails, the
# client sees that its stream has no end. find's words wait there as well, or they would mix with those of tar.
piped() {
    o=$(
        trap : TERM
        {
            if [ $# = 0 ]; then
                pack >&4
            else
                {
                    trap : TERM
                    pack
                } | "$@" >&4 5>&-
            fi
        } 5>&1
    ) || return
    rc=${o##*
}
    if [ "$rc" != "$o" ]; then
        printf %s "${o%"$rc"}" >&2
        if [ "$rc" = 0 ]; then rc=1; fi
    fi
    exit "$rc"
}
counts=yes
pack() {
    if [ "$chosen" ]; then
        pack_chosen
    elif [ "$lists" ]; then
        {
            trap : TERM
            { cd -P "$d" && find "$what" -print0; } 2>&5 3<&- 4>&- || case $? in 1 | 141) ;; *) echo 'find: was killed' >&5 ;; esac
        } | tar cf - -C "$d" -n --null -T - 3<&- 4>&- 5>&-
    else
        # shellcheck disable=SC2086 # options, or none
        tar $create - $sparse -C "$d" "$what" 3<&- 4>&- 5>&-
    fi
    echo $? >&5
}
chosen=
if [ "$choose" ] && [ "$group" ]; then
    if [ $directory ]; then
        consult "$p" ./
    elif [ -f "$p" ] && { [ "$copy_links" ] || [ ! -h "$p" ]; }; then
        consult "$d" "$itself"
    fi
fi
hello() { say "hello $* counts=$counts sum=$sum stat=$stat tar=$kind lists=$lists z=$z busy=$busy directory=$directory"; }
send() {
    trap : TERM
    if [ "$records" != 0 ]; then
        piped continued
        [ $? = 1 ] || exit 1
    fi
    hello
    if [ "$z" ]; then
        piped "$z" -1c
    elif [ "$tarless" ]; then
        piped gather
    elif [ "$lists$chosen" ]; then
        piped
    else # shellcheck disable=SC2086 # likewise
        exec tar $create - $sparse -C "$d" "$what" 3<&- 4>&-
    fi
    exit 1
}
# How much there is, told when it is known: beside tar, so that it delays nothing. Before that, what no tar can copy.
look() {
    set -f
    IFS='
'
    for l in $hollow; do note "hollow $l"; done
    unset IFS
    set +f
    bytes=
    trap gone=yes TERM
    number "$p"
    if [ "$want_size" ] && [ "${entries:-0}" -le $many ]; then census "$p" some; fi
    trap - TERM
    [ ! "$gone" ] || exit
    note "census entries=$entries bytes=$bytes"
}
send 3<&- &
sender=$! kids="$kids $!"
if [ "$counts" ]; then
    look 3<&- 4>&- >/dev/null &
    kids="$kids $!"
fi
attend $sender
wait $sender
rc=$?
# A tar that was killed ended inside a member, where `done` can't be told from content: the exit code is the message.
if [ $rc -gt 128 ]; then end $rc; fi
if [ "$kind$rc$chosen" = toybox1 ]; then # it names no sockets, so it is said as BusyBox says it
    (
        trap : TERM
        cd -P "$d" && find "$what" -type s -printf 'tar: %p: socket ignored\n' >&2 3<&- 4>&-
    )
fi
hidden=
if [ -f "$p" ] && [ ! -s "$p" ] && [ -r "$p" ]; then
    l=
    if read -r l <"$p" || [ "$l" ]; then hidden=yes; fi
fi
{
    note "ended rc=$rc"
    say "done rc=$rc hidden=$hidden"
} &
kids="$kids $!"
wait $!
converse "$d" $rc
