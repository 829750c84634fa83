#!/bin/sh
# passkeys.sh: measures which pass keys are found, by length and depth, by the base model, the models that were fine-tuned
# with the tables of PI and YaRN, and the final model with its tables. Writes OUT/passkeys.json and records the numbers in
# WORK/run for its report. What is in WORK/passkeys of the same tables and models is not measured again. TRIALS: per depth
# (20).
set -eu
cd "$(dirname "$0")/../.."
. configs/progressive/common.sh
mkdir -p "$WORK/passkeys" "$OUT"
trials=${TRIALS:-20}

# ask NAME LENGTH COUNT ARGUMENT...: five depths.
ask() {
    name=$1 length=$2 count=$3
    shift 3
    "$LONGROPE" passkey --prompt demo --dtype bf16 --threads "$THREADS" --length "$length" --trials "$count" --json \
        --into "$run" --label "$name" "$@" | jq --arg name "$name" '.results[0] |
            {method: $name, length, correct, prompts: (.trials * (.depths | length)), nll,
                depths: [.depths[] | {depth, correct}], attention_factor, dtype, kernels, seconds}'
}

# record NAME LENGTH ARGUMENT...: keeps it.
record() {
    name=$1 length=$2
    shift 2
    keep "$WORK/passkeys/$name-$length.json" ask "$name" "$length" "$asked" "$@"
}

length=$window
while [ "$length" -le "$((2 * $(nth 2)))" ]; do
    # Each doubling beyond the fine-tuning takes four times as long and is asked half as often.
    asked=$trials
    [ "$length" -le "$(nth 2)" ] || asked=$(((trials * $(nth 2) + length - 1) / length))
    record tuned-longrope "$length" --model "$tuned" --factors "$run/factors.json"
    if [ "$length" -le "$(nth 2)" ]; then
        for method in none yarn; do record base-$method "$length" --model $base --method $method; done
        for model in pi yarn; do record $model-tuned "$length" --model "$WORK/$model-16k" --method none; done
    else
        record tuned-dynamic-ntk "$length" --model "$tuned" --method dynamic-ntk
        record yarn-tuned "$length" --model "$WORK/yarn-16k" --method yarn
    fi
    length=$((length * 2))
done
jq -s 'sort_by(.method, .length)' "$WORK"/passkeys/*.json >"$OUT/passkeys.json.part"
mv "$OUT/passkeys.json.part" "$OUT/passkeys.json"
