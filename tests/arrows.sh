#!/bin/sh
# Holds every include of eval/ and search/ against the table of rooms in search/README.md.
set -eu
cd "$(dirname "$0")/.."
arrows=$(mktemp "${TMPDIR:-/tmp}/longrope-arrows.XXXXXX")
trap 'rm -f "$arrows"' EXIT

# "from to" for each allowed arrow, and the order of rooms as "from -".
sed -n '/^<!-- arrows/,/^<!-- end of arrows/p' search/README.md | awk -F'|' '
    /^\| (eval|search)/ {
        gsub(/ /, "", $2)
        n = split($4, to, " ")
        for (i = 1; i <= n; i++) {
            if (!(to[i] in known)) { print "search/README.md: " $2 " names " to[i] ", which is not above it" > "/dev/stderr"; bad = 1 }
            print $2, to[i]
        }
        known[$2] = 1
        print $2, "-"
    }
    END { exit bad }' >"$arrows"
[ -s "$arrows" ] || { echo "search/README.md: no table of arrows" >&2; exit 1; }

git ls-files 'eval/*.c' 'eval/*.cc' 'eval/*.h' 'search/*.c' 'search/*.h' | while IFS= read -r file; do
    sed -n "s|^#include \"\\([^\"]*\\)\".*|$file \\1|p" "$file"
done | awk -v table="$arrows" '
    function room(path) {
        if (path ~ /^eval\/(rope|clex)\./) return "eval/rope"
        sub(/\/[^\/]*$/, "", path)
        return path
    }
    BEGIN { while ((getline line < table) > 0) { split(line, a, " "); allowed[a[1], a[2]] = 1 } }
    {
        from = room($1); to = room($2)
        if (!((from, "-") in allowed)) { print $1 ": is in no room of search/README.md"; bad = 1 }
        else if (from != to && !((from, to) in allowed)) { print $1 ": " from " may not include " $2; bad = 1 }
    }
    END { exit bad }' >&2

# A file name stands for one file, so that it can be said without its folder.
twice=$(git ls-files 'eval/*.[ch]' 'search/*.[ch]' | sed 's|.*/||' | sort | uniq -d)
[ -z "$twice" ] || { echo "file names that stand twice: $twice" >&2; exit 1; }
