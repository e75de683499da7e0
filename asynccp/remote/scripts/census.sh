# census DIRECTORY [some]: sets `entries` and `bytes` to what is below it, itself included; empty where nothing can tell.
# some: what can be read of it will do.
census() {
    entries=0 bytes=0
    o=$(trap 'exit 143' TERM; find "$1" -printf '%M.%s\n' 2>/dev/null) || [ "${2:+$o}" ] ||
        o=$(trap 'exit 143' TERM; find "$1" -exec stat -c '%A.%s' {} + 2>/dev/null) || [ "${2:+$o}" ] ||
        { bytes= && walk "$1" && return; }
    for e in $o; do
        entries=$((entries + 1))
        case $e in -*) bytes=$((bytes + ${e#*.})) ;; esac
    done
}
walk() {
    entries=$((entries + 1))
    if [ ! -r "$1" ] || [ ! -x "$1" ]; then entries= && return; fi
    for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ ! "$entries" ]; then return; fi
        if [ -d "$e" ] && [ ! -h "$e" ]; then walk "$e"
        elif [ -e "$e" ] || [ -h "$e" ]; then entries=$((entries + 1))
        fi
    done
}
# number PATH: sets `entries` to how many entries a tar of it has, at least: no sockets, which no tar takes, and nothing
# below a directory that can't be read.
number() {
    o=$(trap 'exit 143' TERM; find "$1" ! -type s -printf x 2>/dev/null)
    [ "$o" ] || o=$(trap 'exit 143' TERM; find "$1" ! -type s -exec stat -c x {} + 2>/dev/null)
    case $o in
    '') entries= ;;
    *xx*) entries=${#o} ;;
    *) entries=$(((${#o} + 1) / 2)) ;;
    esac
}
# old PATH: sets `entries` to how many of them have not changed since this shell began, and have been there ever since.
# Times are written so that what comes before is less.
old() {
    entries=0
    began=$(stat -c %z /proc/$$ 2>/dev/null) || return
    o=$(trap 'exit 143' TERM; find "$1" ! -type s -exec stat -c %z {} + 2>/dev/null)
    IFS='
'
    for e in $o; do
        # shellcheck disable=SC3012 # dash, BusyBox, toybox and bash have it
        if [ "$e" \< "$began" ]; then entries=$((entries + 1)); fi
    done
    unset IFS
}
