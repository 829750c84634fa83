#!/bin/sh
# configs/passkey/run.sh and configs/needle/run.sh in short: one pass key per depth, and searches of a few evaluations.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# ---- configs/passkey ----

tables=$SOURCE/results/progressive/factors.json
run_passkey() {
    env LENGTHS="$1" TRIALS=1 DEMO="$tables" WORK="$work/passkey/work" OUT="$work/passkey" \
        sh "$SOURCE/configs/passkey/run.sh"
}
written() { stat -c '%n %y' "$work"/passkey/work/*.json; }

runs run_passkey 256,300
grep -qxF "| table | 256 | 300 |" "$work/stdout" || fail "passkey: another header: $(cat "$work/stdout")"
for name in none pi ntk dynamic-ntk yarn longrope-2k longrope-131k tuned-131k; do
    counts=$(jq -r '[.results[] | "\(100 * .correct / 5) %"] | join(" | ")' "$work/passkey/$name.json")
    grep -qxF "| $name | $counts |" "$work/stdout" || fail "passkey: the row of $name is not | $counts |"
done
written >"$work/before"
runs run_passkey 256,300
written | cmp -s - "$work/before" || fail "passkey: measured again though nothing has changed"
runs run_passkey 256
written | cmp -s - "$work/before" && fail "passkey: other lengths were not measured"

# ---- configs/needle ----

[ -d "$SOURCE/../shared/books/valid" ] || {
    echo "key_scripts: ../shared/books is absent; only configs/passkey was tested"
    exit 77
}
run_needle() {
    env OUT="$work/needle" TRIALS=1 WINDOWS=1 REUSE=1 sh "$SOURCE/configs/needle/run.sh" --set search.iterations=0 \
        --set data.samples=1 --set stages.2.data.samples=1 --set stages.3.data.samples=1 "$@"
}
runs run_needle --dry-run --rate 1000
if grep -q 'unseen books' "$work/stdout"; then fail "needle: a dry run prints tables"; fi
runs run_needle
cp "$work/stdout" "$work/tables"
for length in 2048 4096; do
    for table in yarn perplexity needle; do
        for row in ".* of 11, [0-9]* %" "[01]/1( \| [01]/1){10}"; do
            [ "$(grep -cE "^\| $length \| $table \| $row \|" "$work/tables")" = 1 ] || fail "needle: no row of $table at $length"
        done
    done
done
runs run_needle
cmp -s "$work/stdout" "$work/tables" || fail "needle: started again, it prints other tables"

echo "key_scripts: passed"
