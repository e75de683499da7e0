# attend PROCESS: hears the client's line, as `waiter`. It acknowledges, or asks; that it never comes is how a client that
# died is known: it leaves who writes blocked on a full pipe for ever, but stdin does reach its end. A background command
# gets /dev/null for stdin (POSIX 2.9.3).
attend() {
    {
        a=
        read -r a <&3 || if [ "$group" ]; then kill -TERM -$$; else kill "$1" $$; fi 2>/dev/null
        case $a in sum) exit 1 ;; state) exit 2 ;; old) exit 3 ;; object) exit 4 ;; esac
        exit 0
    } &
    waiter=$! kids="$kids $!"
}
# converse DIRECTORY CODE: answers until the client has what it wants, and ends.
converse() {
    wait "$waiter"
    case $? in
    0) a=ok ;;
    1) a=sum ;;
    2) a=state ;;
    3) a=old ;;
    4) a=object ;;
    *) end "$2" ;;
    esac
    while [ "$a" != ok ]; do
        answer "$1" "$a"
        read -r a <&3 || end 1
    done
    end "$2"
}
