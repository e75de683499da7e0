# Who is to own what comes: `owner`, USER:GROUP as it was asked for, becomes numbers. A name is looked up in the container's
# own files; an empty side is this shell's. Only root may give files away, and a tar of anybody else keeps them without a
# word.
number_of() { # KEY NAME FILE: sets `l` to a number; it is empty where nobody knows it
    l=
    case $2 in
    '')
        while read -r k _ l _; do
            if [ "$k" = "$1:" ]; then return; fi
            l=
        done </proc/self/status
        ;;
    *[!0-9]*)
        if [ ! -f "$3" ] || { [ "$etc" != /etc ] && [ -h "$3" ]; }; then return; fi # a link would lead elsewhere
        while IFS=: read -r k _ l _ || [ "$k" ]; do
            if [ "$k" = "$2" ]; then break; fi
            l= k=
        done <"$3"
        case $l in *[!0-9]*) l= ;; esac
        ;;
    *) l=$2 ;;
    esac
} 2>/dev/null
whose() { # KEY NAME FILE KIND
    number_of "$1" "$2" "$3"
    if [ ! "$l" ]; then
        echo "$4 ${2:-of this shell}" >&2
        refuse unknown-owner
    fi
}
whose Uid "${owner%%:*}" "$etc/passwd" user
o=$l
whose Gid "${owner#*:}" "$etc/group" group
owner=$o:$l
number_of Uid '' ''
if [ "${l:-0}" != 0 ]; then
    o=$l
    number_of Gid '' ''
    if [ "$owner" != "$o:$l" ]; then
        echo "it is $o:$l" >&2
        refuse not-root
    fi
fi
# give_links: what BusyBox's tar leaves to who unpacks. Where it can't be done here, the next push sets it.
give_links() { find "$held/new" -type l -exec chown -h "$owner" {} + 2>/dev/null; }
