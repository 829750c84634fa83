#!/bin/sh
# Searches by the answers of needles: what is stored and said, what a run that goes on must find unchanged, and that
# kills and racing make no difference.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

query() { sqlite3 "$work/$1/run.db" "$2"; }

# The first argument is the run.
needle_search() {
    run=$work/$1
    shift
    tiny_search "$run" --set objective=needle --set needle.prompt=demo --set data.samples=3 "$@"
}

# ---- what it finds ----

runs needle_search whole
cp "$work/stdout" "$work/table"
says "objective needle: perplexity and nats/token cover the needles' answers only"
grep -q "baseline yarn: answers' perplexity [0-9]" "$work/stderr" || fail "baselines do not say what they are scored by"
[ "$(query whole 'SELECT count(*) FROM needles WHERE answer = 5 AND length(key) = 5 AND depth BETWEEN 0 AND 1')" = 3 ] ||
    fail "there are not three needles"
[ "$(query whole 'SELECT count(DISTINCT key), count(DISTINCT depth) FROM needles')" = "3|3" ] || fail "needles are the same"
[ "$(query whole "SELECT count(*) FROM individuals AS i WHERE abs(nats_per_token -
    (SELECT sum(nats) FROM sample_nats AS s WHERE s.individual = i.id) / 15) > 1e-12")" = 0 ] ||
    fail "scores are not means over 3 answers of 5 digits"

runs "$LONGROPE" show "$work/whole" --json
holds '.stages[0].objective == "needle"'
runs "$LONGROPE" show "$work/whole" --generations --json
holds '.stages[0].objective == "needle"'
jq -e 'all(.tables[], .exportable_tables[]; .objective == "needle")' "$work/whole/factors.json" >/dev/null ||
    fail "factors.json does not say what its perplexity is of"
runs "$LONGROPE" export "$work/whole" --format csv --stage extend-2k --out "$work/table.csv"
says "perplexity of needles' answers "
runs "$LONGROPE" eval --model "$model" --text "$document" --length 512 --factors "$work/whole/factors.json"

runs "$LONGROPE" report "$work/whole" -o "$work/whole.html"
grep -q "perplexity covers the needles' answers only, digits <code>5</code>, wording <code>demo</code>" "$work/whole.html" ||
    fail "the report does not say what its perplexity is of"

# A table that suits one objective need not suit the other: it is another search.
runs tiny_search "$work/text" --set data.samples=3
runs "$LONGROPE" show "$work/text" --json
holds '.stages[0].objective == "perplexity"'
[ "$(query text 'SELECT count(*) FROM needles')" = 0 ] || fail "there are needles without the objective"
[ "$(query text 'SELECT document, start FROM samples')" = "$(query whole 'SELECT document, start FROM samples')" ] ||
    fail "the objectives see different pages"

# ---- kills and racing ----

tries=0
killed=0
while [ "$tries" -lt 4 ]; do
    launch="exec"
    needle_search run --resume >"$work/background.out" 2>"$work/background.err" &
    background=$!
    launch=
    wait_for_evaluations "$work/run" 1
    before=$(evaluations "$work/run")
    until [ "$(evaluations "$work/run")" -gt "$before" ] || ! kill -0 "$background" 2>/dev/null; do sleep 0.05; done
    kill -KILL "$background" 2>/dev/null || true
    end_search
    tries=$((tries + 1))
    case $status in
    137) killed=$((killed + 1)) ;;
    0) ;; # it was over
    *) fail "exit status $status: $(tail -n 1 "$work/background.err")" ;;
    esac
done
[ "$killed" -gt 0 ] || fail "none of $tries searches was killed before its end"
runs needle_search run --resume
same_runs "$work/whole" "$work/run"
sed '/ tokens\/s; /d' "$work/stdout" >"$work/resumed"
sed '/ tokens\/s; /d' "$work/table" | cmp -s - "$work/resumed" || fail "the table of a run that was killed is another"

runs needle_search unraced --set search.racing=none
populations="SELECT id, genes, n_hat, parent_a, parent_b FROM individuals ORDER BY id"
[ "$(query whole "$populations")" = "$(query unraced "$populations")" ] || fail "racing makes other populations"

# ---- what must not change ----

refused() { # WORDS ARGUMENT...: going on with these settings is
    words=$1
    shift
    fails_with 2 "$words" tiny_search "$work/whole" --resume --set data.samples=3 "$@"
}
refused "'objective' was needle when the run began and is perplexity now"
refused "'needle.seed' was 1 when the run began and is 2 now" --set objective=needle --set needle.prompt=demo \
    --set needle.seed=2
refused "'needle.prompt' was demo when the run began and is published now" --set objective=needle
refused "'needle.digits' was 5 when the run began and is 6 now" --set objective=needle --set needle.prompt=demo \
    --set needle.digits=6
fails_with 2 "'objective' was perplexity when the run began and is needle now" tiny_search "$work/text" --resume \
    --set data.samples=3 --set objective=needle

# ---- other stages and data ----

runs needle_search short --set stages.0.kind=recover --set search.lambda_max=4 --set stages.0.target_length=200
[ "$(query short 'SELECT kind FROM stage_models')" = recover ] || fail "the short window was not recovered"

# Tokens, whose kind the demo model tells: bytes.
# shellcheck disable=SC2046 # numbers
write_npy "$work/page.npy" $(head -c 700 "$document" | od -An -v -tu1)
runs needle_search tokens --set "data={tokens: [$work/page.npy], samples: 1}" --set stages.0.target_length=300
head -c 700 "$document" >"$work/page.txt"
runs needle_search bytes --set "data={text: [$work/page.txt], samples: 1}" --set stages.0.target_length=300
[ "$(query tokens 'SELECT key, depth FROM needles')" = "$(query bytes 'SELECT key, depth FROM needles')" ] ||
    fail "needles differ between text and its tokens"
[ "$(query tokens 'SELECT nats FROM baseline_nats')" = "$(query bytes 'SELECT nats FROM baseline_nats')" ] ||
    fail "scores differ between text and its tokens"
try needle_search none --set stages.0.target_length=50 --set stages.0.kind=recover --set search.lambda_max=4
[ "$status" = 2 ] || fail "a window without room for a pass key ends with $status"
grep -q "^longrope: .*no room for a pass key" "$work/stderr" || fail "it does not say that there is no room"
fails_with 2 "'needle.digits' is not used without 'objective: needle'" tiny_search "$work/none" --set needle.digits=4

# ---- what it will cost ----

runs tiny_search "$work/none" --dry-run --rate 1000 --json
whole=$(jq '.stages[0].operations' "$work/stdout")
holds '.stages[0].objective == "perplexity"'
runs needle_search none --dry-run --rate 1000 --json --set data.samples=2
holds ".stages[0].objective == \"needle\" and .stages[0].operations < $whole and .stages[0].windows == 38"
runs needle_search none --dry-run --rate 1000
says ", objective needle"

echo "needle: passed"
