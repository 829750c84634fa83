#!/bin/sh
# configs/smollm2/run.sh in short: the demo model from 256 bytes to 512 and 1024, and back, with a few evaluations.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"


try env MODEL="$work/nowhere" OUT="$work/smollm2" sh "$SOURCE/configs/smollm2/run.sh"
[ "$status" = 2 ] || fail "exit status $status without a model"
grep -qF "There is no $work/nowhere/config.json" "$work/stderr" || fail "it does not say that there is no model"
try env MODEL="$SOURCE/configs/demo/model" BOOKS="$work/nowhere" OUT="$work/smollm2" sh "$SOURCE/configs/smollm2/run.sh"
[ "$status" = 2 ] || fail "exit status $status without books"
grep -qF "there is no $work/nowhere/valid; name the folder" "$work/stderr" || fail "it does not say that there are no books"
[ -d "$SOURCE/../shared/books/valid" ] || { echo "smollm2: ../shared/books is absent; only that was tested" && exit 77; }

runs env MODEL="$SOURCE/configs/demo/model" WINDOW=256 LENGTHS="256 512" TRIALS=1 \
    CHOICE="--items 10 --context 120 --most 100" OUT="$work/smollm2" \
    sh "$SOURCE/configs/smollm2/run.sh" --set stages.0.target_length=512 --set stages.1.target_length=1024 \
    --set stages.2.target_length=256 --set search.evaluations=3
cp "$work/stdout" "$work/tables"
cells() { grep "^| $1 | $2 |" "$work/tables" | head -n 1 | grep -oE '[0-9]+\.[0-9]+' | wc -l; }
for name in none pi ntk dynamic-ntk yarn longrope; do
    [ "$(cells 512 "$name")" = 4 ] || fail "512 bytes, $name: not the perplexities of four books"
done
[ "$(cells 256 longrope)" = 4 ] || fail "256 bytes: not the perplexities of four books"
found=$("$LONGROPE" show "$work/smollm2/run" --json | jq '.stages[0].best_exportable.perplexity * 1000 | round / 1000')
grep -qF "| 512 | longrope | $found |" "$work/tables" || fail "the table that was found has not $found"
[ "$(grep -c '^| [0-9]* | [a-z]* | [0-9]* of 5 |' "$work/tables")" = 4 ] || fail "not four counts of pass keys"
[ "$(grep -c '^| [0-9]* | [a-z]* | [0-9.]* % | [0-9.]* % |' "$work/tables")" = 4 ] || fail "not four rows of multiple choice"
[ -s "$work/smollm2/report.html" ] || fail "there is no report"

echo "smollm2: passed"
