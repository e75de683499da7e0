# bash completion of asynccp:  source <(asynccp completion bash)
_asynccp_complete() {
    local line=${COMP_LINE:0:COMP_POINT} answer word about file char stem= rest= IFS=$' \t\n'
    local -a words
    read -r -a words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(""); fi
    local at=$((${#words[@]} - 1))
    if ((at < 1)); then return; fi
    local current=${words[at]}
    answer=$(command "${words[0]/#\~/$HOME}" __complete "${words[@]:1}" </dev/null 2>/dev/null)
    # Readline takes a word apart at these, and puts only the rest in its place.
    for char in = : @; do
        if [[ $COMP_WORDBREAKS == *"$char"* && $current == *"$char"* ]]; then
            rest=${current%"${current##*"$char"}"}
            if ((${#rest} > ${#stem})); then stem=$rest; fi
        fi
    done
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        case $word in
        '') ;;
        :files)
            while IFS= read -r file; do
                if [[ -d $file ]]; then COMPREPLY+=("$(printf '%q/' "$file")"); else COMPREPLY+=("$(printf '%q' "$file")"); fi
            done < <(compgen -f -- "$current")
            ;;
        "$current"*) COMPREPLY+=("${word#"$stem"}") ;;
        esac
    done <<<"$answer"
    for word in "${COMPREPLY[@]}"; do
        if [[ $word == *[=:/,] ]]; then
            compopt -o nospace 2>/dev/null
            break
        fi
    done
    return 0
}
complete -F _asynccp_complete asynccp
