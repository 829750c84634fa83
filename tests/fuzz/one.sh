#!/bin/sh
# one.sh TARGET SECONDS: runs a fuzz target that run.sh has built, and says how many inputs it took. From the root of
# the tree.
set -eu
target=$1 seconds=$2
corpus=build/fuzz/corpus/$target
log=build/fuzz/$target.log
sh tests/fuzz/seeds.sh "$target" "$corpus"
if ! "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=4096 \
    -dict=tests/fuzz/words.dict -artifact_prefix="build/fuzz/found/$target-" -print_final_stats=1 \
    "$corpus" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "fuzz $target: FAILED; the input is in build/fuzz/found/" >&2
    exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
echo "fuzz $target: $runs inputs in $seconds s, nothing found"
