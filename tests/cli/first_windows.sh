#!/bin/sh
# search.first_windows: generations are scored on few windows first and the best few on all at the end; what is scored, a
# run that is cut anywhere and resumed, threads, ranks, racing, larger budgets, and what show and report say.
#   LONGROPE_TEST_SEED  of the random moments, to repeat a failure
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

seed=${LONGROPE_TEST_SEED:-$(($(date +%s) % 100000 * 100 + $$ % 100))}
echo "first_windows: LONGROPE_TEST_SEED=$seed"

# write_config NAME SEARCH
write_config() {
    cat >"$work/$1.yaml" <<YAML
name: $1
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 4, held_out: 0}
search: {$2, first_windows: 1, evaluations: 12, start_tokens: [0, 4]}
stages:
  - {name: only, target_length: 280}
YAML
}
genetic="population: 10, mutations: 3, crossovers: 3, parents: 3, iterations: 40"
write_config paper "algorithm: paper, knots: 4, $genetic"
write_config cma-es "algorithm: cma-es, knots: 4, population: 4, parents: 2, iterations: 40"

# search CONFIG RUN ARGUMENT...: runs share a cache unless another one is given, so that equal ones cost little.
search() {
    config=$1 run=$2
    shift 2
    # shellcheck disable=SC2031 # it is changed where that is meant
    $launch "$LONGROPE" search "$work/$config.yaml" -o "$work/$run" --cache "$work/scores.db" "$@"
}
query() { sqlite3 "$work/$1/run.db" "$2"; }
windows_of="(SELECT count(*) FROM sample_nats AS n WHERE n.individual = i.id)"

# ---- what is refused ----

cat >"$work/bayesian.yaml" <<YAML
name: bayesian
model: $model
data: {text: [$corpus/*.txt], tokenizer: bytes}
search: {first_windows: 2}
stages: [{name: only, target_length: 300}]
YAML
fails_with 2 "'search.first_windows' is not used with 'algorithm: bayesian', which scores each candidate on one window" \
    search bayesian refused

# ---- what is scored ----

# check RUN BUDGET: windows are within the budget, the first ones, and scores those of all.
check() {
    windows=$(query "$1" "SELECT count(*) FROM sample_nats")
    [ "$windows" -le $((4 * $2)) ] || fail "$1: $windows window scores where $((4 * $2)) are the limit"
    [ "$(query "$1" "SELECT count(*) FROM individuals AS i WHERE first_window <> 0 OR $windows_of <>
        1 + (SELECT max(sample) FROM sample_nats WHERE individual = id)")" = 0 ] || fail "$1: other windows are scored"
    [ "$(query "$1" "SELECT count(*) FROM individuals AS i WHERE (nats_per_token IS NULL) <>
        ($windows_of < 4 OR stopped)")" = 0 ] || fail "$1: scores are not those of all windows"
    [ "$(query "$1" "SELECT count(*) FROM individuals WHERE nats_per_token NOTNULL")" -gt 0 ] || fail "$1 has no result"
    [ "$(query "$1" "SELECT count(*) FROM individuals AS i WHERE $windows_of < 4 AND NOT stopped")" -gt 0 ] ||
        fail "$1: all individuals are scored on all windows"
}

for config in paper cma-es; do
    runs search $config $config
    check $config 12
    runs "$LONGROPE" show "$work/$config" --json
    best=$(query $config "SELECT exp(min(nats_per_token)) FROM individuals")
    exportable=$(query $config "SELECT exp(min(nats_per_token)) FROM individuals WHERE n_hat = 0")
    holds ".stages[0] | .state == \"done\" and (.best.perplexity - $best | fabs < 1e-9) and
        (.best_exportable.perplexity - $exportable | fabs < 1e-9) and .settings[\"search.first_windows\"] == \"1\""
    runs "$LONGROPE" show "$work/$config"
    grep -qE "^  longrope .* $(printf %.4f "$best") " "$work/stdout" || fail "$config: show has another best table"
done
runs "$LONGROPE" report "$work/cma-es" -o "$work/report.html"
grep -q ", first windows <code>1</code>" "$work/report.html" || fail "the report does not say how many come first"

# The number of windows grows: a generation begins on one, a later one on more.
begun="SELECT min(windows) || ' ' || (max(windows) > 1) FROM (SELECT min($windows_of) AS windows FROM individuals AS i
    WHERE NOT stopped GROUP BY generation)"
[ "$(query paper "$begun")" = "1 1" ] || fail "the number of windows does not grow"

# As many as there are, or more, are all.
for first in 4 all; do
    runs search paper "first-$first" --set search.first_windows=$first --set search.evaluations=6
    [ "$(query "first-$first" "SELECT count(*) || ' ' || count(nats_per_token) FROM individuals")" = "6 6" ] ||
        fail "first_windows: $first does not score all windows"
done

# ---- threads ----

runs search paper threads-1 --threads 1 --cache "$work/scores1.db"
runs search paper threads-2 --threads 2 --cache "$work/scores2.db"
same_runs "$work/paper" "$work/threads-1"
same_runs "$work/paper" "$work/threads-2"

# ---- resumed from anywhere ----

running="UPDATE stages SET state = 'running'"
first_only="DELETE FROM sample_nats WHERE sample > 0 AND individual IN (SELECT id FROM individuals WHERE NOT stopped);
    UPDATE individuals SET nats_per_token = NULL, work = NULL, computed = 1 WHERE NOT stopped"
for config in paper cma-es; do
    last=$(query $config "SELECT max(id) FROM individuals")
    id=0
    while [ "$id" -le "$last" ]; do
        later="DELETE FROM sample_nats WHERE individual >= $id; DELETE FROM individuals WHERE id >= $id"
        copy_run $config cut "$running; $later; $first_only"
        rm -f "$work/cut/factors.json"
        runs search $config cut --resume
        same_runs "$work/$config" "$work/cut"
        rm -r "$work/cut"
        id=$((id + 4))
    done
done

# ---- killed at random moments ----

killed 2 0.4 killed cma-es killed --cache "$work/scores3.db"
same_runs "$work/cma-es" "$work/killed"

# ---- racing ----

# Racing saves none of the windows that a generation is not scored on: those of the first are scored on one.
saved() {
    runs "$LONGROPE" show "$work/$1" --json
    jq '.stages[0].cost.windows_saved' "$work/stdout"
}
on_one=$(query paper "SELECT count(*) FROM individuals AS i WHERE generation = 0 AND NOT stopped AND $windows_of = 1")
[ "$on_one" -gt 1 ] || fail "too few individuals are scored on one window"
copy_run paper one "UPDATE individuals SET stopped = 1 WHERE id = (SELECT min(id) FROM individuals AS i
    WHERE generation = 0 AND NOT stopped AND $windows_of = 1)"
[ "$(saved one)" = "$(saved paper)" ] || fail "an individual that was cut short on the only window saves some"

# race "COMMAND ARGUMENT..." CONFIG RUN RACING: on two windows first, and on more
race() {
    cache=$work/scores.db
    case $1 in killed*) cache=$work/$3-scores.db ;; esac # its own, so that it has to compute
    # shellcheck disable=SC2086 # words
    $1 "$2" "$3" --set "search.racing=$4" --set search.first_windows=2 --set search.evaluations=20 \
        --set stages.0.target_length=400 --cache "$cache" ${5:+--set "$5"}
}
for config in paper cma-es; do
    for racing in none bound blocks; do
        risk=
        [ $racing != blocks ] || risk=search.racing_risk=0.4
        runs race search $config $config-$racing $racing $risk
        race "killed 2 0.4 $config-$racing-cut" $config $config-$racing-cut $racing $risk
        same_runs "$work/$config-$racing" "$work/$config-$racing-cut"
    done
done
[ "$(query paper-none "SELECT sum(stopped) FROM individuals")" = 0 ] || fail "an individual was stopped without racing"
[ "$(query paper-blocks "SELECT sum(stopped) FROM individuals")" -gt 0 ] || fail "racing stops nobody on two windows"

# The bound changes nothing but the windows that are scored, which leave budget to others.
same="SELECT id, genes, n_hat FROM individuals WHERE id <= (SELECT max(id) FROM none.individuals) ORDER BY id"
for config in paper cma-es; do
    sqlite3 "$work/$config-bound/run.db" "ATTACH '$work/$config-none/run.db' AS none; $same" >"$work/bound"
    query $config-none "SELECT id, genes, n_hat FROM individuals ORDER BY id" | cmp -s - "$work/bound" ||
        fail "$config: racing: bound changes what is proposed"
done

# ---- ranks ----

try env PMI_SIZE=2 PMI_RANK=0 "$LONGROPE" search "$work/paper.yaml" -o "$work/lonely" # it says whether it knows MPI
if ! grep -q "was built without MPI" "$work/stderr" && use_mpirun; then
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    for config in paper cma-es; do
        runs mpirun -n 2 "$LONGROPE" search "$work/$config.yaml" -o "$work/$config-ranks" --threads 1 \
            --set search.racing=blocks --set search.first_windows=2 --set search.evaluations=20 \
            --set stages.0.target_length=400 --set search.racing_risk=0.4
        same_runs "$work/$config-blocks" "$work/$config-ranks"
    done
fi

# ---- larger and small budgets ----

# What a larger budget proposes is the same; what was scored on all windows before stays.
proposed() { query "$1" "SELECT id, generation, origin, parent_a, genes, n_hat FROM individuals ORDER BY id"; }
for config in paper cma-es; do
    runs search $config whole-$config --set search.evaluations=18
    copy_run $config continued
    runs search $config continued --set search.evaluations=18 --resume
    [ "$(proposed continued)" = "$(proposed whole-$config)" ] || fail "$config: a continued search has other candidates"
    sqlite3 "$work/whole-$config/run.db" "ATTACH '$work/continued/run.db' AS run; SELECT individual, sample, nats FROM
        sample_nats EXCEPT SELECT individual, sample, nats FROM run.sample_nats" >"$work/lacking"
    [ ! -s "$work/lacking" ] || fail "$config: a continued search lacks windows"
    runs search $config continued --set search.evaluations=14 --resume
    grep -qF "it stays as it is" "$work/stderr" || fail "$config: a smaller budget is not refused"
    rm -r "$work/continued"
    runs search $config one-$config --set search.evaluations=1
    [ "$(query one-$config "SELECT count(*) || ' ' || sum(nats_per_token NOTNULL) FROM individuals")" = "1 1" ] ||
        fail "$config: a budget of one evaluation does not score one individual on all windows"
done

# An unfinished run whose budget becomes smaller stays within it, with the windows that it has; less is refused.
for config in paper cma-es; do
    later="IN (SELECT id FROM individuals WHERE generation > 0)"
    copy_run $config less "$running; DELETE FROM sample_nats WHERE individual $later; DELETE FROM individuals WHERE
        id $later; $first_only"
    rm -f "$work/less/factors.json"
    less=$((($(query less "SELECT count(*) FROM sample_nats") + 3) / 4))
    fails_with 2 "with what is kept for the end) in " search $config less --set search.evaluations=$less --resume
    try search $config less --set search.evaluations=$less --resume
    while [ "$status" = 2 ]; do
        less=$((less + 1))
        try search $config less --set search.evaluations=$less --resume
    done
    [ "$status" = 0 ] || fail "$config: a smaller budget ends with $status"
    [ "$less" -lt 12 ] || fail "$config: no smaller budget is allowed"
    check less $less
    rm -r "$work/less"
done

# Fewer iterations while the number of windows grows: even individuals have the windows added, odd ones do not. The search
# ends with the generation that it has, and lacks nothing that it had with so few iterations from the start.
best() { query "$1" "SELECT min(nats_per_token) FROM individuals"; }
lacks_nothing_of() {
    sqlite3 "$work/$1/run.db" "ATTACH '$work/$2/run.db' AS run; SELECT individual, sample, nats FROM sample_nats
        EXCEPT SELECT individual, sample, nats FROM run.sample_nats" >"$work/lacking"
    [ ! -s "$work/lacking" ] || fail "$2 lacks windows of $1"
}
for config in paper cma-es; do
    last=$(query $config "SELECT max(generation) FROM individuals")
    [ "$last" -gt 0 ] || fail "$config: there is one generation"
    generation=0
    while [ "$generation" -lt "$last" ]; do
        now=$(query $config "SELECT min($windows_of) FROM individuals AS i WHERE NOT stopped AND generation = $generation")
        later="IN (SELECT id FROM individuals WHERE generation > $generation)"
        copy_run $config less "$running; DELETE FROM sample_nats WHERE individual $later;
            DELETE FROM individuals WHERE id $later; DELETE FROM sample_nats WHERE
            sample >= $now * (1 + (individual % 2 = 0)) AND individual IN (SELECT id FROM individuals WHERE NOT stopped);
            UPDATE individuals AS i SET nats_per_token = NULL, work = NULL, computed = 1
                WHERE NOT stopped AND $windows_of < 4"
        rm -f "$work/less/factors.json"
        runs search $config less --set search.iterations=$generation --resume
        check less 12
        runs search $config few --set search.iterations=$generation
        lacks_nothing_of few less
        awk "BEGIN { exit !($(best less) <= $(best few)) }" || fail "$config: the best of fewer iterations is lost"
        rm -r "$work/less" "$work/few"
        generation=$((generation + 1))
    done
done

# Continued with a larger budget and killed: less than is done by then, also the budget that it was finished with, is
# refused, and the run is as it was.
# refused_less CONFIG WORDS ARGUMENT...: WORDS are the budget that is too small.
refused_less() {
    searched=$1
    words=$2
    shift 2
    remember=$(dump_run "$work/cut" | sha256sum)
    fails_with 2 "more than the budget now allows (search: {$words}); finish it with the budget that it has (search: {" \
        search "$searched" cut "$@" --resume
    [ "$(dump_run "$work/cut" | sha256sum)" = "$remember" ] || fail "a refused resume changes the run"
}
for config in paper cma-es; do
    before=$(query $config "SELECT max(id) FROM individuals")
    generation=$(query $config "SELECT max(generation) FROM individuals")
    copy_run $config continued
    runs search $config continued --set search.evaluations=18 --resume
    [ "$(query continued "SELECT max(id) FROM individuals")" -gt $((before + 1)) ] || fail "$config: too little is continued"
    later="IN (SELECT id FROM individuals WHERE id > $before + 1)"
    copy_run continued cut "$running; DELETE FROM sample_nats WHERE individual $later; DELETE FROM individuals WHERE id $later"
    rm -f "$work/cut/factors.json"
    refused_less $config "iterations: $((generation - 1)), evaluations: 18" --set search.evaluations=18 \
        --set search.iterations=$((generation - 1))
    refused_less $config "iterations: 40, evaluations: 12"
    runs search $config cut --set search.evaluations=18 --resume
    same_runs "$work/continued" "$work/cut"
    rm -r "$work/continued" "$work/cut"
done

# ---- needles ----

runs search paper needle --set objective=needle --set search.evaluations=8
check needle 8

echo "first_windows: passed"
