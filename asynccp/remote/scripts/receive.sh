# receive BLOCKS: hands tar one archive, an exact count of bytes, since exec v4 can't close stdin and BusyBox tar and
# bsdtar wait for its end. dd counts, or head where there is none (toybox). BusyBox's head halves the speed, but BusyBox
# has dd; toybox's took 0.8 s for 64 MiB on v4 with 0.15 CPU-seconds of API server, where v5 without a count took 0.8 s
# and 0.58.
#
# With a compressing program and dd, or where its size isn't known, the archive comes in parts: a line `z SIZE +` (packed) or `r SIZE +`
# (as it is), then so many bytes; the last part's line has no `+`. The shell reads a line byte by byte: what is dd's it
# leaves. `torn` is there when a part could not be unpacked: tar may have come to its end by then. That tar's rest is read
# to its end keeps gzip and zstd from ending with a broken pipe, and makes sure that `torn` is there before it is looked
# for.
#
# The sentinel is each archive's last member. Every tar ends with 0 when its archive is cut between two members; only a
# sentinel that was extracted proves that tar came to the end. Its name ends with what was sent: entries, and bytes of
# content, which must be what stands there: a tar that skips a member says nothing of it.
if [ "$b" ]; then
    count=dd # it has read this script
elif head -c 0 </dev/null >/dev/null 2>&1; then
    count=head
else
    count=none
fi
z=
if [ "$unsized" ]; then # nobody knows how much comes: its parts tell, or the end of stdin
    if [ $count = dd ]; then z=dd; else count=none; fi
elif [ $count = dd ]; then
    for c in $codecs; do
        if command -v "$c" >/dev/null; then
            z=$c
            break
        fi
    done
fi
parts() {
    while read -r k size more; do
        case $k in
        z) dd bs="$size" count=1 iflag=fullblock 2>/dev/null | $z -dc ;;
        r) dd bs="$size" count=1 iflag=fullblock 2>/dev/null ;;
        *) return 1 ;;
        esac || return
        [ "$more" ] || return 0
    done
    return 1
}
receive() {
    case $count$z in
    dd) dd bs="$block" count="$1" iflag=fullblock 2>/dev/null | tar "$tar_options" - -C new ;;
    head)
        size=$(($1 * block))
        head -c "$size" | {
            trap : TERM
            tar "$tar_options" - -C new && head -c "$size" >/dev/null
        }
        ;;
    none) tar "$tar_options" - -C new ;;
    sh) (tar "$tar_options" - -C new <&3) ;;
    *)
        {
            trap : TERM
            parts || : >torn
        } | {
            trap : TERM
            tar "$tar_options" - -C new && cat >/dev/null
        }
        ;;
    esac
    rc=$? whole=no
    if [ $rc = 0 ] && [ -e torn ]; then rc=1; fi
    for f in "./new/.asynccp-$t-"*; do
        if [ -e "$f" ]; then
            whole=yes sent=${f##*".asynccp-$t-"}
            rm -f "$f"
        fi
    done
}
