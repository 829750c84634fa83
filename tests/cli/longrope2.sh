#!/bin/sh
# LongRoPE2's space: pairs before the critical one follow NTK in all that a run gives out, and a search in the space
# comes to the same whatever the threads and interruptions.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$work/space.yaml" <<YAML
name: space
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
search: {algorithm: longrope2, population: 8, mutations: 3, crossovers: 3, parents: 4, iterations: 3}
stages:
  - {name: only, target_length: 512}
YAML
# search RUN ARGUMENT...
search() {
    run=$1
    shift
    "$LONGROPE" search "$work/space.yaml" -o "$run" "$@"
}
# What a JSON value "factors" on stdout has to hold with the critical pair .cd: NTK before it, and from it on factors on
# the lattice from 2 to 4 that increase strictly.
# shellcheck disable=SC2016 # variables of jq
in_space='def in_space($cd): . as $f |
    (all(range(0; $cd); . as $i | ($f[$i] - ($f[$cd] | log * ($i / $cd) | exp) | fabs) < 1e-12)) and
    (all(range($cd; 32); . as $i | $f[$i] >= 2 and $f[$i] <= 4 and ($i == $cd or $f[$i] > $f[$i - 1])
        and ($f[$i] * 100 - ($f[$i] * 100 | round) | fabs) < 1e-9));'

# ---- one run, on one thread ----

runs search "$work/whole" --threads 1
runs "$LONGROPE" show "$work/whole" --json
best=$(sqlite3 "$work/whole/run.db" "SELECT critical FROM individuals WHERE nats_per_token IS NOT NULL
    ORDER BY nats_per_token, id LIMIT 1")
holds "$in_space .stages[0].best.factors | in_space($best)"
holds ".stages[0].best.critical_pair == $best"
cp "$work/stdout" "$work/show.json"
runs "$LONGROPE" show "$work/whole"
says ", critical pair $best):"
# the theoretical pair is 13 of 32, and the searched ones reach 8 below it
[ "$(sqlite3 "$work/whole/run.db" 'SELECT low, high, smallest FROM critical_pairs')" = "5|13|200" ] ||
    fail "the bounds of the critical pair are $(sqlite3 "$work/whole/run.db" 'SELECT * FROM critical_pairs')"
[ "$(sqlite3 "$work/whole/run.db" 'SELECT count(DISTINCT critical) > 1 FROM individuals')" = 1 ] ||
    fail "only one critical pair was searched"
[ "$(sqlite3 "$work/whole/run.db" 'SELECT count(*) FROM individuals')" = 26 ] || fail "not 8 + 3 x 6 evaluations"

# All that reads a run gives the same complete table.
runs "$LONGROPE" export "$work/whole" --format csv --out "$work/best.csv"
tr ',' '\n' <"$work/best.csv" | jq -s . >"$work/exported"
jq '.stages[0].best_exportable.factors' "$work/show.json" | cmp -s - "$work/exported" || fail "export has another table"
jq '.tables[0].factors' "$work/whole/factors.json" | cmp -s - "$work/exported" || fail "factors.json has another table"
runs "$LONGROPE" show "$work/whole" --scores
awk -F , -v OFS=, '$2 == "individual" { for (i = NF - 31; i <= NF; i++) printf "%s%s", $i, i < NF ? "," : "\n" }' \
    "$work/stdout" | sed 's/.*/[&]/' >"$work/lambdas"
[ "$(wc -l <"$work/lambdas")" = 26 ] || fail "show --scores does not have 26 tables of 32 pairs"
jq -se --slurpfile best "$work/exported" 'any(.[]; . == $best[0])' "$work/lambdas" >/dev/null || fail "show --scores lacks the best table"
paste -d ';' - "$work/lambdas" <<CRITICAL | while IFS=';' read -r cd table; do
$(sqlite3 "$work/whole/run.db" 'SELECT critical FROM individuals ORDER BY id')
CRITICAL
    echo "$table" >"$work/stdout"
    holds "$in_space in_space($cd)"
done

# The table that comes out begins a search unchanged, from every file that holds it.
for file in best.csv whole/factors.json; do
    runs search "$work/again" --set "search.initial=[$work/$file]" --set search.population=1 \
        --set search.parents=1 --set search.iterations=0
    ! grep -q becomes "$work/stderr" || fail "$file is changed as an initial table"
    [ "$(sqlite3 "$work/again/run.db" 'SELECT origin FROM individuals')" = file ] || fail "the origin is not 'file'"
    jq '.tables[0].factors' "$work/again/factors.json" | cmp -s - "$work/exported" || fail "$file came back changed"
    rm -rf "$work/again"
done

# ---- threads and interruptions ----

runs search "$work/two" --threads 2
same_runs "$work/whole" "$work/two"
"$LONGROPE" search "$work/space.yaml" -o "$work/killed" --threads 1 >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_for_evaluations "$work/killed" 1
kill -KILL "$background" 2>/dev/null || true
end_search
runs search "$work/killed" --threads 1 --resume
same_runs "$work/whole" "$work/killed"

# ---- the other algorithms, and the keys ----

for algorithm in paper microsoft cma-es bayesian; do
    parents='parents: 3, iterations: 2,'
    [ "$algorithm" != bayesian ] || parents=
    cat >"$work/other.yaml" <<YAML
name: other
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
search: {algorithm: $algorithm, critical_pair: theoretical, population: 6, $parents
         start_tokens: [0]}
stages:
  - {name: only, target_length: 300}
YAML
    runs "$LONGROPE" search "$work/other.yaml" -o "$work/$algorithm" --set search.evaluations=12
    runs "$LONGROPE" show "$work/$algorithm" --json
    [ "$(sqlite3 "$work/$algorithm/run.db" 'SELECT DISTINCT critical FROM individuals')" = 13 ] ||
        fail "$algorithm left the critical pair"
    # 300 of 256 tokens: from 1.171875 to 2.34375
    holds '.stages[0].best.factors | .[0] == 1 and .[13] >= 1.18 and .[31] <= 2.34'
done
fails_with 2 "'search.critical_pair' was theoretical when the run began and is 12 now" \
    "$LONGROPE" search "$work/other.yaml" -o "$work/bayesian" --set search.evaluations=12 --resume \
    --set search.critical_pair=12
refused() {
    words=$1
    shift
    fails_with 2 "$words" search "$work/refused" "$@"
    rm -rf "$work/refused"
}
refused "'critical_pair' is 32, but the model has only 32 rotary pairs" --set search.critical_pair=32
refused "27 pairs from the critical pair 5 on must increase strictly from 2 to 4, where the lattice has 3 values" \
    --set search.lambda_step=1
refused "where the lattice has 0 values; raise lambda_max" --set search.lambda_max=1.5
refused "'search.critical_pair' is not used with 'kind: recover'" --set stages.0.kind=recover \
    --set search.lambda_max=2 --set search.critical_pair=searched

echo "longrope2: passed"
