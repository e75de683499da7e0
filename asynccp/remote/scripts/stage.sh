# Everything is extracted into a directory of its own beside its destination, and put in its place by rename when all of
# it came and the client says so: a push that is cut leaves nothing torn under a final name, and nothing at all. The
# name of that directory tells whose it is: pod and container (volumes are shared), process id and start of the shell
# (numbers are given again). What an earlier shell of this container left when it was killed goes, while the archive
# comes: it may take long.
started $$ || :
me=$$.$since
is_stale() { # STAGE
    whose=${1##*-}
    if [ -h "$1" ] || [ ! -d "$1" ] || [ "${1%-*}" != "$d/.asynccp-$identity" ] || [ "$whose" = "$me" ]; then return 1; fi
    if started "${whose%.*}"; then [ "$since" != "${whose#*.}" ]; else ! kill -0 "${whose%.*}" 2>/dev/null; fi
}
remove() { rm -rf "$@" 2>/dev/null || { chmod -R u+rwx "$@"; rm -rf "$@"; } 2>/dev/null; }
# make_directory DIRECTORY: with its parents; `made` is the first of them that was not there.
made= s=
make_directory() {
    a=$1
    while [ "$a" ] && [ ! -e "$a" ] && [ ! -h "$a" ]; do
        made=$a
        case $a in */*) a=${a%/*} ;; *) a= ;; esac
    done
    mkdir -p "$1"
}
unmake_directory() {
    a=$d
    while [ "$made" ] && rmdir "$a" 2>/dev/null && [ "$a" != "$made" ]; do a=${a%/*}; done
}
# stage DIRECTORY...: makes `s` in the first of them that takes it. By a plain mkdir: it inherits what its parent hands
# down (set-group-id bit, default ACL), and so does what is extracted into it.
stage() {
    mask=$(umask)
    umask 077
    for a; do
        s=$a/.asynccp-$identity-$me
        mkdir "$s" "$s/new" && break
        s=
    done
    umask "$mask"
    [ "$s" ]
}
