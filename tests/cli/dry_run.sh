#!/bin/sh
# `longrope search --dry-run`: what it prints, that it writes nothing, and that every configuration of this repository
# can be searched with. Its models are folders with only a config.json.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# write_model NAME JSON: a folder with a config.json.
write_model() {
    mkdir -p "$work/$1"
    echo "$2" >"$work/$1/config.json"
}

# dry_run CONFIG ARGUMENT...: on the texts of the demo; it makes no run.
dry_run() {
    config=$1
    shift
    (cd "$work" && runs "$LONGROPE" search "$config" --dry-run --threads 32 --rate 1000 "$@")
    [ ! -e "$work/results" ] || fail "a dry run makes a folder"
}

# ---- the demo ----

dry_run "$one_stage" --json
holds 'keys == ["measured", "name", "ranks", "rate", "stages", "threads", "totals"] and .ranks == null and .name == "demo" and .threads == 32'
holds '.stages | length == 1 and (.[0] | keys == (["name", "kind", "objective", "target_length", "window", "scale", "base", "model",
    "awaits", "shape_of", "dtype", "kernels", "evaluations", "baselines", "samples", "windows", "tokens",
    "operations", "hours", "hours_at_1_tflops", "held_out", "memory", "finetune", "missing_data"] | sort))'
holds '.stages[0] | .kind == "extend" and .target_length == 2048 and .window == 256 and .scale == 8 and
    .base == null and .awaits == null and .finetune == null and .model == .shape_of and .dtype == "f32"'
holds '.stages[0] | .evaluations == 60 and .baselines == 5 and .samples == 5 and .windows == 325 and
    .tokens == 325 * 2047 and .hours_at_1_tflops == .operations / 3.6e15 and
    .hours == .hours_at_1_tflops'
holds '.stages[0].memory | keys == ["all", "first_layer", "threads", "weights", "window"] and
    .all == .first_layer + .threads + .weights + .window'
# the found table, the best closed form and none, on as many windows of other text as a table is scored on
holds '.stages[0].held_out.windows == 15 and .totals.held_out == .stages[0].held_out and
    (.totals.held_out.hours / (.totals.hours * 15 / 325) - 1 | fabs) < 1e-9'
holds '.totals.evaluations == 65 and .totals.operations == .stages[0].operations and
    .totals.memory == .stages[0].memory.all'

# A folder can have any name, and all of JSON is UTF-8.
odd=$work/$(printf 'caf\351')
mkdir "$odd"
sed 's|^model: .*|model: model|' "$one_stage" >"$odd/demo.yaml"
ln -s "$model" "$odd/model"
dry_run "$odd/demo.yaml" --json
holds '.stages[0].model | endswith("/caf\ufffd/model")'

dry_run "$one_stage" --rate 250 --json
holds '.rate == 250e9 and .totals.hours == .totals.operations / 250e9 / 3600 and .stages[0].hours == .totals.hours and
    .totals.hours_at_1_tflops == .totals.operations / 3.6e15'
operations=$(jq .totals.operations "$work/stdout")
dry_run "$one_stage" --rate 250
says "hours assume 250 GFLOP/s (--rate)"
says " $(awk "BEGIN { printf \"%.4f\", $operations / 250e9 / 3600 }")"

dry_run "$one_stage"
says "hours assume 1000 GFLOP/s (--rate)"
says "estimated cost of run demo with 32 threads:"
says "These are upper bounds: racing and the cache save a part."
says "longrope bench --hidden 256 --heads 4"
grep -q '^extend-2k  *extend  *2048  *8  *256  *65  *325 ' "$work/stdout" || fail "the table has no row of the stage"

# Without --rate, this machine is measured.
runs "$LONGROPE" search "$one_stage" --dry-run --json
holds '.measured and .rate > 1e6 and (.totals.operations / .rate / 3600 / .totals.hours - 1 | fabs) < 1e-9 and
    .stages[0].hours == .totals.hours and .stages[0].missing_data == null'
runs "$LONGROPE" search "$one_stage" --dry-run --threads 1
says "hours are those of this machine with 1 thread, measured now: "

# A run scores as many tables as its estimate states.
tiny_search "$work/run" --dry-run --rate 1 --json >"$work/said"
runs tiny_search "$work/run"
runs "$LONGROPE" show "$work/run" --json
holds ".stages[0].evaluations == $(jq '.stages[0].evaluations' "$work/said")"

# ---- on several ranks ----

# The published search of 14 tables on two windows: 5 baselines and 6 tables on all windows, then 4 at a time.
paper="--set search.algorithm=paper --set search.population=6 --set search.mutations=2 --set search.crossovers=2
    --set search.parents=3 --set search.iterations=2 --set data.samples=2 --set search.racing=none"
# shellcheck disable=SC2086 # words
dry_run "$one_stage" $paper --json --ranks 1,2 --ranks 64
holds '[.ranks.planned[].ranks] == [1, 2, 64] and all(.ranks.planned[]; .windows == 38)'
holds '.ranks.planned[0] | .efficiency > 0.98 and .idle < 0.001 and .advice == null'
# two ranks: half of 10 + 12 + 8 + 8 windows each, but for windows that take up to 2 % longer
holds '.ranks.planned[1].hours / (.totals.hours / 2) | . > 0.98 and . < 1.06'
# 64 ranks: the baselines and the first tables at once, then two rounds one after another
holds '.ranks.planned[2].hours / (.totals.hours * 3 / 38) | . > 0.98 and . < 1.03'
holds '.ranks.planned[2] | .idle > 0.8 and (.advice | .search.algorithm == "paper" and .search.population >= 64 and
    .efficiency > 0.7 and .windows > 38)'
holds '.ranks.worth | .ranks >= 2 and .ranks < 16 and .efficiency >= 0.75'
# racing cannot save what nobody could know: a table is given up after its first window, when its second is on its way
# shellcheck disable=SC2086 # words
dry_run "$one_stage" $paper --ranks 3 --set search.racing=statistical
says "on several ranks, each at that rate:"
grep -qE '^ +3 +[0-9.]+ +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$' "$work/stdout" || fail "no row of three ranks"
# the default search proposes one table at a time, for a single window
dry_run "$one_stage" --ranks 2
says "As configured, at most 1 rank is worth having"
says "2 ranks end sooner with --set search.population=2: "
says "--set search.algorithm=cma-es --set search.population="
# proposing as many as there are ranks, up to 32, takes fewer rounds; the budget is the same
dry_run "$one_stage" --json --ranks 1,8,40
holds '.ranks.planned | .[0].sooner == null and .[1].sooner.population == 8 and .[2].sooner.population == 32 and
    .[1].sooner.windows == .[1].windows and .[1].sooner.hours < .[1].hours / 2 and
    .[2].advice.search.knots == 8'
dry_run "$one_stage" --json --ranks 8 --set search.population=8
holds '.ranks.planned[0].sooner == null'

# ---- recipes ----

cat >"$work/recipe.yaml" <<YAML
name: recipe
model: $model
data: {text: [$corpus/*.txt], tokenizer: bytes}
search: {algorithm: paper}
stages:
  - {name: middle, target_length: 512, finetune: {command: python tune.py}}
  - {name: long, target_length: 1048576, base: middle, finetune: {}}
  - {name: back, target_length: 256, kind: recover, base: long, search: {lambda_max: 2}}
YAML
dry_run "$work/recipe.yaml" --json -o "$work/nowhere"
holds '[.stages[].awaits] == [null, "middle", "long"] and [.stages[].base] == [null, "middle", "long"]'
holds '[.stages[] | [.window, .scale, .baselines]] == [[256, 2, 5], [512, 2048, 5], [256, 1, 1]]'
holds '[.stages[] | [.evaluations, .samples]] == [[1344, 5], [672, 3], [1344, 5]]'
holds "all(.stages[]; .shape_of == \"$model\") and .stages[1].model == \"$work/nowhere/middle-finetuned\""
holds '.stages[0].finetune.command == "python tune.py" and .stages[1].finetune.command == null and
    .stages[1].finetune.length == 1048576 and .stages[1].finetune.done == false and .stages[2].finetune == null'
dry_run "$work/recipe.yaml"
says "fine-tuning command: python tune.py"
says "no fine-tuning command: the search prints what to run"
says "the model does not exist yet: stage middle fine-tunes it"
[ ! -e "$work/nowhere" ] || fail "a dry run makes the run's folder"

# The default algorithm has no iterations: its limit is the work of so many evaluations.
sed '/^search:/d' "$work/recipe.yaml" >"$work/default.yaml"
dry_run "$work/default.yaml" --json -o "$work/nowhere"
holds '[.stages[] | [.evaluations, .samples]] == [[60, 5], [60, 3], [60, 5]]'

# ---- what is wrong ----

fails_with 2 "there is no $work/none/config.json, which is all that an estimate needs of a model" \
    "$LONGROPE" search "$demo/demo.yaml" --dry-run --set "model=$work/none"
# Data that does not exist yet is no obstacle, unless its files are counted.
dry_run "$demo/demo.yaml" --set 'data.text=[none/*.txt]'
says "the search will not begin without its data: --set data.text=[none/*.txt]: 'text': no file matches 'none/*.txt'"
dry_run "$demo/demo.yaml" --set 'data.text=[none/*.txt]' --json
holds 'all(.stages[]; .missing_data | test("name other files with --set data.text=.FILE."))'
fails_with 2 "('samples: 0' scores a window of each)" \
    "$LONGROPE" search "$demo/demo.yaml" --dry-run --set 'data.text=[none/*.txt]' --set data.samples=0
fails_with 2 "name other files with --set data.text=[FILE]" \
    "$LONGROPE" search "$demo/demo.yaml" -o "$work/run" --set 'data.text=[none/*.txt]'
fails_with 2 "--rate requires --dry-run" "$LONGROPE" search "$demo/demo.yaml" --rate 5
fails_with 2 "--ranks" "$LONGROPE" search "$demo/demo.yaml" --ranks 5
fails_with 2 "--json requires --dry-run or --print-config" "$LONGROPE" search "$demo/demo.yaml" --json
write_model odd '{"model_type": "mamba"}'
fails_with 2 'model_type "mamba" is not supported' \
    "$LONGROPE" search "$demo/demo.yaml" --dry-run --set "model=$work/odd"

# ---- what a search refuses ----

cat >"$work/refused.yaml" <<YAML
name: refused
model: $model
data: {text: [$document], tokenizer: bytes, samples: 1}
stages: [{name: only, target_length: 512}]
YAML

# both_refuse WORDS ARGUMENT...: the dry run and the search.
both_refuse() {
    words=$1
    shift
    fails_with 2 "$words" "$LONGROPE" search "$work/refused.yaml" --dry-run "$@"
    rm -rf "$work/refused"
    fails_with 2 "$words" "$LONGROPE" search "$work/refused.yaml" -o "$work/refused" "$@"
}
both_refuse "'initial: own' requires 'kind: recover'" --set search.initial=own
both_refuse "target_length of 256 tokens lies within the model's window of 256, where there is nothing to extend" \
    --set stages.0.target_length=256
both_refuse "raise target_length, or search a table for short inputs of a model that was extended with 'kind: recover'" \
    --set stages.0.target_length=100
both_refuse "'critical_pair' is 40, but the model has only 32 rotary pairs" --set search.critical_pair=40
both_refuse "must increase strictly from 2 to 3, where the lattice has 2 values; raise lambda_max or lower lambda_step" \
    --set search.critical_pair=7 --set search.lambda_max=3 --set search.lambda_step=1
printf '1\n2\n3\n' >"$work/few.csv"
both_refuse "few.csv: holds 3 factors, but the model has 32" --set "search.initial=[$work/few.csv]"
both_refuse "No such file or directory" --set "search.initial=[$work/none.csv]"
both_refuse "none/scores.db: its folder does not exist; create it, or name another file with --cache" \
    --cache "$work/none/scores.db"
mkdir "$work/a-folder"
both_refuse "a-folder: is not a file; name another file with --cache" --set "cache=$work/a-folder"
(cd "$work" && "$LONGROPE" search refused.yaml --dry-run --rate 1 -o ./new/ --cache new/scores.db) >"$work/stdout" ||
    fail "a dry run refuses a cache in the folder of its run"
"$LONGROPE" search "$work/refused.yaml" --dry-run --set stages.0.target_length=257 >"$work/stdout" 2>"$work/stderr" ||
    fail "a target of one token more than the window is refused"

# ---- a sliding window ----

refused_search() {
    run=$1
    shift
    "$LONGROPE" search "$work/refused.yaml" -o "$run" --set "search={algorithm: paper, population: 2, parents: 1}" "$@"
}
mkdir "$work/sliding"
ln -s "$model/model.safetensors" "$work/sliding/"
jq '.model_type = "mistral" | .sliding_window = 64' "$model/config.json" >"$work/sliding/config.json"
slides="warning: the model's sliding window is 64 tokens, and the length 300: in no layer does a token see further back"
runs "$LONGROPE" search "$work/refused.yaml" --dry-run --json --set "model=$work/sliding" --set stages.0.target_length=300
grep -q "^only: $slides" "$work/stderr" || fail "a dry run does not warn of a sliding window"
holds '.stages | length == 1'
runs refused_search "$work/slid" --set "model=$work/sliding" --set stages.0.target_length=300 --set search.iterations=1
grep -q "^only: $slides" "$work/stderr" || fail "a search does not warn of a sliding window"
runs "$LONGROPE" show "$work/slid"
says "  warning: the model's sliding window of 64 tokens is below the target of 300"
runs "$LONGROPE" report "$work/slid" -o "$work/slid.html"
grep -q "<dt>Warning</dt><dd>the model's sliding window is " "$work/slid.html" || fail "the report does not warn of it"
runs "$LONGROPE" eval --model "$work/sliding" --text "$document" --length 300 --method none
grep -q "$slides" "$work/stderr" || fail "eval does not warn of a sliding window"
runs "$LONGROPE" passkey --model "$work/sliding" --length 300 --method none --trials 1 --depths 50 --prompt demo
grep -q "$slides" "$work/stderr" || fail "passkey does not warn of a sliding window"
runs "$LONGROPE" eval --model "$work/sliding" --text "$document" --length 64 --method none
! grep -q "sliding" "$work/stderr" || fail "eval warns of a sliding window that is not below the length"
# A run of a version that did not say it goes on.
sqlite3 "$work/slid/run.db" "DELETE FROM settings WHERE key LIKE 'sliding%'"
runs refused_search "$work/slid" --resume --set "model=$work/sliding" --set stages.0.target_length=300 \
    --set search.iterations=1

# ---- what is shipped ----

layers='"num_hidden_layers": 32, "num_attention_heads": 32'
write_model llama2-7b '{"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "torch_dtype": "float16", '"$layers"'}'
write_model mistral-7b '{"model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
    "num_key_value_heads": 8, "max_position_embeddings": 4096, "sliding_window": null, "rms_norm_eps": 1e-5,
    "torch_dtype": "bfloat16", '"$layers"'}'
write_model llama3-8b '{"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
    "num_key_value_heads": 8, "max_position_embeddings": 8192, "rope_theta": 500000.0, "rms_norm_eps": 1e-5,
    "torch_dtype": "bfloat16", '"$layers"'}'
write_model phi3-mini '{"model_type": "phi3", "vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192,
    "num_key_value_heads": 32, "max_position_embeddings": 4096, "original_max_position_embeddings": 4096,
    "sliding_window": null, "rms_norm_eps": 1e-5, "torch_dtype": "bfloat16", '"$layers"'}'
write_model smollm2 '{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    "rope_theta": 100000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "torch_dtype": "bfloat16"}'

# Rows of the table up to the operations, which depend on no machine.
rows() { sed 's/^# *//' "$1" | grep -E '^[^ ]+ +(extend|recover) +[0-9]' | awk '{ print $1, $2, $3, $4, $5, $6, $7, $8, $9 }'; }

count=0
for config in "$SOURCE"/configs/*/*.yaml; do
    name=$(basename "$(dirname "$config")")
    folder=$work/$name
    [ -e "$folder" ] || folder=$model # the demo's and what is made of it
    # Memory depends on the number type, and hardly on the processor: auto is taken for bf16, as the document does.
    dtype=$(sed -n 's/^dtype: *\([a-z0-9]*\).*/\1/p' "$config" | sed 's/auto/bf16/')
    dry_run "$config" --set "model=$folder" --set "dtype=$dtype"
    rows "$work/stdout" >"$work/printed"
    [ -s "$work/printed" ] || fail "$config: no row is printed"
    if [ "$folder" != "$model" ]; then
        rows "$config" >"$work/stated"
        cmp -s "$work/printed" "$work/stated" || fail "$config: states another estimate than is printed"
    fi
    total=$(awk '$1 == "all" && $2 == "stages" { printf("%s | %.*f GiB", $6, $7 < 10 ? 2 : 0, $7) }' "$work/stdout")
    grep -F "]($name/$(basename "$config")) |" "$SOURCE/configs/README.md" | grep -qF "| $total |" ||
        fail "configs/README.md states other operations or memory of $config than $total"
    count=$((count + 1))
done
[ "$count" -ge 8 ] || fail "only $count configurations were found"

echo "dry_run: $count configurations, passed"
