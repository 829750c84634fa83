#!/bin/sh
# CLEX models: eval, passkey, search and export of one whose tensors are 0, so that its tables are NTK's at the ratio
# 2t - 1 and the plain model with that method says what each command has to compute.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

refused() {
    words=$1
    shift
    fails_with 2 "$words" "$@"
}

# tensor_file PATH HEADER BYTES: a safetensors file whose data are zeros.
tensor_file() {
    # shellcheck disable=SC2059 # the number of bytes of the header
    printf "$(printf '\\%03o\\%03o' $((${#2} % 256)) $((${#2} / 256)))\\0\\0\\0\\0\\0\\0%s" "$2" >"$1"
    head -c "$3" /dev/zero >>"$1"
}

# The demo model has heads of 64.
layer=model.clex_layer.proj_func
up='"'$layer'.ode_up_proj": {"dtype": "F32", "shape": [32, 64], "data_offsets": [0, 8192]}'
down='"'$layer'.ode_down_proj": {"dtype": "F32", "shape": [64, 32], "data_offsets": [8192, 16384]}'
clex=$work/clex
mkdir "$clex"
ln -s "$model/model.safetensors" "$clex/demo.safetensors"
tensor_file "$clex/clex.safetensors" "{$up, $down}" 16384
header=$(od -An -t u8 -N 8 "$model/model.safetensors" | tr -d ' ')
tail -c +9 "$model/model.safetensors" | head -c "$header" | jq --arg layer $layer '
    del(.__metadata__) | map_values("demo.safetensors") |
    . + {"\($layer).ode_up_proj": "clex.safetensors", "\($layer).ode_down_proj": "clex.safetensors"} |
    {metadata: {}, weight_map: .}' >"$clex/model.safetensors.index.json"
jq '.rope_scaling = {type: "clex", factor: 1, max_factor: 4, param_factor: 1, act: "tanh", time_dt: 0.05}' \
    "$model/config.json" >"$clex/config.json"

# ---- eval and passkey ----

evaluate() { runs "$LONGROPE" eval --text "$document" --dtype f32 --json "$@"; }

# nll ARGUMENTS...: of one length and method.
nll() {
    evaluate "$@"
    jq '.results[0].nll' "$work/stdout"
}

# close A B: equal but for the rounding of f32.
close() { jq -en "($1) - ($2) | fabs <= ${3-1e-6}" >/dev/null || fail "$1 is not $2"; }

evaluate --model "$clex" --length 200,256,300,700,1024 --method none
grep -qF "rope scaling (clex, up to 4 times the window of 256 tokens) is what method none" "$work/stderr" ||
    fail "does not say that the model has a scaling of its own"
jq -c '.results[] | [.length, .nll]' "$work/stdout" >"$work/nll"
while read -r length ratio; do
    close "$(jq -s --argjson n "$length" '.[] | select(.[0] == $n)[1]' "$work/nll")" \
        "$(nll --model "$model" --length "$length" --method ntk --scale "$ratio")"
done <<END
200 1
256 1
300 3
700 5
1024 7
END

# beyond the largest factor its table stays, unless more is asked for
close "$(nll --model "$clex" --length 1100 --method none)" "$(nll --model "$model" --length 1100 --method ntk --scale 7)"
close "$(nll --model "$clex" --length 1100 --method none --max-factor 8)" \
    "$(nll --model "$model" --length 1100 --method ntk --scale 9)"
refused "--max-factor: the rope type of $model is default, not clex" "$LONGROPE" eval --model "$model" \
    --text "$document" --length 300 --method none --max-factor 8
refused "max_factor is 2.5; it must be an integer" "$LONGROPE" eval --model "$clex" --text "$document" --length 300 \
    --method none --max-factor 2.5

# other methods multiply it: NTK's exponents add
close "$(nll --model "$clex" --length 300 --method ntk --scale 2)" \
    "$(nll --model "$model" --length 300 --method ntk --scale 6)"

keys() {
    runs "$LONGROPE" passkey --prompt demo --length 512 --trials 1 --depths 50 --dtype f32 --json "$@"
    jq -c '.results[0] | [.trials, .correct, (.nll * 1e5 | round)]' "$work/stdout"
}
[ "$(keys --model "$clex" --method none)" = "$(keys --model "$model" --method ntk --scale 3)" ] ||
    fail "passkey finds other keys than with the table that the model has"
[ "$(keys --model "$clex" --method none)" != "$(keys --model "$model" --method none)" ] ||
    fail "passkey does not use the table of its length"

# ---- its folder as a factor file ----

close "$(nll --model "$model" --length 700 --factors "$clex")" "$(nll --model "$clex" --length 700 --method none)" 0.0
runs "$LONGROPE" export "$clex" --format json --out "$work/tables.json"
jq -e '[.tables[] | [.name, .max_length, .whole]] ==
    [["clex-1", 256, true], ["clex-2", 512, true], ["clex-3", 768, true], ["clex-4", 1024, true]]' \
    "$work/tables.json" >/dev/null || fail "other tables than one for each extension factor"
jq -e '.tables[0].factors | all(. == 1)' "$work/tables.json" >/dev/null || fail "t = 1 is not the plain model"
jq -e '[.tables[].factors[31]] | map(. * 1e6 | round) == [1000000, 3000000, 5000000, 7000000]' "$work/tables.json" \
    >/dev/null || fail "the factors of the last pair are not the ratios"

runs "$LONGROPE" export "$clex" --format csv --length 300 --out "$work/300.csv"
tr , '\n' <"$work/300.csv" | jq -sc . >"$work/300.json"
[ "$(cat "$work/300.json")" = "$(jq -c '.tables[1].factors' "$work/tables.json")" ] || fail "csv is not the table of 300"
refused "--length 2000: the longest table of $clex reaches 1024 tokens" "$LONGROPE" export "$clex" --format csv \
    --length 2000 --out "$work/2000.csv"
runs "$LONGROPE" export "$clex" --format csv --length 2000 --max-factor 8 --out "$work/2000.csv"
close "$(tr , '\n' <"$work/2000.csv" | tail -n 1)" 15
refused "max_factor is 2.5; it must be an integer" "$LONGROPE" export "$clex" --format csv --max-factor 2.5 --out "$work/x"
refused "$model: its rope type is default, not clex" "$LONGROPE" export "$model" --format csv --max-factor 8 \
    --out "$work/x"
refused "requires the folder of a CLEX model as the only SOURCE" "$LONGROPE" export "300=$work/300.csv" --format csv \
    --max-factor 8 --out "$work/x"

# hf and gguf: a model without CLEX that computes the same up to that length
runs "$LONGROPE" export "$clex" --format hf --model "$clex" --length 700 --out "$work/hf"
jq -e '.rope_scaling.rope_type == "longrope" and .max_position_embeddings == 768' "$work/hf/config.json" >/dev/null ||
    fail "hf is not a longrope model of 768 tokens"
"$DEMO_GGUF" "$model" "$work/demo.gguf" bf16
runs "$LONGROPE" export "$clex" --format gguf --model "$clex" --gguf "$work/demo.gguf" --length 700 --out "$work/c.gguf"
for exported in "$work/hf" "$work/c.gguf"; do
    for length in 200 700; do
        close "$(nll --model "$exported" --length $length --method none)" \
            "$(nll --model "$clex" --length $length --method none)" 1e-5
    done
done

# ---- search ----

# A table on top of CLEX begins with it, and a plain model can begin with it too.
runs short_search "$work/run" --set model="$clex" --set 'search.initial=[none, pi]' --set attention_factor=none
runs "$LONGROPE" show "$work/run" --json
none=$(jq '.stages[0].baselines[] | select(.method == "none").perplexity' "$work/stdout")
holds ".stages[0].best.perplexity <= $none"
[ "$(sqlite3 "$work/run/run.db" 'SELECT origin FROM individuals WHERE id = 0')" = none ] ||
    fail "the first individual is not the model as it is"
close "$(sqlite3 "$work/run/run.db" 'SELECT exp(nats_per_token) FROM individuals WHERE id = 0')" "$none" 1e-12
jq -e --argjson t "$(jq '.tables[1].factors' "$work/tables.json")" '.tables[0].base_factors == $t' \
    "$work/run/factors.json" >/dev/null || fail "the run's table does not multiply the one of 512 tokens"
jq -er '.tables[0] | [.base_factors, .searched_factors, .factors] | transpose | all(.[0] * .[1] == .[2])' \
    "$work/run/factors.json" >/dev/null || fail "the run's table is not a product"
runs "$LONGROPE" export "$work/run" --format hf --out "$work/found"
close "$(nll --model "$work/found" --length 512 --method none)" \
    "$(nll --model "$clex" --length 512 --factors "$work/run")" 1e-6
runs short_search "$work/plain" --set "search.initial=['$clex', pi]" --set search.lambda_step=0.001
[ "$(sqlite3 "$work/plain/run.db" 'SELECT origin FROM individuals WHERE id = 0')" = file ] ||
    fail "a plain model does not begin with the table of CLEX"

# ---- refused ----

# refused_weights WORDS: of eval, whose message names the file.
refused_weights() {
    refused "$1" "$LONGROPE" eval --model "$clex" --text "$document" --length 300 --method none
}
tensor_file "$clex/clex.safetensors" "{$up}" 8192
refused_weights "clex.safetensors"
tensor_file "$clex/clex.safetensors" "{$up, $(echo "$down" | sed 's/64, 32/32, 64/')}" 16384
refused_weights "tensor '$layer.ode_down_proj' has shape [32, 64], config.json requires [64, 32]"
tensor_file "$clex/clex.safetensors" "{$up, $(echo "$down" | sed s/F32/I32/)}" 16384
refused_weights "tensor '$layer.ode_down_proj': number type 'I32' is not supported"
tensor_file "$clex/clex.safetensors" "{$up, $down}" 16000
refused_weights "clex.safetensors"
rm "$clex/clex.safetensors"
refused_weights "clex.safetensors"
