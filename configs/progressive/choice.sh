#!/bin/sh
# choice.sh: short benchmarks: which of four sentences comes next, in books that no search and no training saw? Before
# and after the extension, with the table for the short window and with those of long windows. Writes OUT/choice.json and
# records the numbers in WORK/run for its report. What is in WORK/choice of the same tables, models and items is not
# measured again. ITEMS: per book (400).
set -eu
cd "$(dirname "$0")/../.."
. configs/progressive/common.sh
mkdir -p "$WORK/choice" "$OUT"

items=$WORK/choice/sentences.jsonl
# Context and choices fit into the window of the base model.
# shellcheck disable=SC2046 # a list of words
keep "$items" python3 configs/choice/continuations.py $(unseen_files) --items "${ITEMS:-400}" \
    --context 120 --most 100

# answer NAME LENGTH ARGUMENT...: the length says for which inputs the table is.
answer() {
    name=$1 length=$2
    shift 2
    "$LONGROPE" choice --dtype bf16 --threads "$THREADS" --length "$length" --json \
        --into "$run" --label "$name" "$@" | jq --arg name "$name" '.results[0] | .method = $name'
}

record() { keep "$WORK/choice/$1-$2.json" answer "$@" --tasks "$items"; }

record base-none $window --model $base --method none
for model in pi yarn; do
    record $model-tuned $window --model "$WORK/$model-16k" --method none
    record $model-tuned "$(nth 2)" --model "$WORK/$model-16k" --method none
done
record base-yarn "$(nth 2)" --model $base --method yarn
for length in $window $((2 * window)) "$(nth 2)" "$(nth 3)"; do
    record tuned-longrope "$length" --model "$tuned" --factors "$run/factors.json"
done
jq -s 'sort_by(.method, .length)' "$WORK"/choice/*.json >"$OUT/choice.json.part"
mv "$OUT/choice.json.part" "$OUT/choice.json"
