# obstacles STAGED DIRECTORY: names what can't be put in place, before anything is: a mounted file can't be replaced by a
# rename, a directory not by a file, and neither anything in a directory that may not be written. With `partial` it is
# taken out of what is staged.
barred=0
bar() { # WORD STAGED PLACE
    if [ "$in_place" ] && [ -f "$3" ] && [ -f "$2" ] && [ ! -h "$2" ] && [ -w "$3" ]; then return; fi
    barred=$((barred + 1))
    if [ $barred -le 1000 ]; then note "barred $1 ${2#"$s/new/"}"; fi
    if [ "$partial" ]; then remove "$2"; fi
}
mounted() {
    set -f
    IFS='
'
    for m in $below; do
        unset IFS
        f=$s/new/$m
        if [ -e "$f" ] || [ -h "$f" ]; then
            if [ ! -d "$f" ] || [ -h "$f" ]; then bar mounted "$f" "$d/$m"; fi
        fi
    done
    unset IFS
    set +f
}
obstacles() {
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        p=$2/${f##*/}
        if [ -d "$f" ] && [ ! -h "$f" ]; then
            if [ -d "$p" ]; then obstacles "$f" "$p"
            elif [ -e "$p" ] || [ -h "$p" ]; then bar file "$f" "$p"
            elif [ ! -w "$2" ]; then bar closed "$f" "$p"
            fi
        elif [ -e "$f" ] || [ -h "$f" ]; then
            if [ -d "$p" ] && [ ! -h "$p" ]; then bar directory "$f" "$p"
            elif [ ! -w "$2" ]; then bar closed "$f" "$p"
            fi
        fi
    done
}
# publish STAGED DIRECTORY: puts the content of a staged directory into one that is there. A directory that isn't there
# yet is renamed as a whole; one that is keeps its mode, owner and times, and gets what is in the new one. A symbolic
# link to a directory counts as one: what a container has behind /bin stays there. At most 200 at once: a system takes
# 2 MiB of arguments, and a path has up to 4 KiB.
overwritten=0 handed=yes settled=yes depth=0 merged=0
publish() {
    hands=
    if [ -g "$2" ] && [ "$tar_options" = -xopf ]; then hands=yes; fi
    set -- "$1" "$2" "$hands"
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        p=$2/${f##*/}
        if [ -h "$f" ]; then continue
        elif [ -d "$f" ]; then
            if [ -d "$p" ]; then merge "$f" "$p" || return
            elif [ ! -w "$f" ]; then # to be renamed a directory must be writable
                m=$(stat -c %a "$f") && chmod u+w "$f" && put "$2" "$3" "$f" && chmod "$m" "$p" || return
            fi
        elif [ "$in_place" ] && [ -f "$f" ] && [ -f "$p" ] && [ -w "$p" ] && { [ ! -w "$2" ] || is_mounted "$p"; }; then
            overwrite "$f" "$p" || return
        fi
    done
    put "$2" "$3" "$1"/* && put "$2" "$3" "$1"/.[!.]* && put "$2" "$3" "$1"/..?* && is_empty "$1"
}
overwrite() {
    cat <"$1" >"$2" && rm -f "$1" || return
    overwritten=$((overwritten + 1))
    if [ $overwritten -le 1000 ]; then note "overwritten ${2#"$d/"}"; fi
}
is_mounted() {
    case "
$below" in *"
${1#"$d/"}
"*) return 0 ;; esac
    return 1
}
is_empty() {
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -e "$f" ] || [ -h "$f" ]; then return 1; fi
    done
}
some= i=0
while [ $i -lt 200 ]; do i=$((i + 1)) some="$some \"\${$i}\""; done
put() { # DIRECTORY HANDS ENTRY...
    into=$1 hands=$2
    shift 2
    if [ ! -e "$1" ] && [ ! -h "$1" ]; then return 0; fi # a pattern that matches nothing stands for itself
    while [ $# -gt 200 ]; do
        eval "put_all $some" || return
        shift 200
    done
    put_all "$@"
}
put_all() {
    if [ "$hands" ]; then hand_down "$into" "$@" || handed=no; fi
    mv -f "$@" "$into/"
}
# hand_down DIRECTORY ENTRY...: what a directory with the set-group-id bit hands down to what is made in it (inode(7)):
# its group, and to directories the bit. Some tars lose both when they set a new directory's mode.
hand_down() {
    gid=$(stat -c %g "$1") || return
    shift
    find "$@" ! -group "$gid" -exec chown -h ":$gid" {} + && find "$@" -type d ! -perm -2000 -exec chmod g+s {} +
}
merge() { # STAGED DIRECTORY
    if [ "$dir_perms" ]; then
        depth=$((depth + 1))
        set -- "$1" "$2" "$(stat -c %a "$1")" "$(stat -c %u:%g "$1")" "$s/time$depth"
        touch -r "$1" "$5"
    fi
    if [ ! -w "$1" ] || [ ! -x "$1" ] || [ ! -r "$1" ]; then chmod u+rwx "$1"; fi
    publish "$1" "$2" || return
    merged=$((merged + 1))
    mv "$1" "$s/merged$merged" || return # out of the way of what is moved next
    if [ "$dir_perms" ]; then
        if [ "$tar_options" = -xpf ]; then chown "$4" "$2" || settled=no; fi
        chmod "00$3" "$2" && touch -r "$5" "$2" || settled=no # five digits: else GNU keeps a set-group-id bit
    fi
}
