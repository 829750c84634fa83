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
for type in f32 bf16; do
    for threads in 1 2 3; do
        runs "$LONGROPE" eval --model "$model" --text "$document" --length 1100 --method ntk --samples 2 \
            --dtype "$type" --threads "$threads" --nats "$work/nats$threads.npy" --force --json
        jq '.results[0].nll' "$work/stdout" >"$work/nll$threads"
        cmp "$work/nll1" "$work/nll$threads" || fail "$type: nll differs on $threads threads"
        cmp "$work/nats1.npy" "$work/nats$threads.npy" || fail "$type: nats differ on $threads threads"
    done
done

# ---- instruction sets ----

# levels TYPE TOLERANCE: how far the nats of any level may be from the reference's.
levels() {
    type=$1
    tolerance=$2
    reference=
    # One that does not exist is refused with the names of those that do.
    fails_with 2 "kernels 'none' are not available for $type on this processor" env LONGROPE_KERNELS=none "$LONGROPE" eval \
        --model "$model" --text "$document" --length 300 --method yarn --dtype "$type"
    levels=$(sed 's/.*; choose //; s/,//g; s/ or / /' "$work/stderr")
    for level in $levels; do
        runs env LONGROPE_KERNELS="$level" "$LONGROPE" eval --model "$model" --text "$document" --length 300 \
            --method yarn --dtype "$type" --nats "$work/$level.npy" --force --json
        holds '.results[0] | .dtype == "'"$type"'" and .kernels == "'"$level"'"'
        nll=$(jq '.results[0].nll' "$work/stdout")
        echo "threads: $type, $level: $nll nats per token"
        if [ "$level" = reference ]; then
            reference=$nll
            continue
        fi
        awk "BEGIN { d = $nll - $reference; exit !(d < $tolerance && d > -$tolerance) }" ||
            fail "$type, $level gives $nll nats per token, the reference $reference"
    done
    [ -n "$reference" ] || fail "there are no reference kernels for $type"
    case $levels in *" "*) ;; *) fail "there is no other level than '$levels' for $type" ;; esac

    # The best of them is what runs by default.
    runs "$LONGROPE" eval --model "$model" --text "$document" --length 300 --method yarn --dtype "$type" \
        --nats "$work/nats.npy" --force --json
    cmp "$work/nats.npy" "$work/${levels##* }.npy" || fail "${levels##* } is not the default for $type"
}
levels f32 1e-5
levels bf16 2e-3 # what is rounded to bf16 next may go the other way

echo "threads: passed"
