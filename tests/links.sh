#!/bin/sh
# Every relative link of a Markdown file leads to a file or folder of the repository, and to a heading where it names
# one. README.md keeps its length.
set -eu
cd "$(dirname "$0")/.."

# anchors FILE: of its headings, as GitHub makes them; what is between ``` is none.
# shellcheck disable=SC2016 # no command
anchors() { sed -n '/^```/,/^```/d; s/^##* //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -d -c 'a-z0-9_\n-'; }

broken=$(git ls-files '*.md' | while IFS= read -r file; do
    grep -oE '\]\([^):]+\)' "$file" | sed 's/^](//; s/)$//' | while IFS= read -r link; do
        target=$file
        [ -z "${link%%#*}" ] || target=$(dirname "$file")/${link%%#*}
        case $link in
        *'#'*) [ -f "$target" ] && anchors "$target" | grep -qxF -e "${link#*#}" ;;
        *) [ -e "$target" ] ;;
        esac || echo "$file: $link"
    done
done)
[ -z "$broken" ] || { printf 'links that lead nowhere:\n%s\n' "$broken" >&2; exit 1; }
lines=$(wc -l <README.md)
[ "$lines" -le 150 ] || { echo "README.md has $lines lines, more than 150: move detail into the README of its folder" >&2; exit 1; }
