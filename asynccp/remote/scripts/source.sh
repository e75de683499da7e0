# What is asked for, `p`: that it can be read; whether it is a `directory`; and what can't be read as files.
p=${d%/}/$n # bash has two slashes at the beginning stay
if [ "$n" = . ] && [ -e "$d" ] && [ ! -d "$d" ]; then refuse no-contents; fi
if [ ! -e "$p" ]; then
    if [ "$n" = . ] && [ -d "$d" ]; then refuse unreadable; fi
    [ -h "$p" ] || refuse missing
    [ ! "$follow" ] || refuse dangling
elif [ ! -r "$p" ] && { [ "$follow" ] || [ ! -h "$p" ]; }; then
    refuse unreadable
fi
directory= r=$p
if [ -d "$p" ] && { [ "$follow" ] || [ ! -h "$p" ]; }; then directory=yes; fi
if [ ! $directory ] && [ "$follow" ] && [ -h "$p" ]; then
    r=$(readlink -f "$p" 2>/dev/null)
    [ "$r" ] || r=$p
fi
mounts "$r"
if pseudo "$type"; then refuse "pseudo type=$type"; fi
stat=
if command -v stat >/dev/null; then stat=yes; fi
