#!/bin/sh
# The number of threads changes no bit of a result, and the instruction set hardly any.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# ---- threads ----

for threads in 1 2 3; do
    runs tiny_search "$work/run$threads" --threads "$threads"
    [ "$threads" = 1 ] || same_runs "$work/run1" "$work/run$threads"
done

# 1100 tokens are nine blocks of rows, the last one short: they go round unevenly on 2 and 3 threads.
for threads in 1 2 3; do
    runs "$LONGROPE" eval --model "$model" --text "$document" --length 1100 --method ntk --samples 2 \
        --threads "$threads" --nats "$work/nats$threads.npy" --json
    jq '.results[0].nll' "$work/stdout" >"$work/nll$threads"
    cmp "$work/nll1" "$work/nll$threads" || fail "nll differs on $threads threads"
    cmp "$work/nats1.npy" "$work/nats$threads.npy" || fail "nats differ on $threads threads"
done

# ---- instruction sets ----

# One that does not exist is refused with the names of those that do.
fails_with 2 "not to be had on this processor" env LONGROPE_KERNELS=none "$LONGROPE" eval --model "$model" \
    --text "$document" --length 300 --method yarn
levels=$(sed 's/.*which runs //; s/,//g' "$work/stderr")
for level in $levels; do
    runs env LONGROPE_KERNELS="$level" "$LONGROPE" eval --model "$model" --text "$document" --length 300 \
        --method yarn --nats "$work/$level.npy" --json
    nll=$(jq '.results[0].nll' "$work/stdout")
    echo "threads: $level: $nll nats per token"
    if [ "$level" = reference ]; then
        reference=$nll
        continue
    fi
    awk "BEGIN { d = $nll - $reference; exit !(d < 1e-5 && d > -1e-5) }" ||
        fail "$level gives $nll nats per token, the reference $reference"
done
[ -n "${reference-}" ] || fail "there are no reference kernels"
case $levels in *" "*) ;; *) fail "there is no other level than '$levels'" ;; esac

# The best of them is what runs by default.
runs "$LONGROPE" eval --model "$model" --text "$document" --length 300 --method yarn --nats "$work/nats.npy" --json
cmp "$work/nats.npy" "$work/${levels##* }.npy" || fail "${levels##* } is not the default"

echo "threads: passed"
