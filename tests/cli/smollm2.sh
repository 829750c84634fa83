#!/bin/sh
# configs/smollm2/run.sh in short: the demo model from 256 bytes to 512 and 1024, and back, with a few evaluations.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

try env MODEL="$work/nowhere" OUT="$work/small models" sh "$SOURCE/configs/smollm2/run.sh"
[ "$status" = 2 ] || fail "exit status $status without a model"
grep -qF "There is no $work/nowhere/config.json" "$work/stderr" || fail "it does not say that there is no model"
try env MODEL="$SOURCE/configs/demo/model" BOOKS="$work/nowhere" OUT="$work/small models" sh "$SOURCE/configs/smollm2/run.sh"
[ "$status" = 2 ] || fail "exit status $status without books"
grep -qF "there is no $work/nowhere/valid; name the folder" "$work/stderr" || fail "it does not say that there are no books"
mkdir -p "$work/few/valid"
touch "$work/few/valid/les-miserables-hugo.txt"
try env MODEL="$SOURCE/configs/demo/model" BOOKS="$work/few" OUT="$work/small models" sh "$SOURCE/configs/smollm2/run.sh"
[ "$status" = 2 ] || fail "exit status $status without one of the books"
grep -qF "there is no $work/few/valid/the-count-of-monte-cristo-dumas.txt" "$work/stderr" || fail "it does not say which"
[ -d "$SOURCE/../shared/books/valid" ] || { echo "smollm2: ../shared/books is absent; only that was tested" && exit 77; }

runs env MODEL="$SOURCE/configs/demo/model" WINDOW=256 LENGTHS="256 512" TRIALS=1 \
    CHOICE="--items 10 --context 120 --most 100" OUT="$work/small models" \
    sh "$SOURCE/configs/smollm2/run.sh" --set stages.0.target_length=512 --set stages.1.target_length=1024 \
    --set stages.2.target_length=256 --set search.evaluations=3
cp "$work/stdout" "$work/tables"
cells() { grep "^| $1 | $2 |" "$work/tables" | head -n 1 | grep -oE '[0-9]+\.[0-9]+' | wc -l; }
for name in none pi ntk dynamic-ntk yarn longrope; do
    [ "$(cells 512 "$name")" = 4 ] || fail "512 bytes, $name: not the perplexities of four books"
done
[ "$(cells 256 longrope)" = 4 ] || fail "256 bytes: not the perplexities of four books"
found=$("$LONGROPE" show "$work/small models/run" --json | jq '.stages[0].best_exportable.perplexity * 1000 | round / 1000')
grep -qF "| 512 | longrope | $found |" "$work/tables" || fail "the table that was found has not $found"
[ "$(grep -c '^| [0-9]* | [a-z]* | [0-9]* of 5 |' "$work/tables")" = 4 ] || fail "not four counts of pass keys"
[ "$(grep -c '^| [0-9]* | [a-z]* | [0-9.]* % | [0-9.]* % |' "$work/tables")" = 4 ] || fail "not four rows of multiple choice"
[ -s "$work/small models/report.html" ] || fail "there is no report"
runs env MODEL="$SOURCE/configs/demo/model" OUT="$work/small models" sh "$SOURCE/configs/smollm2/run.sh" --dry-run --rate 1000
if grep -q 'pass keys found' "$work/stdout"; then fail "a dry run prints what was measured"; fi

# What is there is not measured again, but where the table, the text, the items or the arguments are others.
out="$work/small models"
measured() { (cd "$out" && find . -name '*.json*' ! -name run.json ! -path './run/*' -exec stat -c '%n %y' {} + | sort); }
measure() {
    runs env MODEL="$SOURCE/configs/demo/model" WINDOW=256 LENGTHS=256 TRIALS="$1" \
        CHOICE="--items 10 --context 120 --most 100" sh "$SOURCE/configs/smollm2/measure.sh" "$LONGROPE" \
        "$SOURCE/configs/demo/model" "$(realpath -m "$SOURCE/../shared/books/valid")" "$out"
    measured >"$work/after"
    diff "$work/before" "$work/after" | sed -n 's|^> \./\([^ ]*\) .*|\1|p' | grep -v '\.of$' | tr '\n' ' ' >"$work/again"
}
measured >"$work/before"
measure 1
[ ! -s "$work/again" ] || fail "measured again though nothing has changed: $(cat "$work/again")"
jq '(.tables[], .exportable_tables[]).factors[31] *= 1.01' "$out/run/factors.json" >"$work/factors.json"
cp "$work/factors.json" "$out/run/factors.json"
measure 2
[ "$(cat "$work/again")" = "choice/256-longrope.json passkeys/256-closed.json passkeys/256-longrope.json \
unseen/256-on-the-origin-of-species-darwin-longrope.json unseen/256-the-count-of-monte-cristo-dumas-longrope.json \
unseen/256-the-moonstone-collins-longrope.json " ] || fail "of another table and other trials: $(cat "$work/again")"

echo "smollm2: passed"
