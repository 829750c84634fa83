#!/bin/sh
# `longrope search` and `show`: a small search from its beginning to the use of what it found.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

query() { sqlite3 "$work/run/run.db" "$1"; }

# ---- a run ----

runs tiny_search "$work/run"
cp "$work/stdout" "$work/table"
cp "$work/stderr" "$work/first.err"
says "run demo: done"
says "stage extend-2k: done; 512 tokens, 2 times the window of 256"
says "iteration 2 of 2, 14 tables scored"
for method in none pi ntk dynamic-ntk yarn longrope; do
    grep -q "^  $method  *[0-9.]*  *[0-9.]* " "$work/stdout" || fail "the table has no row of $method"
done

# Progress goes to stderr, in plain lines where that is no terminal.
grep -q '^extend-2k: baseline yarn: perplexity [0-9.]*$' "$work/stderr" || fail "no line of a baseline"
grep -q '^extend-2k: 28/28 windows, iteration 2/2, best perplexity .* left$' "$work/stderr" ||
    fail "no line of progress"
if LC_ALL=C tr -d '\n' <"$work/stderr" | grep -q '[[:cntrl:]]'; then fail "progress has control characters"; fi
if grep -q 'windows, iteration .*best perplexity' "$work/stdout"; then fail "progress goes to stdout"; fi

# ---- what it kept ----

runs jq -e . "$work/run/factors.json"
holds '.format == "longrope-factors" and .version == 2 and .original_length == 256 and .rope_theta == 10000'
holds '.tables[0] | .name == "extend-2k" and .max_length == 512 and .scale == 2'
holds '.tables[0].factors | length == 32 and . == sort and .[0] >= 1 and .[31] <= 2.5'
holds 'all(.tables[0].factors[]; (. * 100 - (. * 100 | round) | fabs) < 1e-9)'
holds '.exportable_tables[0].start_tokens == 0 and .exportable_tables[0].perplexity >= .tables[0].perplexity'
perplexity=$(jq '.tables[0].perplexity' "$work/run/factors.json")
exportable=$(jq '.exportable_tables[0].perplexity' "$work/run/factors.json")

[ "$(query 'SELECT count(*) FROM individuals')" = 14 ] || fail "not 14 individuals"
[ "$(query 'SELECT count(DISTINCT genes || n_hat) FROM individuals')" = 14 ] || fail "a genome was scored twice"
[ "$(query 'SELECT count(*) FROM sample_nats')" = 28 ] || fail "not two samples for each individual"
[ "$(query 'SELECT group_concat(generation || origin) FROM (SELECT * FROM individuals ORDER BY id LIMIT 4)')" = \
    "0pi,0ntk,0yarn,0mutation" ] || fail "the first population does not begin with PI, NTK and YaRN"
[ "$(query "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM individuals GROUP BY generation)")" = "6,4,4" ] ||
    fail "the generations have other sizes"
[ "$(query 'SELECT group_concat(method) FROM (SELECT * FROM baselines ORDER BY position)')" = \
    "none,pi,ntk,dynamic-ntk,yarn" ] || fail "the baselines are others"
query "SELECT abs(i.nats_per_token - (SELECT sum(nats) FROM sample_nats AS s WHERE s.individual = i.id) / 1022)
    FROM individuals AS i" | awk '$1 > 1e-12 { exit 1 }' || fail "an individual's score is not that of its samples"

# The best is no worse than the closed forms that the search began with.
[ "$(query "SELECT (SELECT min(nats_per_token) FROM individuals) <=
    (SELECT min(nats_per_token) FROM individuals WHERE origin IN ('pi', 'ntk', 'yarn'))")" = 1 ] ||
    fail "the best is worse than a closed form"

# ---- the old window ----

# The table costs there what eval says of the same windows; the mend is a stage that can be searched.
runs "$LONGROPE" show "$work/run" --json
holds '.short_window | .length == 256 and .table == "extend-2k" and .recovered == false and .samples == 4'
holds '.short_window | (.perplexity / .own_perplexity - 1 - .cost | fabs) < 1e-12'
holds '.lengths == []'
cp "$work/stdout" "$work/shown"
jq '.tables = .exportable_tables' "$work/run/factors.json" >"$work/exportable.json"
for what in "own_perplexity --method none" "perplexity --factors $work/exportable.json"; do
    # shellcheck disable=SC2086 # words
    runs "$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --length 256 --samples 4 --dtype f32 --json ${what#* }
    holds ".results[0].perplexity == $(jq ".short_window.${what%% *}" "$work/shown")"
done
grep -q '^within the old window of 256 tokens, on 4 windows' "$work/table" || fail "does not say what its table costs"
recover=$(sed -n 's/^    - {name: recover, /{name: recover, /p' "$work/table")
{ cat "$one_stage"; echo "  - $recover"; } >"$work/mended.yaml"
cp -r "$work/run" "$work/mended"
runs env LONGROPE_TRACE= "$LONGROPE" search "$work/mended.yaml" -o "$work/mended" --set search.population=6 \
    --set search.mutations=2 --set search.crossovers=2 --set search.parents=3 --set search.iterations=2 \
    --set stages.0.target_length=512 --set stages.0.data.samples=2 --set stages.1.data.samples=2 \
    --set stages.1.search.evaluations=6 --resume
runs "$LONGROPE" show "$work/mended" --json
holds '.short_window | .recovered and .table == "recover" and .samples == 2'
holds '(.short_window.perplexity - .stages[1].best_exportable.perplexity | fabs) < 1e-12 and
    (.short_window.own_perplexity - .stages[1].baselines[0].perplexity | fabs) < 1e-12'
runs "$LONGROPE" export "$work/mended" --format hf --weights none --out "$work/two-tables"
says "within the old window of 256 tokens, on the search's text: perplexity"
[ ! -s "$work/stderr" ] || fail "export warns of a short window that was recovered"
for which in long short; do
    runs "$LONGROPE" export "$work/mended" --format hf --weights none --out "$work/$which" --one-table $which
    jq -e --slurpfile two "$work/two-tables/config.json" '.rope_scaling | .short_factor == .long_factor and
        .long_factor == $two[0].rope_scaling.'$which'_factor' "$work/$which/config.json" >/dev/null ||
        fail "--one-table $which exports other tables"
    jq -e '.max_position_embeddings == 512' "$work/$which/config.json" >/dev/null || fail "the window is another one"
done
runs "$LONGROPE" export "$work/run" --format hf --weights none --out "$work/lost"
grep -q '^longrope: no short table: inputs of up to 256 tokens, .*; perplexity [+-][0-9.]* %; a stage of' "$work/stderr" ||
    fail "export does not say what the old window loses"
fails_with 2 "has no table for up to 256 tokens; search one in a stage of 'kind: recover'" \
    "$LONGROPE" export "$work/run" --format hf --weights none --out "$work/none" --one-table short
fails_with 2 "--one-table has no use with --format csv" \
    "$LONGROPE" export "$work/run" --format csv --out "$work/none" --one-table short

# A table that a closed form beats is not praised: there is a way on.
runs "$LONGROPE" search "$one_stage" -o "$work/beaten" --set stages.0.target_length=512 --set data.samples=1 \
    --set search.algorithm=paper --set search.population=1 --set search.parents=1 --set search.mutations=0 \
    --set search.crossovers=0 --set search.iterations=0 --set 'search.initial=[pi]'
says "is better than what was found; to search on, raise search.evaluations"
runs "$LONGROPE" show "$work/beaten"
says "is better than what was found"
if "$LONGROPE" show "$work/run" | grep -q "is better than what was found"; then fail "the best table is said to be beaten"; fi

# Documents that are hardly longer than the target have few windows of the old length.
mkdir "$work/few"
for i in 1 2 3; do head -c 500 "$document" >"$work/few/$i.txt"; done
runs "$LONGROPE" search "$one_stage" -o "$work/few/run" --set "data.text=[$work/few/*.txt]" --set data.samples=3 \
    --set stages.0.target_length=500 --set search.evaluations=1
runs "$LONGROPE" show "$work/few/run" --json
holds '.short_window.samples == 3'

# ---- text that is held out ----

# The search scores on the first two documents; its table, the best closed form and the unchanged model are measured on
# the next two, and eval says the same of them.
jq .stages[0].held_out "$work/shown" >"$work/stdout"
holds '[.samples[] | [.document, .start, .tokens]] == [["the-heir-of-thornby-mill.txt", 0, 512],
    ["the-lamplighter-of-saltmarsh.txt", 0, 512]]'
best=$(jq -r '.stages[0].baselines | min_by(.perplexity).method' "$work/shown")
holds "([.tables[].method] | sort) == ([\"longrope\", \"none\", \"$best\"] | sort)"
holds ".tables as \$t | (.gain - 1 + (\$t[] | select(.method == \"longrope\").perplexity) /
    (\$t[] | select(.method == \"$best\").perplexity) | fabs) < 1e-12"
cp "$work/stdout" "$work/held-out"
for table in "none --method none" "$best --method $best" "longrope --factors $work/exportable.json"; do
    # shellcheck disable=SC2086 # words
    runs "$LONGROPE" eval --model "$model" --text "$corpus/the-heir-of-thornby-mill.txt" \
        "$corpus/the-lamplighter-of-saltmarsh.txt" --length 512 --dtype f32 --json --samples 2 ${table#* }
    holds ".results[0].perplexity == $(jq ".tables[] | select(.method == \"${table%% *}\").perplexity" "$work/held-out")"
done
grep -q '^  on other text, 2 windows: none [0-9.]*, .*longrope [0-9.]*; .* % [a-z]* '"$best, below it on [012]\$" "$work/table" ||
    fail "does not say what is gained on other text"

# A search that ended without it, killed or of an older version, measures it when it is resumed, to the last bit.
cp -r "$work/run" "$work/unmeasured"
sqlite3 "$work/unmeasured/run.db" "DELETE FROM held_out_nats; DELETE FROM held_out_samples; DELETE FROM held_out;
    UPDATE stages SET state = 'running'"
rm "$work/unmeasured"/scores.db*
tiny_search "$work/unmeasured" --resume --set data.held_out=0 >"$work/stdout" 2>"$work/stderr"
"$LONGROPE" show "$work/unmeasured" --json | jq -e '.stages[0] | .state == "done" and .held_out == null' >/dev/null ||
    fail "data.held_out: 0 measures"
runs tiny_search "$work/unmeasured" --resume
same_runs "$work/run" "$work/unmeasured"

# Where the windows take all text, it says so.
runs "$LONGROPE" show "$work/few/run" --json
holds '.stages[0].held_out | .samples == [] and .tables == [] and .gain == null'
runs "$LONGROPE" show "$work/few/run"
says "on other text: not measured, as the windows take all text"

# ---- the next steps ----

# They run as they are printed, on other text.
grep -q '^next, evaluate the table on text that was not searched on' "$work/first.err" || fail "does not say what is next"
grep '^  longrope ' "$work/first.err" >"$work/steps"
[ "$(wc -l <"$work/steps")" = 4 ] || fail "does not print four commands"
sed -i "s|^  longrope |\"\$LONGROPE\" |; s|OTHER.txt|$second_document|; s|--length 256,512|--length 64,128|" "$work/steps"
(cd "$work" && runs sh -e steps)
for file in NEW_MODEL/config.json REPORT.html; do
    [ -s "$work/$file" ] || fail "the next steps do not write $file"
done

# ---- show ----

runs "$LONGROPE" show "$work/run"
cmp -s "$work/stdout" "$work/table" || fail "show prints another table than search"

runs "$LONGROPE" show "$work/run" --json
holds 'keys == ["choices", "configuration", "engines", "lengths", "name", "pass_keys", "short_window", "stages", "state"] and
    .name == "demo" and .state == "done" and (.stages | length) == 1'
holds '.stages[0] | keys == (["name", "state", "objective", "target_length", "iteration", "iterations", "evaluations",
    "best", "best_exportable", "baselines", "cost", "kind", "model", "base", "original_length", "pretrained_length", "scale",
    "rope_theta", "pairs", "window_pair", "planned", "samples", "settings", "ranks", "machines", "held_out"] | sort)'
holds '.stages[0] | .name == "extend-2k" and .state == "done" and .target_length == 512 and .iteration == 2 and
    .iterations == 2 and .evaluations == 14'
holds '.stages[0] | all(.best, .best_exportable; keys == (["perplexity", "factors", "start_tokens",
    "attention_factor", "origin", "work"] | sort))'
holds '[.stages[0].baselines[].method] == ["none", "pi", "ntk", "dynamic-ntk", "yarn"]'
holds ".stages[0].best.perplexity == $perplexity"
holds ".stages[0].best_exportable | .perplexity == $exportable and .start_tokens == 0"
[ "$(jq -c '.stages[0].best.factors' "$work/stdout")" = "$(jq -c '.tables[0].factors' "$work/run/factors.json")" ] ||
    fail "show and factors.json differ in the factors"
best=$(query 'SELECT nats_per_token FROM individuals ORDER BY nats_per_token, id LIMIT 1')
holds ".stages[0].best.perplexity / ($best | exp) - 1 | fabs < 1e-12"
query "SELECT method, nats_per_token FROM baselines" | while IFS='|' read -r method nats; do
    holds '.stages[0].baselines[] | select(.method == "'"$method"'") | .perplexity / ('"$nats"' | exp) - 1 | fabs < 1e-12'
done
best=$(query 'SELECT n_hat || " " || origin FROM individuals ORDER BY nats_per_token, id LIMIT 1')
holds '.stages[0].best | "\(.start_tokens) \(.origin)" == "'"$best"'"'

# ---- what was found is what eval finds ----

runs "$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --factors "$work/run/factors.json" --length 512 \
    --samples 2 --dtype f32 --json # as the demo's configuration has it
holds ".results[0].perplexity == $perplexity"
runs "$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --method ntk --length 512 --samples 2 --dtype f32 --json
baseline=$(query "SELECT nats_per_token FROM baselines WHERE method = 'ntk'")
holds ".results[0].nll - $baseline | fabs < 1e-12"

# ---- the same folder again ----

dump_run "$work/run" >"$work/before"
fails_with 2 "resume" tiny_search "$work/run"
began=$(now)
runs tiny_search "$work/run" --resume
cmp -s "$work/stdout" "$work/table" || fail "a finished run that is resumed prints another table"
if grep -q 'evaluations' "$work/stderr"; then fail "a finished run is searched again"; fi
awk "BEGIN { exit !($(now) - $began < 5) }" || fail "a finished run takes more than 5 seconds to resume"

changed() {
    fails_with 2 "$1" tiny_search "$work/run" --resume --set "$2"
}
changed search.seed search.seed=2
changed search.population search.population=7
changed search.mutations search.mutations=3
changed search.crossovers search.crossovers=3
changed search.parents search.parents=2
changed search.mutation_probability search.mutation_probability=0.5
changed search.lambda_step search.lambda_step=0.005
changed search.lambda_max search.lambda_max=3
changed search.start_tokens 'search.start_tokens=[0, 1]'
changed target_length stages.0.target_length=500
changed data.samples data.samples=3
changed attention_factor attention_factor=1.25
changed data "data.text=[corpus/the-heir*.txt]"
cp -r "$model" "$work/model"
sed 's/"rms_norm_eps": [^,]*,/"rms_norm_eps": 2e-05,/' "$model/config.json" >"$work/model/config.json"
changed model "model=$work/model"
changed "holds the run 'demo', not 'other'" name=other
dump_run "$work/run" >"$work/after"
cmp -s "$work/before" "$work/after" || fail "a refused resume changed the database"

# --resume where there is no run begins one, and the folder's parents are made.
runs tiny_search "$work/new/run" --resume
same_runs "$work/run" "$work/new/run"

# The seed is all that makes one run differ from another.
runs tiny_search "$work/other" --set search.seed=2
dump_run "$work/other" | sed 's/search\.seed.*//' >"$work/other.dump"
sed 's/search\.seed.*//' "$work/before" >"$work/run.dump"
if cmp -s "$work/other.dump" "$work/run.dump"; then fail "another seed makes no difference"; fi

# ---- a configuration of one's own ----

# Paths are relative to the file, and the run's folder is results/NAME by default.
mkdir -p "$work/own/texts"
cp "$document" "$work/own/texts/"
ln -s "$model" "$work/own/model"
cat >"$work/own/own.yaml" <<END
name: own
model: model
data: {text: [texts/*.txt], tokenizer: bytes, samples: 1}
search: {population: 4, mutations: 1, crossovers: 1, parents: 2, iterations: 1, start_tokens: [0, 1]}
attention_factor: none
stages:
  - {name: first, target_length: 300}
  - {name: second, target_length: 280, attention_factor: 1.5, search: {seed: 5}}
END
(cd "$work" && runs "$LONGROPE" search own/own.yaml)
runs "$LONGROPE" show "$work/results/own" --json
holds '.name == "own" and .state == "done" and [.stages[].name] == ["first", "second"]'
holds '[.stages[].best.attention_factor] == [1, 1.5]'
holds 'all(.stages[]; .evaluations == 6)'
runs jq -e . "$work/results/own/factors.json"
holds '[.tables[].max_length] == [280, 300]'

# A run whose later stages have not begun is not done; once they can be, it goes on.
try "$LONGROPE" search "$work/own/own.yaml" -o "$work/later" --set stages.1.model=elsewhere
[ "$status" = 2 ] || fail "a second stage without a model ends with $status"
runs "$LONGROPE" show "$work/later" --json
holds '.state == "stopped" and [.stages[].state] == ["done"]'
try "$LONGROPE" search "$work/own/own.yaml" -o "$work/later" --resume --set stages.0.name=other
[ "$status" = 2 ] || fail "another first stage ends with $status"
grep -q "stage 0 of this run is 'first', not 'other'" "$work/stderr" || fail "does not say which stage differs"
runs "$LONGROPE" search "$work/own/own.yaml" -o "$work/later" --resume
runs "$LONGROPE" show "$work/later" --json
holds '.state == "done"'

# The last bits of scores are the kernels': a run keeps to those it began with.
LONGROPE_KERNELS=baseline runs tiny_search "$work/kernels"
LONGROPE_KERNELS=reference fails_with 2 LONGROPE_KERNELS tiny_search "$work/kernels" --resume

# So is the arithmetic, which a stage may choose for itself, and so are the tokens.
runs tiny_search "$work/types" --set dtype=bf16 --set stages.0.dtype=f32
runs sqlite3 "$work/types/run.db" "SELECT value FROM settings WHERE key LIKE 'dtype%'"
says "f32 ("
fails_with 2 "'dtype (LONGROPE_KERNELS)' was f32 (" tiny_search "$work/types" --resume --set dtype=bf16
write_tokenizer "$work/tokenizer.model"
runs tiny_search "$work/tokenized" --set "data.tokenizer=$work/tokenizer.model"
runs tiny_search "$work/tokenized" --resume --set "data.tokenizer=$work/tokenizer.model"
fails_with 2 "'data (tokens)' was" tiny_search "$work/tokenized" --resume

# ---- help ----

runs "$LONGROPE" eval -h
says --factors
runs "$LONGROPE" --help
for word in search show eval 'Exit status'; do says "$word"; done
runs "$LONGROPE" --version
says "longrope "
runs "$LONGROPE" search --help
for word in --output --set --resume --threads; do says "$word"; done
runs "$LONGROPE" show --help
says --json

echo "search: passed"
