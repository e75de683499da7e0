# A listing: hello; the client's names; what is there (listing.sh); questions; one line more. Of a directory the names
# stand below it, what is asked for included, if it is a link to one and that is followed; of anything else it is the one
# name, `itself`.
say "hello sum=$sum stat=$stat directory=$directory"
hear_names || end 1
if [ ! $directory ]; then p=$d names=$itself; fi
set -f
IFS='
'
# shellcheck disable=SC2086 # lines
set -- $names
unset IFS
set +f
list_below "$p" "$@"
attend $lister
wait $lister || end $?
converse "$p" 0
