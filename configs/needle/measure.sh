#!/bin/sh
# measure.sh LONGROPE RUN: of the stages of a run of needle.yaml that are done, and of YaRN, pass keys at 11 depths and
# perplexity on five books that no search saw. Records both in the run.
set -eu
longrope=$1
run=$2
here=$(dirname "$0")
model=$here/../demo/model
valid=$here/../../../shared/books/valid
LC_ALL=C
export LC_ALL

# measure LABEL LENGTH ARGUMENT...: a table, as the arguments name it.
measure() {
    label=$1
    length=$2
    shift 2
    echo "measuring $label at $length" >&2
    # seed 7: the searches' needles have seed 1
    "$longrope" passkey --model "$model" --prompt demo --length "$length" --depths 0,10,20,30,40,50,60,70,80,90,100 \
        --trials 50 --seed 7 --into "$run" --label "$label" "$@" >/dev/null
    "$longrope" eval --model "$model" --length "$length" --samples 25 --into "$run" --label "$label" "$@" \
        --text "$valid/on-the-origin-of-species-darwin.txt" "$valid/the-count-of-monte-cristo-dumas.txt" \
        "$valid/the-moonstone-collins.txt" "$valid/travels-in-west-africa-kingsley.txt" \
        "$valid/war-and-peace-tolstoy.txt" >/dev/null
}

# found STAGE FILTER: of its best table.
found() {
    "$longrope" show "$run" --stage "$1" --json | jq -r ".stages[0].best | $2"
}

for length in 2048 4096; do
    measure yarn "$length" --method yarn
    for objective in perplexity needle; do
        stage=$objective-$((length / 1024))k
        measure "$objective" "$length" --factors "$(found "$stage" '.factors | map(tostring) | join(",")')" \
            --start-tokens "$(found "$stage" .start_tokens)" --attention-factor "$(found "$stage" .attention_factor)"
    done
done
