# Before the dry run of a push that swaps its place: refuses what that push would, as far as it shows while nothing is made
# there. A part of the image shows only when it is copied up.
#
# foresee: tells the problem. To be called in a subshell: it goes elsewhere, and has other words.
foresee() {
    trap : TERM
    refuse() {
        printf '%s' "$1"
        exit
    }
    if [ "$renames" ] && [ -d "$d/$n" ]; then d=${d%/}/${n#./}; fi
    find_name
    cd -P "${l:-/}" 2>/dev/null || exit # it would be made
    locate
    place=$at
    [ -w . ] || refuse closed-parent
    if [ -h "./$name" ]; then linked=yes; fi
    [ -d "./$name" ] || exit
    cd -P "./$name" 2>/dev/null && locate && [ -r . ] && [ -w . ] || refuse not-writable
    [ "$linked" ] || [ "$at" = "${place%/}/$name" ] || refuse link
    is_root || same_owner . /proc/self/. || refuse others-directory
    mounts .
    [ ! "$below" ] || refuse mount-below
    [ ! "$linked" ] && exec 5<"$place" 6<. && mount_of 5 || exit
    l=$mount
    mount_of 6 && [ "$l" = "$mount" ] || refuse mount-point
}
l=$(foresee)
if [ "$l" ]; then refuse "$l"; fi
