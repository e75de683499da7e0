# Of a function's own arguments `some` is the text of the first 200, `few` of the first 20. A program gets 200 at most: a
# system takes 2 MiB of them, and a path has up to 4 KiB.
some= few= i=0
while [ $i -lt 200 ]; do
    i=$((i + 1)) some="$some \"\${$i}\""
    if [ $i = 20 ]; then few=$some; fi
done
