# Before a push that compares: hello; what is there, of the names that the client asks about; questions; `send`, and the
# push goes on; or `none`, and after `done` and orders it is over. Nothing has been touched by then.
sync() {
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # lines
    set -- $names
    unset IFS
    set +f
    base=$d
    if [ "$renames" ]; then # what the source is called comes first, and last what it is to be called
        if [ -d "$d/$n" ]; then base=$d/$n renames=; else shift; fi
        set -- "$1"
    fi
    sets=
    for c in chown chmod touch; do if command -v $c >/dev/null; then sets=$sets$c,; fi; done
    say "hello count=$count sum=$sum z=$z named=$renames compares=yes sets=$sets parts=$(sends_parts)${tarless:+ holds=$holds}${owner:+ owner=$owner}"
    list_below "$base" "$@"
    attend $lister
    wait $lister || end $?
    wait "$waiter"
    while read -r a <&3; do
        case $a in send* | none | ok) break ;; *) answer "$base" "$a" ;; esac
    done
    case $a in
    send*)
        # shellcheck disable=SC2086 # words
        set -- $a
        block=$2 blocks=$3 more_blocks=$4
        if [ "$5" = plain ]; then z=; fi
        ;;
    none)
        if cd -P "$base" 2>/dev/null; then locate; else at=/; fi
        top=$at staged=$base
        say "done rc=0 settled=yes"
        take_orders
        end 0
        ;;
    *) end 1 ;;
    esac
}
# take_orders: after `done`, until the client has no more.
take_orders() {
    while read -r a <&3 && [ "$a" != ok ]; do roll_out "$a" || answer / "$a"; done
}
