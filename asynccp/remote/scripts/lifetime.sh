# end CODE: ends all that this shell has started, waits for it, and exits. The container's first process may wait for
# nobody, so whoever dies unwaited for stays a zombie for ever, and counts against the pod's limit of processes. Hence:
#   - every shell outlives what it runs: a subshell that runs programs traps TERM, so that it gets to wait for them;
#   - a program that is started in a subshell by `&` is waited for by that subshell.
# A child of dash has its parent's traps until it has put them back, and a signal in that moment is lost: TERM is sent
# twice, the second time when the guard has ended, and a guard ends its program by KILL, which can't be lost.
# A runtime that gives a command no process group of its own has to do without the signal to all.
kids= guard= group=
if kill -0 -$$ 2>/dev/null; then group=yes; fi
end() {
    trap '' HUP INT TERM
    for c in $guard 0; do
        if [ "$group" ]; then kill -TERM -$$; else kill $kids $guard; fi 2>/dev/null
        if [ "$c" != 0 ]; then wait "$c"; fi
    done
    wait
    exit "$1"
}
# later SECONDS COMMAND: runs a command every so many seconds, until it fails, or is told to end.
later() {
    first=$! # of the parent's
    trap '[ "$!" = "$first" ] || kill -KILL $! 2>/dev/null; wait; exit 0' TERM
    while sleep "$1" & wait $!; do "$2" || exit; done
}
# No session outlives $life, a kubelet's own limit and a little more, so what runs after that has no client any more,
# even if its stdin is open: when containerd is killed its shim holds that open, and tar would wait for ever.
expire() {
    if [ "$group" ]; then kill -TERM -$$; else kill $$; fi
    return 1
}
if command -v sleep >/dev/null; then
    later "${ASYNCCP_LIFE_S:-$life}" expire >/dev/null 2>&1 3<&- 4>&- &
    guard=$!
fi
