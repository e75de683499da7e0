# Who may write to a directory may turn each name in it to something else at any moment. So nothing is moved, removed or
# set by such a name: a directory is entered and worked in as `.`, and where that is the system tells. `cd` without -P goes
# by the name of the working directory, even to what is in it.
#
# locate: sets `at` to the path of the working directory, as getcwd(3) has it. To that dash and BusyBox set PWD on `cd -P`;
# bash and others to where the name seems to lead, before they go there, and their `pwd -P` asks that name again.
asks=${BASH_VERSION-}${KSH_VERSION-}${ZSH_VERSION-}${YASH_VERSION-}
locate() {
    at=$PWD
    if [ "$asks" ]; then
        at=$(
            trap : TERM
            readlink /proc/self/cwd 2>/dev/null || pwd -P
            echo .
        )
        at=${at%"
."}
    fi
}
# path_of DESCRIPTOR; go PATH, as `locate` has told it.
path_of() { readlink "/proc/self/fd/$1"; }
go() { cd -P "$1" 2>/dev/null && locate && [ "$at" = "$1" ]; }
# enter NAME: goes into a directory of this one, `at`. Fails where that is elsewhere and not below `top`, but by a link
# that is to be followed; below `/` is everything, so there each link has to be.
enter() {
    from=${at%/} followed=
    if [ -h "./$1" ] && follows . "$1"; then followed=yes; fi
    cd -P "./$1" 2>/dev/null || return
    locate
    case ${at%/}/. in "$from/$1/." | "$top"/*) return 0 ;; esac
    [ "$followed" ]
}
# follows DIRECTORY NAME: whether a link out of the destination is followed, as by `cp -r`. Both must be this user's or
# root's, and no other user can put something else in its place: that is proc_sys_fs(5)'s protected_symlinks, and not
# only for sticky directories. Who owns the destination has a right to what is in it, not to where root writes.
follows() {
    set -- "$(look_at "$1/.")" "$(look_at "$1/$2")" "$(look_at "$held/.")"
    case $1 in ?????w???[!tT]* | ????????w[!tT]*) return 1 ;; d*) ;; *) return 1 ;; esac
    owner "$3" || return
    whose=$uid
    for l in "$1" "$2"; do
        owner "$l" || return
        case $uid in 0 | "$whose") ;; *) return 1 ;; esac
    done
}
look_at() { ls -ldn "$1" 2>/dev/null || stat -c '%A %h %u' "$1" 2>/dev/null; }
owner() { # LINE: sets `uid` to what it tells
    set -f
    # shellcheck disable=SC2086 # fields
    set -- $1
    set +f
    uid=$3
    [ "$uid" ]
}
# is_ours: whether this user has made the working directory. Where ids are squashed, or there are none, it has another
# owner than who made it (NFS, CIFS): one more, made here, tells; others may put theirs in its place, so not elsewhere.
is_ours() {
    # shellcheck disable=SC3067 # where it is no test, the owner of a process of ours tells
    if [ -O . ] 2>/dev/null; then return; fi
    same_owner . /proc/self/. && return
    case $(
        trap : TERM
        mounts . && echo "$type"
    ) in
    '' | nfs* | cifs | smb* | fuse* | 9p | virtiofs | vfat | msdos | exfat | ntfs* | ceph | gpfs | lustre) ;;
    *) return 1 ;;
    esac
    mkdir ./probe 2>/dev/null || return
    same_owner . ./probe
    set -- $?
    drop ./probe
    return "$1"
}
same_owner() {
    set -- "$(look_at "$1")" "$(look_at "$2")"
    owner "$1" && whose=$uid && owner "$2" && [ "$uid" = "$whose" ]
}
# is_closed: to all others. is_empty DIRECTORY.
is_closed() { case $(look_at .) in d???--[-S]---*) ;; *) return 1 ;; esac }
is_empty() {
    for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -e "$f" ] || [ -h "$f" ]; then return 1; fi
    done
}
