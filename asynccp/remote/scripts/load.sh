# Whether the node has more to do than so many processes for each of its CPUs. These are counted where its load is told:
# many images have no nproc, which would count those of a container's cpuset, too.
is_busy() { # MOST DIRECTORY: where loadavg and stat are (proc(5))
    [ -r "$2/loadavg" ] && [ -r "$2/stat" ] && read -r l _ <"$2/loadavg" || return 1
    [ "${l%.*}" -ge "$1" ] || return 1
    n=0
    while read -r w _; do
        case $w in cpu) ;; cpu[0-9]*) n=$((n + 1)) ;; *) break ;; esac
    done <"$2/stat"
    [ "$n" != 0 ] && [ "${l%.*}" -ge $(($1 * n)) ]
}
