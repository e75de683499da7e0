# A rollback: hello; `go`; `done`. A backup takes the place of what stands there, which becomes one in its stead. Or a
# history: hello; `revision` and a line for each backup, the oldest first; `done`.
count=0 tar_options=
mend "$d"
find_name
cd -P "${l:-/}" 2>/dev/null || refuse no-backup
locate
place=$at
if [ "$lists" ]; then
    o=
    if [ -d "./$store/$name" ] && open_store; then
        for a in ./[0-9]*; do
            l=
            if [ -d "$a/tree" ] && { read -r l <"$a/about" || [ "$l" ]; }; then
                count=$((count + 1)) o="$o$(say "revision rev=${a#./} $l")
"
            fi
        done 2>/dev/null
    fi
    say "hello revisions=$count"
    printf %s "$o"
    say "done rc=0"
    read -r _
    end 0
fi
if [ ! -d "./$store/$name" ] || ! open_store; then refuse no-backup; fi
if [ ! "$from" ]; then
    for o in ./[0-9]*; do if [ -d "$o/tree" ]; then from=${o#./}; fi; done
    [ "$from" ] || refuse no-backup
fi
[ -d "./$from/tree" ] || refuse no-revision
trap 'leave 143' INT PIPE TERM
go "$place" || refuse no-backup
look_there
sweep "$beside"
say "hello revision=$from"
read -r a && [ "$a" = go ] || leave 1
start_beat
# back: what was kept stays where it is until it is in its place.
back() {
    former=$place/$store/$name/$from
    mkdir ./next || return
    { copy_same -al "$former/tree" ./next sizes 2>/dev/null ||
        { remove ./next && mkdir ./next && copy_same -a "$former/tree" ./next sizes; }; } || return
    [ "$name" = tree ] || mv ./next/tree "./next/$name" || return
    swap || return
    if [ "$keep" ] && keep_former; then kept=$rev; fi
    if open_store; then remove "./$from"; fi
    return 0
}
# keep_former: what was there until now, if it was a directory of its own, or one that only our link led to.
keep_former() {
    [ "$tree" ] && cd -P "$held" && (
        umask 077
        mkdir -p "./kept/$rev"
    ) || return
    if [ ! "$linked" ]; then
        mv "./old/$name" "./kept/$rev/" || return
    else
        case ${was##*/} in ".$name."[0-9]*T[0-9]*Z-*) [ "$tree" = "${place%/}/${was##*/}" ] || return ;; *) return 1 ;; esac
        go "$place" && mv "./${was##*/}" "$held/kept/$rev/" && cd -P "$held" || return
    fi
    for o in "./kept/$rev/"* "./kept/$rev/".[!.]*; do
        if [ -d "$o" ] && [ "${o##*/}" != tree ]; then mv "$o" "./kept/$rev/tree" || return; fi
    done
    write_about "./kept/$rev" && open_store && mv "$held/kept/$rev" ./
}
if back; then rc=0; else rc=1; fi
trap 'leave 143' INT PIPE TERM
note ended
say "done rc=$rc settled=yes swapped=$swapped kept=$kept"
kept= staged= # no hook undoes it
while read -r a && [ "$a" != ok ]; do roll_out "$a" || break; done
if [ $rc = 0 ]; then
    clean_up
else
    unstage
fi
stop_beat
end $rc
