# Hooks: what the client has run in this container: a command of the user's by a shell of it, with nothing on stdin, and
# what it says on stderr; or a signal to a process. A note behind its words tells how it ended.
[ "$count" != none ] || refuse no-dd # its stdin could tell nothing but its end
shell=$0 origin=$PWD
staged=
# run SECONDS: runs `l`, and returns how it ended: with 124 if it was ended because it took longer.
run() {
    gone= timer=
    trap 'gone=yes' INT PIPE TERM
    (
        trap - INT PIPE TERM EXIT
        cd "$origin" 2>/dev/null || cd /
        unset ASYNCCP_STAGED
        if [ "$staged" ]; then export ASYNCCP_STAGED="$staged"; fi
        exec "$shell" -c "$l"
    ) </dev/null >&2 3<&- 4>&- 5<&- 8<&- &
    job=$! kids="$kids $!"
    if command -v sleep >/dev/null; then
        time_out "$1" "$job" </dev/null >/dev/null 3<&- 4>&- 5<&- 8<&- &
        timer=$! kids="$kids $!"
    fi
    wait "$job"
    code=$?
    if [ "$timer" ]; then
        {
            kill "$timer"
            wait "$timer"
        } 2>/dev/null # nor what the shell says of its end
        if [ $? = 3 ]; then
            code=124 gone=
            { kill -KILL "$job" && wait "$job"; } 2>/dev/null
        fi
    fi
    trap 'leave 143' INT PIPE TERM
    if [ "$gone" ]; then leave 143; fi
    return $code
}
# time_out SECONDS PROCESS: says that there is work, and ends a process that takes too long with all that it has started.
time_out() {
    q=$! i=0
    while [ $i -lt "$1" ]; do
        trap '[ "$!" = "$q" ] || { kill -KILL $! && wait $!; } 2>/dev/null; exit' TERM
        sleep 1 &
        wait $! || exit
        trap - TERM
        i=$((i + 1))
        kill -0 "$2" 2>/dev/null || exit # the signal that was to tell may have been lost
        note busy
    done
    trap '' TERM
    if [ "$group" ]; then kill -TERM -$$; else kill "$2"; fi 2>/dev/null
    exit 3
}
# send_signal SIGNAL [NAME]: to the container's first process; or to those of that name whose parent has another. None of
# what this shell has started is meant, such as a `sleep`.
send_signal() {
    if [ ! "$2" ]; then
        kill -s "$1" 1
        return
    fi
    relatives $$
    found= failed=0 own=$pgrp
    for p in /proc/[0-9]*; do
        p=${p#/proc/}
        if [ "$(comm "$p")" != "$2" ] || ! relatives "$p" || [ "$pgrp" = "$own" ]; then continue; fi
        if [ "$(comm "$ppid")" = "$2" ]; then continue; fi
        found=yes
        kill -s "$1" "$p" || failed=1
    done
    if [ ! "$found" ]; then
        echo "kill: no process is called $2" >&2
        return 1
    fi
    return $failed
}
comm() { # PROCESS: its name
    { read -r c <"/proc/$1/comm" && printf %s "$c"; } 2>/dev/null
}
relatives() { # PROCESS: sets `ppid` and `pgrp`
    { read -r k <"/proc/$1/stat"; } 2>/dev/null || return
    # shellcheck disable=SC2086 # fields
    set -- ${k##*) }
    ppid=$2 pgrp=$3
}
# roll_out LINE: `copy` and `merge` of a swap; `before SECONDS COMMAND` and `after`, with the command as printf's %b reads
# it; `signal NAME [PROCESS]`. What fails behind a swap of which a backup is kept undoes it.
roll_out() {
    case $1 in
    copy)
        start_beat
        copy_there
        say "copied rc=$?"
        ;;
    merge)
        merge_new
        say "merged rc=$?"
        ;;
    before\ * | after\ * | signal\ *)
        # shellcheck disable=SC2086 # words
        set -- $1
        if [ "$1" = signal ]; then
            send_signal "$2" ${3+"$3"}
        else
            decode "$3"
            run "$2"
        fi
        code=$? back=
        if [ $code != 0 ] && [ "$1" != before ] && [ "$kept" ]; then
            back=no
            if swap_back; then back=yes; fi
            trap 'leave 143' INT PIPE TERM
        fi
        note "ran rc=$code back=$back"
        ;;
    *) return 1 ;;
    esac
}
