# Before a pull that chooses: hello; what is there, of a directory what is below it, of a file that alone; questions, and parts of files; then what is to be packed: `pack SIZE HOW`,
# and so many bytes of names, or `all`. Or `none`: after `done` it is over.
consult() { # DIRECTORY NAME
    say "hello sum=$sum stat=$stat tar=$kind z=$z busy=$busy directory=$directory chooses=yes parts=$(sends_parts)"
    list_below "$1" "$2"
    attend $lister
    wait $lister || end $?
    wait "$waiter"
    while read -r a <&3; do
        case $a in pack* | all | none | ok) break ;; *) answer "$d" "$a" ;; esac
    done
    case $a in
    pack*)
        # shellcheck disable=SC2086 # words
        set -- $a
        chosen=yes counts=
        if [ "$3" = plain ]; then z=; fi
        if [ "$b" ]; then
            names=$(
                trap : TERM
                dd bs="$2" count=1 iflag=fullblock 2>/dev/null
            )
        else
            hear_names || end 1
        fi
        ;;
    all) ;;
    none)
        say "done rc=0"
        while read -r a <&3 && [ "$a" != ok ]; do answer "$d" "$a"; done
        end 0
        ;;
    *) end 1 ;;
    esac
}
# What was chosen has one name each, so that no directory brings what is in it; as arguments, since BusyBox's tar takes
# no list.
pack_chosen() {
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # lines
    set -- $names
    unset IFS
    set +f
    case $names in *\\*)
        for e; do
            shift
            decode "$e"
            set -- "$@" "$l"
        done
        ;;
    esac
    # shellcheck disable=SC2086 # options, or none
    tar "c${copy_links:+h}f" - $sparse --no-recursion -C "$d" "$@" 3<&- 4>&- 5>&-
}
