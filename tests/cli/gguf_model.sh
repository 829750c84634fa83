#!/bin/sh
# GGUF files as models: eval, passkey, tokenize, dry run, search and export, on the demo model.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

refused() {
    words=$1
    shift
    fails_with 2 "$words" "$@"
}

"$DEMO_GGUF" "$model" "$work/bf16.gguf" bf16
"$DEMO_GGUF" "$model" "$work/q8.gguf" q8_0
"$DEMO_GGUF" "$model" "$work/rounded.gguf" q8_0-f32
"$DEMO_GGUF" "$model" "$work/split.gguf" bf16 3 # parts NAME-00001-of-00003.gguf

# nats MODEL: of a window beyond the model's own, in f32, to the last bit.
nats() {
    runs "$LONGROPE" eval --model "$1" --text "$document" --length 300 --method none,yarn --dtype f32 --json
    jq -c '[.results[].nll]' "$work/stdout"
}

# ---- the same model, the same nats ----

wanted=$(nats "$model")
[ "$(nats "$work/bf16.gguf")" = "$wanted" ] || fail "a GGUF gives other nats than the folder it was made from"
[ "$(nats "$work/split-00001-of-00003.gguf")" = "$wanted" ] || fail "a split GGUF gives other nats than a whole one"
quantised=$(nats "$work/q8.gguf")
[ "$quantised" = "$(nats "$work/rounded.gguf")" ] || fail "q8_0 gives other nats than its numbers in f32"
[ "$quantised" != "$wanted" ] || fail "q8_0 gives the nats of the model that was not rounded"
refused "is part 2 of 3; name the first: $work/split-00001-of-00003.gguf" "$LONGROPE" eval \
    --model "$work/split-00002-of-00003.gguf" --text "$document" --length 300 --method none
rm "$work/split-00003-of-00003.gguf"
refused "split-00003-of-00003.gguf: No such file" "$LONGROPE" eval --model "$work/split-00001-of-00003.gguf" \
    --text "$document" --length 300 --method none

# auto is bf16 where all matrices are bf16 and the processor is fast with it, as for folders
for m in "$model" "$work/bf16.gguf" "$work/q8.gguf"; do
    LONGROPE_TRACE=model "$LONGROPE" eval --model "$m" --text "$document" --length 64 --method none 2>&1 >/dev/null |
        sed -n 's/.*\(family llama, [a-z0-9]*\),.*/\1/p'
done >"$work/types"
[ "$(sed -n 1p "$work/types")" = "$(sed -n 2p "$work/types")" ] || fail "auto differs between folder and GGUF"
[ "$(sed -n 3p "$work/types")" = "family llama, f32" ] || fail "auto is not f32 for q8_0"

# ---- what else takes a model ----

runs "$LONGROPE" tokenize --model "$work/q8.gguf" --text "$document" --out "$work/t.npy"
runs "$LONGROPE" passkey --model "$work/q8.gguf" --prompt demo --length 256 --method none --trials 1 --json
gguf_search() { tiny_search "$1" --set model="$work/q8.gguf" --set search.iterations=0 --set data.samples=1; }
runs "$LONGROPE" search "$demo/demo.yaml" --set model="$work/q8.gguf" --dry-run
says "$work/q8.gguf"
runs gguf_search "$work/run"
grep -qF "longrope export $work/run --format gguf --out NEW.gguf" "$work/stderr" || fail "the next step is not one for a GGUF"
runs "$LONGROPE" show "$work/run" --json
holds '.stages[0].state == "done"'
(cd "$work" && runs "$LONGROPE" init q8.gguf --text "$document" --rate 1 --time 1s)
runs "$LONGROPE" search "$work/q8.yaml" --dry-run --rate 1 --json
holds "all(.stages[]; .model == \"$(realpath "$work/q8.gguf")\") and [.stages[].target_length] == [1024, 256]"

# ---- from one file to one file ----

runs "$LONGROPE" export "$work/run" --format gguf --out "$work/long.gguf" --json
holds '.tables[0].role == "both" and .engines[0].engine == "llama.cpp"'
found=$(jq '.tables[0].perplexity' "$work/stdout")
runs "$LONGROPE" eval --model "$work/long.gguf" --text "$corpus"/*.txt --samples 1 --length 512 --method none --json
holds "(.results[0].perplexity / $found - 1 | fabs) < 1e-6"
refused "--format hf: the model $work/q8.gguf is a GGUF file, not a folder; use --format gguf" \
    "$LONGROPE" export "$work/run" --format hf --out "$work/none"
refused "q8.gguf: is read by this command" "$LONGROPE" export "$work/run" --format gguf --out "$work/q8.gguf" --force
runs "$LONGROPE" export "$work/run" --format gguf --model "$model" --gguf "$work/bf16.gguf" --out "$work/other.gguf"
refused "missing --gguf IN.gguf, which --format gguf requires: the model $model is a folder" \
    "$LONGROPE" export "$work/run" --format gguf --model "$model" --out "$work/none"
refused "join them first: llama-gguf-split --merge" "$LONGROPE" export "$work/run" --format gguf \
    --gguf "$work/split-00001-of-00003.gguf" --out "$work/none"

echo "gguf_model: passed"
