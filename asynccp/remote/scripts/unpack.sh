# In place of tar, for a push to a container that has none: what comes is framed (`archive.framed`), a line for each
# entry, and behind a file's so many bytes. A name is written as printf's %b reads it. One program is run for each file
# that has content, or for a bundle of text files, and one for as many names as get the same mode, or time.
#
#   KIND MODE SECONDS UID:GID SIZE NAME [TARGET]     KIND: d, f, s(ymbolic link), h(ard link)
#   b SIZE                                           a bundle: MODE SECONDS UID:GID SIZE NAME, and content, by turns
#
# The sentinel is the last. A directory comes twice, as in each archive of ours: to be made, and at last for its mode and time.
for c in chmod touch; do command -v $c >/dev/null || note "lacks $c"; done
# is_exact: whether head takes no more of a pipe than it hands on: not BusyBox's, nor toybox's.
is_exact() { printf 'a\nb\n' | { trap : TERM; head -c 2 >/dev/null 2>&1; read -r l && [ "$l" = b ]; }; }
[ "$b" ] || is_exact || refuse no-dd
if [ "$tar_options" = -xpf ]; then need chown; fi
separator=$(printf '\001')
tar() { # OPTIONS - -C DIRECTORY
    trap gone=yes TERM
    cd -P "$4" && umask 077 && unpack
}
unpack() {
    failed=0 modes= times= mode= seconds= seen= owner= pending=0
    while [ ! "$gone" ] && IFS=' ' read -r k m s o size l to; do
        if [ "$k" = b ]; then
            bundle "$m" || failed=1
            continue
        fi
        decode "$l"
        p=$l
        if [ "$k$seen" = d ] && [ "$p" = ./ ]; then # where all goes: it is there
            seen=yes
            continue
        fi
        make || failed=1
        if [ "$kept" ]; then keep; fi
        case $p in "./.asynccp-$t-"*)
            flush
            return $failed
            ;;
        esac
    done
    return 1
}
# bundle SIZE: a shell drops the newlines at the end of what it takes in.
bundle() {
    x=$(
        trap : TERM
        take "$1" 2>/dev/null
    )
    set -f
    IFS=$separator
    # shellcheck disable=SC2086 # fields
    set -- $x
    unset IFS
    shift
    while [ $# != 0 ]; do
        # shellcheck disable=SC2086 # words
        facts $1
        x=${2-} # the last one has none if it was nothing but newlines
        shift
        [ $# = 0 ] || shift
        while [ $# = 0 ] && [ ${#x} -lt "$size" ] && [ $left != 0 ]; do
            left=$((left - 1)) x="$x
"
        done
        if [ ${#x} != "$size" ] || ! printf %s "$x" >"$p"; then break; fi
        keep
    done
    set +f
    [ ${#x} = "$size" ] && [ $# = 0 ]
}
facts() {
    k=f m=$1 s=$2 o=$3 size=$4 left=2
    decode "$5"
    p=$l
}
# keep: notes `p` to be given mode and time, with those that get the same. They are named by variables, p1 and so on.
keep() {
    if [ "$m $o" != "$mode $owner" ] || [ $pending = 200 ]; then
        eval "set_modes $modes" || failed=1
        modes= mode=$m owner=$o
    fi
    if [ "$s" != "$seconds" ] || [ $pending = 200 ]; then
        eval "set_times $times" || failed=1
        times= seconds=$s
    fi
    if [ $pending = 200 ]; then pending=0; fi
    pending=$((pending + 1))
    eval "p$pending=\$p"
    if [ "$k" != s ]; then modes="$modes \"\$p$pending\""; fi
    times="$times \"\$p$pending\""
}
flush() { eval "set_modes $modes" && eval "set_times $times" || failed=1; }
# make: one entry; `kept` if its mode and time are to be set.
make() {
    kept=yes
    case $k in
    f)
        case $size in '' | *[!0-9]*) return 1 ;; esac
        if [ "$size" = 0 ]; then : >"$p"
        else take "$size" >"$p" 2>../said || {
            cat ../said >&2
            return 1
        }
        fi
        ;;
    d)
        if [ ! -d "$p" ]; then
            kept=
            mkdir "$p"
        fi
        ;;
    s)
        decode "$to"
        ln -s -- "$l" "$p" && { [ "$tar_options" != -xpf ] || chown -h "$o" "$p"; }
        ;;
    h)
        kept=
        decode "$to"
        ln "$l" "$p"
        ;;
    *) return 1 ;;
    esac
}
take() { # SIZE: so many bytes of stdin, and not one more
    if [ ! "$b" ]; then head -c "$1"
    else
        [ "$1" -lt 65536 ] || dd bs=65536 count=$(($1 / 65536)) iflag=fullblock || return
        [ $(($1 % 65536)) = 0 ] || dd bs=$(($1 % 65536)) count=1 iflag=fullblock
    fi
}
set_modes() {
    if [ $# = 0 ]; then return 0; fi
    if [ "$tar_options" = -xpf ]; then chown "$owner" "$@" || return; fi
    ! command -v chmod >/dev/null || chmod "$mode" "$@"
}
set_times() {
    [ $# = 0 ] || ! command -v touch >/dev/null || touch -h -d "@$seconds" "$@" 2>/dev/null || touch -c -d "@$seconds" "$@"
}
