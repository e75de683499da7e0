refuse() {
    say "hello problem=$1"
    a=
    while [ "$a" != ok ] && read -r a; do :; done # names may come before it
    end 1
}
need() { for c; do command -v "$c" >/dev/null || refuse "no-$c"; done; }
# shellcheck disable=SC2086 # words
need $needed
if [ "$home" ]; then
    [ "$HOME" ] || refuse no-home
    d=${HOME%/}/${d#./}
fi
