# obstacles STAGED DIRECTORY: names what can't be put in place, before anything is: a mounted file can't be replaced by a
# rename, a directory not by a file, and neither anything in a directory that may not be written, or behind a link that
# is not to be followed. With `partial` it is taken out of what is staged.
barred=0
bar() { # WORD STAGED PLACE
    if [ "$in_place" ] && [ -f "$3" ] && [ -f "$2" ] && [ ! -h "$2" ] && [ -w "$3" ]; then return; fi
    barred=$((barred + 1))
    if [ "$barred" -le 1000 ]; then note "barred $1 ${2#"$held/new/"}"; fi
    if [ "$partial" ]; then remove "$2"; fi
}
mounted() {
    set -f
    IFS='
'
    for m in $below; do
        unset IFS
        f=$held/new/$m
        if [ -e "$f" ] || [ -h "$f" ]; then
            if [ ! -d "$f" ] || [ -h "$f" ]; then bar mounted "$f" "$d/$m"; fi
        fi
    done
    unset IFS
    set +f
}
leads_well() (cd -P "$1/" && locate && enter "$2")
obstacles() {
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        p=$2/${f##*/}
        if [ -d "$f" ] && [ ! -h "$f" ]; then
            if [ -d "$p" ]; then
                if [ ! -h "$p" ] || leads_well "$2" "${f##*/}"; then
                    obstacles "$f" "$p"
                else
                    bar link "$f" "$p"
                fi
            elif [ -e "$p" ] || [ -h "$p" ]; then
                bar file "$f" "$p"
            elif [ ! -w "$2/" ]; then
                bar closed "$f" "$p"
            fi
        elif [ -e "$f" ] || [ -h "$f" ]; then
            if [ -d "$p" ] && [ ! -h "$p" ]; then
                bar directory "$f" "$p"
            elif [ ! -w "$2/" ]; then
                bar closed "$f" "$p"
            fi
        fi
    done
}
# publish RELATIVE: puts the content of a staged directory (empty, or a path with a slash at its end) into the working
# directory. A directory that isn't there yet is renamed as a whole; one that is keeps its mode, owner and times, and gets
# what is in the new one. A symbolic link to a directory counts as one: what a container has behind /bin stays there.
overwritten=0 handed=yes settled=yes depth=0
publish() {
    hands=
    if [ -g . ] && [ "$tar_options" = -xopf ]; then hands=yes; fi
    set -- "$1" "$at" "$hands" "$held/new/$1"
    for f in "$4"* "$4".[!.]* "$4"..?*; do
        p=${f##*/}
        if [ -h "$f" ]; then
            continue
        elif [ -d "$f" ]; then
            if [ -d "./$p" ]; then
                set -- "$@" "$f" # before the names are those of what is in it
                merge "$1$p" && go "$2" || return
                if [ $# -gt 200 ]; then
                    be_rid_of "$@" || return
                    set -- "$1" "$2" "$3" "$4"
                fi
            elif [ ! -w "$f" ]; then # to be renamed a directory must be writable
                closed=$(stat -c %a "$f") && chmod u+rwx "$f" && put "$3" "$f" || return
                closed=
            fi
        elif [ "$in_place" ] && [ -f "$f" ] && [ -f "./$p" ] && [ -w "./$p" ] &&
            { [ ! -w . ] || is_mounted "$1$p"; }; then
            overwrite "$1$p" || return
        fi
    done
    if [ $# -gt 4 ]; then be_rid_of "$@" || return; fi # out of the way of what is moved next
    put "$3" "$4"* && put "$3" "$4".[!.]* && put "$3" "$4"..?* && is_empty "$4."
}
# be_rid_of RELATIVE PLACE HANDS STAGED DIRECTORY...: of staged directories whose content is in its place. One program for
# all beside each other, which fails where something is left.
be_rid_of() {
    shift 4
    rmdir "$@" 2>/dev/null && return
    for f; do
        if [ -e "$f" ]; then drop "$f" || return; fi
    done
}
# overwrite RELATIVE: into the file that is there, held and known by where the system has it: not where a link leads. It
# is opened for reading, since a shell that opens for writing makes what a link leads to; and by a subshell, since what
# is there may be a FIFO by now, and a shell that traps TERM would wait for its other end for ever.
overwrite() {
    (
        trap : TERM
        l=$(
            trap : TERM
            path_of 9 && echo .
        ) && [ "$l" = "${at%/}/$p
." ] && cat <"$held/new/$1" >/proc/self/fd/9 && rm -f "$held/new/$1"
    ) 9<"./$p" || return
    overwritten=$((overwritten + 1))
    if [ "$overwritten" -le 1000 ]; then note "overwritten $1"; fi
}
put() { # HANDS ENTRY...
    hands=$1
    shift
    if [ ! -e "$1" ] && [ ! -h "$1" ]; then return 0; fi # a pattern that matches nothing stands for itself
    while [ $# -gt 200 ]; do
        eval "put_all $some" || return
        shift 200
    done
    put_all "$@"
}
put_all() {
    if [ "$hands" ]; then hand_down "$@" || handed=no; fi
    if is_near; then rename "$@"; else carry "$@"; fi
}
# rename ENTRY...: into the working directory. One directory gets the mode `closed` there; it is held meanwhile, since
# others may rename it again.
closed=
rename() {
    if [ ! "$closed" ]; then
        mv -f "$@" ./
        return
    fi
    l=./${1##*/}
    case $held in /proc/*) l=/proc/self/fd/6 ;; esac
    # shellcheck disable=SC2094 # a directory
    { mv -f "$1" ./ && chmod "$closed" "$l"; } 6<"$1"
}
# is_near: whether the working directory is on the same mount as what is staged (proc_pid_fdinfo(5)). Below `near` it is:
# nothing is mounted there. To ask is dear: BusyBox takes two system calls for each byte that it reads.
near= mount_of_stage=
is_near() {
    case $held in /proc/*) ;; *) return 0 ;; esac
    case ${near:+${at%/}/} in "${near%/}"/*) return 0 ;; esac
    if [ ! "$mount_of_stage" ]; then
        mount_of 8 || return
        mount_of_stage=$mount
    fi
    [ -r . ] && { mount_of 7 && [ "$mount" = "$mount_of_stage" ]; } 7<.
}
mount_of() { # DESCRIPTOR: sets `mount`
    mount=
    {
        while [ ! "$mount" ] && read -r k more; do
            case $k in mnt_id:) mount=$more ;; esac
        done <"/proc/self/fdinfo/$1"
    } 2>/dev/null
    [ "$mount" ]
}
# carry ENTRY...: to another mount. There mv copies, into directories by their names, which others may swap: so it copies
# into one more directory of our own, and what came is renamed.
carry() {
    if [ "$swept" != "$at" ]; then sweep "$at"; fi
    away=$at swept=$at carried=.asynccp-$identity-$me.$t
    mask=$(umask)
    umask 077
    occupy "$carried" || {
        umask "$mask"
        carried=
        echo "mkdir: $away: no directory of our own can be made there" >&2
        return 1
    }
    umask "$mask"
    exec 7<.
    mv -f "$@" ./new/ || return
    for f; do
        set -- "$@" "/proc/self/fd/7/new/${f##*/}"
        shift
    done
    go "$away" && rename "$@" && uncarry
}
uncarry() {
    if [ "$carried" ] && cd -P /proc/self/fd/7/. 2>/dev/null; then
        clear
        if go "$away"; then drop "./$carried"; fi
        exec 7<&-
        carried=
    fi
}
# hand_down ENTRY...: what a directory with the set-group-id bit hands down to what is made in it (inode(7)): its group,
# and to directories the bit. Some tars lose both when they set a new directory's mode. A file with set-id bits stays as
# it is, since chown takes them away, and is told.
hand_down() {
    gid=$(stat -c %g .) || return
    find "$@" ! -group "$gid" \( -type d -o ! -perm -4000 ! -perm -2000 \) -exec chown -h ":$gid" {} + &&
        find "$@" -type d ! -perm -2000 -exec chmod g+s {} + && [ ! "$(find "$@" ! -group "$gid")" ]
}
merge() { # RELATIVE: of a directory that is in both
    if [ "$dir_perms" ]; then
        depth=$((depth + 1))
        set -- "$1" "$(stat -c %a "$held/new/$1")" "$(stat -c %u:%g "$held/new/$1")" "$held/time$depth"
        touch -r "$held/new/$1" "$4"
    fi
    if [ ! -w "$held/new/$1" ] || [ ! -x "$held/new/$1" ] || [ ! -r "$held/new/$1" ]; then chmod u+rwx "$held/new/$1"; fi
    enter "$p" || {
        echo "mv: $1: leads elsewhere" >&2
        return 1
    }
    publish "$1/" || return
    if [ "$dir_perms" ]; then
        if [ "$tar_options" = -xpf ]; then chown "$3" . || settled=no; fi
        chmod "00$2" . && touch -r "$4" . || settled=no # five digits: else GNU keeps a set-group-id bit
    fi
}
