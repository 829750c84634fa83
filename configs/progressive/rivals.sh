#!/bin/sh
# rivals.sh: fine-tunes the demo model with the tables of PI and of YaRN, as extend-8k and extend-16k are fine-tuned:
# the same windows in the same order, steps and rate. Each method has its own attention factor. Writes the models
# WORK/METHOD-8k and WORK/METHOD-16k. A model that is complete is not trained again.
set -eu
cd "$(dirname "$0")/../.."
. configs/progressive/common.sh

# table METHOD LENGTH: a factor file with the method's table for that length.
table() {
    # Factors do not depend on the text; a few tokens of any are enough.
    "$LONGROPE" eval --model $base --text configs/demo/corpus/*.txt --samples 1 --length 16 --method "$1" \
        --scale "$(($2 / window))" --threads 1 --json | jq --arg name "$1" --argjson length "$2" --argjson window $window '
        .results[0] | {format: "longrope-factors", version: 1, original_length: $window, tables: [
            {name: $name, max_length: $length, scale, factors, start_tokens: 0, attention_factor}]}'
}

for method in pi yarn; do
    from=$base
    for stage in 8k 16k; do
        length=$(nth 1)
        [ $stage = 8k ] || length=$(nth 2)
        keep "$WORK/$method-$stage-factors.json" table $method "$length"
        LONGROPE_STAGE=extend-$stage LONGROPE_MODEL=$from LONGROPE_LENGTH=$length LONGROPE_THREADS=$THREADS \
            LONGROPE_FACTORS=$WORK/$method-$stage-factors.json LONGROPE_OUTPUT=$WORK/$method-$stage \
            sh configs/progressive/finetune.sh
        from=$WORK/$method-$stage
    done
done
