#!/bin/sh
# Every relative link of a Markdown file leads to a file or folder of the repository, and README.md keeps its length.
set -eu
cd "$(dirname "$0")/.."
broken=$(git ls-files '*.md' | while IFS= read -r file; do
    grep -oE '\]\([^)#:]+(#[^)]*)?\)' "$file" | sed -E 's/^\]\(//; s/(#[^)]*)?\)$//' | while IFS= read -r link; do
        [ -e "$(dirname "$file")/$link" ] || echo "$file: $link"
    done
done)
[ -z "$broken" ] || { printf 'links that lead nowhere:\n%s\n' "$broken" >&2; exit 1; }
lines=$(wc -l <README.md)
[ "$lines" -le 150 ] || { echo "README.md has $lines lines, more than 150: move detail into the README of its folder" >&2; exit 1; }
