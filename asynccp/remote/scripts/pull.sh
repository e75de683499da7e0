# A pull: hello; the archive; `done`; questions; one line more. On stderr `ended`, when all of tar's own words are there
# before it: stdout and stderr come by two ways, and either may overtake the other.
need tar
p=$d/$n
if [ "$n" = . ] && [ -e "$d" ] && [ ! -d "$d" ]; then refuse no-contents; fi
if [ ! -e "$p" ]; then
    [ -h "$p" ] || refuse missing
    [ ! "$follow" ] || refuse dangling
elif [ ! -r "$p" ] && { [ "$follow" ] || [ ! -h "$p" ]; }; then refuse unreadable
fi
directory=
if [ -d "$p" ] && { [ "$follow" ] || [ ! -h "$p" ]; }; then directory=yes; fi
if [ $directory ]; then mounts "$p"; else mounts "$d"; fi
case $type in # their files have a size when they are read, and not before
proc | sysfs | cgroup | cgroup2 | debugfs | tracefs | securityfs | configfs | bpf | efivarfs) refuse "pseudo type=$type" ;;
esac
# A path that was named and is a link is followed, as by `cp -RH`; links below it are copied as links.
create=cf what=$n
if [ "$follow" ] && [ -h "$p" ]; then
    if [ -d "$p" ]; then what=$n/. p=$p/; else create=chf; fi
fi
trap 'end 143' HUP INT TERM
z= busy=
if [ "$group" ]; then
    for c in $codecs; do
        if command -v "$c" >/dev/null; then z=$c; break; fi
    done
else records=0
fi
if [ "$z" ] && [ "$most_load" != 0 ] && [ -r /proc/loadavg ] && read -r l _ </proc/loadavg &&
    [ "${l%.*}" -ge $((most_load * $(nproc 2>/dev/null || echo 1))) ]
then z= busy=yes
fi
if [ "$z" ]; then export ZSTD_NBTHREADS=1; fi # from 1.5.7 on it takes a quarter of the node's CPUs otherwise
if [ "$records" != 0 ] && {
    [ $sum != sha256sum ] || ! dd bs=65536 count=0 iflag=fullblock </dev/null >/dev/null 2>&1
}; then records=0; fi
# To continue, tar packs everything again, what the client has is hashed instead of sent, and only if it is the same to
# the byte the rest follows: what the client then has is what this tar has packed, whole. That takes dd, which reads no
# byte more than it is told, and a shell that leads its process group, so that all of the pipeline can be ended.
continued() {
    trap 'exit 143' TERM
    had=$(trap 'exit 143' TERM; dd bs=65536 count="$records" iflag=fullblock 2>/dev/null | sha256sum)
    [ "${had%% *}" = "$digest" ] || exit 1
    say "hello resume=$records sum=$sum z=$z busy=$busy directory=$directory" >&4
    ${z:-cat} ${z:+-1c} || exit 2
}
# tar's own exit code is kept behind a pipe, too: it goes through fd 5 into a variable. If what compresses fails, the
# client sees that its stream has no end.
piped() {
    rc=$(
        trap 'exit 143' TERM
        {
            {
                trap 'exit 143' TERM
                tar $create - -C "$d" "$what" 3<&- 4>&- 5>&-
                echo $? >&5
            } | "$@" >&4 5>&-
        } 5>&1
    ) && exit "$rc"
}
send() {
    trap 'exit 143' TERM
    if [ "$records" != 0 ]; then
        piped continued
        [ $? = 1 ] || exit 1
    fi
    say "hello sum=$sum z=$z busy=$busy directory=$directory"
    if [ "$z" ]; then
        piped $z -1c
        exit 1
    fi
    exec tar $create - -C "$d" "$what" 3<&- 4>&-
}
# How much there is, told when it is known: beside tar, so that it delays nothing.
look() {
    trap 'exit 143' TERM
    if [ "$want_size" ]; then census "$p"; else number "$p" && bytes=; fi
    note "census entries=$entries bytes=$bytes"
}
send 3<&- &
sender=$! kids="$kids $!"
look 3<&- 4>&- >/dev/null &
looker=$! kids="$kids $!"
# The client's line acknowledges, or asks; that it never comes is how a client that died is known: it leaves tar blocked
# on a full pipe for ever, but stdin does reach its end. A background command gets /dev/null for stdin (POSIX 2.9.3).
{
    a=
    read -r a <&3 || if [ "$group" ]; then kill -TERM -$$; else kill "$sender" $$; fi 2>/dev/null
    case $a in sum) exit 1 ;; size) exit 2 ;; esac
    exit 0
} &
waiter=$! kids="$kids $!"
wait $sender
rc=$?
# A tar that was killed ended inside a member, where `done` can't be told from content: the exit code is the message.
if [ $rc -gt 128 ]; then end $rc; fi
wait $looker
number "$p"
hidden=
if [ -f "$p" ] && [ ! -s "$p" ] && [ -r "$p" ]; then
    l=
    if read -r l <"$p" || [ "$l" ]; then hidden=yes; fi
fi
note "ended rc=$rc entries=$entries"
say "done rc=$rc hidden=$hidden"
wait $waiter
case $? in
0) a=ok ;;
1) a=sum ;;
2) a=size ;;
*) end $rc ;;
esac
while [ "$a" != ok ]; do
    answer "$d" "$a"
    read -r a <&3 || end 1
done
end $rc
