#!/bin/sh
# The progressive recipe: stages on fine-tuned models, with the command that fine-tunes and without, killed and gone
# on with, and what can be wrong with it. What fine-tunes here copies the weights and writes the table into
# config.json, as configs/finetune/finetune.py does after its training.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

{
    cat <<'SH'
set -eu
echo "tuning $LONGROPE_STAGE at $LONGROPE_LENGTH"
mkdir -p "$LONGROPE_OUTPUT"
[ -z "${TUNE_SECONDS-}" ] || sleep "$TUNE_SECONDS"
SH
    quick_tuning
    # shellcheck disable=SC2016 # the script expands it
    echo 'echo once >>"$(dirname "$LONGROPE_OUTPUT")/tunings"'
} >"$work/tune.sh"

# write_recipe FILE COMMAND: two extensions and a recovery; an empty command is left out.
write_recipe() {
    cat >"$1" <<YAML
name: recipe
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 2}
search: {population: 5, mutations: 2, crossovers: 1, parents: 3, iterations: 2, start_tokens: [0, 4]}
stages:
  - name: middle
    target_length: 512
    finetune: {${2:+command: $2}}
  - {name: long, target_length: 1024, base: middle, attention_factor: longrope}
  - {name: unrelated, target_length: 512, search: {seed: 2}}
  - {name: back, target_length: 256, kind: recover, base: middle, search: {lambda_max: 2}}
YAML
}
write_recipe "$work/by-command.yaml" "sh tune.sh"
write_recipe "$work/by-hand.yaml" ""

# ---- from one configuration to the end ----

runs "$LONGROPE" search "$work/by-command.yaml" -o "$work/whole"
cp "$work/stderr" "$work/said"
grep -q 'tuning middle at 512' "$work/stderr" || fail "the command's output is not on stderr"
[ "$(wc -l <"$work/whole/tunings")" = 1 ] || fail "the command ran more than once"
[ ! -e "$work/whole/middle-finetuned.part" ] || fail "the folder aside is still there"

# No name of a stage is also that of one of the run's own files, as run.lock is.
runs short_search "$work/named" --set stages.0.name=run --set search.start_tokens=[0] \
    --set "stages.0.finetune={command: sh $work/tune.sh}"
[ -e "$work/named/run-finetuned/config.json" ] || fail "stage run is not fine-tuned"

runs "$LONGROPE" show "$work/whole" --json
holds '.state == "done" and ([.stages[].name] == ["middle", "long", "unrelated", "back"])'
# what was searched multiplies the base, lies on the lattice and is monotone
# shellcheck disable=SC2016 # jq's variable
holds '.stages[0].best_exportable.factors as $base | .stages[1].best |
    [.factors, .base_factors, .searched_factors] | transpose |
    all(.[0] == .[1] * .[2]) and ([.[][1]] == $base) and ([.[][2]] | . == sort) and
    ([.[][2] * 100 | . - round | fabs] | max < 1e-9)'
# attention factors: the formula of the whole extension; the short table has the long one, as engines have but one
holds '(.stages[1].best.attention_factor - (1 + (4 | log) / (256 | log) | sqrt) | fabs) < 1e-12'
holds '.stages[3].best.attention_factor == .stages[1].best.attention_factor'
# and where the configuration gives it one of its own, that is said before anything is scored
"$LONGROPE" search "$work/by-command.yaml" --dry-run --rate 1 --set attention_factor=search >"$work/cost" 2>"$work/warned" ||
    fail "the dry run failed"
grep -qF "back: the table gets an attention factor of its own ('attention_factor: search'), but engines use one for both" \
    "$work/warned" || fail "a short table's own attention factor is not said"
! grep -q "of its own" "$work/said" || fail "it is said where there is none"
# tables of the short window are searched outright, and what they have to better is the model as it is
holds '.stages[3] | (.best | has("base_factors") | not) and ([.baselines[].method] == ["none"]) and
    ([.best.factors[]] | max) <= 2'

# those of the final model, by length: what was found for another model is no choice for this one
jq -e '.original_length == 256 and ([.tables[] | [.name, .max_length, .scale, .whole]] ==
    [["back", 256, 1, true], ["middle", 512, 2, true], ["long", 1024, 4, true]])' "$work/whole/factors.json" >/dev/null ||
    fail "factors.json does not hold the final model's tables by length"

# the same table serves the model before and after it was given a table of its own, which gives the same perplexity
for of in "$model" "$work/whole/middle-finetuned"; do
    runs "$LONGROPE" eval --model "$of" --text "$document" --dtype f32 --length 256,1024 \
        --factors "$work/whole/factors.json" --json
    jq -c '[.results[] | [.nll, .attention_factor]]' "$work/stdout" >>"$work/nats"
done
[ "$(sort -u "$work/nats" | wc -l)" = 1 ] || fail "a table means different things to the two models: $(cat "$work/nats")"
# and what the stage says of its best is what eval computes of the file
runs "$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --samples 2 --dtype f32 --length 1024 \
    --factors "$work/whole/factors.json" --json
expected=$(jq '.tables[] | select(.name == "long") | .perplexity' "$work/whole/factors.json")
holds "(.results[0].perplexity / $expected - 1 | fabs) < 1e-6"

# engines get the final model with the short table and the long one, and each is as good as the stage says
runs "$LONGROPE" export "$work/whole" --format hf --model "$work/whole/middle-finetuned" --weights link \
    --out "$work/exported" --json
holds '[.tables[] | [.role, .name, .max_length]] == [["short", "back", 256], ["long", "long", 1024]]'
holds '[.left_out[].name] == ["middle"] and .original_length == 256'
for row in 0,256 1,1024; do
    expected=$(jq ".tables[${row%,*}].perplexity" "$work/stdout")
    "$LONGROPE" eval --model "$work/exported" --text "$corpus"/*.txt --samples 2 --dtype f32 --length "${row#*,}" \
        --method none --json | jq -e ".results[0].perplexity / $expected - 1 | fabs < 1e-6" >/dev/null ||
        fail "the exported model is another one at ${row#*,} tokens"
done
# a table of the first model is not among them, but can be had by its name
runs "$LONGROPE" export "$work/whole" --format csv --stage unrelated --out "$work/unrelated.csv"
says "'unrelated', for 512 tokens"
fails_with 2 "(did you mean 'unrelated'?)" "$LONGROPE" export "$work/whole" --format csv --stage unrelatet \
    --out "$work/none.csv"

# ---- by hand ----

try "$LONGROPE" search "$work/by-hand.yaml" -o "$work/hand"
[ "$status" = 75 ] || fail "exit status $status where a model is missing"
for words in "$work/hand/middle-factors.json" "$work/hand/middle-finetuned" "configs/finetune/finetune.py" "--resume" \
    "3 of the stages"; do
    grep -qF -e "$words" "$work/stderr" || fail "it does not say '$words'"
done
runs "$LONGROPE" show "$work/hand" --json
holds '.state == "stopped" and ([.stages[] | [.name, .state]] == [["middle", "done"], ["unrelated", "done"]])'
(cd "$work" && LONGROPE_STAGE=middle LONGROPE_LENGTH=512 LONGROPE_MODEL=$model \
    LONGROPE_FACTORS="$work/hand/middle-factors.json" LONGROPE_OUTPUT="$work/hand/middle-finetuned" sh tune.sh >/dev/null)
runs "$LONGROPE" search "$work/by-hand.yaml" -o "$work/hand" --resume
cmp -s "$work/hand/factors.json" "$work/whole/factors.json" || fail "by hand, the tables are others"

# ---- the table of the fine-tuning ----

# It is there whether the model had to be made or was there already, and it is the stage's best without start tokens.
jq -e '.tables | length == 1 and .[0].start_tokens == 0' \
    "$work/whole/middle-factors.json" >/dev/null || fail "the table of the fine-tuning is none"
"$LONGROPE" show "$work/whole" --stage middle --json | jq '.stages[0].best_exportable.factors' >"$work/expected"
jq '.tables[0].factors' "$work/whole/middle-factors.json" | diff "$work/expected" - >&2 ||
    fail "the table of the fine-tuning is another one than the stage's"
cp -r "$work/hand" "$work/given"
rm "$work/given/middle-factors.json"
runs "$LONGROPE" search "$work/by-hand.yaml" -o "$work/given" --resume
cmp -s "$work/given/middle-factors.json" "$work/hand/middle-factors.json" ||
    fail "with the model there already, its table is not written"

# ---- killed at random moments, the command included ----

# start_recipe RUN SECONDS: in the background, with a fine-tuning that takes so long. What an earlier one said is not
# to be taken for this one's word.
start_recipe() {
    : >"$work/background.err"
    (cd "$work" && TUNE_SECONDS=$2 exec "$LONGROPE" search by-command.yaml -o "$1" --resume) >/dev/null \
        2>"$work/background.err" &
    background=$!
}

# wait_for_tuning: until the command has begun.
wait_for_tuning() { wait_until "the start of the command" grep -q 'tuning middle' "$work/background.err"; }

kills=0
for delay in 0.1 0.5 1 1.5 2 2.5 3 3.5 4; do
    start_recipe killed 0.5
    sleep "$delay"
    kill -KILL "$background" 2>/dev/null || break
    end_search
    [ "$status" = 0 ] || kills=$((kills + 1))
done
[ "$kills" -gt 0 ] || fail "the search was over before it was killed"
runs "$LONGROPE" search "$work/by-command.yaml" -o "$work/killed" --resume
cmp -s "$work/killed/factors.json" "$work/whole/factors.json" || fail "after $kills kills the tables are others"
same_runs "$work/whole" "$work/killed"

# SIGTERM while the command runs: it is told, waited for, and nothing is left half-written
start_recipe stopped 30
wait_for_tuning
kill -TERM "$background"
end_search
[ "$status" = 75 ] || fail "exit status $status where 75 is due"
[ ! -e "$work/stopped/middle-finetuned" ] || fail "a model is there that was not finished"

# also what the shell started, which may take its time to save
cat >"$work/slow.sh" <<'SH'
trap 'sleep 1; echo saved >"$LONGROPE_OUTPUT.saved"; exit 75' TERM
echo "tuning $LONGROPE_STAGE"
while :; do sleep 0.1; done
SH
write_recipe "$work/slow.yaml" "sh slow.sh; true"
: >"$work/background.err"
(cd "$work" && exec "$LONGROPE" search slow.yaml -o slow) >/dev/null 2>"$work/background.err" &
background=$!
wait_for_tuning
kill -TERM "$background"
end_search
[ "$status" = 75 ] || fail "exit status $status where 75 is due"
[ -s "$work/slow/middle-finetuned.part.saved" ] || fail "it does not wait for what the shell started"

# a command of a longrope that was killed goes on; the next one waits for it and takes what it made
start_recipe stopped 3
wait_for_tuning
kill -KILL "$background"
end_search
runs "$LONGROPE" search "$work/by-command.yaml" -o "$work/stopped" --resume
grep -q 'waiting for it' "$work/stderr" || fail "it does not say that it waits for the command"
cmp -s "$work/stopped/factors.json" "$work/whole/factors.json" || fail "the tables are others"

# ---- what goes wrong ----

write_recipe "$work/failing.yaml" "echo no such luck >&2; exit 3"
try "$LONGROPE" search "$work/failing.yaml" -o "$work/failing"
[ "$status" = 1 ] || fail "exit status $status where the command fails"
grep -q 'no such luck' "$work/stderr" || fail "what the command said is lost"
grep -q "stage 'middle': its fine-tuning command failed with status 3" "$work/stderr" || fail "it does not say what failed"
[ ! -e "$work/failing/middle-finetuned" ] || fail "a failed command leaves a model"

write_recipe "$work/idle.yaml" "true"
try "$LONGROPE" search "$work/idle.yaml" -o "$work/idle"
[ "$status" = 1 ] || fail "exit status $status where the command writes nothing"
# shellcheck disable=SC2016 # the program says so
grep -qF 'it must write to $LONGROPE_OUTPUT' "$work/stderr" || fail "it does not say what is missing"

mkdir "$work/idle/middle-finetuned" && touch "$work/idle/middle-finetuned/notes"
try "$LONGROPE" search "$work/idle.yaml" -o "$work/idle" --resume
[ "$status" = 2 ] || fail "exit status $status where something is in the way"
grep -q 'exists and is not a model' "$work/stderr" || fail "it does not say what is in the way"

# a model with another table than this run's
rm -r "$work/idle/middle-finetuned" "$work/idle/middle-finetuned.part" 2>/dev/null || true
cp -r "$work/whole/middle-finetuned" "$work/idle/middle-finetuned"
jq '.rope_scaling.long_factor[3] *= 1.01' "$work/whole/middle-finetuned/config.json" >"$work/idle/middle-finetuned/config.json"
try "$LONGROPE" search "$work/idle.yaml" -o "$work/idle" --resume
[ "$status" = 2 ] || fail "exit status $status where the model has another table"
grep -q "is not the table of its base 'middle'" "$work/stderr" || fail "it does not say whose table it is"

# a run whose base changed is not resumed
sed 's/base: middle, attention/attention/; s/name: long, /name: long, model: whole\/middle-finetuned, /' \
    "$work/by-command.yaml" >"$work/changed.yaml"
try "$LONGROPE" search "$work/changed.yaml" -o "$work/whole" --resume
[ "$status" = 2 ] || fail "exit status $status where the base is gone"
grep -q "base" "$work/stderr" || fail "it does not name the base"

# ---- paths ----

# brief YAML_STAGES FILE: a configuration whose searches are short, with a model that its stages name.
brief() {
    cat >"$2" <<YAML
name: brief
model: $model
dtype: f32
data: {text: [$document], tokenizer: bytes, samples: 1}
search: {population: 3, mutations: 1, crossovers: 1, parents: 2, iterations: 1, start_tokens: [0]}
stages:
$1
YAML
}

# A folder's name may end with '/', and a later stage may spell it in another way.
brief "  - {name: one, target_length: 300, finetune: {output: tuned//./, command: sh tune.sh}}
  - {name: two, target_length: 320, model: ../$(basename "$work")/tuned/}" "$work/spelled.yaml"
runs "$LONGROPE" search "$work/spelled.yaml" --dry-run --rate 1
runs "$LONGROPE" search "$work/spelled.yaml" -o "$work/spelled"
[ -e "$work/tuned/config.json" ] || fail "the model is not in finetune.output"
[ ! -e "$work/tuned.part" ] || fail "the folder aside is still there"
rm -r "$work/tuned"
brief "  - {name: one, target_length: 300, finetune: {output: tuned/}}
  - {name: two, target_length: 320, model: ../$(basename "$work")/./tuned}" "$work/spelled.yaml"
try "$LONGROPE" search "$work/spelled.yaml" -o "$work/awaits"
[ "$status" = 75 ] || fail "exit status $status where a model is awaited that a later stage spells in another way"
# Who fine-tunes by hand may be at work there, and what stands in the way of a command is said at once.
mkdir "$work/tuned"
echo '{' >"$work/tuned/tokenizer.json"
sed -i 's/, tokenizer: bytes//' "$work/spelled.yaml"
try "$LONGROPE" search "$work/spelled.yaml" -o "$work/awaits" --resume
[ "$status" = 75 ] || fail "exit status $status while a model is fine-tuned by hand"
brief "  - {name: one, target_length: 300, finetune: {output: tuned, command: sh tune.sh}}" "$work/spelled.yaml"
fails_with 2 "tuned: exists and is not a model" "$LONGROPE" search "$work/spelled.yaml" --dry-run --rate 1
fails_with 2 "tuned: exists and is not a model" "$LONGROPE" search "$work/spelled.yaml" -o "$work/never"
for output in / .. tuned/..; do
    brief "  - {name: one, target_length: 300, finetune: {output: $output}}" "$work/no-name.yaml"
    fails_with 2 "'finetune.output' is a folder that cannot be new" "$LONGROPE" search "$work/no-name.yaml" --dry-run --rate 1
done

# What is to be run next can be pasted, and keeps the options that the run was started with.
brief "  - {name: one, target_length: 300, finetune: {}}" "$work/by hand.yaml"
try "$LONGROPE" search "$work/by hand.yaml" -o "$work/a run" --set search.seed=2 --set 'search.start_tokens=[0]'
[ "$status" = 75 ] || fail "exit status $status where a model is missing"
mkdir "$work/bin"
ln -s "$LONGROPE" "$work/bin/longrope"
grep -A 1 '^and resume with' "$work/stderr" | tail -n 1 >"$work/next.sh"
try env PATH="$work/bin:$PATH" sh "$work/next.sh"
[ "$status" = 75 ] || fail "exit status $status from the command that is printed: $(cat "$work/next.sh")"

# A model may be moved while its run is not going on.
cp -r "$model" "$work/here"
runs short_search "$work/moved" --set "model=$work/here" --set search.start_tokens=[0]
mv "$work/here" "$work/there"
runs short_search "$work/moved" --set "model=$work/there" --set search.start_tokens=[0] --set search.iterations=2 --resume
if grep -q 'what eval' "$work/stderr"; then fail "it tells of measurements that nobody made"; fi
runs "$LONGROPE" show "$work/moved" --json
holds ".stages[0].model == \"$(realpath "$work/there")\""

# ---- what waits for what ----

# A short window takes its attention factor from the longest stage, which may wait for its model.
brief "  - {name: one, target_length: 300, finetune: {}}
  - {name: two, target_length: 320, base: one}
  - {name: old, kind: recover, target_length: 256, search: {lambda_max: 2}}
  - {name: other, target_length: 280}" "$work/waits.yaml"
try "$LONGROPE" search "$work/waits.yaml" -o "$work/waits"
[ "$status" = 75 ] || fail "exit status $status where the longest stage waits for its model"
runs "$LONGROPE" show "$work/waits" --json
holds '[.stages[].name] == ["one", "other"]'

# The stage that is advised for the old window is one on the final model.
brief "  - {name: one, target_length: 300, finetune: {command: sh tune.sh}}
  - {name: two, target_length: 320, base: one}" "$work/advice.yaml"
runs "$LONGROPE" search "$work/advice.yaml" -o "$work/advice"
advice=$(sed -n 's/^ *- {name: recover/  - {name: recover/p' "$work/stdout")
[ -n "$advice" ] || fail "no stage is advised"
echo "$advice" >>"$work/advice.yaml"
runs "$LONGROPE" search "$work/advice.yaml" -o "$work/advice" --resume
jq -e '[.tables[].name] == ["recover", "one", "two"]' "$work/advice/factors.json" >/dev/null ||
    fail "the table of the advised stage is not one of the run's: $advice"

# A model's own scaling fits into the range of the stage that is advised.
mkdir "$work/linear"
ln -s "$model/model.safetensors" "$work/linear/model.safetensors"
jq '.rope_scaling = {rope_type: "linear", factor: 4.0}' "$model/config.json" >"$work/linear/config.json"
runs short_search "$work/scaled" --set "model=$work/linear" --set stages.0.target_length=1200 --set search.start_tokens=[0]
says "search: {lambda_max: 4, "

# ---- what a later stage lacks is said before the first is searched ----

brief "  - {name: one, target_length: 300}
  - {name: two, target_length: 40000}" "$work/short-text.yaml"
fails_with 2 "has the 40000 tokens" "$LONGROPE" search "$work/short-text.yaml" -o "$work/short-text"
[ "$(sqlite3 "$work/short-text/run.db" "SELECT count(*) FROM stages")" = 0 ] || fail "the first stage was searched"

# ---- a configuration that is refused changes nothing ----

cp "$work/advice.yaml" "$work/longer.yaml"
echo "  - {name: more, target_length: 340, base: one}" >>"$work/longer.yaml"
fails_with 2 "'search.seed'" "$LONGROPE" search "$work/longer.yaml" -o "$work/advice" --resume --set search.seed=3
runs "$LONGROPE" show "$work/advice" --json
holds '.state == "done"'

# ---- a stage that has begun is no table ----

cp -r "$work/advice" "$work/begun"
sqlite3 "$work/begun/run.db" "UPDATE stages SET state = 'running' WHERE name = 'two'"
for format in csv hf; do
    fails_with 2 "stage 'two' is not done" "$LONGROPE" export "$work/begun" --format $format --out "$work/none" --stage two
done

echo "recipe: $kills kills, passed"
