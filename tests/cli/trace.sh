#!/bin/sh
# LONGROPE_TRACE: what the program decides, one line each on stderr, which changes no result.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# traced ROOM WORDS: stderr has a line of the room that contains WORDS.
traced() {
    grep -F "longrope: trace: $1: " "$work/stderr" | grep -qF -e "$2" || fail "no trace of $1 says '$2'"
}

# count_traces WORDS
count_traces() { grep -cF -e "$1" "$work/stderr" || true; }

# ---- the store ----

runs tiny_search "$work/plain"
! grep -q trace "$work/stderr" || fail "traces without LONGROPE_TRACE"

export LONGROPE_TRACE=store
runs tiny_search "$work/traced"
traced store "$work/traced/run.db: opened to create, schema 10"
traced store "$work/traced/scores.db: opened, schema 2"
traced store 'stage 0: stored baseline yarn, 2 windows'
traced store 'stage 0: stored individual 13, '
stored=$(sqlite3 "$work/traced/run.db" 'SELECT count(*) FROM individuals')
[ "$(count_traces ': stored individual ')" = "$stored" ] || fail "not one line per individual"
! grep -F 'longrope: trace: ' "$work/stderr" | grep -vq 'longrope: trace: store: ' || fail "traces rooms that are not named"
same_runs "$work/plain" "$work/traced"

# a run of an older schema
copy_run plain older 'ALTER TABLE individuals DROP COLUMN first_window; ALTER TABLE individuals DROP COLUMN critical;
    ALTER TABLE individuals DROP COLUMN work;    ALTER TABLE sample_nats DROP COLUMN blocks; ALTER TABLE baseline_nats DROP COLUMN blocks; DROP TABLE critical_pairs;
    ALTER TABLE pass_keys DROP COLUMN wording; DROP TABLE ranks; DROP TABLE choices;
    DROP TABLE held_out_nats; DROP TABLE held_out_samples; DROP TABLE held_out; DROP TABLE machines; PRAGMA user_version = 4'
runs "$LONGROPE" show "$work/older" --json
traced store "$work/older/run.db: migrating from schema 4 to 5"
traced store "$work/older/run.db: migrating from schema 5 to 6"
traced store "$work/older/run.db: migrating from schema 6 to 7"
traced store "$work/older/run.db: opened to read, schema 10"

# ---- the cache ----

export LONGROPE_TRACE=cache
runs tiny_search "$work/hits" --cache "$work/plain/scores.db"
traced cache ': hit'
[ "$(count_traces ': miss')" = 0 ] || fail "a search that was cached misses windows"
same_runs "$work/plain" "$work/hits"

# Another process has the cache locked until the search says that it waits.
export LONGROPE_TRACE=store,cache
mkfifo "$work/commands"
sqlite3 "$work/plain/scores.db" <"$work/commands" &
exec 3>"$work/commands"
printf '%s\n' 'BEGIN IMMEDIATE;' ".shell touch '$work/locked'" >&3
wait_until "the lock" [ -e "$work/locked" ]
start_search "$work/waits" --cache "$work/plain/scores.db" --set search.seed=2
wait_until "a trace of waiting for the cache" \
    grep -qF "trace: store: $work/plain/scores.db: waiting for another process" "$work/background.err"
echo 'COMMIT;' >&3
exec 3>&-
end_search
[ "$status" = 0 ] || fail "the search that waited ends with status $status"
grep -q 'trace: cache: .*: miss' "$work/background.err" || fail "no trace of a window that is not in the cache"

# ---- the search ----

# a search in which racing gives up some tables
raced() {
    tiny_search "$@" --set search.population=10 --set search.parents=2 --set search.mutations=3 \
        --set search.crossovers=3 --set search.iterations=2 --set stages.0.target_length=512 --set data.samples=4
}
export LONGROPE_TRACE=evolve,race,recipe
runs raced "$work/raced"
traced recipe "stage 'extend-2k': starts on model "
traced recipe 'searched factors 1..2.5 multiply nothing'
traced evolve 'generation 0: 10 individuals proposed; '
traced evolve 'generation 2: 6 individuals proposed; '
traced race ': its score is at least '
stopped=$(sqlite3 "$work/raced/run.db" 'SELECT sum(stopped) FROM individuals')
[ "$(count_traces ' given up after window ')" = "$stopped" ] || fail "not one line per individual that was given up"

runs raced "$work/raced" --resume
traced recipe "stage 'extend-2k': done on model "
[ "$(count_traces 'trace: evolve: ')" = 0 ] || fail "a stage that is done is searched again"

cat >"$work/cma-es.yaml" <<YAML
name: cma-es
model: $model
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
search: {algorithm: cma-es, population: 4, parents: 2, iterations: 2}
stages: [{name: one, target_length: 512}]
YAML
runs "$LONGROPE" search "$work/cma-es.yaml" -o "$work/cma-es"
traced evolve 'generation 2: CMA-ES samples with step size '

runs "$LONGROPE" search "$work/cma-es.yaml" -o "$work/bayesian" --set 'search={evaluations: 4}'
traced evolve 'generation 2: around individual '
traced evolve ', 8 knots; deviations: common '

# ---- rooms ----

export LONGROPE_TRACE=store,stroe
fails_with 2 "LONGROPE_TRACE: unknown room 'stroe' (did you mean 'store'?); choose model, evolve, race, store, cache, ranks, recipe, export or all" \
    "$LONGROPE" show "$work/plain"
