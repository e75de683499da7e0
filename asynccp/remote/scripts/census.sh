# number PATH [ONLY ONLY]: sets `entries` to how many entries a tar of it has, at least: no sockets, which no tar takes,
# and nothing below a directory that can't be read; empty where nothing can count. Fails where that may not be all.
# BusyBox's find has no -printf, but in each of its paths there are two slashes once, and newlines where they like.
# ONLY: a condition for find, and the same for BusyBox's.
# shellcheck disable=SC2086 # words
number() {
    entries=1
    if [ ! -d "$1" ] || [ -h "$1" ]; then return; fi
    o=$(
        trap : TERM
        find "$1" ! -type s $2 -printf x 2>/dev/null
    ) && entries=${#o} && return
    entries=${#o}
    [ "$o$gone" ] || entries=$(
        trap : TERM
        find "$1//" ! -type s $3 2>/dev/null | grep -c // 2>/dev/null
    )
    return 1
}
# old PATH: the same of those that have not changed since this shell began, and have been there ever since.
old() {
    entries=
    started $$
    read -r l _ </proc/uptime || return
    number "$1" "! -newercm /proc/$$" "-cmin +$(((${l%.*} - since / 100) / 60))"
}
# census DIRECTORY [some]: sets `bytes` to those of all files below it, and `entries` to how many it has, itself included;
# leaves both where not all can be seen. some: what can be seen will do. Of more than $many, which take 50 bytes of
# memory each, nobody asks for the bytes.
many=200000
census() {
    first=0
    o=$(
        trap : TERM
        find "$1" -printf '%M - - - %s\n' 2>/dev/null
    ) || [ "${2:+$o}" ] ||
        { [ ! "$gone" ] && first=1 && o=$(
            trap : TERM
            cd -P "$1" && ls -lnAR . 2>/dev/null
        ); } || [ "${2:+$o}" ] || return
    entries=$first bytes=0
    set -f
    IFS='
'
    for l in $o; do
        unset IFS
        # A line may be the rest of a name with a newline in it: what isn't a number ends a shell as a sum.
        case $l in [bcdlp-][r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-]*) entries=$((entries + 1)) ;; *) continue ;; esac
        # shellcheck disable=SC2086 # fields
        set -- $l
        case $l$5 in -*[0-9]) case $5 in *[!0-9]*) ;; *) bytes=$((bytes + ${5:-0})) ;; esac ;; esac
    done
    unset IFS
    set +f
}
started() { # PROCESS: sets `since` to when it did, in hundredths of a second since the node's start
    since=
    { read -r l <"/proc/$1/stat"; } 2>/dev/null || return
    # shellcheck disable=SC2086 # fields
    set -- ${l##*) }
    shift 19
    since=$1
}
