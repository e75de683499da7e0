# A swap: what receives a push, DIRECTORY, is replaced by another directory, made beside it in the stage: what stands
# there, as hard links, and what came put into that. Whatever fails before that takes its place has changed nothing.
#
#   a directory         two renames: it goes into the stage, the new one gets its name. In between there is none; what a
#                       shell that is killed there leaves, `mend` puts back
#   a symbolic link     one rename of a new link over it, so it is never missing. It leads to `.NAME.REVISION` beside it
#
# A target's last component is never told to mv, only the directory that it is in: so no mv looks where a link leads.
store=.asynccp-backup swapped=no merged_all= kept= tree= linked= was= looks=
decline() { # PROBLEM: when there is a stage already
    unstage
    give_up "$1"
}
# find_name: sets `name`, and `l` to the directory that it is in.
find_name() {
    if [ "$root" ]; then refuse rooted; fi
    case ${d##*/} in
    '' | . | ..)
        cd -P "$d" 2>/dev/null || refuse cannot-create
        locate
        d=$at
        ;;
    esac
    name=${d##*/}
    [ "$name" ] || refuse no-name
    l=${d%/*}
}
# aim: finds what is to be replaced, and makes the stage beside it.
aim() {
    if [ "$renames" ] && [ -d "$d/$n" ]; then d=${d%/}/${n#./} renames=; fi
    find_name
    make_directory "${l:-/}" || give_up cannot-create
    place=$top
    look_there
}
# look_there: sets `tree` to where `name` is in the working directory, `place`, empty if nothing is; `linked`, if by a link.
# Refuses what can't be replaced by renames.
look_there() {
    if [ -h "./$name" ]; then
        linked=yes
        need readlink
    fi
    if [ -d "./$name" ]; then
        cd -P "./$name" 2>/dev/null && locate && [ -r . ] && [ -w . ] || give_up not-writable
        tree=$at
        [ "$linked" ] || [ "$tree" = "${place%/}/$name" ] || give_up link
        is_root || same_owner . /proc/self/. || give_up others-directory
        exec 5<. # held, so that it is known again
        mounts .
        [ ! "$below" ] || give_up mount-below
    fi
    stage "$place" || give_up closed-parent
    if [ "$keep" ] && [ "$tree" ]; then open_store || decline closed-store; fi
    if [ "$tree" ] && [ ! "$linked" ]; then
        if ! go "$tree" || ! is_near; then decline mount-point; fi
        [ "$type" != overlay ] || is_new || decline layered
    fi
    cd -P "$held" || decline cannot-create
}
is_root() { owner "$(look_at /proc/self/.)" && [ "$uid" = 0 ]; }
# is_new: whether the working directory is none of the image's. overlayfs renames no such directory (EXDEV), and mv would
# copy it, and remove the original piece by piece. Once copied up it has one link, where others are counted (2 and more).
is_new() {
    touch -c -r . . 2>/dev/null # copies it up
    links . || return 0
    [ "$links" = 1 ] || return 0
    links "$held/." || return 0
    [ "$links" = 1 ]
}
links() { # PATH: sets `links`
    set -f
    # shellcheck disable=SC2046 # fields
    set -- $(look_at "$1")
    set +f
    links=$2
    [ "$links" ]
}
# copy_there: makes the new directory of what stands there; it is then where orders are carried out, and all else is put.
# As copies, where the file system has no hard links, or doesn't let this user make some.
copy_there() {
    cd -P "$held" && mkdir ./next || return
    if [ "$tree" ]; then
        looks=-1iAR
        copied=$(looked)
        copy_same -al "$tree" ./next 2>/dev/null || {
            looks=-lniAR
            copied=$(looked)
            remove ./next && mkdir ./next && copy_same -a "$tree" ./next sizes
        } || return
        [ "${tree##*/}" = "$name" ] || mv "./next/${tree##*/}" "./next/$name" || return
        if [ "$keep" ]; then
            (
                umask 077
                mkdir ./kept "./kept/$rev"
            ) && copy_same -a "$tree" "./kept/$rev" sizes &&
                { [ "${tree##*/}" = tree ] || mv "./kept/$rev/${tree##*/}" "./kept/$rev/tree"; } && write_about "./kept/$rev" ||
                return
        fi
    else
        mkdir "./next/$name" || return
    fi
    cd -P "./next/$name" && locate && top=$at d=$at staged=$at || return
    cd -P "$held" || return
}
# looked: which file each name there has: what is written into one, the new directory shares; for copies, also when it was.
looked() (
    trap : TERM
    cd -P "$tree" && ls "$looks" . 2>/dev/null
)
merge_new() {
    put_in_place && cd -P "$held" && [ "$rc" = 0 ] && merged_all=yes
}
write_about() { # REVISION: writes down where it is from, and how many entries it has
    entries=
    census "$1/tree" || number "$1/tree" || :
    printf '%s entries=%s\n' "$about" "${entries:+$((entries - 1))}" >"$1/about"
}
# copy_same OPTION TREE DIRECTORY [sizes]: proves that all of it came, whatever a cp says, with its modes and owners.
copy_same() {
    cp "$1" "$2" "$3/" || return
    x=$(
        trap : TERM
        shape "$2" "${4-}"
    ) && y=$(
        trap : TERM
        shape "$3/${2##*/}" "${4-}"
    ) && [ "$x" = "$y" ] || {
        echo "cp: $2: its copy is not the same: it changed meanwhile, or modes or owners can't be kept" >&2
        return 1
    }
}
shape() { # DIRECTORY SIZES
    o=$(
        trap : TERM
        cd -P "$1" && ls -lnAR . 2>/dev/null
    ) || return
    sizes=$2
    set -f
    IFS='
'
    for l in $o; do
        unset IFS
        # shellcheck disable=SC2086 # fields
        set -- $l
        case $1 in
        -*) printf '%s %s %s %s %s\n' "$1" "$3" "$4" "${sizes:+$5}" "${l##* }" ;;
        total) ;;
        *) printf '%s %s %s %s\n' "$1" "$3" "$4" "${l##* }" ;;
        esac
    done
    unset IFS
    set +f
}
# open_store: goes where backups of `name` are: nobody else can see or change what is in there.
open_store() {
    go "$place" || return
    (
        umask 077
        mkdir -p "./$store/$name"
    ) 2>/dev/null
    for l in "${place%/}/$store" "${place%/}/$store/$name"; do
        if ! go "$l" || ! is_ours || ! is_closed; then
            echo "$l: is not this user's alone, so that no backup can be kept there" >&2
            return 1
        fi
    done
}
swap() {
    trap '' INT PIPE TERM # there is no way back but forth
    exchange && swapped=yes staged= made= && return
    forget_backup
    return 1
}
forget_backup() {
    if [ "$kept" ] && open_store; then remove "./$kept"; fi
    kept=
}
# exchange: puts `next` in its place, if what was copied is still there.
exchange() {
    if [ -d "$held/kept/$rev" ]; then
        open_store && mv "$held/kept/$rev" ./ && kept=$rev || return
    fi
    cd -P "$held" && mkdir ./old ./link ./failed && go "$place" || return
    if [ "$tree" ]; then
        # shellcheck disable=SC3013 # where a test doesn't know it, it is not asked
        if [ . -ef . ] 2>/dev/null && [ ! "./$name" -ef /proc/self/fd/5 ] && [ -e /proc/self/fd/5 ]; then
            echo "$place/$name: somebody else has replaced it meanwhile" >&2
            return 1
        fi
        if [ "$looks" ] && [ "$(looked)" != "$copied" ]; then
            echo "$place/$name: files were made, removed or replaced there meanwhile" >&2
            return 1
        fi
    elif [ -e "./$name" ] || { [ -h "./$name" ] && [ ! "$linked" ]; }; then
        echo "$place/$name: somebody else has made it meanwhile" >&2
        return 1
    fi
    new=$held/next/$name
    if [ "$swaps$linked" != directory ]; then
        new=$held/link/$name l=.$name.$rev
        if [ -e "./$l" ] || [ -h "./$l" ]; then
            echo "$place/$l: is there already" >&2
            return 1
        fi
        mv "$held/next/$name" "$held/next/$l" && ln -s -- "$l" "$new" && mv "$held/next/$l" ./ || return
    fi
    replace && return
    if [ "$swaps$linked" != directory ]; then remove "./.$name.$rev"; fi
    return 1
}
replace() {
    if [ "$linked" ]; then
        was=$(
            trap : TERM
            readlink "./$name"
            echo .
        ) was=${was%??}
        mv -f "$new" ./
    elif [ ! "$tree" ]; then
        mv "$new" ./
    elif mv "./$name" "$held/old/"; then
        mv "$new" ./ && return
        mv "$held/old/$name" ./ || keep_stage
        return 1
    else
        return 1
    fi
}
# keep_stage: what was there is in the stage, and nobody may sweep it.
keep_stage() {
    rm -f "$held/made"
    echo "$place/$name: could not be put back, and is $beside/$s/old/$name" >&2
    held=
}
# swap_back: undoes a swap.
swap_back() {
    trap '' INT PIPE TERM
    go "$place" || return
    if [ "$linked" ]; then
        rm -f "$held/link/$name"
        ln -s -- "$was" "$held/link/$name" && mv -f "$held/link/$name" ./ || return
    else
        mv "./$name" "$held/failed/" || return
        [ ! "$tree" ] || mv "$held/old/$name" ./ || {
            mv "$held/failed/$name" ./ || keep_stage
            return 1
        }
    fi
    swapped=back
    if [ "$swaps$linked" != directory ]; then remove "./.$name.$rev"; fi
    forget_backup
}
# clean_up: behind a swap: of revisions that a link led to the one before stays, for who is still reading it; of backups
# the newest.
clean_up() {
    trap '' INT PIPE TERM
    if [ "$swapped" = yes ] && [ "$swaps$linked" != directory ] && go "$place"; then
        for o in "./.$name".*-*; do
            case ${o#"./.$name."} in "$rev" | *[!0-9TZa-f.-]*) continue ;; [0-9]*T[0-9]*Z-*) ;; *) continue ;; esac
            if [ "${o#./}" = "${was##*/}" ] || [ -h "$o" ] || [ ! -d "$o" ] || ! same_owner "$o/." /proc/self/.; then
                continue
            fi
            remove "$o"
        done
    fi
    if [ "$kept" ] && open_store; then
        set -- ./[0-9]*
        while [ $# -gt "$keep" ]; do
            remove "$1"
            shift
        done
    fi
    unstage
}
