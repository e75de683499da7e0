# In place of tar, for a pull from a container that has none: what tar would write, in POSIX's form (pax: names, and
# numbers that are too large for a header, stand in records before it, whose checksums are sums of a few digits). So it is
# read, and not trusted, as any tar's. stat tells of 200 names at a time, and again when their contents are out; dd (or
# head) copies each file, no more and no less than was told, with zeros for what a file has lost; and many small ones come
# at once, as one member (`archive.bundle`). The words on stderr are GNU tar's.
need stat
if command -v dd >/dev/null; then
    by=dd
elif command -v head >/dev/null; then
    by=head
elif command -v cat >/dev/null; then
    by=cat
else
    refuse no-dd
fi
counted= # dd tells how much there was
if [ $by = dd ] && [ "$b" ]; then counted=yes; fi
tar() { # c[h]f - [--no-recursion] -C DIRECTORY NAME...
    trap gone=yes TERM
    exec 7>&1
    links= deep=yes code=0 linked= known=0 f='%f %s %Y %u %g %d %i %h %y //%n'
    case $1 in *h*) links=-L ;; esac
    shift 2
    if [ "$1" = --no-recursion ]; then
        deep=
        shift
    fi
    cd -P "$2" || return 2
    shift 2
    top=${1%/.}
    waiting= waits=0 lines= files= kept=0 total=0
    pack_all "$@"
    while [ "$waiting" ] && [ ! "$gone" ] && [ "$code" != 3 ]; do pack_waiting; done
    if [ ! "$gone" ] && [ "$code" != 3 ]; then
        set -f
        flush
        set +f
    fi
    # shellcheck disable=SC2059 # it is ours
    [ "$code" = 3 ] || printf "$z512$z512"
    return "$code"
}
z1='\000' z2=$z1$z1
z4=$z2$z2
z8=$z4$z4
z16=$z8$z8
z32=$z16$z16
z64=$z32$z32
z128=$z64$z64
z256=$z128$z128
z512=$z256$z256
# Behind the numbers: the type, a name of a link, which is empty, the magic, and what is unused. The file's name is `x`.
head="x$z64$z32$z2$z1%07o$z1%07o$z1%07o$z1%011o$z1%011o$z1%06o$z1 %s$z64$z32${z4}ustar${z1}00$z128$z64$z32$z16$z4$z2$z1"
# zeros SIZE: sets `q` to so many, for the format of a printf: what is missing of a whole block.
zeros() {
    q= n=$((-$1 & 511))
    [ $((n & 1)) = 0 ] || q=$z1
    [ $((n & 2)) = 0 ] || q=$q$z2
    [ $((n & 4)) = 0 ] || q=$q$z4
    [ $((n & 8)) = 0 ] || q=$q$z8
    [ $((n & 16)) = 0 ] || q=$q$z16
    [ $((n & 32)) = 0 ] || q=$q$z32
    [ $((n & 64)) = 0 ] || q=$q$z64
    [ $((n & 128)) = 0 ] || q=$q$z128
    [ $((n & 256)) = 0 ] || q=$q$z256
}
record() { # KEYWORD VALUE: added to `x`; a record begins with its own size
    n=$((${#1} + ${#2} + 3))
    k=$((n + ${#n}))
    [ ${#k} = ${#n} ] || k=$((n + ${#k}))
    x="$x$k $1=$2
"
}
add() { # NUMBER...: their octal digits to `sum`
    for n; do
        while [ "$n" != 0 ]; do sum=$((sum + (n & 7))) n=$((n >> 3)); done
    done
}
# member TYPE CODE MODE SIZE SECONDS UID GID NAME [TARGET]. CODE: of the type's letter.
member() {
    x=
    record path "$8"
    if [ $# = 9 ]; then record linkpath "$9"; fi
    type=$1 letter=$2 mode=$3 size=$4 seconds=$5 uid=$6 gid=$7
    if [ "$size" -gt 8589934591 ]; then record size "$size" && size=0; fi
    if [ "$seconds" -lt 0 ] || [ "$seconds" -gt 8589934591 ]; then record mtime "$seconds" && seconds=0; fi
    if [ "$uid" -gt 2097151 ]; then record uid "$uid" && uid=0; fi
    if [ "$gid" -gt 2097151 ]; then record gid "$gid" && gid=0; fi
    sum=3215 # x, its letter, eight blanks for the checksum, ustar00, and 43 times a 0
    add ${#x}
    first=$sum sum=$((3095 + letter))
    add "$mode" "$uid" "$gid" "$size" "$seconds"
    zeros ${#x}
    # shellcheck disable=SC2059 # likewise
    printf "$head%s$q$head" 0 0 0 ${#x} 0 $first x "$x" "$mode" "$uid" "$gid" "$size" "$seconds" $sum "$type"
}
# pack_all NAME...: now, or with others: they wait for each other, w1 and so on, so that one stat asks of many.
pack_all() {
    for e; do
        case $e in
        *'
'*) pack_odd "$e" ;;
        *)
            waits=$((waits + 1))
            eval "w$waits=\$e"
            waiting="$waiting \"\$w$waits\""
            if [ $waits = 200 ]; then pack_waiting; fi
            ;;
        esac
    done
}
pack_waiting() {
    set -- "$waiting"
    waiting= waits=0
    eval "pack_some $1"
}
pack_some() {
    if [ $# = 0 ] || [ "$gone" ] || [ "$code" = 3 ]; then return; fi
    told=$(ask "$@")
    found=0 contents=
    set -f
    IFS='
'
    for r in $told; do
        unset IFS
        found=$((found + 1))
        # shellcheck disable=SC2086 # fields
        pack_one "${r#*//}" ${r%%//*}
        if [ "$gone" ] || [ "$code" = 3 ]; then return; fi
    done
    unset IFS
    set +f
    if [ "$found" != $# ]; then gone_are "$@"; fi
    if [ "$contents" ]; then changed "$@"; fi
    if [ "$deep" ]; then
        for e; do
            if [ -d "$e" ] && { [ "$links" ] || [ ! -h "$e" ]; } && ! is_hollow "$e"; then pack_below "$e"; fi
        done
    fi
}
# pack_odd NAME: one with a newline in it.
pack_odd() {
    told=$(ask "$1")
    contents= r=
    if [ ! "$told" ]; then gone_are "$1" && return; fi
    set -f
    # shellcheck disable=SC2086 # fields
    pack_one "$1" ${told%%//*}
    set +f
    if [ "$contents" ] && [ "$told" != "$(ask "$1")" ]; then complain 1 "$1" ': file changed as we read it'; fi
    if [ "$deep" ] && [ -d "$1" ] && { [ "$links" ] || [ ! -h "$1" ]; }; then pack_below "$1"; fi
}
# shellcheck disable=SC2086 # an option, or none
ask() { # in a subshell
    trap : TERM
    stat $links -c "$f" "$@" 2>/dev/null
}
# pack_one NAME MODE SIZE SECONDS UID GID DEVICE INODE NAMES TIME: the last is for `changed`
pack_one() {
    case $2 in
    4*) member 5 53 $((0x$2 & 07777)) 0 "$4" "$5" "$6" "$1/" ;;
    a*)
        to=$(
            trap : TERM
            readlink "$1" && echo .
        )
        member 2 50 511 0 "$4" "$5" "$6" "$1" "${to%"
."}"
        ;;
    c*) complain 0 "$1" ': socket ignored' ;;
    1*) member 6 54 $((0x$2 & 07777)) 0 "$4" "$5" "$6" "$1" ;;
    2*) member 3 51 $((0x$2 & 07777)) 0 "$4" "$5" "$6" "$1" ;;
    6*) member 4 52 $((0x$2 & 07777)) 0 "$4" "$5" "$6" "$1" ;;
    8*)
        if [ "$9" != 1 ] && is_linked "$1" "$7:$8 "; then
            member 1 49 $((0x$2 & 07777)) 0 "$4" "$5" "$6" "$1" "$l"
        elif [ -r "$1" ]; then
            if [ "$counted$9" = yes1 ] && [ "$r" ] && [ "$3" != 0 ] && [ "$3" -le 32768 ] && [ ${#4} -le 11 ]; then
                small "$1" "$3"
            else
                file "$@"
            fi
        else
            complain 2 "$1" ': Cannot open: Permission denied'
        fi
        ;;
    *) complain 2 "$1" ': Cannot open: Invalid argument' ;;
    esac
}
file() { # as of pack_one
    member 0 48 $((0x$2 & 07777)) "$3" "$4" "$5" "$6" "$1"
    if [ "$3" != 0 ]; then content "$1" "$3"; fi
}
# small NAME SIZE: puts a file into a bundle, which has its line, and by name: f1 and so on.
small() {
    set -- "$1" "$2" "$r"
    if [ $kept = 200 ] || [ $((total + $2 + ${#lines} + ${#r})) -gt 262144 ]; then flush; fi
    kept=$((kept + 1)) total=$((total + $2))
    lines="$lines$3
"
    eval "f$kept=\$1"
    files="$files \"\$f$kept\""
}
flush() {
    if [ ! "$lines" ]; then return; fi
    set -- "$files"
    files= kept=0
    eval "bundle $1"
    lines= total=0
}
# bundle NAME...: dd is to find so many bytes, and not one more. If it does, and nothing has changed, it is good; else each
# file comes by itself. Whatever happens, a bundle has the size that its header tells.
bundle() {
    size=$((${#lines} + total + 7)) sum=3161 # as of `member`, with a B
    add "$size"
    # shellcheck disable=SC2059 # it is ours
    printf "$head" 0 0 0 "$size" 0 "$sum" B
    printf '%s\n' "$lines"
    n=0
    IFS='
'
    for o in $(
        trap : TERM
        cat "$@" 2>/dev/null | dd bs=$((total + 1)) count=1 iflag=fullblock 2>&1 >&7
    ); do
        case $o in *' byte'*) n=${o%% *} ;; esac
    done
    unset IFS
    if [ "$gone" ]; then return; fi
    o=.
    if [ "$n" -gt "$total" ]; then o=; elif [ "$n" -lt "$total" ]; then copy /dev/zero $((total - n)) 2>/dev/null; fi
    if [ "$n" = "$total" ] && [ "$lines" = "$(ask "$@")
" ]; then o=.good; else o=${o}else; fi
    echo "$o"
    zeros "$size"
    # shellcheck disable=SC2059 # likewise
    printf "$q"
    if [ "$o" = .good ]; then return; fi
    outer=$told others=$contents told=$lines
    IFS='
'
    for u in $lines; do
        unset IFS
        e=${u#*//}
        # shellcheck disable=SC2086 # fields
        if [ -e "$e" ]; then file "$e" ${u%%//*}; else complain 1 "$e" ': File removed before we read it'; fi
        if [ "$gone" ] || [ "$code" = 3 ]; then return; fi
    done
    unset IFS
    changed "$@"
    set -f
    told=$outer contents=$others
}
# is_linked NAME KEY: whether it is another name of a file that is in the archive, `l`. So many are remembered.
is_linked() {
    case "
$linked" in *"
$2"*)
        l="
$linked"
        l=${l#*"
$2"}
        l=${l%%"
"*}
        return 0
        ;;
    esac
    if [ $known -lt 1000 ] && [ -r "$1" ]; then
        case $1 in *'
'*) return 1 ;; esac
        known=$((known + 1)) linked="$linked$2$1
"
    fi
    return 1
}
complain() { # CODE NAME WORDS
    if [ "$code" -lt "$1" ]; then code=$1; fi
    n=$2
    case $n in *[!\ -~]*) ;; *\\*) # as GNU tar writes it
        l= n=$n.
        while [ "$n" != "${n#*\\}" ]; do l=$l${n%%\\*}\\\\ n=${n#*\\}; done
        n=$l${n%.}
        ;;
    esac
    printf 'tar: %s%s\n' "$n" "$3" >&2
}
gone_are() { # NAME...
    for e; do
        if [ -e "$e" ] || [ -h "$e" ]; then
            continue
        elif [ -x "${e%/*}/" ]; then
            complain 1 "$e" ': No such file or directory'
        else
            complain 2 "$e" ': Cannot open: Permission denied'
        fi
    done
}
changed() { # NAME...: which of them are not as they were told
    set -f
    IFS='
'
    for r in $(ask "$@"); do
        unset IFS
        case "
$told
" in *"
$r
"*) ;; *) complain 1 "${r#*//}" ': file changed as we read it' ;; esac
    done
    unset IFS
    set +f
}
pack_below() { # DIRECTORY
    if [ ! -r "$1/" ] || [ ! -x "$1/" ]; then
        complain 2 "$1" ': Cannot open: Permission denied'
        return
    fi
    pack_matched "$1"/*
    pack_matched "$1"/.[!.]*
    pack_matched "$1"/..?*
}
pack_matched() { # a pattern that matches nothing stands for itself
    [ $# = 1 ] && [ ! -e "$1" ] && [ ! -h "$1" ] || pack_all "$@"
}
is_hollow() { # DIRECTORY
    if [ ! "$hollow" ]; then return 1; fi
    case "
$hollow" in *" ${1#"$top"/}
"*) return 0 ;; esac
    return 1
}
content() { # NAME SIZE, and what makes it a whole number of blocks
    contents=yes n=0 why=
    if [ $by != dd ]; then
        copy "$1" "$2"
        now=$(
            f=%s
            ask "$1"
        )
        case $by${now:-0} in head*) [ "${now:-0}" -ge "$2" ] ;; *) [ "${now:-0}" = "$2" ] ;; esac || {
            echo 'tar: short read' >&2
            code=3
            return
        }
        n=$2
    else
        IFS='
'
        for r in $(
            trap : TERM
            copy "$1" "$2" 2>&1 >&7
        ); do
            case $r in *' byte'*) n=$((n + ${r%% *})) ;; *': '*) why=${r##*: } ;; esac
        done
        unset IFS
    fi
    if [ "$gone" ]; then return; fi
    if [ "$n" -lt "$2" ]; then
        r=$(($2 - n))
        case $why in
        '' | 'No such '* | Stale*) complain 1 "$1" ": File shrank by $r bytes; padding with zeros" ;;
        *) complain 2 "$1" ": Read error at byte $n, while reading $r bytes: $why" ;;
        esac
        copy /dev/zero "$r" 2>/dev/null
    fi
    zeros "$2"
    # shellcheck disable=SC2059 # likewise
    printf "$q"
}
# gather: what a shell writes in small pieces, each of which would be a message to the client; and a shell that writes by
# itself must not be the one whose client may be gone.
gather() {
    trap : TERM
    if [ "$b" ]; then dd bs=65536 iflag=fullblock 2>/dev/null; else cat; fi
}
copy() { # NAME SIZE: at most so many bytes
    case $by in
    cat) cat "$1" ;;
    head) head -c "$2" "$1" ;;
    *)
        if [ "$2" -le 1048576 ]; then
            dd bs="$2" count=1 iflag=fullblock
        else
            dd bs=65536 count=$(($2 / 65536)) iflag=fullblock
            [ $(($2 % 65536)) = 0 ] || dd bs=$(($2 % 65536)) count=1 iflag=fullblock
        fi <"$1"
        ;;
    esac
}
