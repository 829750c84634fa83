#!/bin/sh
# Searches that begin with factor files: what is kept of a table, what is said about the rest, and what a resume needs.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
shallow_model

mkdir "$work/tables"
# Thirty-two factors of a hundredth each, a copy with other digits in three pairs, and one for another model.
jq -n '[range(32) | 1 + . / 50] | join("\n")' -r >"$work/tables/good.csv"
sed '2s/.*/1.024/; 31s/.*/1.5/; 32s/.*/2.7/' "$work/tables/good.csv" >"$work/tables/odd.txt"
echo "1,2,3" >"$work/tables/few.csv"
cat >"$work/initial.yaml" <<YAML
name: initial
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
search:
  population: 2
  parents: 1
  iterations: 0
  start_tokens: [0, 4, 8]
  initial:
    - tables/good.csv
    - ntk
stages:
  - {name: only, target_length: 512}
YAML
search() {
    run=$1
    shift
    "$LONGROPE" search "$work/initial.yaml" -o "$work/$run" "$@"
}
# first RUN: the first individual's origin, n_hat and genes.
first() { sqlite3 "$work/$1/run.db" 'SELECT origin, n_hat, genes FROM individuals WHERE id = 0'; }
good_genes=$(jq -sc 'map(. * 100 | round)' "$work/tables/good.csv")

# ---- kept and changed ----

runs search good
says_no_change() { ! grep -q becomes "$work/stderr" || fail "reports changes where there are none"; }
says_no_change
[ "$(first good)" = "file|0|$good_genes" ] || fail "the table of the file became $(first good)"
runs "$LONGROPE" search --print-config "$work/initial.yaml"
says "[$work/tables/good.csv, ntk]"

runs search odd --set "search.initial=[$work/tables/odd.txt]"
changed() { grep -qF -e "$1" "$work/stderr" || fail "stderr does not say '$1'"; }
changed "pair 1: 1.024 becomes 1.02: lambda_step is 1/100"
changed "pair 30: 1.5 becomes 1.58: factors must not decrease"
changed "pair 31: 2.7 becomes 2.5: the largest factor is 2.5"
[ "$(grep -c becomes "$work/stderr")" = 3 ] || fail "reports changes of pairs that were kept"
runs search shifted --set "search.initial=[$work/tables/good.csv]" --set search.lambda_step=0.1
changed "20 more pairs change; 7 of 32 are kept"
[ "$(grep -c becomes "$work/stderr")" = 5 ] || fail "does not count the changes after the fifth"
awk 'NR <= 6 { $1 += 0.004 } 1' "$work/tables/good.csv" >"$work/tables/six.csv"
runs search six --set "search.initial=[$work/tables/six.csv]"
changed "1 more pair changes; 26 of 32 are kept"

# Numbers in the place of a file, and this program's own file with its n_hat and attention factor.
runs search numbers --set "search.initial=['$(paste -sd , "$work/tables/good.csv")']"
[ "$(first numbers)" = "file|0|$good_genes" ] || fail "numbers in the place of a file became $(first numbers)"
jq '.tables[0].start_tokens = 7 | .tables[0].attention_factor = 1.25' "$work/good/factors.json" >"$work/tables/run.json"
runs search run --set "search.initial=[$work/tables/run.json]"
changed "start tokens: 7 becomes 8: 'start_tokens' does not list it"
changed "attention factor: 1.25 becomes 1.060660172: 'attention_factor' sets it"
[ "$(first run | cut -d '|' -f 2)" = 8 ] || fail "n_hat is $(first run)"
runs search searched --set "search.initial=[$work/tables/run.json]" --set attention_factor=search
! grep -q "attention factor: " "$work/stderr" || fail "reports an attention factor that is kept"
[ "$(sqlite3 "$work/searched/run.db" 'SELECT attention FROM individuals WHERE id = 0')" = 1250 ] ||
    fail "the attention factor of the file is not searched from"

# Factors below 1 and factors that fall are no members of the space. Closed forms that are members are rounded silently.
runs search closed --set 'search.initial=[ntk-pi, resonance-yarn]'
changed "only: 'initial': resonance-yarn: pair 0: 0.9549296586 becomes 1: the smallest factor is 1"
changed "more pairs change"
! grep -q "ntk-pi: " "$work/stderr" || fail "reports that ntk-pi is rounded"
[ "$(sqlite3 "$work/closed/run.db" 'SELECT group_concat(origin) FROM individuals')" = "ntk-pi,resonance-yarn" ] ||
    fail "the first individuals are others"
sqlite3 "$work/closed/run.db" 'SELECT genes FROM individuals' | jq -se '
    (.[0][13:] | unique) == [200] and all(.[]; . == sort and .[0] == 100 and .[31] == 200)' >/dev/null ||
    fail "the first individuals are not those of the formulas"
[ "$(sqlite3 "$work/closed/run.db" 'SELECT count(*) FROM baselines')" = 5 ] || fail "there are other baselines"
runs search closed --set 'search.initial=[ntk-pi, resonance-yarn]' --resume

# ---- on top of a model's own table ----

mkdir "$work/tuned"
ln -s "$model/model.safetensors" "$work/tuned/"
jq --argjson f "$(jq -sc . "$work/tables/good.csv")" '.max_position_embeddings = 512 | .rope_scaling = {
    rope_type: "longrope", long_factor: $f, short_factor: $f, factor: 2, attention_factor: 1.1,
    original_max_position_embeddings: 256}' "$model/config.json" >"$work/tuned/config.json"
# Its own table, whole, is the one that multiplies it by 1; numbers are the searched table.
runs search on-tuned --set "model=$work/tuned" --set stages.0.target_length=1024 --set attention_factor=none \
    --set "search.initial=[$work/tuned, $work/tables/good.csv]"
says_no_change
[ "$(first on-tuned)" = "file|0|$(jq -nc '[range(32) | 100]')" ] || fail "the model's own table became $(first on-tuned)"
[ "$(sqlite3 "$work/on-tuned/run.db" 'SELECT genes FROM individuals WHERE id = 1')" = "$good_genes" ] ||
    fail "numbers are not the searched table on top of the model's own"
runs "$LONGROPE" show "$work/on-tuned" --json
holds '.stages[0].best.factors | length == 32'
# A short window replaces the table.
runs search recover --set "model=$work/tuned" --set stages.0.kind=recover --set search.lambda_max=2 \
    --set stages.0.target_length=256 --set "search.initial=[$work/tuned, own]" --set attention_factor=1.1
says_no_change
[ "$(first recover)" = "file|0|$good_genes" ] || fail "the table of a short window became $(first recover)"
# The length that is worth evaluating is one, closed forms have nothing to extend, and no engine takes a short table alone.
[ "$(grep -c 'longrope eval .* --length 256 --factors' "$work/stderr")" = 1 ] || fail "the next steps name a length twice"
! grep -Eq 'longrope export|--method' "$work/stderr" || fail "the next steps go beyond a short table"
# A stage that puts the model's own table into factors.json (configs/finetune/README.md) scores nothing else.
cat >"$work/own.yaml" <<YAML
name: own
model: $work/tuned
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 1}
stages:
  - {name: only, kind: recover, target_length: 128, search: {initial: [none], lambda_max: 1, start_tokens: [0]}}
YAML
runs "$LONGROPE" search "$work/own.yaml" -o "$work/own"
grep -q 'longrope eval .* --length 128 --factors' "$work/stderr" || fail "the next steps name the longer window first"
jq -e '.tables | length == 1 and (.[0].factors | length == 32 and all(. == 1))' "$work/own/factors.json" >/dev/null ||
    fail "the model's own table became another one"
[ "$(sqlite3 "$work/own/run.db" 'SELECT count(*) FROM individuals')" = 1 ] || fail "other tables were scored"
# What the lattice does not hold of the model's own table is said, and the baseline is that table exactly.
jq '.rope_scaling.short_factor[31] = 3.256 | .rope_scaling.long_factor = .rope_scaling.short_factor' \
    "$work/tuned/config.json" >"$work/uneven.json"
mkdir "$work/uneven"
ln -s "$model/model.safetensors" "$work/uneven/"
mv "$work/uneven.json" "$work/uneven/config.json"
runs search uneven --set "model=$work/uneven" --set stages.0.kind=recover --set search.lambda_max=2 \
    --set stages.0.target_length=256 --set "search.initial=[own]"
grep -q "^only: 'initial': own: pair 31: 3.256 becomes 2: the largest factor is 2$" "$work/stderr" ||
    fail "what became of the model's own table is not said"
[ "$(grep -c "'initial': own: " "$work/stderr")" = 1 ] || fail "more is said than changed"
runs "$LONGROPE" show "$work/uneven" --scores
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
    $2 == "baseline" { found = $(at["lambda_31"]) - 3.256 < 1e-9 && $(at["lambda_31"]) > 3.25 && $(at["attention_factor"]) == 1.1 }
    END { exit !found }' "$work/stdout" || fail "--scores does not have the model's own table as it was measured"
[ "$(sqlite3 "$work/recover/run.db" 'SELECT count(*) FROM individuals')" = 2 ] || fail "no mutation joined the table"

# ---- resuming ----

mv "$work/tables/good.csv" "$work/tables/renamed.csv"
paste -sd , "$work/tables/renamed.csv" >"$work/tables/good.csv" # the same numbers, written in one row
runs search good --resume
sed -i 's/1.62/1.63/' "$work/tables/good.csv"
fails_with 2 "stage 'only': 'search.initial' was file" search good --resume

# ---- what is wrong ----

rm "$work/tables/good.csv"
fails_with 2 "$work/initial.yaml:11: 'initial': 'tables/good.csv': No such file or directory (looked for in $work/)" \
    search wrong
echo '{"format": "longrope-factors"' >"$work/tables/good.csv"
fails_with 2 "$work/initial.yaml:11: 'initial': $work/tables/good.csv:2: is not valid JSON" search wrong
cp "$work/tables/few.csv" "$work/tables/good.csv"
fails_with 2 "$work/initial.yaml:11: 'initial': $work/tables/good.csv: holds 3 factors, but the model has 32" search wrong
fails_with 2 "not 'nkt' (did you mean 'ntk'?)" search wrong --set 'search.initial=[nkt]'
fails_with 2 "'initial: critical-ntk' requires 'search.critical_pair'" search wrong \
    --set 'search.initial=[critical-ntk]'

echo "initial: passed"
