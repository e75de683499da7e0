# A push: hello; the archive; `received`; questions; `go`; `done`; orders; one line more. Before it one that compares
# has its own beginning (sync.sh), and one that swaps its own place (swap.sh).
mend "$d"
case $d in *[*?[]*) [ -d "$d" ] || refuse glob ;; esac
case $renames$n in yes*[*?[]*) [ -e "$d/$n" ] || refuse glob ;; esac
if [ -e "$d" ] && [ ! -d "$d" ]; then refuse not-a-directory; fi
if [ "$compare" ]; then hear_names || end 1; fi
# Not before: the names are there already.
need tar
if [ "$tarless" ] && [ ! "$z" ]; then count=sh; fi # what is framed tells its own end
if [ "$compare" ] && [ $count != none ]; then
    wanted=$renames
    sync
    renames=$wanted
fi
trap 'leave 143' INT PIPE TERM
# A single file or directory gets the name that was written, unless that is a directory: then it lands in there.
if [ "$swaps" ]; then
    aim
else
    make_directory "$d" || give_up cannot-create
    if [ "$renames" ] && [ -d "$n" ]; then
        enter "${n#./}" || give_up link
        top=$at renames=
    fi
    d=$top
    stage "$d" || { [ "$in_place" ] && stage "${TMPDIR:-/tmp}" /dev/shm; } || give_up not-writable
fi
sweep "$beside"
say "hello count=$count sum=$sum z=$z named=$renames${tarless:+ holds=$holds}${owner:+ owner=$owner}"

# The second archive settles directories (`archive.layout`). That is for BusyBox's tar, and BusyBox has dd. Where head
# counts, the first tar gets both, and what it leaves is thrown away: head may read more than it hands on (toybox,
# BusyBox): a second one would wait for bytes that are gone.
if [ $count = head ]; then receive $((blocks + more_blocks)); else receive "$blocks"; fi
if [ "$rc$whole" = 0yes ] && [ "$more_blocks" != 0 ]; then
    case $count in dd | sh) receive "$more_blocks" ;; esac
fi
entries= bytes=
if [ "$rc$whole" = 0yes ]; then
    if [ "$owner" ]; then give_links; fi
    if [ "${sent%-*}" -le $many ]; then census new; else number new || entries=; fi
    entries=${entries:+$((entries - 1))}
    if [ "${entries:-${sent%-*}}" -lt "${sent%-*}" ] || [ "${bytes:-${sent#*-}}" -lt "${sent#*-}" ]; then whole=no; fi
fi
if [ "$rc$whole" != 0yes ]; then
    unstage
    unmake_directory
fi
say "received rc=$rc sentinel=$whole entries=$entries bytes=$bytes"
if [ "$rc$whole" != 0yes ]; then
    read -r _
    end "$rc"
fi
put_in_place() {
    mounts "$d"
    if [ "$below$in_place" ] || [ "${entries:-9999}" -gt 2000 ]; then start_beat; fi
    if [ "$renames" ]; then
        for f in new/* new/.[!.]* new/..?*; do
            if [ "$f" != "new/${n#./}" ] && { [ -e "$f" ] || [ -h "$f" ]; }; then mv -f "$f" "new/${n#./}"; fi
        done
    fi
    mounted
    obstacles "$held/new" "${d%/}"
    rc=1
    if [ $barred = 0 ] || [ "$partial" ]; then
        go "$d" && { [ ! "$type" ] || [ "$below" ] || ! is_near || near=$at; } && publish ""
        rc=$?
    fi
}
a=go
[ $count = none ] || while read -r a; do
    case $a in sum | remove) answer new "$a" ;; *) roll_out "$a" || break ;; esac
done
[ "$a" = go ] || leave 1

if [ "$swaps" ]; then
    if [ "$merged_all" ] && swap; then rc=0; else rc=1; fi
    trap 'leave 143' INT PIPE TERM
else
    put_in_place
    unstage
    stop_beat
fi
# What an earlier push left goes now or with the next one: this one doesn't wait for long.
i=0
while [ $i -lt 10 ] && kill -0 $sweeper 2>/dev/null && sleep 1; do
    i=$((i + 1))
    note busy
done
if [ $rc != 0 ]; then
    if [ "$swaps" ]; then unstage; fi
    unmake_directory
fi
note ended
say "done rc=$rc settled=$settled handed=$handed barred=$barred overwritten=$overwritten${swaps:+ swapped=$swapped kept=$kept}"
if [ "$compare" ]; then take_orders; else while read -r a && [ "$a" != ok ]; do roll_out "$a" || break; done; fi
if [ "$swaps" ] && [ $rc = 0 ]; then clean_up; fi
stop_beat
end $rc
