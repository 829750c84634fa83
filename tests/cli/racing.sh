#!/bin/sh
# Racing and the score cache: what they may change of a search, and what they may not.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

query() { sqlite3 "$work/$1/run.db" "$2"; }

# A small search, in which some tables are far worse than others.
race() {
    run=$1
    shift
    tiny_search "$work/$run" --set search.population=10 --set search.parents=2 --set search.mutations=3 \
        --set search.crossovers=3 --set search.iterations=2 --set stages.0.target_length=385 \
        --set data.samples=4 "$@"
}

# populations RUN: every genome, how it came to be, and its score where it has one.
populations() {
    query "$1" "SELECT id, generation, origin, parent_a, parent_b, genes, n_hat FROM individuals ORDER BY id"
}

# ---- the bound loses nothing ----

runs race none --set search.racing=none
runs race bound
[ "$(populations none)" = "$(populations bound)" ] || fail "racing with the bound makes other populations"
cmp -s "$work/none/factors.json" "$work/bound/factors.json" || fail "racing with the bound finds another table"
[ "$(query none 'SELECT sum(stopped) FROM individuals')" = 0 ] || fail "an individual was stopped without racing"
stopped=$(query bound 'SELECT sum(stopped) FROM individuals')
[ "$stopped" -gt 0 ] || fail "nothing was stopped; this test is to show something"
[ "$(query bound "SELECT count(*) FROM individuals AS i WHERE stopped <> (nats_per_token IS NULL) OR stopped <>
    (4 > (SELECT count(*) FROM sample_nats AS s WHERE s.individual = i.id))")" = 0 ] ||
    fail "who is stopped, who has no score and who lacks windows are not the same"
query bound "ATTACH '$work/none/run.db' AS n; SELECT count(*) FROM individuals AS i JOIN n.individuals AS j USING (id)
    WHERE i.nats_per_token <> j.nats_per_token" | grep -qx 0 || fail "racing changes scores"
query bound "ATTACH '$work/none/run.db' AS n; SELECT count(*) FROM sample_nats AS i JOIN n.sample_nats AS j
    USING (individual, sample) WHERE i.nats <> j.nats" | grep -qx 0 || fail "racing changes the nats of windows"
saved=$(query bound "SELECT (SELECT count(*) FROM individuals) * 4 - count(*) FROM sample_nats")
[ "$saved" -ge "$stopped" ] || fail "what was stopped saved nothing"

# interrupted RUN ARGUMENT...: the race is killed once it has stored an individual, and not over by then.
interrupted() {
    (launch="exec" && race "$@") >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_for_evaluations "$work/$1" 1
    kill -KILL "$background"
    end_search
    [ "$status" = 137 ] || fail "the search was over before it was killed"
}

# killed_late RACE RUN: the race is killed when it has stored 12 individuals, and has rivals.
killed_late() {
    (launch="exec" && "$@") >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_for_evaluations "$work/$2" 12
    kill -KILL "$background"
    end_search
    [ "$status" = 137 ] || fail "the search was over before it was killed"
}

# An interrupted race ends as one that was left alone, and a setting that changes is refused.
interrupted cut
fails_with 2 "'search.racing' was bound when the run began and is none now" race cut --resume --set search.racing=none
runs race cut --resume
same_runs "$work/bound" "$work/cut"

# ---- the test stops more ----

statistical() { race "$@" --set search.racing=statistical --set search.racing_risk=0.2; }
runs statistical test
grep -q "racing: statistical gives up a candidate" "$work/stderr" || fail "it does not say what it risks"
[ "$(query test "ATTACH '$work/bound/run.db' AS b; SELECT count(*) FROM individuals AS i JOIN b.individuals AS j
    USING (id) WHERE i.genes = j.genes AND i.n_hat = j.n_hat AND i.stopped AND NOT j.stopped")" -gt 0 ] ||
    fail "the test stops nobody that the bound does not"
[ "$(query test "SELECT count(*) FROM individuals WHERE stopped AND id < 2")" = 0 ] ||
    fail "somebody was stopped before there were parents to beat"
fails_with 2 "'search.racing_risk' was 0.2" race test --resume --set search.racing=statistical \
    --set search.racing_risk=0.1
killed_late statistical cut-test
runs statistical cut-test --resume
same_runs "$work/test" "$work/cut-test"

# ---- blocks stop after the first window ----

# Windows of 384 predictions have three blocks.
blocks() { race "$@" --set search.racing=blocks --set search.racing_risk=0.2; }
runs blocks blocks --cache "$work/blocks.db"
grep -q "racing: blocks gives up a candidate, after any window from the first on, .* less than 0.2" "$work/stderr" ||
    fail "it does not say what it risks"
[ "$(query blocks "SELECT count(*) FROM individuals AS i WHERE stopped AND id NOT IN
    (SELECT individual FROM sample_nats WHERE sample > 0)")" -gt 0 ] || fail "nobody is stopped after the first window"
[ "$(query blocks "SELECT count(*) FROM individuals WHERE stopped AND id < 2")" = 0 ] ||
    fail "somebody was stopped before there were parents to beat"
[ "$(query blocks "SELECT count(*) FROM sample_nats WHERE length(blocks) IS NOT 3 * 4")" = 0 ] ||
    fail "windows of 384 predictions do not have three blocks"
[ "$(query blocks "SELECT count(*) FROM baseline_nats WHERE length(blocks) IS NOT 3 * 4")" = 0 ] ||
    fail "baselines do not have three blocks per window"
# What it saves of a budget makes room for more candidates, so progress counts windows.
runs blocks budget --cache "$work/blocks.db" --set search.evaluations=10 --set search.iterations=100
[ "$(query budget "SELECT count(*) FROM individuals")" -gt 10 ] || fail "a budget of 10 evaluations has no room for more tables"
sed -n 's|.*: \([0-9]*\)/\([0-9]*\) windows.* \(.*\) left$|\1 \2 \3|p' "$work/stderr" >"$work/steps"
awk '$1 > $2 || $3 ~ /-/ { bad = 1 } END { exit bad || NR == 0 }' "$work/steps" || fail "progress: $(tail -n 1 "$work/steps")"
fails_with 2 "'search.racing' was blocks when the run began and is statistical now" race blocks --resume \
    --set search.racing=statistical --set search.racing_risk=0.2

# A cache without blocks, as an older version leaves it: the windows are computed again, and the end is the same.
sqlite3 "$work/blocks.db" "ALTER TABLE scores DROP COLUMN blocks; PRAGMA user_version = 1" >"$work/stdout"
runs blocks again --cache "$work/blocks.db"
same_runs "$work/blocks" "$work/again"
[ "$(query again "SELECT sum(computed) = (SELECT count(*) FROM sample_nats) FROM individuals")" = 1 ] ||
    fail "windows without blocks were not computed again"
runs blocks third --cache "$work/blocks.db" # by now the cache has the blocks
same_runs "$work/blocks" "$work/third"
[ "$(query third "SELECT sum(computed) FROM individuals")" = 0 ] || fail "blocks in the cache were computed again"

# Killed and resumed, it ends as one that was left alone; a rival without blocks is not raced against.
killed_late blocks cut-blocks
cp -r "$work/cut-blocks" "$work/without"
query without "UPDATE sample_nats SET blocks = NULL"
status=0
blocks without --resume >"$work/stdout" 2>"$work/stderr" || status=$?
[ "$status" = 1 ] || fail "a race against a rival without blocks ends with $status"
tail -n 1 "$work/stderr" | grep -q "lacks the sums per block of window 0, which 'racing: blocks' requires: an older" ||
    fail "it does not say that the rival has no blocks"
runs blocks cut-blocks --resume
same_runs "$work/blocks" "$work/cut-blocks"

# ---- the cache ----

# Another search that shares the cache computes nothing that is there, and finds the same.
runs race shared --cache "$work/none/scores.db"
same_runs "$work/bound" "$work/shared"
[ "$(query shared 'SELECT sum(computed) FROM individuals')" = 0 ] || fail "a window in the cache was computed again"
[ "$(query shared 'SELECT sum(computed) FROM baselines')" = 0 ] || fail "a baseline in the cache was computed again"
[ ! -e "$work/shared/scores.db" ] || fail "a run with a cache elsewhere makes its own"
[ "$(query none "SELECT sum(computed) = count(*) * 4 FROM individuals")" = 1 ] || fail "computed does not count"

# bf16 has nats of its own; of six windows, some are among the four that are known.
runs race other --cache "$work/none/scores.db" --set dtype=bf16 --set search.iterations=0
[ "$(query other 'SELECT min(computed) FROM baselines')" = 4 ] || fail "bf16 is answered from the cache of f32"
runs race longer --cache "$work/none/scores.db" --set data.samples=6 --set search.iterations=0
[ "$(query longer 'SELECT max(computed) < 6 FROM baselines')" = 1 ] ||
    fail "windows that are known were computed again"

# Two searches at once on one cache find what each finds alone.
(launch="exec" && race left --cache "$work/both.db" --set search.seed=5 --set search.iterations=0) \
    >"$work/background.out" 2>"$work/background.err" &
background=$!
runs race right --cache "$work/both.db"
end_search
[ "$status" = 0 ] || fail "the search beside another one ends with $status: $(tail -n 1 "$work/background.err")"
same_runs "$work/bound" "$work/right"
runs race alone --set search.seed=5 --set search.iterations=0
same_runs "$work/alone" "$work/left"

# Of an evaluation that a kill cuts short, the windows that were scored are kept.
long() {
    run=$1
    shift
    tiny_search "$work/$run" --set stages.0.target_length=2048 --set data.samples=3 --set search.population=1 \
        --set search.parents=1 --set search.iterations=0 "$@"
}
(launch="exec" && long long) >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_for_rows "$work/long/scores.db" scores 1
kill -KILL "$background"
end_search
kept=$(rows "$work/long/scores.db" scores)
[ "$kept" -lt 18 ] || fail "the search was over before it was killed; give it longer windows"
runs long long --resume
[ "$(query long "SELECT (SELECT sum(computed) FROM baselines) + (SELECT sum(computed) FROM individuals)")" -ge \
    $((18 - kept)) ] || fail "more windows were kept than the search had scored"
[ "$(query long "SELECT computed FROM baselines WHERE position = 0")" -lt 3 ] ||
    fail "the windows of the evaluation that was killed were scored again"

# ---- a cache that is not one ----

echo "not a database, whatever its name may say; longer than a header of SQLite's, which has 100 bytes" \
    >"$work/text.db"
fails_with 2 "$work/text.db: is not a" race none --resume --cache "$work/text.db"
sqlite3 "$work/foreign.db" "CREATE TABLE t (a)"
fails_with 2 "$work/foreign.db: is a database of another program" race none --resume --cache "$work/foreign.db"
fails_with 2 "$work/none/run.db: is " race none --resume --cache "$work/none/run.db"
fails_with 2 "$work: " race none --resume --cache "$work"
cp "$work/none/scores.db" "$work/newer.db"
sqlite3 "$work/newer.db" "PRAGMA user_version = 99" >"$work/stdout"
fails_with 2 "$work/newer.db: was written by a newer longrope" race none --resume --cache "$work/newer.db"

echo "racing: passed"
