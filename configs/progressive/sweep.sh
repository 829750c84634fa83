#!/bin/sh
# sweep.sh: measures perplexity at every power of two from 256 tokens to the length of the last extension, on books that
# no search and no training saw, of the base model and of the fine-tuned ones, each with its tables and with closed forms.
# Writes OUT/perplexity.json and records the numbers in WORK/run for its report. What is in WORK/sweep of the same tables
# and models is not computed again. WINDOWS: the most windows per length.
set -eu
cd "$(dirname "$0")/../.."
. configs/progressive/common.sh
mkdir -p "$WORK/sweep" "$OUT"

# windows NAME LENGTH: how many are scored: about a hundred thousand tokens, and three at least; fewer with what is far off
# at such lengths.
windows() {
    case $2 in
    256) count=400 ;; 512) count=200 ;; 1024) count=100 ;; 2048) count=50 ;; 4096) count=25 ;; 8192) count=15 ;;
    16384 | 32768) count=5 ;;
    *)
        case $1 in
        base-*) count=1 ;;
        *-dynamic-ntk | tuned-longrope) count=3 ;;
        *) count=2 ;;
        esac
        ;;
    esac
    [ "$count" -le "${WINDOWS:-$count}" ] || count=$WINDOWS
    echo "$count"
}

# measure NAME LENGTH SAMPLES ARGUMENT...: one number of the table as JSON, with the nats per token of each window.
measure() {
    name=$1 length=$2 samples=$3
    shift 3
    nats=$WORK/sweep/nats.npy
    "$LONGROPE" eval --dtype bf16 --threads "$THREADS" --length "$length" --samples "$samples" --json \
        --nats "$nats" --force --into "$run" --label "$name" "$@" >"$WORK/sweep/eval.json"
    "$PYTHON" -c 'import json, sys, numpy; print(json.dumps(numpy.load(sys.argv[1]).mean(1).tolist()))' "$nats" |
        jq --arg name "$name" --slurpfile eval "$WORK/sweep/eval.json" '. as $windows | $eval[0].results[0] |
            {method: $name, length, samples, tokens, perplexity, nll, windows: $windows, start_tokens, attention_factor,
                own_attention_factor, dtype, kernels, seconds, factors}'
}

# score NAME LENGTH ARGUMENT...: keeps it.
score() {
    name=$1 length=$2
    shift 2
    # shellcheck disable=SC2046 # a list of words
    keep "$WORK/sweep/$name-$length.json" measure "$name" "$length" "$(windows "$name" "$length")" "$@" --text $(unseen_files)
}

# only NAME: writes a factor file that has that table alone, for all lengths, and prints its path.
only() {
    jq --arg name "$1" '.tables |= map(select(.name == $name)) | .exportable_tables |= map(select(.name == $name))' \
        "$run/factors.json" >"$WORK/sweep/$1.factors"
    echo "$WORK/sweep/$1.factors"
}

long=$(only extend-131k)
length=$window
while [ "$length" -le "$(nth 3)" ]; do
    score tuned-longrope "$length" --model "$tuned" --factors "$run/factors.json"
    if [ "$length" -le "$(nth 2)" ]; then
        for method in none pi ntk yarn; do score "base-$method" "$length" --model $base --method $method; done
        # the tables that the models were fine-tuned with
        table=extend-16k
        [ "$length" -gt "$(nth 1)" ] || table=extend-8k
        score base-longrope "$length" --model $base --factors "$run/$table-factors.json"
        for model in pi yarn; do score "$model-tuned" "$length" --model "$WORK/$model-16k" --method none; done
        score tuned-as-is "$length" --model "$tuned" --method none
        score tuned-longrope-unrecovered "$length" --model "$tuned" --factors "$long"
    else # closed forms over the table of the fine-tuning
        for method in none yarn; do score "base-$method" "$length" --model $base --method $method; done
        for method in pi ntk dynamic-ntk yarn; do
            score "tuned-$method" "$length" --model "$tuned" --method $method
        done
        score pi-tuned "$length" --model "$WORK/pi-16k" --method pi
        score yarn-tuned "$length" --model "$WORK/yarn-16k" --method yarn
        score yarn-tuned-dynamic-ntk "$length" --model "$WORK/yarn-16k" --method dynamic-ntk
    fi
    length=$((length * 2))
done
jq -s 'sort_by(.method, .length)' "$WORK"/sweep/*-[0-9]*.json >"$OUT/perplexity.json.part"
mv "$OUT/perplexity.json.part" "$OUT/perplexity.json"
