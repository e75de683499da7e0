# census DIRECTORY: sets `entries` and `bytes` to what is below it, itself included; empty where nothing can tell.
census() {
    entries=0 bytes=0
    o=$(trap 'exit 143' TERM; find "$1" -printf '%M.%s\n' 2>/dev/null) ||
        o=$(trap 'exit 143' TERM; find "$1" -exec stat -c '%A.%s' {} + 2>/dev/null) ||
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
# number PATH: sets `entries` to how many entries a tar of it has: no sockets, which no tar takes.
number() {
    o=$(trap 'exit 143' TERM; find "$1" ! -type s -printf x 2>/dev/null) ||
        o=$(trap 'exit 143' TERM; find "$1" ! -type s -exec stat -c x {} + 2>/dev/null) ||
        { entries= && return; }
    case $o in *xx*) entries=${#o} ;; *) entries=$(((${#o} + 1) / 2)) ;; esac
}
