#!/bin/sh
# sweep.sh LONGROPE RUN OUT [LONGEST]: measures perplexity at every power of two from 256 to LONGEST (default 65536)
# tokens, on books that no search and no training saw, for the base model and the fine-tuned model, each with closed
# forms and with the tables of RUN. Writes OUT/perplexity.json, prints it as a table, and records the numbers in RUN for
# its report. Numbers that are already in OUT/sweep are not computed again. YARN, if set, is a folder with the demo
# model fine-tuned with YaRN's table at 16384 tokens.
set -eu
longrope=$1 run=$2 out=$3 longest=${4:-65536}
here=$(dirname "$0")
base=$(realpath --relative-to=. "$here/../demo/model")
tuned=$run/extend-16k-finetuned
valid=${BOOKS:-$here/../../../shared/books}/valid
LC_ALL=C
export LC_ALL
mkdir -p "$out/sweep"

# windows LENGTH: the number of windows scored: about a hundred thousand tokens, fewer at costly lengths.
windows() {
    case $1 in
    256) echo 400 ;; 512) echo 200 ;; 1024) echo 100 ;; 2048) echo 50 ;; 4096) echo 25 ;; 8192) echo 12 ;;
    16384) echo 4 ;; *) echo 2 ;;
    esac
}

# score NAME LENGTH ARGUMENT...: measures one number of the table, into OUT/sweep/NAME-LENGTH.json.
score() {
    name=$1 length=$2
    shift 2
    file=$out/sweep/$name-$length.json
    [ ! -s "$file" ] || return 0
    "$longrope" eval --dtype bf16 --length "$length" --samples "$(windows "$length")" --json "$@" \
        --into "$run" --label "$name" \
        --text "$valid/war-and-peace-tolstoy.txt" "$valid/the-count-of-monte-cristo-dumas.txt" \
        "$valid/on-the-origin-of-species-darwin.txt" "$valid/the-moonstone-collins.txt" \
        "$valid/travels-in-west-africa-kingsley.txt" |
        jq --arg name "$name" '.results[0] | {method: $name, length, samples, tokens, perplexity, nll, start_tokens,
            attention_factor, dtype, kernels, factors}' >"$file.part"
    [ -s "$file.part" ] || exit 1 # eval printed the error
    mv "$file.part" "$file"
}

# only NAME: writes a factor file that has that table alone, for all lengths, and prints its path.
only() {
    jq --arg name "$1" '.tables |= map(select(.name == $name)) | .exportable_tables |= map(select(.name == $name))' \
        "$run/factors.json" >"$out/sweep/$1.factors"
    echo "$out/sweep/$1.factors"
}

long=$(only extend-64k)
length=256
while [ "$length" -le "$longest" ]; do
    for method in none pi ntk yarn; do
        score "base-$method" "$length" --model "$base" --method "$method"
    done
    # the tables that the models were fine-tuned with
    if [ "$length" -le 8192 ]; then
        score base-longrope "$length" --model "$base" --factors "$run/extend-8k-factors.json"
    elif [ "$length" -le 16384 ]; then
        score base-longrope "$length" --model "$base" --factors "$run/extend-16k-factors.json"
    fi
    score tuned-as-is "$length" --model "$tuned" --method none
    if [ "$length" -gt 16384 ]; then # on top of the table of the fine-tuning
        for method in pi ntk dynamic-ntk yarn; do
            score "tuned-$method" "$length" --model "$tuned" --method "$method"
        done
    fi
    score tuned-longrope-recovered "$length" --model "$tuned" --factors "$run/factors.json"
    if [ "$length" -le 16384 ]; then
        score tuned-longrope "$length" --model "$tuned" --factors "$long"
    else # both names have the same table here
        jq '.method = "tuned-longrope"' "$out/sweep/tuned-longrope-recovered-$length.json" \
            >"$out/sweep/tuned-longrope-$length.json"
    fi
    if [ -n "${YARN-}" ]; then
        score yarn-tuned "$length" --model "$YARN" --method yarn # up to 16384 no change; beyond, YaRN is applied once more
    fi
    length=$((length * 2))
done

jq -s 'sort_by(.method, .length)' "$out"/sweep/*.json >"$out/perplexity.json.part"
mv "$out/perplexity.json.part" "$out/perplexity.json"
# shellcheck disable=SC2016 # jq's variables
jq -r '(map(.length) | unique) as $lengths | (["method"] + ($lengths | map(tostring))),
    (["---"] + ($lengths | map("---:"))),
    (group_by(.method)[] | . as $rows | [$rows[0].method] + [$lengths[] as $length |
        ([$rows[] | select(.length == $length) | .perplexity * 1000 | round / 1000 | tostring][0] // "-")]) |
    "| \(join(" | ")) |"' "$out/perplexity.json"
