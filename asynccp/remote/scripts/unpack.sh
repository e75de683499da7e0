# In place of tar, for a push to a container that has none: what comes is framed (`archive.framed`), a line for each
# entry, and behind a file's so many bytes. A name is written as printf's %b reads it. One program is run for each file
# that has content, or for a bundle of small files, and one for as many names as are directories in a row, or get the same
# mode, or time.
#
#   KIND MODE SECONDS UID:GID SIZE NAME [TARGET]     KIND: d, f, s(ymbolic link), h(ard link)
#   b SIZE                                           a bundle: MODE SECONDS UID:GID NAME, and content, by turns
#
# A file that does not take its content leaves that where lines belong, and what it says must not be done: so that is the
# end. The sentinel is the last. A directory comes twice, as in each archive of ours: to be made, and at last for its
# mode and time.
for c in chmod touch; do command -v $c >/dev/null || note "lacks $c"; done
# is_exact: whether head takes no more of a pipe than it hands on: not BusyBox's, nor toybox's.
is_exact() { printf 'a\nb\n' | {
    trap : TERM
    head -c 2 >/dev/null 2>&1
    read -r l && [ "$l" = b ]
}; }
[ "$b" ] || is_exact || refuse no-dd
if [ "$tar_options" = -xpf ]; then need chown; fi
separator=$(printf '\001')
# holds_bytes: whether a variable takes any byte but NUL, none of them ends a field but what is to, and printf writes them.
holds_bytes() {
    o=
    for i in 0 1 2 3; do
        for l in 0 1 2 3 4 5 6 7; do
            for c in 0 1 2 3 4 5 6 7; do
                case $i$l$c in 000 | 001 | 134) ;; *) o="$o\\0$i$l$c" ;; esac
            done
        done
    done
    x=$(printf '%b.' "$o")
    [ ${#x} = 254 ] && [ "$(printf '%b' "$x")" = "$x" ] || return
    x=$x$separator$x$separator
    set -f
    IFS=$separator
    # shellcheck disable=SC2086 # fields
    set -- $x
    unset IFS
    set +f
    [ $# = 2 ] && [ "$1$separator$2$separator" = "$x" ]
}
if holds_bytes; then holds=bytes; else holds=text; fi
tar() { # OPTIONS - -C DIRECTORY
    trap gone=yes TERM
    cd -P "$4" && umask 077 && unpack
}
unpack() {
    failed=0 modes= times= mode= seconds= seen= owner= pending=0 dirs= waiting=0 last=
    while [ ! "$gone" ] && IFS=' ' read -r k m s o size l to; do
        if [ "$k" != d ]; then make_dirs || failed=1; fi
        if [ "$k" = b ]; then
            bundle "$m" || return 1
            continue
        fi
        decode "$l"
        p=$l
        is_below "$p" || return 1
        if [ "$k$seen" = d ] && [ "$p" = ./ ]; then # where all goes: it is there
            seen=yes
            continue
        fi
        make || case $k in d | s | h) failed=1 ;; *) return 1 ;; esac
        if [ "$kept" ]; then keep; fi
        case $p in "./.asynccp-$t-"*)
            flush
            return $failed
            ;;
        esac
    done
    [ "$gone" ] || echo 'what was sent ended early' >&2
    return 1
}
bundle() { # SIZE: it ends with a separator, or a shell would drop newlines there
    x=$(
        trap : TERM
        take "$1" 2>/dev/null
    )
    if [ ${#x} != "$1" ]; then
        echo 'what was sent was not taken whole' >&2
        return 1
    fi
    set -f
    IFS=$separator
    # shellcheck disable=SC2086 # fields
    set -- $x
    unset IFS
    while [ $# -gt 1 ]; do
        # shellcheck disable=SC2086 # words
        facts $1
        is_below "$p" || break
        # A full disk is "I/O error" to dash, and nothing at all to BusyBox: a program has the word for it.
        printf %b "$2" 2>/dev/null >"$p" || printf %b "$2" | cat >"$p" || break
        keep
        shift 2
    done
    set +f
    [ $# = 0 ]
}
facts() {
    k=f m=$1 s=$2 o=$3
    decode "$4"
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
        case $size in '' | *[!0-9]*) unlike_ours || return ;; esac
        if [ "$size" = 0 ]; then
            : >"$p"
        else
            x=$(
                trap : TERM
                { take "$size" >"$p"; } 2>&1
            ) || {
                printf '%s\n' "$x" >&2 # not by a file: the full disk may be where that would stand
                return 1
            }
        fi
        ;;
    d)
        if [ "$p" = "$last" ]; then make_dirs || return; fi # they come once more, the last one first
        if [ ! -d "$p" ]; then
            kept= waiting=$((waiting + 1)) last=$p
            eval "d$waiting=\$p"
            dirs="$dirs \"\$d$waiting\""
            [ $waiting -lt 200 ] || make_dirs
        fi
        ;;
    s)
        decode "$to"
        ln -s -- "$l" "$p" && { [ "$tar_options" != -xpf ] || chown -h "$o" "$p"; }
        ;;
    h)
        kept=
        decode "$to"
        is_below "$l" && ln "$l" "$p"
        ;;
    *) unlike_ours ;;
    esac
}
make_dirs() { # those that wait for it: a program for each took most of the time
    if [ $waiting = 0 ]; then return 0; fi
    eval "waiting=0 dirs= last=; mkdir $dirs"
}
unlike_ours() {
    echo "$p: no entry as they were to be sent" >&2
    return 1
}
is_below() { # NAME
    case $1/ in
    */../*) ;;
    ./*) return 0 ;;
    esac
    unlike_ours
}
take() { # SIZE: so many bytes of stdin, and not one more
    if [ ! "$b" ]; then
        head -c "$1"
    elif [ "$1" -lt 1048576 ]; then
        dd bs="$1" count=1 iflag=fullblock
    else
        dd bs=65536 count=$(($1 / 65536)) iflag=fullblock || return
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
