#compdef asynccp
# zsh completion of asynccp:  source <(asynccp completion zsh)
_asynccp() {
    local line word about files=
    local -a whole open whole_about open_about
    for line in "${(@f)$(command ${(Q)words[1]} __complete "${(@Q)words[2,CURRENT]}" </dev/null 2>/dev/null)}"; do
        word=${line%%$'\t'*} about=${line#*$'\t'}
        case $word in
        '') ;;
        :files) files=yes ;;
        *[=:/,]) open+=("$word") open_about+=("$word${about:+  -- $about}") ;;
        *) whole+=("$word") whole_about+=("$word${about:+  -- $about}") ;;
        esac
    done
    if (( $#whole )); then compadd -l -d whole_about -- "${whole[@]}"; fi
    if (( $#open )); then compadd -S '' -l -d open_about -- "${open[@]}"; fi
    if [[ $files ]]; then _files; fi
}
if [[ $funcstack[1] == _asynccp ]]; then
    _asynccp "$@"
elif (( $+functions[compdef] )); then
    compdef _asynccp asynccp
fi
