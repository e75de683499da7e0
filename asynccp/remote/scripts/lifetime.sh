# end CODE: ends all that this shell has started, waits for it, and exits. The container's first process may wait for
# nobody, so whoever dies unwaited for stays a zombie for ever, and counts against the pod's limit of processes. Hence:
#   - a subshell that runs programs traps TERM, so that it gets to wait for them, but does not exit by that: bash runs a
#     trap between two programs of a pipeline that it is about to start, and while it reads a command substitution;
#   - no program is run that runs another (find -exec), as it would not wait, but where it heeds no TERM (listing.sh);
#   - who is gone is not waited for: bash loses a status when a signal comes, and would wait for ever. Who isn't is waited
#     for again: when a signal comes just before bash waits, it is the next `wait` that returns at once, in a child, too;
#   - what writes where nobody may read any more is no shell that traps TERM: dash begins such a write anew.
# A runtime that gives a command no process group of its own has to do without the signal to all.
kids= guard= group= gone=
if kill -0 -$$ 2>/dev/null; then group=yes; fi
# shellcheck disable=SC2086 # numbers, any of which may be missing
end() {
    trap '' INT PIPE TERM
    trap - EXIT
    {
        if [ "$!" != "$guard" ]; then kids="$kids $!"; fi # the last one may not be among them yet
        for c in $kids; do
            kill -0 "$c" || continue
            terminate
            if [ "$guard" ]; then
                watch 1 &
                guard="$guard $!"
            fi
            break
        done
        for c in $kids; do reap "$c"; done
        for c in $guard; do if kill -USR1 "$c"; then reap "$c"; fi; done
    } 2>/dev/null
    exit "$1"
}
reap() {
    for i in 1 2; do if kill -0 "$1"; then wait "$1"; fi; done
}
# shellcheck disable=SC2086 # likewise
terminate() { if [ "$group" ]; then kill -TERM -$$; else kill $kids $$; fi; }
# watch SECONDS: sends TERM to all after so many, and then every second: a child of dash has its parent's traps until it
# has put them back, and a signal in that moment is lost. KILL can't be, and nobody traps USR1 but this.
watch() {
    trap '' TERM
    trap 'kill -KILL $! && wait $!; exit 0' USR1
    while
        sleep "$1" &
        wait $! || wait $!
    do
        terminate
        set -- 1
    done
}
# No session outlives $life, a kubelet's own limit and a little more, so what runs after that has no client any more,
# even if its stdin is open: when containerd is killed its shim holds that open, and tar would wait for ever.
if command -v sleep >/dev/null; then
    watch "${ASYNCCP_LIFE_S:-$life}" >/dev/null 2>&1 3<&- 4>&- &
    guard=$!
fi
trap 'end 143' INT PIPE TERM
trap 'end 2' EXIT # an error in the script itself: the guard would stay, and hold the session open
