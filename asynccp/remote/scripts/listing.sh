# list_below DIRECTORY NAME...: starts to tell what is there, as `lister`, in the background beside who hears that the
# client is gone: `listing`, items, `listed`. A NAME is `./a`, or `./` for all, written as printf's %b reads it. What isn't
# there is not told, and no link is followed, but with `copy_links`: each is told then as what it leads to, if it leads
# anywhere; `pseudo MAJOR:MINOR TYPE` are devices that it may lead to, `link PATH` links that may lead back. Items (PATH
# begins with a NAME, or is `.`):
#   how=printf     TYPE MODE SIZE TIME UID GID DEVICE INODE NAMES PATH NUL LINK NUL
#   how=xargs|walk //MODE SIZE DATE TIME ZONE UID GID DEVICE INODE NAMES PATH//QUOTED LF
# No PATH has two slashes in a row, so newlines in one do no harm, and where a link ends its size tells. `mount PATH`,
# `hollow TYPE PATH` and `unlisted PATH`, in the same form, are the mount points, those of pseudo file systems, and
# directories whose content can't be seen. What is in a pseudo file system is not told: there sizes are none, or not those
# of a link's text.
#
# One process for many files: GNU find is one. Any other has stat beside it, by `xargs`, if that stops when stat is killed,
# as BusyBox' does and toybox's does not. Then, and where there is no find, the shell's own patterns do it. A shell gathers
# what stat says, as toybox's has a write for each line, and each would be a message to the client.
#
# `find -exec stat` is not safe to end: who would have waited for stat is gone as soon. So neither `xargs` heeds TERM nor
# what is before it and behind it. But `cat`, who has their words last, does, and then each ends since nobody reads it any
# more, the last one first. What they say on stderr, `unlisted` tells, and the code: 0 only if all could be told. The exit
# code of `lister` tells whether there is a `listed`.
list_below() {
    tell_below "$@" 3<&- &
    lister=$! kids="$kids $!"
}
tell_below() {
    trap gone=yes TERM
    export TZ=UTC0 QUOTING_STYLE=literal f='//%f %s %y %u %g %d %i %h %n//%N'
    mounts "$1"
    how=none word='//%s %s\n' xdev=${one_file_system:+-xdev} links=${copy_links:+-L}
    if [ "$group" ] && cd -P "$1" 2>/dev/null; then
        choose
    elif [ ! -e "$1" ] && [ ! -h "$1" ]; then
        how=absent
    fi
    shift
    say "listing how=$how"
    rc=1
    [ "$gone" ] || [ $how = none ] || [ $how = absent ] || rc=$(
        trap : TERM
        {
            {
                trap : TERM
                tell_all "$@"
                echo "$rc" >&6
            } | cat >&4 6>&-
        } 6>&1
    ) || rc=
    # Where something was killed an item may have no end, in which no line of ours could be told from it.
    case $gone$rc in [01]) (printf // && say "listed rc=$rc") ;; *) exit 137 ;; esac # a subshell heeds TERM
}
# shellcheck disable=SC2086 # an option, or none
choose() {
    command -v cat >/dev/null || return
    if ! is_own find; then
        case $(
            trap : TERM
            find . $xdev -prune -readable -printf '%y%D' 2>/dev/null
        ) in d[0-9]*)
            how=printf word='%s %s\000\000'
            return
            ;;
        esac
    fi
    stat -c "$f" . >/dev/null 2>&1 || return
    how=walk
    if [ ! "$links" ] && { is_own xargs || [ "$(stops)" = . ]; }; then how=xargs; fi
}
# stops: says `.` once if all is there that `xargs` below needs, and it ends when what it runs is killed.
# shellcheck disable=SC2016,SC2086 # what a shell of its own reads; an option, or none
stops() {
    trap '' TERM
    {
        find . . $xdev '(' -path // -o -path . ')' -prune -print0 |
            xargs -0 -n 1 sh -c 'printf %s "$1"; kill -KILL $$' sh
    } 2>/dev/null
}
tell_all() { # NAME...
    rc=0
    set -f
    IFS='
'
    # shellcheck disable=SC2059 # it is ours
    {
        for l in $below; do printf "$word" mount "./$l"; done
        for l in $hollow; do printf "$word" "hollow ${l%% *}" "./${l#* }"; done
        if [ "$links" ]; then for l in $devices; do printf "$word" pseudo "${l%% /*}"; done; fi
    }
    unset IFS
    set +f
    tell "$@"
}
tell() { # NAME...; of find's conditions those that pass over pseudo file systems come first
    while [ $# -gt 200 ]; do
        eval "tell $some"
        shift 200
    done
    for e; do
        shift
        decode "$e"
        l=${l%/}
        if [ -e "$l" ] || [ -h "$l" ]; then set -- "$@" "$l"; fi
    done
    if [ $# = 0 ]; then return; fi
    if [ $how != walk ]; then
        # shellcheck disable=SC2086 # an option, or none
        set -- "$@" $xdev '('
        set -f
        IFS='
'
        for l in $hollow; do set -- "$@" -path "./${l#* }" -o; done
        if [ "$links" ]; then
            for l in $devices; do
                l=${l#* }
                set -- "$@" -fstype "${l%% *}" -o
            done
        fi
        unset IFS
        set +f
        set -- "$@" -path //. ')' -prune
    fi
    "tell_by_$how" "$@"
}
# went WORDS: whether a find only complains of what went between the moment it saw a name and the one it looked there.
went() {
    l=
    set -f
    IFS='
'
    for l in $1; do
        case $l in *': No such file or directory') continue ;; esac
        l=
        break
    done
    unset IFS
    set +f
    [ "$l" ]
}
# Of links that lead to themselves, or back to a directory above (fts(3), FTS_DC), this find only complains.
# shellcheck disable=SC2086 # an option, or none
tell_by_printf() {
    exec 7>&1
    o=$(
        trap : TERM
        find $links "$@" , \( -type d \( ! -readable -o ! -executable \) -printf 'unlisted %p\0\0' \) , \
            -printf '%y%m %s %T@ %U %G %D %i %n %p\0%l\0' 2>&1 >&7
    ) || rc=$?
    [ "$rc" -lt 2 ] || exit
    if [ $rc = 1 ] && went "$o"; then rc=0; fi
    if [ "$rc$links" != 1-L ]; then return; fi
    find "$@" , -type l ! -xtype f -printf 'link %p\0\0' 2>/dev/null || [ $? = 1 ] || exit
}
# shellcheck disable=SC2016 # what a shell of its own reads
unseen='for e; do { [ -r "$e" ] && [ -x "$e" ]; } || printf "//unlisted %s\n" "$e"; done'
tell_by_xargs() {
    exec 7>&1
    o=$(
        trap : TERM
        {
            {
                trap '' TERM
                find "$@" -print0 -o -print0 2>&8
                echo "found $?." >&8
            } | {
                trap '' TERM
                xargs -0 stat -c "$f" 2>/dev/null >&7 8>&-
                echo "described $?." >&8
            }
        } 8>&1
    )
    case $o in *.'
described 0.' | *.'
described 123.') o=${o%.*.} ;; *) exit 2 ;; esac # 123: of some that went meanwhile
    case $o in *'found 0') return ;; *'found 1') o=${o%found 1} ;; *) exit 2 ;; esac
    if went "$o"; then return; fi
    rc=1
    {
        trap '' TERM
        find "$@" -o -type d -print0 2>/dev/null
    } | {
        trap '' TERM
        xargs -0 sh -c "$unseen" sh
    }
}
tell_by_walk() {
    by_stat "$@"
    for e; do
        shift
        set -- "$@" "$e/"
    done
    walk "$@"
}
by_stat() {
    while [ $# -gt 200 ]; do
        eval "by_stat $some"
        shift 200
    done
    # shellcheck disable=SC2086 # an option, or none
    describe $links "$@"
    if [ "$links" ]; then by_lstat "$@"; fi
}
describe() { # [-L] NAME...
    o=$(
        trap : TERM
        stat -c "$f" "$@" 2>/dev/null
        [ $? -lt 2 ] && echo .
    ) || exit 2
    printf %s "${o%.}"
}
by_lstat() { # of some, what leads nowhere
    for e; do
        shift
        if [ -h "$e" ] && [ ! -e "$e" ]; then set -- "$@" "$e"; fi
    done
    if [ $# != 0 ]; then describe "$@"; fi
}
# walk DIRECTORY/...: a pattern that matches nothing stands for itself, which nothing is called.
walk() {
    while [ $# -gt 20 ]; do
        eval "walk $few"
        shift 20
    done
    for e; do
        shift
        if [ ! -d "$e" ] || is_left_out "${e%/}"; then continue; fi
        if [ -h "${e%/}" ] && { [ ! "$links" ] || is_no_way "$e"; }; then continue; fi
        if [ -r "$e" ] && [ -x "$e" ]; then
            set -- "$@" "$e"
        else
            printf '//unlisted %s\n' "${e%/}"
            rc=1
        fi
    done
    if [ $# = 0 ]; then return; fi
    i=0 k= m=
    for e; do
        i=$((i + 1))
        k="$k \"\${$i}\"* \"\${$i}\".[!.]* \"\${$i}\"..?*" m="$m \"\${$i}\"*/ \"\${$i}\".[!.]*/ \"\${$i}\"..?*/"
    done
    eval "by_stat $k"
    eval "walk $m"
}
# is_no_way LINK/: whether it leads to a directory that it is in, which would be 40 levels (path_resolution(7)), or to a
# pseudo file system, which may lead anywhere.
is_no_way() {
    l=${1%/}
    l=$(cd -P "${l%/*}" && pwd -P) to=$(cd -P "$1" && pwd -P)
    case ${l%/}/ in "${to%/}"/*) return 0 ;; esac
    set -f
    IFS='
'
    for l in $devices; do
        case $to/ in "${l#* * }"/*) break ;; esac
        l=
    done
    unset IFS
    set +f
    [ "$l" ]
}
is_left_out() { # DIRECTORY
    is_mounted "${1#./}" || return
    l=
    set -f
    IFS='
'
    for l in $hollow; do
        unset IFS
        if [ "${l#* }" = "${1#./}" ]; then break; fi
        l=
    done
    unset IFS
    set +f
    if [ "$l" ]; then return 0; fi
    [ "$one_file_system" ] || return
    # shellcheck disable=SC2046 # numbers
    set -- $(
        trap : TERM
        stat -c %d "$1" "$1/.."
    )
    [ "$1" != "$2" ]
}
# hear_names: sets `names` to the lines that the client sends, up to an empty one.
hear_names() {
    names= o= i=0
    while IFS= read -r l <&3; do
        if [ ! "$l" ]; then
            names=$names$o
            return
        fi
        o="$o$l
"
        i=$((i + 1))
        if [ $((i % 200)) = 0 ]; then names=$names$o o=; fi # a shell copies all of what it adds to
    done
    return 1
}
