#!/bin/sh
# root.sh DIRECTORY PROGRAM[=NAME]...: makes a container's root of this machine's programs, each under its own name or
# another, in bin/, with the shared libraries that they need.
set -eu
root=$1
shift
mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/proc" "$root/root" "$root/sys" "$root/tmp" "$root/var/log"
chmod 1777 "$root/tmp"
chmod 700 "$root/root"
printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/:/bin/false >"$root/etc/passwd"
printf '%s\n' root:x:0: nobody:x:65534: >"$root/etc/group"
for program; do
    file=/usr/bin/${program%=*} # `command -v` knows echo and its like as the shell's own
    cp -L "$file" "$root/bin/${program##*=}"
    { ldd "$file" 2>/dev/null || :; } | grep -o '/[^ ]* (0x' | sed 's/ (0x//' | while read -r library; do
        mkdir -p "$root${library%/*}"
        cp -L "$library" "$root$library"
    done
done
