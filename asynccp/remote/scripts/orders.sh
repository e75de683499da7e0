# Orders: what is removed below `top`, or has an attribute set, where it stands. A word and its value, then names as with
# a question (`answer`), those of one directory one after the other. What could not be done is answered by name.
#
#   remove          a file, a link, an empty directory: each by its own name, nothing with what is in it
#   mode MODE       time SECONDS       owner UID:GID
#
# A name is taken apart and each directory entered as it stands there now: no link is followed to it, none at its end.
obey() { # WORD NAME...
    order=${1%% *} value=${1#* }
    shift
    while [ $# != 0 ] && [ ! "$gone" ]; do
        folder=${1%/*} k=0 o=
        for a; do
            [ "${a%/*}" = "$folder" ] || break
            k=$((k + 1)) o="$o \"\${$k}\""
        done
        if descend "$folder"; then eval "carry_out $o"; else eval "undone $o"; fi
        shift $k
    done
}
descend() { # ./DIRECTORY: from `top`, and through no link
    go "$top" || return
    rest=${1#.} rest=${rest#/}
    while [ "$rest" ]; do
        a=${rest%%/*} from=${at%/}
        cd -P "./$a" 2>/dev/null && locate && [ "$at" = "$from/$a" ] || return
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    done
}
undone() { for a; do printf 'undone  %s\n' "$folder/${a##*/}"; done; }
carry_out() { # NAME...: of the working directory
    for a; do
        shift
        set -- "$@" "./${a##*/}"
    done
    case $order in
    remove) discard "$@" ;;
    *) set_all "$@" 2>/dev/null || for a; do set_all "$a" || undone "$a"; done ;;
    esac
}
discard() {
    for a; do
        shift
        if [ -d "$a" ] && [ ! -h "$a" ]; then rmdir "$a" || undone "$a"; else set -- "$@" "$a"; fi
    done
    [ $# = 0 ] || rm -f "$@" || for a; do
        if [ -e "$a" ] || [ -h "$a" ]; then undone "$a"; fi
    done
}
set_all() {
    case $order in
    time) touch -c -h -d "@$value" "$@" ;;
    owner) chown -h "$value" "$@" ;;
    mode)
        # chmod follows a link that somebody else puts there meanwhile, so where one could, each is held.
        if is_guarded; then chmod "$value" "$@"; else for a; do chmod_held "$a" || return; done; fi
        ;;
    esac
}
# is_guarded: whether only this user, or root, may change names in the working directory.
is_guarded() {
    case $(look_at .) in d????[!w]??[!w]*) same_owner . /proc/self/. || owned_by_root ;; *) return 1 ;; esac
}
owned_by_root() { owner "$(look_at .)" && [ "$uid" = 0 ]; }
chmod_held() {
    (
        trap : TERM
        l=$(
            trap : TERM
            path_of 9 && echo .
        ) && [ "$l" = "${at%/}/${1#./}
." ] && chmod "$value" /proc/self/fd/9
    ) 9<"$1"
}
