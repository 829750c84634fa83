#!/bin/sh
# `longrope search --print-config`: where values come from, and that configs/README.md documents exactly the keys,
# defaults and ranges of the program.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

readme=$SOURCE/configs/README.md

# ---- the reference ----

runs "$LONGROPE" search --print-config --json
holds 'all(.[]; keys == (["key", "stage", "value", "source", "type", "default", "range", "meaning"] | sort))'
holds 'length > 30 and length == ([.[].key] | unique | length)'
jq -r '.[] | "| `\(.key)` | \(.stage) | \(.type) | \(.default) | \(.range // "any") | \(.meaning) |"' \
    "$work/stdout" >"$work/keys"
sed -n '/^<!-- keys:/,/^<!-- end of keys/p' "$readme" | grep '^| `' >"$work/documented"
cmp -s "$work/keys" "$work/documented" || {
    diff "$work/documented" "$work/keys" >&2 || true
    fail "configs/README.md and --print-config differ in the lines above (<: README.md)"
}
runs "$LONGROPE" search --print-config
says "search.racing_risk (number; run or stage)"
says "    range: above 0 and below 0.5"

# What is printed as the range is what is enforced.
refused() { fails_with 2 "$1" "$LONGROPE" search --print-config "$demo/demo.yaml" --set "$2"; }
refused "'samples' must be an integer from 0 to 1000000, not '1000001'" data.samples=1000001
refused "'racing_risk' must be a number above 0 and below 0.5, not '0.5'" search.racing_risk=0.5
refused "'dtype' must be auto, f32 or bf16, not 'bf61' (did you mean 'bf16'?)" dtype=bf61

# ---- a configuration ----

cat >"$work/recipe.yaml" <<YAML
name: recipe
model: $model
data: {text: [$corpus/*.txt], tokenizer: bytes}
search: {algorithm: paper, population: 20}
stages:
  - {name: middle, target_length: 512, search: {algorithm: cma-es}, finetune: {command: tune}}
  - name: long
    target_length: 1048576
    base: middle
  - {name: back, target_length: 256, kind: recover, base: middle, search: {lambda_max: 2}}
YAML
# source STAGE KEY: its value and source; of the run where STAGE is null.
source_of() { jq -r ".[] | select(.stage == $1 and .key == \"$2\") | \"\\(.value) from \\(.source)\"" "$work/stdout"; }
# comes STAGE KEY WORDS
comes() { [ "$(source_of "$1" "$2")" = "$3" ] || fail "$2 of $1 is $(source_of "$1" "$2"), not $3"; }

try "$LONGROPE" search --print-config "$work/recipe.yaml" --json --set search.seed=7 --set stages.2.search.parents=3
[ "$status" = 0 ] || fail "exit status $status"
comes null name "recipe from $work/recipe.yaml:1"
comes null cache "null from default"
comes null search.population "20 from $work/recipe.yaml:4"
comes null search.parents "20 from follows search.population"
comes '"middle"' search.seed "7 from --set search.seed=7"
comes '"middle"' search.population "20 from $work/recipe.yaml:4"
comes '"middle"' search.iterations "50 from follows search.algorithm"
comes '"middle"' search.parents "6 from follows search.algorithm"
comes '"middle"' finetune.command "tune from $work/recipe.yaml:6"
comes '"middle"' finetune.output "null from default"
comes '"long"' search.mutations "8 from follows search.algorithm"
comes '"long"' data.samples "3 from follows target_length"
comes '"long"' model "null from follows base"
comes '"long"' search.racing "bound from default"
comes '"back"' search.initial '["none","own","ntk","yarn"] from follows kind'
comes '"back"' search.parents "3 from --set stages.2.search.parents=3"
[ -z "$(source_of '"long"' finetune.command)" ] || fail "lists keys of a block that the stage does not have"
runs "$LONGROPE" search --print-config "$work/recipe.yaml"
says "stage middle"
grep -qE "^  search.population +20 +$work/recipe.yaml:4\$" "$work/stdout" || fail "the table has no row of the population"

# A value takes one line: control characters are quoted, a long list is cut with its count. JSON has all of it.
mkdir "$work/many"
for i in 0 1 2 3 4 5 6 7 8 9; do echo text >"$work/many/$i.txt"; done
cat >"$work/odd.yaml" <<YAML
name: odd
model: $model
cache: cache.db
data: {text: [many/*.txt], tokenizer: bytes}
stages:
  - name: only
    target_length: 512
    finetune:
      command: |
        first
        second
YAML
runs "$LONGROPE" search --print-config "$work/odd.yaml"
grep -qF '"first\nsecond\n"' "$work/stdout" || fail "a command of two lines is not quoted"
grep -qF "$work/many/7.txt, ... (2 more)] $work/odd.yaml:4" "$work/stdout" || fail "a list of ten files is not cut"
grep -qE "^  cache +$work/cache.db +$work/odd.yaml:3\$" "$work/stdout" || fail "the cache's path is not the one in force"
(cd "$work/many" && "$LONGROPE" search --print-config ../odd.yaml --json) >"$work/stdout"
holds '[.[] | select(.stage == "only" and .key == "data.text")][0].value | length == 10'
[ "$(source_of null cache)" = "../cache.db from ../odd.yaml:3" ] || fail "the cache's path is $(source_of null cache)"
# Thousands of documents are listed once, and not for each key.
mkdir "$work/thousands"
(cd "$work/thousands" && seq -f 'the-name-of-a-document-%.0f.txt' 20000 | xargs touch)
runs timeout -s KILL 60 "$LONGROPE" search --print-config "$work/odd.yaml" --set "data.text=[thousands/*.txt]"
grep -qF ", ... (19992 more)] --set data.text=" "$work/stdout" || fail "a list of 20000 files is not cut"
fails_with 2 "--print-config takes no other options than --set and --json" \
    "$LONGROPE" search "$work/odd.yaml" --print-config --dry-run

# ---- the template of configs/README.md ----

awk '/^```$/ { exit } inside; /^```yaml$/ { inside = 1 }' "$readme" >"$work/template.yaml"
mkdir -p "$work/corpus"
echo text >"$work/corpus/a.txt"
runs "$LONGROPE" search --print-config "$work/template.yaml" --json
comes '"extend"' target_length "16384 from $work/template.yaml:14"

# ---- what is wrong ----

fails_with 2 "$work/recipe.yaml:4: 'population' must be an integer" sh -c \
    "sed 's/population: 20/population: x/' '$work/recipe.yaml' >'$work/r' && mv '$work/r' '$work/recipe.yaml' &&
     '$LONGROPE' search --print-config '$work/recipe.yaml'"
fails_with 2 "No such file" "$LONGROPE" search --print-config "$work/none.yaml"
fails_with 2 "configuration" "$LONGROPE" search --print-config --set search.seed=1

echo "print_config: passed"
