# From an ephemeral container into the file system of its target, before anything else is done there: which process is the
# target's, whether it may be looked into (ptrace(2), PTRACE_MODE_READ: the same ids, and no capability that we lack), and
# then what is asked for, in a shell of our own image whose root is the target's. Where chroot(2) is not allowed the shell
# stays outside, and is told the target's root (rooted.sh).
#
# Arguments: token, size of this script, id of the target's container, PODUID/containers/NAME, and those of a shell, `-c`
# and what follows. They get `root`, empty behind a chroot; `pid`, the target's process; and `cwd`, its working directory.
unset IFS CDPATH ENV BASH_ENV
set +aefuvx +C +m
export LC_ALL=C
t=$1 id=$3 place=$4
shift 4
give_up() {
    printf 'asynccp %s hello problem=%s\n' "$t" "$*"
    a=
    while [ "$a" != ok ] && read -r a; do :; done
    exit 1
}
# A container whose root is the target's already, as in a cluster of directories (asynccp/testing).
if [ "$ASYNCCP_CONFINED" ]; then exec sh "$@" root= pid= cwd=; fi
# born PROCESS: sets `ppid` and `since`, when it was started. Its name may have anything in it, but no `) ` behind it.
born() {
    ppid= since=
    { read -r l <"/proc/$1/stat"; } 2>/dev/null || return
    # shellcheck disable=SC2086 # fields
    set -- ${l##*) }
    ppid=$2
    shift 19
    since=$1
}
# is_older: whether that one's parent is out of sight, and it is older than the `oldest` so far.
is_older() { [ "$ppid" = 0 ] && [ "$since" ] && { [ ! "$oldest" ] || [ "$since" -lt "$oldest" ]; }; }
has() { # FILE TEXT: whether a line has it
    while read -r l; do
        case $l in *"$2"*) return 0 ;; esac
    done <"$1"
    return 1
} 2>/dev/null
# Of a container's processes the one that the runtime started (its parent is out of sight) and that is the oldest has the
# container's root: no process can be older than it, or choose its parent. A pod whose containers share their processes
# has others, and 1 is the pause container's there. The cgroup is told by the id (v1, and v2 as `/../…ID…`), and where
# that can't be seen by the file that the kubelet mounts into each container.
find_target() { # FILE TEXT
    pid= oldest=
    for p in /proc/[0-9]*; do
        p=${p#/proc/}
        if born "$p" && is_older && has "/proc/$p/$1" "$2"; then oldest=$since pid=$p; fi
    done
    [ "$pid" ]
}
how=cgroup what=$id
if [ ! "$id" ] || ! find_target cgroup "$id"; then
    how=mountinfo what=/$place/
    find_target mountinfo "/$place/" || give_up no-target
fi
# The lease is the oldest process of this container, and is told that it is in use.
lease= oldest=
for p in /proc/[0-9]*; do
    p=${p#/proc/}
    if [ "/proc/$p/ns/mnt" -ef "/proc/$$/ns/mnt" ] && [ "$p" != $$ ] && born "$p" && is_older &&
        has "/proc/$p/cmdline" ': asynccp lease'; then
        oldest=$since lease=$p
    fi
done
# catches PROCESS: whether it hears USR1 yet (10), which would end it else.
catches() {
    while read -r k l; do
        case $k in SigCgt:) return $((1 - (0x$l >> 9 & 1))) ;; esac
    done <"/proc/$1/status"
    return 1
} 2>/dev/null
if [ "$lease" ] && catches "$lease"; then kill -USR1 "$lease"; fi 2>/dev/null
# ids PROCESS: sets `user`, its effective ids, and `may`, its permitted capabilities in hexadecimal.
ids() {
    user= may=0
    while read -r k l a more; do
        case $k in
        Uid:) user=uid=$a ;;
        Gid:) user="$user gid=$a" ;;
        CapPrm:) may=$l ;;
        esac
    done <"/proc/$1/status"
} 2>/dev/null
ids $$
ours=$user can=$may
ids "$pid"
[ "$user" ] || give_up no-target
[ "$user" = "$ours" ] || give_up "other-user $user"
cd -P "/proc/$pid/root/" 2>/dev/null || {
    if [ $((0x$may & ~0x$can)) != 0 ]; then give_up no-capability; fi
    give_up no-root
}
# What is entered is held now; a number that was given to another process meanwhile would show.
has "/proc/$pid/$how" "$what" || give_up no-target
cwd=$(
    readlink "/proc/$pid/cwd" 2>/dev/null
    echo .
) cwd=${cwd%??}
HOME=$(tr '\0\n' '\n ' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^HOME=//p')
export HOME
# What runs behind a chroot is found by the way through /proc that leads back here, and needs no library there: a static
# BusyBox. 18 is CAP_SYS_CHROOT (capabilities(7)).
up=/proc/$lease/root
runs() { chroot . "$@" -c : </dev/null >/dev/null 2>&1; }
if [ "$lease" ] && [ $((0x$can >> 18 & 1)) = 1 ]; then
    if runs "$up/bin/sh"; then
        set -- "$up/bin/sh" "$@"
    elif runs "$up/bin/busybox" sh; then
        set -- "$up/bin/busybox" sh "$@"
    else
        up=
    fi
    if [ "$up" ]; then
        PATH=$up/bin:$up/usr/bin:$up/sbin:$up/usr/sbin:$PATH
        exec chroot . "$@" root= "pid=$pid" "cwd=$cwd"
    fi
fi
cd /
exec sh "$@" "root=/proc/$pid/root" "pid=$pid" "cwd=$cwd"
