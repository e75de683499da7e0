# Questions about entries: a word (`sum`, `state`, `object`, `old`, or `head` and a number of bytes), then names, a line
# each, and an empty line. A hundred at a time, so that the answer fits a pipe, and a shell whose client is gone never
# blocks on it.
sum=none
for c in sha256sum md5sum cksum; do
    if command -v $c >/dev/null; then sum=$c; break; fi
done
decode() { # LINE: sets `l` to what was written as printf's %b reads it
    l=$1
    case $l in *\\*) l=$(printf '%b_' "$l"); l=${l%_} ;; esac
}
answer() {
    base=$1 what=$2
    set --
    while IFS= read -r l <&3 && [ "$l" ]; do
        decode "$l"
        set -- "$@" "$l"
    done
    (
        trap gone=yes TERM
        if [ "$what" = old ]; then
            old "$p"
            printf '%s  %s\n' "$entries" "$1"
            exit
        fi
        cd -P "$base" || exit
        case $what in
        sum) $sum "$@" ;;
        state) stat -L -c '%s %Y  %n' "$@" 2>/dev/null ;;
        object) TZ=UTC0 stat -L -c '%i %s %y  %n' "$@" 2>/dev/null ;;
        head*)
            for l; do
                [ ! "$gone" ] || exit
                h=$(trap : TERM; head -c "${what#head }" "$l" | $sum)
                case $h in *-) h=${h%-} ;; *) h="$h " ;; esac
                printf '%s%s\n' "$h" "$l"
            done
            ;;
        part*) # shellcheck disable=SC2086 # words
            part ${what#part } "$1" ;;
        *) obey "$what" "$@" ;;
        esac
    )
    say summed
}
