#!/bin/sh
# measure.sh LONGROPE MODEL BOOKS OUT: measures the tables of OUT/run and the closed forms on three books of the folder
# BOOKS that no search saw, and on pass keys (TRIALS per depth, default 2), at 8192, 16384 and 32768 tokens (or LENGTHS;
# WINDOW is that of another model, METHODS the closed forms beyond it); and all tables on multiple choice made of the
# first of these books (CHOICE: arguments of ../choice/continuations.py, default --items 200). The number type is that of
# the search.
# Writes OUT/unseen, OUT/passkeys and OUT/choice, one file per length, book and kind of table, records results in OUT/run
# for its report, and prints Markdown tables. What has its file already is not measured again, unless the arguments or the
# table, the items or the text have changed since.
set -eu
# shellcheck source=configs/keep.sh
. "$(dirname "$0")/../keep.sh"
longrope=$1 model=$2 books=$3 out=$4
run=$out/run
window=${WINDOW:-8192}
mkdir -p "$out/unseen" "$out/passkeys" "$out/choice"
dtype=$("$longrope" show "$run" --json | jq -r '.stages[0].settings["dtype (LONGROPE_KERNELS)"] | split(" ")[0]')

# measure FILE ARGUMENT...: what longrope prints.
measure() {
    file=$1
    shift
    keep "$file" "$longrope" "$@" --model "$model" --dtype "$dtype" --json
}

items=$out/choice/continuations.jsonl
# shellcheck disable=SC2086 # a list of words
keep "$items" python3 "$(dirname "$0")/../choice/continuations.py" "$books/the-count-of-monte-cristo-dumas.txt" \
    ${CHOICE:---items 200}

# Closed forms differ from the unchanged model beyond its window only. What matters most comes first.
for length in ${LENGTHS:-8192 16384 32768}; do
    methods=${METHODS:-yarn,ntk,dynamic-ntk,pi,none} rival=yarn
    [ "$length" -gt "$window" ] || methods=none rival=none
    into=$run
    for book in the-count-of-monte-cristo-dumas the-moonstone-collins on-the-origin-of-species-darwin; do
        of=$out/unseen/$length-$book
        measure "$of-longrope.json" eval --text "$books/$book.txt" --length "$length" ${into:+--into "$into"} \
            --factors "$run/factors.json"
        measure "$of-closed.json" eval --text "$books/$book.txt" --length "$length" ${into:+--into "$into"} \
            --method "$methods"
        into= # the report has one text: the first
    done
    of=$out/passkeys/$length
    measure "$of-longrope.json" passkey --prompt demo --length "$length" --trials "${TRIALS:-2}" \
        --factors "$run/factors.json" --into "$run" --label longrope
    measure "$of-closed.json" passkey --prompt demo --length "$length" --trials "${TRIALS:-2}" --method "$rival" \
        --into "$run"
    of=$out/choice/$length # what the table for this length does to the model within a few hundred tokens
    measure "$of-longrope.json" choice --tasks "$items" --length "$length" --factors "$run/factors.json" --into "$run"
    measure "$of-closed.json" choice --tasks "$items" --length "$length" --method "$rival" --into "$run"
done
"$longrope" show "$run" --json >"$out/run.json"

echo "| tokens | table | Les Miserables (searched on) | The Count of Monte Cristo | The Moonstone | On the Origin of Species |"
echo "| ---: | --- | ---: | ---: | ---: | ---: |"
for length in ${LENGTHS:-8192 16384 32768}; do
    of=$out/unseen/$length
    jq -r --argjson length "$length" --slurpfile run "$out/run.json" -n '
        def name: if .method == "factors" then "longrope" else .method end;
        def fixed: if . == null then "-" else "\(. * 1000 | round / 1000)" end;
        ([$run[0].stages[] | select(.target_length == $length)][0] // {baselines: []}) as $stage |
        ([$stage.baselines[] | {(.method): .perplexity}] + [{longrope: $stage.best_exportable.perplexity}] | add) as $seen |
        [inputs | [.results[] | {name: name, perplexity}]] | [.[0] + .[1], .[2] + .[3], .[4] + .[5]] as $books |
        $books[0] | sort_by(-.perplexity)[] | .name as $name |
        "| \($length) | \($name) | " + ([$seen[$name], ($books[] | .[] | select(.name == $name) | .perplexity)] |
            map(fixed) | join(" | ")) + " |"' \
        "$of"-the-count-*-longrope.json "$of"-the-count-*-closed.json "$of"-the-moonstone-*-longrope.json \
        "$of"-the-moonstone-*-closed.json "$of"-on-the-origin-*-longrope.json "$of"-on-the-origin-*-closed.json
done
echo
echo "| tokens | table | pass keys found |"
echo "| ---: | --- | ---: |"
jq -r '.results[] | "| \(.length) | \(.method | sub("factors"; "longrope")) | \(.correct) of \(.trials * (.depths | length)) |"' \
    "$out"/passkeys/*.json
echo
echo "| table for | table | right answers | standard error |"
echo "| ---: | --- | ---: | ---: |"
jq -r 'def percent: "\(. * 1000 | round / 10) %";
    .results[] | "| \(.length) | \(.method | sub("factors"; "longrope")) | \(.accuracy | percent) | \(.standard_error | percent) |"' \
    "$out"/choice/*.json
