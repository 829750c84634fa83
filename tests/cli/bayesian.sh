#!/bin/sh
# The search by a Gaussian process: what it scores of whom, a run that is cut anywhere and resumed, threads, racing, and
# what show and report say while most individuals are scored on one window.
#   LONGROPE_TEST_SEED  of the random moments, to repeat a failure
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
shallow_model

seed=${LONGROPE_TEST_SEED:-$(($(date +%s) % 100000 * 100 + $$ % 100))}
echo "bayesian: LONGROPE_TEST_SEED=$seed"

cat >"$work/search.yaml" <<YAML
name: few
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 3}
search: {algorithm: bayesian, evaluations: 7, population: 2, start_tokens: [0, 4]}
stages:
  - {name: only, target_length: 600}
YAML

# search RUN ARGUMENT...: runs share a cache unless another one is given, so that equal ones cost little.
search() {
    run=$1
    shift
    # shellcheck disable=SC2031 # it is changed where that is meant
    $launch "$LONGROPE" search "$work/search.yaml" -o "$work/$run" --cache "$work/scores.db" "$@"
}
query() { sqlite3 "$work/$1/run.db" "$2"; }

# ---- what is scored ----

runs search whole
[ "$(query whole "SELECT count(*) FROM individuals WHERE origin <> 'model' OR stopped")" = 0 ] ||
    fail "an individual is not the model's"
[ "$(query whole "SELECT count(*) FROM individuals WHERE first_window <> id % 3")" = 0 ] ||
    fail "new individuals are not scored on one window after another"
[ "$(query whole "SELECT count(*) FROM individuals AS i WHERE (nats_per_token IS NULL) <>
    ((SELECT count(*) FROM sample_nats AS n WHERE n.individual = i.id) < 3)")" = 0 ] ||
    fail "an individual has a score though windows are lacking, or none though all are there"
windows=$(query whole "SELECT count(*) FROM sample_nats")
{ [ "$windows" -le 21 ] && [ "$windows" -gt 18 ]; } || fail "$windows window scores where 21 are the limit"
complete=$(query whole "SELECT count(*) FROM individuals WHERE nats_per_token IS NOT NULL")
partial=$(query whole "SELECT count(*) FROM individuals WHERE nats_per_token IS NULL")
{ [ "$complete" -gt 0 ] && [ "$partial" -gt 0 ]; } || fail "$complete scored on all windows, $partial on one"

# ---- threads ----

runs search threads1 --threads 1 --cache "$work/scores1.db"
runs search threads2 --threads 2 --cache "$work/scores2.db"
same_runs "$work/whole" "$work/threads1"
same_runs "$work/whole" "$work/threads2"

# ---- show and report ----

runs "$LONGROPE" show "$work/whole" --json
best=$(query whole "SELECT exp(min(nats_per_token)) FROM individuals")
holds ".stages[0] | .state == \"done\" and (.best.perplexity - $best | fabs < 1e-9) and .best.origin == \"model\""
runs "$LONGROPE" report "$work/whole" -o "$work/whole.html"
[ -s "$work/whole.html" ] || fail "the report is empty"
runs "$LONGROPE" show "$work/whole"

# Nobody is scored on all windows yet.
running="UPDATE stages SET state = 'running'"
first_only="DELETE FROM sample_nats WHERE sample <>
        (SELECT first_window FROM individuals AS i WHERE i.stage = sample_nats.stage AND i.id = individual);
    UPDATE individuals SET nats_per_token = NULL, work = NULL, computed = 1"
copy_run whole begun "$running; $first_only"
rm -f "$work/begun/factors.json"
runs "$LONGROPE" show "$work/begun" --json
holds '.state == "stopped" and .stages[0].best == null and .stages[0].best_exportable == null'
runs "$LONGROPE" show "$work/begun"
runs "$LONGROPE" report "$work/begun" -o "$work/begun.html"

# ---- resumed from anywhere ----

runs search begun --resume
same_runs "$work/whole" "$work/begun"
last=$(query whole "SELECT max(id) FROM individuals")
id=0
while [ "$id" -le "$last" ]; do
    later="DELETE FROM sample_nats WHERE individual >= $id; DELETE FROM individuals WHERE id >= $id"
    copy_run whole cut "$running; $later"
    [ $((id % 2)) = 0 ] || copy_run cut cut-first "$first_only"
    for run in cut cut-first; do
        [ -d "$work/$run" ] || continue
        rm -f "$work/$run/factors.json"
        runs search "$run" --resume
        same_runs "$work/whole" "$work/$run"
        rm -r "${work:?}/$run"
    done
    id=$((id + 1))
done

# ---- killed at random moments ----

killed 3 0.6 random random --cache "$work/scores3.db"
same_runs "$work/whole" "$work/random"

# ---- racing ----

# The bound may give up a genome on its way to all windows; what is proposed does not depend on when it is killed.
for racing in none bound statistical; do # what is killed has a cache of its own, and so has to compute
    runs search $racing --set search.racing=$racing
    killed 2 0.6 $racing-cut $racing-cut --set search.racing=$racing --cache "$work/$racing.db"
    same_runs "$work/$racing" "$work/$racing-cut"
done
[ "$(query none "SELECT sum(stopped) FROM individuals")" = 0 ] || fail "an individual was stopped without racing"
# Who is given up was on its way to all windows, and saves those that it lacks of all: a single window is not raced on.
copy_run none given-up "UPDATE individuals SET stopped = 1 WHERE id = (SELECT min(id) FROM individuals AS i
    WHERE (SELECT count(*) FROM sample_nats AS n WHERE n.individual = i.id) = 1)"
runs "$LONGROPE" show "$work/given-up" --json
holds '.stages[0].cost | .stopped == 1 and .windows_saved == 2'

# ---- small budgets and one window ----

runs search one --set search.evaluations=1
[ "$(query one "SELECT count(*) || ' ' || sum(nats_per_token IS NOT NULL) FROM individuals")" = "1 1" ] ||
    fail "a budget of one evaluation does not score one individual on all windows"
[ -s "$work/one/factors.json" ] || fail "a budget of one evaluation finds no table"
runs search window --set data.samples=1 --set search.evaluations=9
[ "$(query window "SELECT count(*) || ' ' || sum(nats_per_token IS NOT NULL) FROM individuals")" = "9 9" ] ||
    fail "with one window not every individual is scored on all"
copy_run window window-cut "$running; DELETE FROM sample_nats WHERE individual > 4; DELETE FROM individuals WHERE id > 4"
runs search window-cut --set data.samples=1 --set search.evaluations=9 --resume
same_runs "$work/window" "$work/window-cut"

# ---- needles ----

runs search needle --set objective=needle --set search.evaluations=3
[ "$(query needle "SELECT sum(nats_per_token IS NOT NULL) FROM individuals")" -gt 0 ] || fail "needles give no table"

echo "bayesian: passed"
