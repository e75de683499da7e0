# Questions about entries: a word (`sum`, `span`, `state`, `object`, or `old`), then names, a line each, of spans behind
# an offset and a size, and an empty line. A hundred at a time, so that the answer fits a pipe, and a shell whose client is gone never
# blocks on it.
sum=none
for c in sha256sum md5sum cksum; do
    if command -v $c >/dev/null; then
        sum=$c
        break
    fi
done
decode() { # LINE: sets `l` to what was written as printf's %b reads it
    l=$1
    case $l in *\\*)
        l=$(printf '%b_' "$l")
        l=${l%_}
        ;;
    esac
}
span() { if [ "$1" = 0 ]; then head -c "$2"; else tail -c "+$(($1 + 1))" | head -c "$2"; fi; } # OFFSET SIZE, of stdin
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
        span)
            for l; do
                [ ! "$gone" ] || exit
                o=${l%% *} l=${l#* }
                s=${l%% *} l=${l#* } i=
                [ -r "$l" ] || continue
                { # one and the same file, whatever its name is meanwhile
                    i=$(stat -L -c %i /dev/stdin 2>/dev/null) || i=0
                    h=$(
                        trap : TERM
                        span "$o" "$s" | $sum
                    )
                } <"$l"
                [ "$i" ] || continue
                case $h in *-) h=${h%-} ;; *) h="$h " ;; esac
                printf '%s %s%s\n' "$i" "$h" "$l"
            done
            ;;
        part*) # shellcheck disable=SC2086 # words
            part ${what#part } "$1"
            ;;
        *) obey "$what" "$@" ;;
        esac
    )
    say summed
}
