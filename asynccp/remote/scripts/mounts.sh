# mounts PATH: sets `below` to the mount points below a directory, one a line, as /proc/self/mountinfo escapes them, and
# `type` to the file system's type at PATH itself (proc_pid_mountinfo(5)). Both empty where nobody can tell.
mounts() {
    below= type=
    real=$(cd -P "$1" 2>/dev/null && pwd -P) || return
    real=${real%/} o=$(cat /proc/self/mountinfo 2>/dev/null) length=-1
    set -f
    IFS='
'
    for l in $o; do
        unset IFS
        at=${l#* * * * } rest=${l#* - }
        at=${at%% *}
        case $at in *\\*) at=$(printf '%b' "$at") ;; esac
        at=${at%/}
        case $real/ in "$at"/*) if [ ${#at} -ge $length ]; then length=${#at} type=${rest%% *}; fi ;; esac
        case $at in "$real"/*) below="$below${at#"$real"/}
" ;; esac
    done
    unset IFS
    set +f
}
