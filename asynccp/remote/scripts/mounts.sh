# mounts PATH: sets `below` to the mount points below a directory, one a line, as /proc/self/mountinfo escapes them,
# `hollow` to the pseudo ones of them with their types, `devices` to the numbers, types and places of all pseudo ones, and
# `type` to the file system's type at PATH itself, which may be a file, too (proc_pid_mountinfo(5)). All are empty where
# nobody can tell.
where() { pwd -P; }
mounts() {
    below= hollow= devices= type=
    if [ -d "$1" ]; then real=$(cd -P "$1" && where); else real=$(cd -P "${1%/*}" && where)/${1##*/}; fi 2>/dev/null ||
        return
    real=${real%/} o=$(
        trap : TERM
        cat "/proc/${pid:-self}/mountinfo" 2>/dev/null
    ) length=-1
    set -f
    IFS='
'
    for l in $o; do
        unset IFS
        # shellcheck disable=SC2086 # words
        set -- $l
        device=$3 at=$5
        while [ $# -gt 2 ] && [ "$1" != - ]; do shift; done
        case $at in *\\*) at=$(printf '%b' "$at") ;; esac
        at=${at%/}
        case $real/ in "$at"/*) if [ ${#at} -ge "$length" ]; then length=${#at} type=$2; fi ;; esac
        l=
        if pseudo "$2"; then
            l=$2
            devices="$devices$device $l $at
"
        fi
        case $at in "$real"/*)
            at=${at#"$real"/}
            below="$below$at
"
            if [ "$l" ]; then
                hollow="$hollow$l $at
"
            fi
            ;;
        esac
    done
    unset IFS
    set +f
}
is_mounted() { # PATH, as `below` has it
    case "
$below" in *"
$1
"*) return 0 ;; esac
    return 1
}
# pseudo TYPE: whether the files of a file system have their size when they are read, and not before.
pseudo() {
    case $1 in
    proc | sysfs | cgroup | cgroup2 | debugfs | tracefs | securityfs | configfs | bpf | efivarfs | binfmt_misc) return 0 ;;
    fusectl | rpc_pipefs | nfsd | selinuxfs | resctrl) return 0 ;;
    esac
    return 1
}
