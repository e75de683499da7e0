# Everything is extracted into a directory of its own beside its destination, and put in its place by rename when all of
# it came and the client says so: a push that is cut leaves nothing torn under a final name, and nothing at all. The
# name of that directory tells whose it is: pod and container (volumes are shared), process id and start of the shell
# (numbers are given again). What an earlier shell of this container left when it was killed goes, while the archive
# comes: it may take long.
#
# It is this user's alone, so what is in it nobody else can swap; and it is held open: it can be moved away, not replaced.
started $$ || :
me=$$.$since
s= held= made= carried= sweeper= swept=
# stage DIRECTORY...: makes it in the first of them that takes it, and stays there: `s` is its name, `beside` where it is. By
# a plain mkdir: it inherits what its parent hands down (set-group-id bit, default ACL), and so does what is extracted
# into it. Its name may be there, made by whoever wants no push to succeed; another one, with the token, nobody foresees.
stage() {
    mask=$(umask)
    umask 077
    for a; do
        if cd -P "$a" 2>/dev/null; then locate; else continue; fi
        beside=$at
        s=.asynccp-$identity-$me
        if occupy "$s"; then break; fi
        s=$s.$t
        if go "$beside" && occupy "$s"; then break; fi
        s=
    done
    umask "$mask"
    [ "$s" ] || return
    exec 8<.
    held=/proc/self/fd/8
    [ -d $held/new ] || held=$at
}
# occupy NAME: makes a directory of that name for this user alone, and goes there. An empty one of this user's may have
# got into its place: that is as good. Nothing else is touched: it may be full of what others have made.
occupy() {
    set -- "$1" "${at%/}/$1"
    mkdir "./$1" 2>/dev/null && go "$2" && is_ours && is_empty . || return
    chmod go-rwx . 2>/dev/null # a default ACL counts in place of the umask
    is_empty . && echo "$1" >made && mkdir new
}
# unstage: what is in it is removed from within; the name alone is that of whatever stands there now.
unstage() {
    if [ "$carried" ]; then uncarry; fi
    if [ "$held" ] && cd -P "$held" 2>/dev/null; then
        clear
        if go "$beside"; then drop "./$s"; fi
    fi
}
# drop NAME: removes an empty directory and nothing else, whatever has that name by now. With the slash no rm takes a file.
drop() { rmdir "$1" || rm -d "$1/"; } 2>/dev/null
clear() { put_back && remove ./new ./torn ./made ./time* ./next ./old ./link ./kept ./failed; }
# put_back: in a stage: what a swap (swap.sh) had taken away and did not come to put something in its place goes back.
put_back() {
    for e in ./old/* ./old/.[!.]* ./old/..?*; do
        if [ ! -d "$e" ] || [ -e "../${e##*/}" ] || [ -h "../${e##*/}" ]; then continue; fi
        mv "$e" ../ || return
    done
}
remove() {
    rm -rf "$@" 2>/dev/null || {
        chmod -R u+rwx "$@"
        rm -rf "$@"
    } 2>/dev/null
}
is_stale() { # STAGE
    whose=${1##*-}
    if [ -h "$1" ] || [ ! -d "$1" ] || [ "${1%-*}" != "${1%/*}/.asynccp-$identity" ]; then return 1; fi
    if started "${whose%%.*}"; then
        case $whose. in "${whose%%.*}.$since".*) return 1 ;; esac # PID.SINCE, or PID.SINCE.TOKEN
    else
        ! kill -0 "${whose%%.*}" 2>/dev/null
    fi
}
# sweep DIRECTORY: removes, in the background, what an earlier shell left there. Only what it made itself has its name in
# it, written by this user, and what is in there others can't swap: not in a directory of this user's that is open to all,
# and that one of them has renamed.
sweep() {
    set -- "${1%/}/.asynccp-$identity"-*
    for o; do
        if is_stale "$o"; then
            scrap "$@" >/dev/null 2>&1 3<&- 4>&- &
            sweeper=$! kids="$kids $!"
            return
        fi
    done
}
scrap() { # STAGE...
    trap 'exit 143' TERM
    for o; do
        if enter_left "$o"; then
            clear
            l=${o%/*}
            if go "${l:-/}"; then drop "./${o##*/}"; fi
        fi
    done
}
enter_left() { # STAGE: goes into one that an earlier shell has left
    is_stale "$1" && go "$1" && is_ours && is_closed && same_owner . made && [ -f made ] && [ ! -h made ] &&
        read -r l <made && [ "$l" = "${1##*/}" ]
}
# mend PATH: a shell that was killed between the two renames of a swap has left nothing at PATH.
mend() {
    if [ -e "$1" ] || [ -h "$1" ]; then return; fi
    case $1 in */*) l=${1%/*} ;; *) l=. ;; esac
    (
        trap : TERM
        cd -P "${l:-/}" && locate || exit
        for o in "${at%/}/.asynccp-$identity"-*; do
            if [ -d "$o/old" ] && enter_left "$o"; then put_back; fi
        done
    ) 2>/dev/null
}
# roll_out LINE: what a push may be told besides (swap.sh, hooks.sh); fails where it is not.
roll_out() { return 1; }
# make_directory DIRECTORY: with its parents, and stays there, as `top`; `made` is the first of them that was not there.
make_directory() {
    a=$1 rest=
    while [ "$a" ] && [ ! -e "$a" ] && [ ! -h "$a" ]; do
        rest=${a##*/}${rest:+/$rest}
        case $a in */*) a=${a%/*} ;; *) a= ;; esac
    done
    cd -P "${a:-/}" 2>/dev/null || {
        mkdir "$a/." # for its words: nothing can be made of that name
        return 1
    }
    locate
    top=$at
    set -f
    IFS=/
    for a in $rest; do
        unset IFS
        if [ ! -d "./$a" ]; then
            if mkdir "./$a"; then made=${made:-${at%/}/$a}; elif [ ! -d "./$a" ]; then break; fi
        fi
        case $a in '' | .) ;; ..) cd -P .. && locate ;; *) go "${at%/}/$a" ;; esac || break
        top=$at rest=${rest#"$a"} rest=${rest#/}
    done
    unset IFS
    set +f
    [ ! "$rest" ]
}
unmake_directory() {
    a=${place:-$top} # what a swap replaces is in there
    while [ "$made" ]; do
        l=${a%/*}
        go "${l:-/}" && drop "./${a##*/}" && [ "$a" != "$made" ] || break
        a=$l
    done
}
give_up() {
    unmake_directory
    refuse "$1"
}
leave() { # CODE: nothing was put in place, nor may what removes it be ended
    trap '' INT PIPE TERM
    unstage
    unmake_directory
    end "$1"
}
# Across mounts mv copies, which takes its time, and so do many entries, and a copy of what is there.
beat() {
    q=$! # not ours
    while :; do
        trap '[ "$!" = "$q" ] || { kill -KILL $! && wait $!; } 2>/dev/null; exit' TERM
        sleep 1 &
        wait $! || exit
        trap - TERM
        note busy
    done
}
beater=
start_beat() {
    if [ "$beater" ] || ! command -v sleep >/dev/null; then return; fi
    beat 3<&- 4>&- >/dev/null &
    beater=$! kids="$kids $!"
}
stop_beat() {
    if [ "$beater" ]; then
        {
            kill "$beater"
            wait "$beater"
        } 2>/dev/null
        beater=
    fi
}
