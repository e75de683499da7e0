refuse() {
    say "hello problem=$1"
    a=
    while [ "$a" != ok ] && read -r a; do :; done # names may come before it
    end 1
}
# learn: asks the client for a `tar` of the shell's own (unpack.sh, pack.sh): `learn SIZE`, and a text as the first one.
learn() {
    say "hello lacks=tar"
    read -r a size <&3 && [ "$a" = learn ] || end 1
    o=
    if [ "$b" ]; then
        o=$(
            trap : TERM
            dd bs="$size" count=1 iflag=fullblock 2>/dev/null
        )
    else
        while IFS= read -r l <&3 && [ "$l" != "#$t" ]; do
            o="$o$l
"
        done
    fi
    tarless=yes
    eval "$o"
}
need() {
    for c; do
        if command -v "$c" >/dev/null; then
            continue
        elif [ "$c" = tar ]; then
            learn
        else
            refuse "no-$c"
        fi
    done
}
tarless=
# shellcheck disable=SC2086 # words
need $needed
if [ "$home" ]; then
    [ "$HOME" ] || refuse no-home
    d=${HOME%/}/${d#./}
fi
