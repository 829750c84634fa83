#!/bin/sh
# A finished run that is resumed with a larger budget searches on, and ends as a run that had this budget from the
# start. All else of a run stays as it is, and so does a table that a model or another stage rests on.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# write_config NAME SEARCH: one stage, which scores in well under a second.
write_config() {
    cat >"$work/$1.yaml" <<YAML
name: $1
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 2}
search: {$2, start_tokens: [0, 4]}
stages:
  - {name: only, target_length: 300}
YAML
}
genetic="population: 6, mutations: 2, crossovers: 2, parents: 3"
write_config paper "$genetic"
write_config microsoft "$genetic, algorithm: microsoft, initial: [yarn-lambda]"
write_config bayesian "algorithm: bayesian"
write_config cma-es "algorithm: cma-es, population: 4, parents: 2, iterations: 5"

# search CONFIG RUN ARGUMENT...: all runs share a cache, so that equal runs cost nothing: this is about what is
# proposed and stored.
search() {
    config=$1 run=$2
    shift 2
    "$LONGROPE" search "$work/$config.yaml" -o "$work/$run" --cache "$work/scores.db" "$@"
}

# notes WORDS: they are on stderr.
notes() { grep -qF -e "$1" "$work/stderr" || fail "stderr does not say '$1'"; }

# ---- further iterations and evaluations ----

# continues CONFIG FROM TO: a run with the setting FROM, continued with TO, is one that began with TO.
continues() {
    rm -rf "$work/run" "$work/whole"
    runs search "$1" run --set "$2"
    first=$(evaluations "$work/run")
    runs search "$1" run --set "$3" --resume
    notes "only: continues with another budget: "
    runs "$LONGROPE" show "$work/run"
    grep -v 'tokens/s;' "$work/stdout" >"$work/shown"
    runs search "$1" whole --set "$3"
    same_runs "$work/whole" "$work/run"
    wrong=$(sqlite3 "$work/run/run.db" "SELECT count(*) FROM individuals AS i WHERE work IS NOT iif(stopped, NULL,
        (SELECT count(*) FROM sample_nats WHERE individual <= i.id))")
    [ "$wrong" = 0 ] || fail "$1: $wrong individuals have another work than the windows scored until then"
    [ "$first" -lt "$(evaluations "$work/run")" ] || fail "$1: nothing was searched after the first $first"
    runs "$LONGROPE" show "$work/whole"
    grep -v 'tokens/s;' "$work/stdout" | cmp -s - "$work/shown" || fail "$1: another result is shown"
}

for config in paper microsoft cma-es; do
    continues $config search.iterations=1 search.iterations=4
    continues $config search.evaluations=2 search.evaluations=5 # within the first population
    continues $config search.evaluations=7 search.evaluations=12 # within a generation
    scored=$(evaluations "$work/run")
    [ "$scored" = 12 ] || fail "$config: $scored evaluations where 12 are the limit"
    continues $config search.evaluations=12 search.iterations=4 # no limit any more
done

# The default algorithm scores its best tables on all windows when a budget ends; with a larger one they are candidates
# like the others, so all else is the same. What was known with the smaller budget keeps the work at which it was.
candidates() {
    sqlite3 "$work/$1/run.db" "SELECT id, generation, origin, parent_a, genes, n_hat, attention, first_window FROM individuals ORDER BY id"
}
known() { sqlite3 "$work/$1/run.db" "SELECT id, work FROM individuals WHERE nats_per_token NOTNULL ORDER BY id"; }
runs search bayesian model --set search.evaluations=7
known model >"$work/known"
[ -s "$work/known" ] || fail "bayesian: no work is stored"
runs search bayesian model --set search.evaluations=14 --resume
runs search bayesian whole-model --set search.evaluations=14
[ "$(candidates model)" = "$(candidates whole-model)" ] || fail "bayesian: a continued search has other candidates"
sqlite3 "$work/whole-model/run.db" "ATTACH '$work/model/run.db' AS run; SELECT individual, sample, nats FROM sample_nats
    EXCEPT SELECT individual, sample, nats FROM run.sample_nats" >"$work/lacking"
[ ! -s "$work/lacking" ] || fail "bayesian: a continued search lacks windows"
known model | grep -vxF -f "$work/known" >"$work/later" || fail "bayesian: nothing was known after the first budget"
[ "$(known model | wc -l)" = $(($(wc -l <"$work/known") + $(wc -l <"$work/later"))) ] ||
    fail "bayesian: a continued search changes the work of what was known"
known whole-model | grep -qxF -f "$work/known" || fail "bayesian: the larger budget has another work from the start"
while read -r line; do
    known whole-model | grep -qxF "$line" || fail "bayesian: a continued search has another work ($line)"
done <"$work/later"
# and it continues where it was killed
for signal in KILL TERM KILL; do
    "$LONGROPE" search "$work/bayesian.yaml" -o "$work/cut-model" --set search.evaluations=300 --resume \
        >"$work/background.out" 2>"$work/background.err" &
    background=$!
    before=$(evaluations "$work/cut-model")
    wait_for_evaluations "$work/cut-model" $((before + 1))
    kill "-$signal" "$background"
    end_search
    [ "$status" -gt 0 ] || fail "the search was over before SIG$signal reached it"
done
# A budget that becomes smaller before it is done also allows the tables that are scored at its end.
copy_run cut-model less
done=$(($(sqlite3 "$work/cut-model/run.db" "SELECT count(*) FROM sample_nats") / 2))
less=$((done > 4 ? done - 4 : 0))
status=2
while [ "$status" = 2 ]; do
    less=$((less + 1))
    try search bayesian less --set search.evaluations=$less --resume
done
[ "$status" = 0 ] || fail "bayesian: a smaller budget ends with $status"
windows=$(sqlite3 "$work/less/run.db" "SELECT count(*) FROM sample_nats")
[ "$windows" -le $((2 * less)) ] || fail "bayesian: $windows window scores where $((2 * less)) are the limit"
runs search bayesian cut-model --set search.evaluations=$((done + 20)) --resume
runs search bayesian whole-cut-model --set search.evaluations=$((done + 20))
same_runs "$work/whole-cut-model" "$work/cut-model"

# Finished with a budget, continued with a larger one and killed: what it was finished with is less than is done by then.
runs search bayesian again --set search.evaluations=7
last=$(sqlite3 "$work/again/run.db" "SELECT max(id) FROM individuals")
runs search bayesian again --set search.evaluations=14 --resume
copy_run again cut-again "UPDATE stages SET state = 'running'; DELETE FROM sample_nats WHERE individual > $last + 1;
    DELETE FROM individuals WHERE id > $last + 1"
rm "$work/cut-again/factors.json"
remember=$(dump_run "$work/cut-again" | sha256sum)
fails_with 2 "more than the budget now allows (search: {evaluations: 7}); finish it with the budget that it has (search: $(
){evaluations: 14}) or a larger one" search bayesian cut-again --set search.evaluations=7 --resume
[ "$(dump_run "$work/cut-again" | sha256sum)" = "$remember" ] || fail "a refused resume changed the database"
runs search bayesian cut-again --set search.evaluations=14 --resume
same_runs "$work/again" "$work/cut-again"

# Another number of threads, and another limit at the same time.
runs search paper threads --set search.iterations=1 --threads 1
runs search paper threads --set search.iterations=3 --set search.evaluations=13 --threads 2 --resume
runs search paper whole-13 --set search.iterations=3 --set search.evaluations=13
same_runs "$work/whole-13" "$work/threads"
runs "$LONGROPE" show "$work/threads" --json
holds '.stages[0] | .state == "done" and .evaluations == 13 and .planned == 13 and .iteration == 2 and .iterations == 3'
holds '.stages[0].settings | .["search.iterations"] == "3" and .["search.evaluations"] == "13"'
holds '.configuration.overrides == ["search.iterations=3", "search.evaluations=13"]'

# Nothing is left to search: only the settings change.
runs search paper threads --set search.iterations=4 --set search.evaluations=13 --resume
runs search paper whole-13-4 --set search.iterations=4 --set search.evaluations=13
same_runs "$work/whole-13-4" "$work/threads"

# ---- a run that was killed while it continued ----

runs search paper cut --set search.iterations=1
for signal in KILL TERM; do
    "$LONGROPE" search "$work/paper.yaml" -o "$work/cut" --set search.iterations=40 --resume \
        >"$work/background.out" 2>"$work/background.err" &
    background=$!
    before=$(evaluations "$work/cut")
    wait_for_evaluations "$work/cut" $((before + 1))
    kill "-$signal" "$background"
    end_search
    [ "$status" -gt 0 ] || fail "the search was over before SIG$signal reached it"
done
runs "$LONGROPE" show "$work/cut" --json
holds '.state == "stopped" and .stages[0].iterations == 40 and .stages[0].planned == 166'
# less than is done is refused, less than was planned is not
remember=$(dump_run "$work/cut" | sha256sum)
fails_with 2 "finish it with the budget that it has (search: {iterations: 40}) or a larger one" \
    search paper cut --set search.iterations=1 --resume
[ "$(dump_run "$work/cut" | sha256sum)" = "$remember" ] || fail "a refused resume changed the database"
generation=$(sqlite3 "$work/cut/run.db" "SELECT max(generation) + 1 FROM individuals")
runs search paper cut --set "search.iterations=$generation" --resume
runs search paper whole-cut --set "search.iterations=$generation"
same_runs "$work/whole-cut" "$work/cut"

# ---- less than is done ----

dump_run "$work/threads" >"$work/before"
for less in search.iterations=1 search.evaluations=5; do
    runs search paper threads --set search.iterations=4 --set search.evaluations=13 --set $less --resume
    grep -q "^only: is done with the work of 1[23] evaluations in 2 iterations, more than the budget now allows (search: {" \
        "$work/stderr" || fail "it does not say that less is asked than is done"
    notes "it stays as it is (search: {iterations: 4, evaluations: 13})"
done

# What was measured of the table so far is not of the one that a longer search finds.
copy_run threads measured
runs "$LONGROPE" eval --model "$model" --text "$document" --length 300 --method none --into "$work/measured"
runs search paper measured --set search.iterations=5 --resume
notes "only: what eval, passkey and choice measured into this run is of the tables that it had; measure again"

# ---- what must not change, with a larger budget either ----

for change in search.seed=2 search.population=7 search.lambda_max=1.5 data.samples=3 stages.0.target_length=310; do
    fails_with 2 "when the run began" search paper threads --set search.iterations=9 --set $change --resume
done
dump_run "$work/threads" | cmp -s - "$work/before" || fail "a resume that changes nothing changed the database"

# ---- recipes ----

quick_tuning >"$work/tune.sh"
cat >"$work/recipe.yaml" <<YAML
name: recipe
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
search: {$genetic, iterations: 1, start_tokens: [0]}
attention_factor: search
stages:
  - {name: middle, target_length: 300, finetune: {command: sh tune.sh}}
  - {name: long, target_length: 512, base: middle}
  - {name: back, target_length: 256, kind: recover, base: middle, attention_factor: longrope, search: {lambda_max: 2}}
YAML
# Before a model and other stages rest on it, a stage goes on; the model gets the table that is found then.
# shellcheck disable=SC2016 # the variable is the command's
try search recipe recipe --set 'stages.0.finetune.command=mkdir -p "$LONGROPE_OUTPUT" && exit 75'
[ "$status" = 75 ] || fail "a fine-tuning that is stopped ends the search with $status"
# A command that ends with status 0 on a full disk is not taken at its word.
# shellcheck disable=SC2016 # the variable is the command's
try search recipe recipe --resume \
    --set 'stages.0.finetune.command=sh tune.sh; truncate -s 300000 "$LONGROPE_OUTPUT/model.safetensors"'
[ "$status" = 1 ] || fail "a fine-tuned model that is cut off: exit status $status"
notes "stage 'middle': its fine-tuning command ended with status 0, but not with a model: "
[ ! -e "$work/recipe/middle-finetuned" ] || fail "a fine-tuned model that is cut off is kept"
fails_with 2 "the model in $work/recipe/middle-finetuned.part is fine-tuned with the one that it has; remove that folder" \
    search recipe recipe --set stages.0.search.iterations=3 --resume
rm -r "$work/recipe/middle-finetuned.part"
runs search recipe recipe --set stages.0.search.iterations=3 --resume
runs search recipe whole-recipe --set stages.0.search.iterations=3
same_runs "$work/whole-recipe" "$work/recipe"
cmp -s "$work/recipe/middle-factors.json" "$work/whole-recipe/middle-factors.json" ||
    fail "the model was fine-tuned with a table of the smaller budget"

# rests WORDS SETTING: refused for this reason, and nothing changes.
dump_run "$work/recipe" >"$work/before"
rests() {
    fails_with 2 "$1" search recipe recipe --set stages.0.search.iterations=3 --set "$2" --resume
    dump_run "$work/recipe" | cmp -s - "$work/before" || fail "a refused resume changed the database"
}
rests "stage 'long' was searched with the one that it has; give this stage the budget that it had (search: {iterations: 3})" \
    stages.0.search.iterations=4
rests "stage 'back' was searched with the one that it has" stages.1.search.iterations=2
sqlite3 "$work/recipe/run.db" "UPDATE stage_models SET base = NULL"
dump_run "$work/recipe" >"$work/before"
rests "the model in $work/recipe/middle-finetuned is fine-tuned with the one that it has; remove that folder" \
    stages.0.search.iterations=4
sqlite3 "$work/recipe/run.db" "UPDATE stage_models SET base = 'middle' WHERE stage > 0"

# A stage that nothing rests on goes on: the last one; and the one before it, where a formula gives the attention factor.
runs search recipe recipe --set stages.0.search.iterations=3 --set stages.2.search.iterations=2 --resume
runs search recipe whole-back --set stages.0.search.iterations=3 --set stages.2.search.iterations=2
same_runs "$work/whole-back" "$work/recipe"
runs search recipe formula --set attention_factor=longrope
runs search recipe formula --set attention_factor=longrope --set stages.1.search.iterations=2 --resume
runs search recipe whole-formula --set attention_factor=longrope --set stages.1.search.iterations=2
same_runs "$work/whole-formula" "$work/formula"

echo "continue: passed"
