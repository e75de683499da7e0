# What is different for a shell that has come into its target's file system by reach.sh: where that may not chroot(2), it
# works below `root`, /proc/PID/root. Relative links and `..` stay in there, as the system has it; an absolute link would
# lead to this container's own files. So what is asked for is resolved here, component by component, and no link is
# followed to a directory later on.
if [ ! "$root" ]; then
    if [ "$cwd" ]; then cd "$cwd" || :; fi 2>/dev/null
else
    # Of what is in another mount namespace the system tells the path from that one's root.
    where() { readlink /proc/self/cwd; }
    path_of() {
        set -- "$(readlink "/proc/self/fd/$1" && echo .)"
        printf '%s%s' "$root" "${1%.}"
    }
    locate() {
        at=$root$(
            trap : TERM
            readlink /proc/self/cwd
            echo .
        ) at=${at%"
."}
        [ . -ef "$at" ] && is_theirs || at=
    }
    follows() { return 1; }
    # is_theirs: whether the working directory is on a mount of the target's: their numbers are the system's
    # (proc_pid_fdinfo(5)). What may not be read is known by its name alone.
    own=' '
    while read -r l _; do own="$own$l "; done </proc/self/mountinfo
    is_theirs() {
        [ -r . ] || return 0
        l=
        {
            while read -r e l; do
                case $e in mnt_id:) break ;; esac
                l=
            done </proc/self/fdinfo/9
        } 9<. 2>/dev/null
        case $own in *" $l "*) return 1 ;; esac
    }
    # resolve PATH: sets `at` to it with every link resolved as if `root` were `/`, and `absolute` where one of them was
    # absolute. Fails on loops.
    resolve() {
        rest=$1 at= hops=0 absolute=
        while [ "$rest" ]; do
            case $rest in
            /*)
                rest=${rest#/}
                continue
                ;;
            */*) c=${rest%%/*} rest=${rest#*/} ;;
            *) c=$rest rest= ;;
            esac
            case $c in
            .) continue ;;
            ..)
                at=${at%/*}
                continue
                ;;
            esac
            if [ -h "$root$at/$c" ]; then
                hops=$((hops + 1))
                l=$(
                    trap : TERM
                    readlink "$root$at/$c" && echo .
                ) && [ $hops -le 40 ] || return 1
                l=${l%??}
                case $l in /*) at= absolute=yes ;; esac
                rest=$l${rest:+/$rest}
            else
                at=$at/$c
            fi
        done
    }
    case $d in /*) ;; *) d=$cwd/$d ;; esac
    resolve "$d" || refuse missing
    d=$root${at:-/}
    if [ "$n" != . ] && [ -h "$d/$n" ] && [ "${renames-}${follow-}" ]; then
        resolve "${d#"$root"}/$n" || refuse missing
        if [ "$absolute" ] || [ "${renames-}" ]; then refuse outward-link; fi
    fi
    if [ "$copy_links" ]; then refuse outward-links; fi
    TMPDIR=$root/tmp etc=$root/etc
fi
