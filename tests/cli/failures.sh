#!/bin/sh
# Tables with which the model's numbers overflow: they are recorded as failed, count as worse than all others, and the
# search goes on; killed and resumed, with every algorithm, with a cache.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

query() { sqlite3 "$work/$1/run.db" "$2"; }

# ---- a model whose numbers overflow if its attention factor is a little larger ----

# Queries and keys of its first layer are about 2^40: the norm before them is, in all of its numbers.
large=$work/model
mkdir "$large"
cp "$model/model.safetensors" "$large/"
header=$(od -An -tu8 -N8 "$large/model.safetensors" | tr -d ' ')
offset=$(tail -c +9 "$large/model.safetensors" | head -c "$header" |
    jq '.["model.layers.0.input_layernorm.weight"].data_offsets[0]')
awk 'BEGIN { for (i = 0; i < 256; i++) printf "\200\123" }' |
    dd of="$large/model.safetensors" bs=1 seek=$((8 + header + offset)) conv=notrunc status=none

# attention FACTOR: the model's own.
attention() {
    jq --argjson factor "$1" '.rope_scaling = {rope_type: "yarn", factor: 1, attention_factor: $factor,
        original_max_position_embeddings: 256}' "$model/config.json" >"$large/config.json"
}

# The largest without overflow, to one part in a hundred: kernels differ in what they compute first.
low=30000 high=30000000
while [ "$(calculate "$low * 1.01 < $high")" = 1.000000 ]; do
    middle=$(awk "BEGIN { printf \"%.0f\", sqrt($low * $high) }")
    attention "$middle"
    try "$LONGROPE" eval --model "$large" --text "$document" --length 300 --samples 2 --dtype f32 --method none --threads 1
    if [ "$status" = 0 ]; then low=$middle; else high=$middle; fi
done
attention "$low"
try "$LONGROPE" eval --model "$large" --text "$document" --length 300 --samples 2 --dtype f32 --method none,yarn \
    --attention-factor 2 --threads 1
[ "$status" = 1 ] || fail "eval ends with $status where the numbers overflow"
grep -q "^longrope: none at 300 tokens: the model's numbers are no longer finite after layer 1" "$work/stderr" ||
    fail "eval does not name the table with which the numbers overflow"
# Rows that are complete are printed, also as JSON, and other commands name the table too.
try "$LONGROPE" eval --model "$large" --text "$document" --length 300 --samples 2 --dtype f32 --threads 1 --json \
    --factors "$(seq -s , 1 32 | sed 's/[0-9]*/1/g')" --attention-factor 1
[ "$status" = 0 ] || fail "the factors of no change overflow"
jq '.results[0].factors as $f | {format: "longrope-factors", version: 1, original_length: 256, tables: [
    {name: "good", max_length: 256, scale: 1, factors: $f, start_tokens: 0, attention_factor: 0.01},
    {name: "bad", max_length: 300, scale: 1, factors: $f, start_tokens: 0, attention_factor: 100}]}' "$work/stdout" >"$work/two.json"
for arguments in "eval --text $document --samples 2" "passkey --prompt demo --trials 1 --depths 0"; do
    # shellcheck disable=SC2086 # words
    try "$LONGROPE" $arguments --model "$large" --length 256,300 --dtype f32 --threads 1 --factors "$work/two.json" --json
    [ "$status" = 1 ] || fail "$arguments ends with $status where the numbers overflow"
    grep -q "^longrope: factors bad at 300 tokens: the model's numbers are no longer finite" "$work/stderr" ||
        fail "$arguments does not name the table with which the numbers overflow"
    holds '[.results[].length] == [256]'
done

cat >"$work/large.yaml" <<YAML
name: large
model: model
dtype: f32
data: {text: [$document], tokenizer: bytes, samples: 2}
attention_factor: search
search: {algorithm: paper, population: 6, mutations: 4, crossovers: 2, parents: 3, iterations: 3, start_tokens: [0, 1],
         mutation_probability: 0.5, seed: 1}
stages: [{name: s, target_length: 300}]
YAML
large_search() {
    run=$work/$1
    shift
    # shellcheck disable=SC2031 # launch is set in the shell that calls this
    $launch "$LONGROPE" search "$work/large.yaml" -o "$run" --threads 1 "$@"
}

# ---- what is recorded and said ----

runs large_search whole
failed=$(query whole 'SELECT count(DISTINCT individual) FROM sample_nats WHERE nats = 9e999')
[ "$failed" -gt 0 ] || fail "no table failed; this test is to show something"
[ "$(query whole 'SELECT count(*) FROM individuals WHERE nats_per_token IS NOT NULL')" -gt 0 ] || fail "all failed"
grep -q "^s: individual [0-9]* (.*) failed: the model's numbers overflow with its table on window [01]" "$work/stderr" ||
    fail "no failure is said"
grep -q "^s: $failed of 24 candidates failed" "$work/stderr" || fail "failures are not counted"
runs "$LONGROPE" show "$work/whole" --json
holds ".stages[0].cost.failed == $failed and .stages[0].best.perplexity > 1"
runs "$LONGROPE" show "$work/whole"
says "  $failed failed: the model's numbers overflow with their tables"
runs "$LONGROPE" show "$work/whole" --scores
[ "$(awk -F, 'NR > 1 && $12 == 1 && $11 == 1 && $13 == "" && $19 >= 1 { n++ } END { print n + 0 }' "$work/stdout")" = \
    "$failed" ] || fail "the tables of those that failed are not in the scores"
one=$(query whole 'SELECT min(individual) FROM sample_nats WHERE nats = 9e999')
runs "$LONGROPE" show "$work/whole" --genealogy "$one"
says "     failed  "
runs "$LONGROPE" show "$work/whole" --genealogy "$one" --json
holds ".stages[0].genealogy[-1] | .failed and .stopped and .perplexity == null"
runs "$LONGROPE" report "$work/whole" -o "$work/whole.html"
grep -q "failed, because the model's numbers overflow" "$work/whole.html" || fail "the report does not say it"

# ---- the same to the last bit: continued, without racing, from a cache ----

runs large_search parts --set search.iterations=1 --cache "$work/cache.db"
runs large_search parts --resume --cache "$work/cache.db"
same_runs "$work/whole" "$work/parts"
runs large_search cached --cache "$work/cache.db"
same_runs "$work/whole" "$work/cached"
genomes='SELECT id, genes, attention, n_hat FROM individuals ORDER BY id'
runs large_search unraced --set search.racing=none
[ "$(query whole "$genomes")" = "$(query unraced "$genomes")" ] || fail "racing makes other populations"

bayesian='search={algorithm: bayesian, evaluations: 12, population: 2, seed: 1}'
runs large_search model --set "$bayesian"
[ "$(query model 'SELECT count(*) FROM sample_nats WHERE nats = 9e999')" -gt 0 ] || fail "no table of the model failed"
search() { large_search "$@"; }
seed=1
killed 3 0.7 killed killed --set "$bayesian"
same_runs "$work/model" "$work/killed"

# ---- all fail ----

for algorithm in paper cma-es; do
    try large_search none --set "search={algorithm: $algorithm, population: 2, parents: 1, iterations: 1}" \
        --set attention_factor=1000
    [ "$status" = 1 ] || fail "a search without any score ends with $status"
    grep -q "^longrope: stage 's': no candidate has a score: with the tables of [0-9]* of [0-9]* the model's" \
        "$work/stderr" || fail "it does not say that all failed"
    rm -r "$work/none"
done
attention 30000000
try large_search none --set "$bayesian"
[ "$status" = 1 ] || fail "a search whose baselines all fail ends with $status"
grep -q "^longrope: stage 's': every baseline failed: " "$work/stderr" || fail "it does not say that the baselines failed"

echo "failures: passed"
