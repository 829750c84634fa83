#!/bin/sh
# compare.sh [OUT]: CLEX against fixed tables, on the demo model. Trains CLEX from 256 bytes to 16 times, with the authors'
# positions and with runs, fine-tunes with the tables of PI, YaRN and LongRoPE on the same windows with the same steps and
# rate, and measures perplexity by length on books that no training saw. OUT (default results/clex) gets the numbers; the
# models and the run of the search stay in WORK. Started again, it continues where it was stopped.
# PYTHON: a Python with configs/clex/requirements.txt installed; BOOKS: the folder that holds train and valid;
# LONGROPE: the program; THREADS: threads of everything; WORK: build/clex.
# For a shorter run, with a WORK and an OUT of its own: STEPS: training steps of each model; EVALUATIONS: tables that the
# search scores; LENGTHS: what is measured.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-results/clex}
steps=${STEPS:-300} threads=${THREADS:-1}
longrope=${LONGROPE:-build/release/longrope}
books=$(cd "${BOOKS:-../shared/books}" && pwd) # the search takes relative paths from the folder of its YAML
lengths=${LENGTHS:-256 512 1024 2048 4096 8192}
base=configs/demo/model
work=${WORK:-build/clex}
mkdir -p "$out" "$work"

# train RECIPE NAME ARGUMENT...: writes the model WORK/NAME.
train() {
    recipe=$1 name=$2
    shift 2
    # All windows of the comparison: 4 of 256 bytes a step, drawn in the same order.
    "${PYTHON:-python3}" -u "configs/$recipe" --model $base --out "$work/$name" --length 256 --text "$books/train" \
        --steps "$steps" --warmup $((steps / 30)) --batch 4 --micro-batch 4 --lr 3e-4 --decay cosine --seed 1 --dtype f32 \
        --threads "$threads" --save-every 25 "$@"
}

# closed_form METHOD: its factors for 16 times the window, one per line.
closed_form() {
    "$longrope" eval --model $base --text configs/demo/corpus/*.txt --samples 1 --length 256 --method "$1" --scale 16 \
        --threads "$threads" --json | jq '.results[0].factors[]'
}

# tuned NAME FACTORS ARGUMENT...: fine-tunes with a table for 4096 bytes.
tuned() {
    name=$1 factors=$2
    shift 2
    train finetune/finetune.py "$name" --factors "$factors" --target-length 4096 "$@"
}

# clex NAME ARGUMENT...: trains CLEX.
clex() {
    name=$1
    shift
    train clex/clex.py "$name" --max-factor 16 --time-dt 0.1 "$@"
}

# windows LENGTH: the number of windows scored, over five books.
windows() {
    case $1 in 256) echo 40 ;; 512) echo 20 ;; 1024 | 2048) echo 10 ;; *) echo 5 ;; esac
}

# score NAME ARGUMENT...: measures a row of the table, into WORK/NAME-LENGTH.json.
score() {
    name=$1
    shift
    for length in $lengths; do
        file=$work/$name-$length.json
        [ ! -s "$file" ] || continue
        "$longrope" eval --dtype f32 --threads "$threads" --length "$length" --samples "$(windows "$length")" --json "$@" \
            --text "$books/valid/war-and-peace-tolstoy.txt" "$books/valid/the-count-of-monte-cristo-dumas.txt" \
            "$books/valid/on-the-origin-of-species-darwin.txt" "$books/valid/the-moonstone-collins.txt" \
            "$books/valid/travels-in-west-africa-kingsley.txt" >"$file.part"
        jq --arg name "$name" '.results[0] | {name: $name, length, tokens, perplexity, nll, dtype, kernels}' \
            "$file.part" >"$file"
        rm "$file.part"
    done
}

for method in none pi ntk dynamic-ntk yarn; do
    score base-$method --model $base --method $method
done
"$longrope" search configs/clex/longrope.yaml -o "$work/search" --resume --threads "$threads" \
    --set "search.evaluations=${EVALUATIONS:-40}" \
    --set "data.text=[$books/train/barchester-towers-trollope.txt, $books/train/ben-hur-wallace.txt]"
score base-longrope --model $base --factors "$work/search/factors.json"

closed_form pi >"$work/pi.factors"
closed_form yarn >"$work/yarn.factors"
tuned pi "$work/pi.factors" --attention-factor 1
tuned yarn "$work/yarn.factors" --attention-factor "$(jq -n '1 + 0.1 * (16 | log)')"
tuned longrope "$work/search/factors.json"
for model in pi yarn longrope; do
    score "tuned-$model" --model "$work/$model" --method none
done

clex clex-random --network-lr 2e-5
clex clex-runs --network-lr 2e-5 --runs 4
clex clex-runs-untrained --network-lr 1e-12 --runs 4 # the network stays NTK, to see what it does
for model in clex-random clex-runs clex-runs-untrained; do
    score "$model" --model "$work/$model" --method none
    score "base-$model" --model $base --factors "$work/$model"
done

jq -s 'sort_by(.name, .length)' "$work"/*-*.json >"$out/perplexity.json"
jq -r 'group_by(.name)[] | "| \(.[0].name) | " + (map(.perplexity * 1000 | round / 1000 | tostring) | join(" | ")) + " |"' \
    "$out/perplexity.json"
