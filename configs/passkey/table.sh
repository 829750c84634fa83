#!/bin/sh
# table.sh FOLDER: prints its results as Markdown, one row per file, with the share of keys found at each length.
set -eu
cd "$1"
set -- none pi ntk dynamic-ntk yarn longrope-2k longrope-131k tuned-131k
jq -r '"| table | " + ([.results[].length | tostring] | join(" | ")) + " |", "| --- |" + ([.results[] | " ---: |"] | add)' \
    "$1.json"
for name; do
    jq -r --arg name "$name" '"| \($name) | " + ([.results[] | "\(100 * .accuracy | round) %"] | join(" | ")) + " |"' "$name.json"
done
