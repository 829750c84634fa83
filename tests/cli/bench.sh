#!/bin/sh
# `longrope bench`: its tables, its JSON, and what it refuses. A tiny shape, and no time to measure well.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

bench() {
    case " $* " in
    *" --length "*) ;;
    *) set -- --length 130 "$@" ;;
    esac
    "$LONGROPE" bench --hidden 64 --heads 4 --layers 2 --vocabulary 300 --seconds 0.01 "$@"
}
refused() { fails_with 2 "$@"; }
unset LONGROPE_KERNELS

# The names of this processor's tables of one type, slowest first.
tables() {
    try bench --dtype "$1" --kernels none
    sed 's/.*; choose //; s/,//g; s/ or / /' "$work/stderr"
}
f32=$(tables f32)
bf16=$(tables bf16)
for names in "$f32" "$bf16"; do
    case $names in "reference "*) ;; *) fail "the reference is not the first of '$names'" ;; esac
done

# ---- JSON ----

runs bench --length 130,2,400 --threads 2 --json
holds 'keys == ["evaluations", "rates", "seconds", "shape", "threads"] and .threads == 2 and .seconds == 0.01'
holds '.shape == {hidden: 64, heads: 4, kv_heads: 1, head_dim: 16, intermediate: 176, layers: 2, vocabulary: 300}'
holds 'all(.rates[]; keys == ["attention", "dtype", "kernels", "product_gflops", "products", "threads"])'
holds 'all(.rates[]; [.products[].matrix] == ["query", "key", "output", "gate", "down", "logits"])'
holds 'all(.rates[]; all(.products[]; .gflops > 0 and .outputs > 0 and .inputs > 0))'
holds 'all(.rates[]; .product_gflops == ([.products[].gflops] | max))'
holds 'all(.rates[]; [.attention[].length] == [130, 2, 400] and all(.attention[]; .gflops > 0))'
for table in $(printf '%s\n' "$f32" | tr ' ' '\n' | sed 's/^/f32 /; s/ /:/') \
    $(printf '%s\n' "$bf16" | tr ' ' '\n' | sed 's/^/bf16 /; s/ /:/'); do
    wanted='[1, 2]'
    [ "${table#*:}" != reference ] || wanted='[]' # only if asked for
    holds "[.rates[] | select(.dtype == \"${table%:*}\" and .kernels == \"${table#*:}\") | .threads] == $wanted"
done

# The fastest of each type evaluates.
holds "[.evaluations[] | [.dtype, .kernels] | join(\" \")] | unique ==
    ([\"f32 ${f32##* }\", \"bf16 ${bf16##* }\"] | sort)"
holds '[.evaluations[].length] == [130, 2, 400, 130, 2, 400]'
holds 'all(.evaluations[]; keys == (["dtype", "flops", "gflops", "kernels", "length", "median_seconds", "passes",
    "seconds", "share_of_product", "threads", "time_shares", "tokens", "tokens_per_second"] | sort))'
holds 'all(.evaluations[]; .tokens == .length - 1 and .passes >= 1 and .threads == 2)'
holds 'all(.evaluations[]; .seconds > 0 and .median_seconds >= .seconds and .gflops > 0 and .flops > 0)'
holds 'all(.evaluations[]; .share_of_product > 0)'
holds 'all(.evaluations[]; (.tokens_per_second * .seconds / .tokens - 1 | fabs) < 1e-9)'
holds 'all(.evaluations[]; (.gflops * 1e9 * .seconds / .flops - 1 | fabs) < 1e-9)'
holds 'all(.evaluations[]; (.time_shares | keys == ["attention", "products", "rest"] and (add - 1 | fabs) < 1e-9))'
# 129 rows in the matrices, the first layer's queries, keys and values apart, and in attention's 129 130 / 2.
holds 'all(.evaluations[] | select(.length == 130);
    .flops == 129 * 2 * (64 * 96 + 2 * (64 * 64 + 3 * 64 * 176) + 300 * 64) + 129 * 130 / 2 * 2 * 4 * 64)'

# ---- options ----

# An evaluation is no faster than the product, where a busy machine gives both a core to themselves.
runs bench --threads 1 --seconds 0.1 --json
holds 'all(.evaluations[]; .share_of_product > 0 and .share_of_product < 1.5)'

# Named kernels evaluate, the reference, too; one that a type has not is the other type's.
runs bench --kernels "reference,${bf16##* }" --threads 1 --json
holds '[.rates[] | select(.kernels == "reference") | .dtype] == ["f32", "bf16"]'
holds '[.rates[] | [.dtype, .kernels]] == [.evaluations[] | [.dtype, .kernels]] and all(.rates[]; .threads == 1)'
holds "any(.evaluations[]; .dtype == \"bf16\" and .kernels == \"${bf16##* }\")"
runs env LONGROPE_KERNELS=baseline "$LONGROPE" bench --hidden 64 --heads 4 --layers 1 --vocabulary 9 --length 9 \
    --seconds 0.001 --json
holds '[.rates[], .evaluations[] | .kernels] | unique == ["baseline"]'
for type in f32 bf16 auto; do
    runs bench --dtype "$type" --json
    holds "[.rates[], .evaluations[] | .dtype] | unique | length == 1 and (.[0] == \"$type\" or \"$type\" == \"auto\")"
done
runs bench --dtype f32 --heads 6 --kv-heads 3 --head-dim 10 --intermediate 33 --layers 1 --json
holds '.shape == {hidden: 64, heads: 6, kv_heads: 3, head_dim: 10, intermediate: 33, layers: 1, vocabulary: 300}'
runs bench --help
says "Usage: longrope bench"

# ---- the tables ----

runs bench --length 130,200 --threads 2
says_nothing
for type in f32 bf16; do
    [ "$type" = f32 ] && names=$f32 || names=$bf16
    for name in ${names#reference }; do
        rows=$(awk -v t="$type" -v k="$name" 'NF == 6 && $1 == t && $2 == k && $4 > 0 { print $3 }' "$work/stdout" |
            tr '\n' ' ')
        [ "$rows" = "1 2 " ] || fail "$type $name has not two rows of rates but '$rows'"
    done
    rows=$(awk -v t="$type" -v k="${names##* }" 'NF == 15 && $1 == t && $2 == k { print $3 }' "$work/stdout" |
        tr '\n' ' ')
    [ "$rows" = "130 200 " ] || fail "$type ${names##* } has not two evaluations but '$rows'"
done

# ---- what is refused ----

for option in hidden heads kv-heads head-dim intermediate layers vocabulary length threads; do
    for number in 0 -1 '' x 1.5 2k 99999999999 99999999999999999999; do
        refused "--$option: " bench "--$option" "$number"
    done
done
for number in 0 -1 '' x 1e9 nan; do refused "--seconds: " bench --seconds "$number"; done
refused "--head-dim: a head is 15 wide, which is odd" bench --head-dim 15
refused "a head is 13 wide, which is odd" bench --hidden 52
refused "--head-dim: 514 is not within 2..512" bench --head-dim 514
refused "--hidden (64) divided by --heads (6) is not a head width" bench --heads 6
refused "--hidden (64) divided by --heads (64) is not a head width" bench --heads 64
refused "--hidden (64) divided by --heads (128) is not a head width" bench --heads 128
refused "--heads (4) must be a multiple of --kv-heads (3)" bench --kv-heads 3
refused "--heads (4) must be a multiple of --kv-heads (8)" bench --kv-heads 8
refused "--length: 1 is not within" bench --length 64,1
refused "--length: an item is empty" bench --length 64,
refused "--length has 17 values, more than the 16" bench --length 2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2
refused "--dtype: unknown number type 'f64' (did you mean 'f32'?); choose auto, f32 or bf16" bench --dtype f64
refused "--kernels: kernels 'abacus' are not available for f32 or bf16 on this processor; choose reference, baseline" \
    bench --kernels baseline,abacus
refused "--kernels: kernels '' are not available for f32 on this processor" bench --dtype f32 --kernels baseline,
refused "LONGROPE_KERNELS: kernels 'abacus' are not available" env LONGROPE_KERNELS=abacus "$LONGROPE" bench
refused "unknown option '--lenght' (did you mean '--length'?)" bench --lenght 64
refused "missing value: --heads N" bench --heads
refused "unexpected argument 'stray'" bench stray
refused "unknown command 'benhc' (did you mean 'bench'?)" "$LONGROPE" benhc

# ---- what the machine cannot do ----

# More than there are addresses. The address sanitizer ends a program that asks for so much, or has a line to say.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1
export ASAN_OPTIONS
try bench --json --hidden 1048576 --heads 8192 --intermediate 4194304 --vocabulary 16777216
[ "$status" = 1 ] || fail "exit status $status where memory cannot be had"
[ ! -s "$work/stdout" ] || fail "writes to stdout before it fails"
tail -n 1 "$work/stderr" | grep -q '^longrope: out of memory: .* MiB' || fail "it does not say that memory is short"
status=0
bench --json 2>"$work/stderr" >/dev/full || status=$?
: >"$work/stdout"
[ "$status" = 1 ] || fail "status $status where standard output cannot be written"
one_line_with "standard output: could not be written" bench --json

# ---- signals ----

for signal in INT USR1; do
    rm -f "$work/background.out" # the last one's
    "$LONGROPE" bench --hidden 64 --seconds 600 >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_until "the heading" [ -s "$work/background.out" ]
    kill -"$signal" "$background"
    end_search
    [ "$status" = 75 ] || fail "bench that is sent SIG$signal ends with status $status, not 75"
    grep -q "^longrope: stopped by SIG$signal; " "$work/background.err" || fail "it does not say that it was stopped"
done

echo "bench: passed"
