sends_parts() { if command -v head >/dev/null && command -v tail >/dev/null; then echo yes; fi; }
# part OFFSET SIZE NAME: so many bytes of a file from there on, and zeros where it has none any more.
part() {
    {
        trap : TERM
        tail -c "+$(($1 + 1))" "$3"
        cat /dev/zero
    } 2>/dev/null | head -c "$2"
}
