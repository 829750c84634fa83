#!/bin/sh
# measure.sh LONGROPE MODEL BOOKS OUT: measures the tables of OUT/run and the closed forms on three books of the folder
# BOOKS that no search saw, and on pass keys (TRIALS per depth, default 2), at 8192, 16384 and 32768 tokens (or LENGTHS;
# WINDOW is that of another model, METHODS the closed forms beyond it).
# Writes OUT/unseen and OUT/passkeys, one file per length, book and kind of table, records results in OUT/run for its
# report, and prints Markdown tables. What has its file already is not measured again.
set -eu
longrope=$1 model=$2 books=$3 out=$4
run=$out/run
mkdir -p "$out/unseen" "$out/passkeys"

# measure FILE ARGUMENT...: what longrope prints is kept in FILE.
measure() {
    file=$1
    shift
    [ ! -s "$file" ] || return 0
    "$longrope" "$@" --model "$model" --json >"$file.part"
    mv "$file.part" "$file"
}

# Closed forms differ from the unchanged model beyond its window only. What matters most comes first.
for length in ${LENGTHS:-8192 16384 32768}; do
    methods=${METHODS:-yarn,ntk,dynamic-ntk,pi,none} rival=yarn
    [ "$length" -gt "${WINDOW:-8192}" ] || methods=none rival=none
    into="--into $run"
    for book in the-count-of-monte-cristo-dumas the-moonstone-collins on-the-origin-of-species-darwin; do
        of=$out/unseen/$length-$book
        # shellcheck disable=SC2086 # a list of words
        {
            measure "$of-longrope.json" eval --text "$books/$book.txt" --length "$length" $into \
                --factors "$run/factors.json"
            measure "$of-closed.json" eval --text "$books/$book.txt" --length "$length" $into --method "$methods"
        }
        into= # the report has one text: the first
    done
    of=$out/passkeys/$length
    measure "$of-longrope.json" passkey --prompt demo --length "$length" --trials "${TRIALS:-2}" \
        --factors "$run/factors.json" --into "$run" --label longrope
    measure "$of-closed.json" passkey --prompt demo --length "$length" --trials "${TRIALS:-2}" --method "$rival" \
        --into "$run"
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
