#!/bin/sh
# `longrope export`: every format and back, which table engines get, and that nothing is ever half written.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

refused() { fails_with 2 "$@"; }
export_to() { runs "$LONGROPE" export "$@" --json; }
out=$work/out

# A factor file of three tables: for 256, 512 and 2048 tokens; the last leaves start tokens as they are, and has a second
# best that does not.
cat >"$work/make.jq" <<'END'
def ramp(most): [range(32) | 1 + (most - 1) * . * . / 961];
def table(name; length; most; n; perplexity): {name: name, max_length: length, scale: (length / 256), factors: ramp(most),
    start_tokens: n, attention_factor: 1.1726, perplexity: perplexity, objective: "perplexity", origin: "mutation"};
{format: "longrope-factors", version: 2, original_length: 256, rope_theta: 10000,
 tables: [table("recover"; 256; 1.3; 0; 3.9), table("middle"; 512; 2.2; 0; 3.8), table("extend"; 2048; 8.1; 8; 3.5)],
 exportable_tables: [table("recover"; 256; 1.3; 0; 3.9), table("extend"; 2048; 7.7; 0; 3.57)]}
END
jq -n -f "$work/make.jq" >"$work/f.json"
# changed SCRIPT: the file as a filter of jq leaves it, $work/changed.json
changed() { jq "$1" "$work/f.json" >"$work/changed.json"; }

# ---- JSON ----

# It loses nothing, in whatever order and form it was written.
export_to "$work/f.json" --format json --out "$work/copy.json"
holds '.format == "json" and (.tables | length) == 3 and .left_out == [] and .engines[0].engine == "longrope"'
same='def plain: (.tables, .exportable_tables) |= map(del(.whole)); plain'
jq -S "$same" "$work/f.json" >"$work/a"
jq -S "$same" "$work/copy.json" >"$work/b"
cmp -s "$work/a" "$work/b" || fail "the copy differs: $(diff "$work/a" "$work/b" | head -n 5)"
export_to "$work/copy.json" --format json --out "$work/second.json"
cmp -s "$work/copy.json" "$work/second.json" || fail "a copy of the copy differs"
runs "$LONGROPE" export "$work/f.json" --format json --model "$model" --out "$work/checked.json"
says "eval --factors"
cmp -s "$work/copy.json" "$work/checked.json" || fail "with --model the copy differs"

# Names of files are any bytes, and a table is named after its file: in whole characters, as JSON can express them.
odd=$work/$(printf 'caf\351')
long=$(printf '\346\227\245%.0s' $(seq 60))
jq -r '.tables[0].factors | join(",")' "$work/f.json" >"$odd.csv"
cp "$odd.csv" "$work/$long.csv"
export_to 256="$odd.csv" 512="$work/$long.csv" --format json --original-length 256 --out "$odd.json"
holds '(.path | endswith("/caf\ufffd.json")) and [.tables[].name] == ["caf\ufffd", "\u65e5" * 42]'
jq -e '[.tables[].name] == ["caf\ufffd", "\u65e5" * 42]' "$odd.json" >/dev/null || fail "the file has other names"

# ---- CSV ----

# One table, the longest that needs no start tokens, in digits that read back to the same doubles.
export_to "$work/f.json" --format csv --out "$work/f.csv"
holds '.tables == [.tables[0]] and (.tables[0] | .role == "only" and .name == "extend" and .searched_start_tokens == 8)'
holds '.tables[0] | .perplexity == 3.57 and .searched_perplexity == 3.5'
holds '[.left_out[].name] == ["recover", "middle"]'
[ "$(wc -l <"$work/f.csv")" = 1 ] || fail "the CSV has not one line"
export_to 2048="$work/f.csv" --format json --original-length 256 --rope-theta 10000 --out "$work/back.json"
jq -e --slurpfile f "$work/f.json" '.tables[0] | .factors == $f[0].exportable_tables[1].factors and .max_length == 2048
    and .scale == 8 and .name == "f"' "$work/back.json" >/dev/null || fail "the CSV reads back otherwise"
export_to "$work/f.json" --format csv --stage recover --out "$work/r.csv"
holds '.tables[0] | .name == "recover" and .searched_perplexity == 3.9 and .searched_start_tokens == 0'
export_to "$work/f.json" --format csv --length 300 --out "$work/m.csv"
holds '.tables[0].name == "middle"'
export_to "$work/r.csv" --format csv --out "$work/r2.csv"
cmp -s "$work/r.csv" "$work/r2.csv" || fail "a CSV of a CSV differs"
runs "$LONGROPE" export "$work/f.json" --format csv --out "$work/text.csv"
says "the best table has 8 start tokens and perplexity 3.5000: doing without start tokens costs 2.00 %"
says "microsoft/LongRoPE: this table for inputs of any length"
says "not exported, because the format has no room for more tables: 'recover' for 256 tokens, 'middle' for 512 tokens"

# Of a model that divides its frequencies itself, the numbers include that, and reading them back would do so once more.
mkdir "$work/halved"
jq '.rope_scaling = {rope_type: "linear", factor: 2.0}' "$model/config.json" >"$work/halved/config.json"
jq -nr '[range(32) | 1.5] | join(",")' >"$work/half.csv"
runs "$LONGROPE" export "$work/half.csv" --format csv --model "$work/halved" --out "$work/both.csv"
grep -q "these numbers include the model's own rope_scaling (linear).*give --format json" "$work/stderr" ||
    fail "does not say that the numbers include the model's own scaling"
[ "$(cat "$work/both.csv")" = "$(jq -nr '[range(32) | 3] | join(",")')" ] || fail "the numbers are not the product"
runs "$LONGROPE" export "$work/half.csv" --format csv --model "$model" --out "$work/plain.csv"
! grep -q "rope_scaling" "$work/stderr" || fail "speaks of a scaling that the model does not have"

# ---- Hugging Face ----

export_to "$work/f.json" --format hf --model "$model" --out "$out"
holds '[.tables[] | .role, .name] == ["short", "recover", "long", "extend"] and .original_length == 256'
holds '[.engines[].engine] == ["transformers", "vLLM", "SGLang"] and [.left_out[].name] == ["middle"]'
holds 'all(.engines[]; .rule | test("256")) and .rope_theta == 10000'
[ "$(find "$out" -mindepth 1 | sed 's|.*/||' | sort | tr '\n' ' ')" = "README.md config.json model.safetensors " ] ||
    fail "the folder holds $(ls -a "$out")"
cmp -s "$model/model.safetensors" "$out/model.safetensors" || fail "the weights are not the same"
[ ! -e "$out.part" ] || fail "$out.part is left"
jq -e --slurpfile f "$work/f.json" --slurpfile m "$model/config.json" '
    .max_position_embeddings == 2048 and .original_max_position_embeddings == 256 and .rope_theta == 10000
    and (.rope_scaling | .rope_type == "longrope" and .factor == 8 and .attention_factor == 1.1726
        and .original_max_position_embeddings == 256 and .short_factor == $f[0].tables[0].factors
        and .long_factor == $f[0].exportable_tables[1].factors)
    and (.rope_parameters | del(.rope_theta)) == .rope_scaling and .rope_parameters.rope_theta == 10000
    and (keys_unsorted[:($m[0] | length)] == ($m[0] | keys_unsorted))
    and (. as $c | [$m[0] | to_entries[] | select(.key != "max_position_embeddings") | $c[.key] == .value] | all)' \
    "$out/config.json" >/dev/null || fail "config.json is $(jq -c 'del(.. | .long_factor?, .short_factor?)' "$out/config.json")"
grep -q '"rms_norm_eps": 1e-05,' "$out/config.json" || fail "numbers that were not changed are written otherwise"

# It is a factor file, and a model.
export_to "$out" --format json --out "$work/hf.json"
holds '[.tables[] | .name, .max_length] == ["short", 256, "long", 2048]'
evaluate() { runs "$LONGROPE" eval --text "$document" --length 256,300,2048 --json "$@"; }
jq 'del(.tables[1]) | .tables[1] = .exportable_tables[1]' "$work/f.json" >"$work/two.json"
evaluate --model "$model" --factors "$work/two.json"
jq '[.results[].nll]' "$work/stdout" >"$work/wanted"
holds '[.results[].table] == ["recover", "extend", "extend"]'
for arguments in "--model $model --factors $out" "--model $model --factors $out/config.json" \
    "--model $out --factors $work/hf.json" "--model $out --method none"; do
    # shellcheck disable=SC2086 # words
    evaluate $arguments
    jq '[.results[].nll]' "$work/stdout" >"$work/found"
    jq -e --slurpfile w "$work/wanted" '[., $w[0]] | transpose | all(.[]; (.[0] - .[1] | fabs) < 1e-9)' "$work/found" \
        >/dev/null || fail "$arguments gives $(jq -c . "$work/found"), the factor file $(jq -c . "$work/wanted")"
done
evaluate --model "$model" --method none
holds 'all(.results[]; has("table") | not)'

# Which table is the long one, and where the short one ends.
LONGROPE_TRACE="export" "$LONGROPE" export "$work/f.json" --format hf --model "$model" --weights none --out "$work/traced" \
    >/dev/null 2>"$work/trace"
grep trace: "$work/trace" | cut -d : -f 3- >"$work/traced.lines"
diff - "$work/traced.lines" >&2 <<END || fail "LONGROPE_TRACE=export does not say which tables are exported, and why"
 export: long table: 'extend' for 2048 tokens, the longest of 3
 export: 'extend' has 8 start tokens; the best without replaces it: perplexity 3.57, not 3.5
 export: short table, up to 256 tokens: 'recover' for 256 tokens, the shortest that reaches them
END
export_to "$work/f.json" --format hf --model "$model" --weights none --stage middle --out "$work/middle"
holds '[.tables[] | .role, .name] == ["short", "recover", "long", "middle"] and .notes == [.notes[]]'
jq -e '.max_position_embeddings == 512' "$work/middle/config.json" >/dev/null || fail "the window is not the table's"
[ ! -e "$work/middle/model.safetensors" ] || fail "--weights none copies the weights"
export_to "$work/f.json" --format hf --model "$model" --weights none --short-length 512 --out "$work/short"
holds '[.tables[] | .role, .name] == ["short", "middle", "long", "extend"] and .original_length == 512'
jq -e '.original_max_position_embeddings == 512 and .rope_scaling.factor == 4' "$work/short/config.json" >/dev/null ||
    fail "--short-length does not say where the short table ends"
changed 'del(.tables[0, 1])'
runs "$LONGROPE" export "$work/changed.json" --format hf --model "$model" --weights none --out "$work/both"
says "no shorter table was searched: the long table is also the short table, for up to 256 tokens"
jq -e '.rope_scaling | .short_factor == .long_factor' "$work/both/config.json" >/dev/null || fail "the tables differ"
changed 'del(.tables[0])'
runs "$LONGROPE" export "$work/changed.json" --format hf --model "$model" --weights none --out "$work/next"
says "no table was searched for 256 tokens: the short table is the next longer one; --short-length 512 uses it"

# One attention factor for both, and one that no formula gives.
changed '.tables[0].attention_factor = 1'
runs "$LONGROPE" export "$work/changed.json" --format hf --model "$model" --weights none --out "$work/m"
grep -qF "that of 'extend', 1.1726, also applies to 'recover', which was found with 1;" "$work/stderr" ||
    fail "it does not say that the short table gets another attention factor"
grep -qF "which vLLM and SGLang use unless short_mscale and long_mscale are set" "$work/stderr" ||
    fail "it does not say what engines do of themselves"
jq -e '.rope_scaling | .short_mscale == 1.1726 and .long_mscale == 1.1726' "$work/m/config.json" >/dev/null ||
    fail "engines that go by a formula are not told the attention factor"
changed '(.tables, .exportable_tables) |= map(.attention_factor = 1.1726039399558574)' # sqrt(1 + ln 8 / ln 256)
export_to "$work/changed.json" --format hf --model "$model" --weights none --out "$work/formula"
holds '.notes == []'
jq -e '.rope_scaling | has("short_mscale") | not' "$work/formula/config.json" >/dev/null || fail "a needless short_mscale"

# Links, and a folder that is replaced.
export_to "$work/f.json" --format hf --model "$model" --weights link --out "$work/linked"
[ "$(readlink "$work/linked/model.safetensors")" = "$(realpath "$model/model.safetensors")" ] ||
    fail "the weights are not a link to the model's"
cmp -s "$model/README.md" "$work/linked/README.md" || fail "other files are not copied"
[ ! -L "$work/linked/README.md" ] || fail "other files are linked to"
runs "$LONGROPE" eval --model "$work/linked" --text "$document" --length 64 --method none
refused "$work/linked: already exists" "$LONGROPE" export "$work/f.json" --format hf --model "$model" \
    --out "$work/linked"
export_to "$work/f.json" --format hf --model "$model" --out "$work/linked/" --force
[ ! -L "$work/linked/model.safetensors" ] || fail "--force does not replace the folder"
[ ! -e "$work/linked.part" ] || fail "$work/linked.part is left"

# A table on top of the model's own scaling: engines get the product. A table that is whole: in its place.
mkdir "$work/linear"
jq '.rope_scaling = {rope_type: "linear", factor: 2.0}' "$model/config.json" >"$work/linear/config.json"
ln -s "$model/model.safetensors" "$work/linear/"
export_to "$work/f.json" --format hf --model "$work/linear" --weights link --out "$work/product"
jq -e --slurpfile f "$work/f.json" '.rope_scaling.short_factor == [$f[0].tables[0].factors[] | . * 2]' \
    "$work/product/config.json" >/dev/null || fail "the model's own scaling is lost"
changed '(.tables, .exportable_tables) |= map(.whole = true)'
export_to "$work/changed.json" --format hf --model "$work/linear" --weights link --out "$work/whole"
cmp -s "$out/config.json" "$work/whole/config.json" || {
    jq -e --slurpfile o "$out/config.json" '.rope_scaling == $o[0].rope_scaling' "$work/whole/config.json" >/dev/null ||
        fail "a whole table is multiplied by the model's own scaling"
}
jq '.rope_scaling = {rope_type: "dynamic", factor: 2.0}' "$model/config.json" >"$work/linear/config.json"
refused 'multiplies the model'\''s own "dynamic" scaling' "$LONGROPE" export "$work/f.json" --format hf \
    --model "$work/linear" --out "$work/none"

# ---- GGUF ----

# little_endian NUMBER BYTES: a number below 65536.
little_endian() {
    # shellcheck disable=SC2059 # octal escapes
    printf "$(printf '\\%03o\\%03o' $(($1 % 256)) $(($1 / 256)))"
    head -c $(($2 - 2)) /dev/zero
}
string() { little_endian ${#1} 8 && printf '%s' "$1"; }
key_number() { string "$1" && little_endian 4 4 && little_endian "$2" 4; }
key_string() { string "$1" && little_endian 8 4 && string "$2"; }
# write_gguf WIDTH: a file that says as much of a model as a copy asks for, and holds one number.
write_gguf() {
    {
        printf GGUF && little_endian 3 4 && little_endian 1 8 && little_endian 3 8
        key_string general.architecture llama
        key_number llama.context_length 256
        key_number llama.rope.dimension_count "$1"
        string token_embd.weight && little_endian 1 4 && little_endian 1 8 && little_endian 0 4 && little_endian 0 8
        head -c 32 /dev/zero # more than enough to where the number begins
    } >"$work/in.gguf"
    truncate -s $(($(wc -c <"$work/in.gguf") / 32 * 32 + 32)) "$work/in.gguf"
}
write_gguf 64
export_to "$work/f.json" --format gguf --model "$model" --gguf "$work/in.gguf" --out "$work/out.gguf"
holds '[.tables[] | .role, .name] == ["short", "recover", "long", "extend"] and .engines[0].engine == "llama.cpp"'
export_to "$work/out.gguf" --format json --out "$work/of-gguf.json"
jq -e --slurpfile h "$work/hf.json" '
    .original_length == 256 and ([.tables[] | .name, .max_length, .whole] == ["short", 256, true, "long", 2048, true])
    and ([.tables, $h[0].tables] | transpose | all(.[]; ([.[].factors] | transpose | all(.[]; (.[0] / .[1] - 1 | fabs) < 1e-6))
        and (.[0].attention_factor / .[1].attention_factor - 1 | fabs) < 1e-6))' "$work/of-gguf.json" >/dev/null ||
    fail "the tables of the GGUF are $(jq -c . "$work/of-gguf.json")"
evaluate --model "$model" --factors "$work/out.gguf"
jq -e --slurpfile w "$work/wanted" '[[.results[].nll], $w[0]] | transpose | all(.[]; (.[0] - .[1] | fabs) < 5e-3)' \
    "$work/stdout" >/dev/null || fail "the GGUF's tables give other nats"
refused "$work/in.gguf: has no LongRoPE tables" "$LONGROPE" eval --model "$model" --text "$document" --length 64 \
    --factors "$work/in.gguf"
to_gguf() { "$LONGROPE" export "$work/f.json" --format gguf --model "$model" --gguf "$work/in.gguf" --out "$@"; }
refused "$work/out.gguf: already exists" to_gguf "$work/out.gguf" --json
cp "$work/out.gguf" "$work/before.gguf"
runs to_gguf "$work/out.gguf" --force
cmp -s "$work/before.gguf" "$work/out.gguf" || fail "the GGUF that was replaced is another one"
[ ! -e "$work/out.gguf.part" ] || fail "a file aside is left"
to_gguf - 2>"$work/stderr" | cmp -s - "$work/out.gguf" || fail "standard output gets another GGUF"
grep -q 'llama.cpp' "$work/stderr" || fail "the summary is lost where standard output gets the GGUF"
refused "in.gguf: is read by this command" to_gguf "$work/in.gguf" --force
write_gguf 128
refused "$work/in.gguf: has 64 rotary pairs, but the tables have 32" to_gguf "$work/none" --json
head -c 50 "$work/before.gguf" >"$work/in.gguf"
refused "$work/in.gguf: " to_gguf "$work/none" --json
refused "$work/in.gguf: " to_gguf "$work/out.gguf" --force
cmp -s "$work/before.gguf" "$work/out.gguf" || fail "a GGUF that could not be replaced is not as it was"

# ---- runs ----

runs tiny_search "$work/run"
export_to "$work/run" --format hf --model "$model" --out "$work/of-run"
holds '.tables[0] | .role == "both" and .max_length == 512'
cp "$work/stdout" "$work/said"
runs "$LONGROPE" eval --model "$work/of-run" --text "$corpus"/*.txt --samples 2 --length 512 --method none --dtype f32 --json
perplexity=$(jq '.results[0].perplexity' "$work/stdout")
runs "$LONGROPE" show "$work/run" --json
holds ".stages[0].best_exportable.perplexity / $perplexity - 1 | fabs < 1e-9"
jq -e --slurpfile s "$work/said" '.stages[0] | .best_exportable.perplexity == $s[0].tables[0].perplexity
    and .best.perplexity == $s[0].tables[0].searched_perplexity' "$work/stdout" >/dev/null || fail "costs are told wrong"
export_to "$work/run" --format hf --weights none --out "$work/of-its-model" # the run knows its model
cmp -s "$work/of-run/config.json" "$work/of-its-model/config.json" || fail "the run names another model"
export_to "$work/run" --format json --out "$work/of-run.json"
cmp -s "$work/run/factors.json" "$work/of-run.json" || fail "export writes other tables than the search"
copy_run run moved "UPDATE stage_models SET model = '$work/gone/model'"
refused "$work/moved: the run's model $work/gone/model does not exist; name its folder with --model DIR" \
    "$LONGROPE" export "$work/moved" --format hf --weights none --out "$work/none"
export_to "$work/moved" --format hf --model "$model" --weights none --out "$work/of-moved"
cmp -s "$work/of-its-model/config.json" "$work/of-moved/config.json" || fail "--model does not replace the run's model"
export_to "$work/moved" --format json --out "$work/of-moved.json" # does not require the model

start_search "$work/going" --set search.iterations=1000
wait_for_evaluations "$work/going" 1
refused "$work/going: no stage of this run is done" "$LONGROPE" export "$work/going" --format json --out "$work/none"
refused "$work/going: no stage of this run is done" "$LONGROPE" export "$work/going" --format hf --out "$work/none"
kill -KILL "$background"
end_search
refused "no stage of this run is done" "$LONGROPE" export "$work/going" --format json --out "$work/none"

# ---- lists of plain tables ----

export_to 512="$work/m.csv" 256="$work/r.csv" 2048="$work/f.csv" --format json --model "$model" --out "$work/list.json"
holds '[.tables[] | .name, .max_length] == ["r", 256, "m", 512, "f", 2048]'
jq -e '.original_length == 256 and .rope_theta == 10000 and [.tables[].scale] == [1, 2, 8]' "$work/list.json" >/dev/null ||
    fail "what the tables do not say is not the model's"
# a table with start tokens brings the one that its file has without
changed 'del(.tables[0, 1]) | .tables[0].max_length = null | .exportable_tables[].max_length = null'
export_to 256="$work/r.csv" 2048="$work/changed.json" --format hf --model "$model" --weights none --out "$work/listed"
jq -e --slurpfile f "$work/f.json" '.rope_scaling.long_factor == $f[0].exportable_tables[1].factors' \
    "$work/listed/config.json" >/dev/null || fail "a list does not take the table without start tokens"
refused "holds 3 tables" "$LONGROPE" export 256="$work/f.json" --format json --out "$work/none"
refused "a second table for 256 tokens, after 'r'; give one per length" "$LONGROPE" export 256="$work/r.csv" 256="$work/m.csv" --format json \
    --out "$work/none"
refused "LENGTH=FILE" "$LONGROPE" export "$work/r.csv" "$work/m.csv" --format json --out "$work/none"
refused "no-such.csv: No such file" "$LONGROPE" export 256="$work/no-such.csv" --format json --out "$work/none"
echo 1,2,3 >"$work/three.csv"
refused "they are not of one model" "$LONGROPE" export 256="$work/r.csv" 512="$work/three.csv" --format json \
    --out "$work/none"
# A row a layer, as microsoft/LongRoPE allows: one table, or none.
sed p "$work/r.csv" >"$work/layers.csv"
export_to "$work/layers.csv" --format csv --out "$work/layer.csv"
cmp -s "$work/r.csv" "$work/layer.csv" || fail "rows that are alike are not one table"
cat "$work/r.csv" "$work/m.csv" >"$work/layers.csv"
refused "row 2 differs from the first" "$LONGROPE" export "$work/layers.csv" --format csv --out "$work/none"

# The tables of the paper's authors: all are read, evaluated and written again.
tables=$SOURCE/../shared/longrope_tables
if [ -d "$tables" ]; then
    sed 's/"head_dim": 64/"head_dim": 128/; s/"num_attention_heads": 4/"num_attention_heads": 2/
        s/"num_key_value_heads": 2/"num_key_value_heads": 1/' "$model/config.json" >"$work/config128.json"
    mkdir "$work/model128"
    mv "$work/config128.json" "$work/model128/config.json"
    ln -s "$model/model.safetensors" "$work/model128/" # heads of twice the width, half as many: the same shapes
    for table in "$tables"/*.csv; do
        runs "$LONGROPE" export "$table" --format csv --out "$work/again.csv" --force
        [ "$(tr -d '\r\n' <"$table")" = "$(tr -d '\n' <"$work/again.csv")" ] || {
            export_to "$work/again.csv" --format json --out "$work/x.json" --force
            export_to "$table" --format json --out "$work/y.json" --force
            [ "$(jq -c .tables[0].factors "$work/x.json")" = "$(jq -c .tables[0].factors "$work/y.json")" ] ||
                fail "$table: another table is written"
        }
        runs "$LONGROPE" eval --model "$work/model128" --text "$document" --length 64 --factors "$table" --json
        holds '.results[0] | (.factors | length) == 64 and .nll > 0'
    done
    set -- "$tables"/4k_la2_256k.csv "$tables"/8k_la2_256k.csv "$tables"/2048k_la2_256k.csv
    export_to 4096="$1" 8192="$2" 2097152="$3" --format hf --model "$work/model128" --original-length 4096 --weights none \
        --out "$work/la2"
    holds '[.tables[] | .role, .name] == ["short", "4k_la2_256k", "long", "2048k_la2_256k"]'
    holds '[.left_out[].name] == ["8k_la2_256k"] and .original_length == 4096'
    jq -e '.rope_scaling | .factor == 512 and (.attention_factor - (1 + (512 | log) / (4096 | log) | sqrt) | fabs) < 1e-12' \
        "$work/la2/config.json" >/dev/null || fail "the attention factor is not the formula's"
else
    echo "export: the authors' tables are left out: there is no $tables"
fi

# ---- what is refused ----

none() { "$LONGROPE" export "$work/f.json" --format "$@" --out "$work/none"; }
refused "missing SOURCE; see longrope export --help" "$LONGROPE" export --format json --out "$work/none"
refused "missing --format FORMAT" "$LONGROPE" export "$work/f.json" --out "$work/none"
refused "missing --out PATH" "$LONGROPE" export "$work/f.json" --format json
refused "--format: unknown format 'yaml'; choose hf, gguf, csv or json" none yaml
refused "missing --model DIR: --format hf requires it, and $work/f.json does not state it" none hf
refused "$work/absent: does not exist; name a run, a factor file" "$LONGROPE" export "$work/absent" --format hf \
    --out "$work/none"
refused "missing --gguf IN.gguf, which --format gguf requires" none gguf --model "$model"
refused "--gguf has no use with --format hf" none hf --model "$model" --gguf x
refused "--weights has no use with --format csv" none csv --weights link
refused "--stage has no use with --format json" none json --stage extend
refused "--weights: unknown value 'move' (did you mean 'none'?); choose copy, link or none" none hf --weights move
refused "--stage and --length exclude each other" none csv --stage a --length 5
refused "unknown option '--fromat' (did you mean '--format'?)" "$LONGROPE" export "$work/f.json" --fromat json
for option in length short-length original-length rope-theta; do
    for number in '' x -1 0 1e3x; do refused "--$option: " none hf --model "$model" "--$option" "$number"; done
done
refused "unknown finished stage 'extent' (did you mean 'extend'?); choose recover, middle or extend" none csv --stage extent
refused "--length 4096: the longest table of $work/f.json reaches 2048 tokens" none csv --length 4096
refused "give --short-length N" none hf --model "$model" --short-length 2048
refused "--original-length 128: contradicts $work/f.json, which says 256" none json --original-length 128
refused "--rope-theta 500: contradicts $work/f.json, which says 10000" none json --rope-theta 500
refused "the maximum length of its table is unknown; give --length N" "$LONGROPE" export "$work/r.csv" --format hf \
    --model "$model" --out "$work/none"
refused "holds 3 factors, but the model has 32 rotary pairs" "$LONGROPE" export "$work/three.csv" --format hf \
    --length 512 --model "$model" --out "$work/none"
changed '.rope_theta = 500000'
refused "was made for rope_theta 500000" "$LONGROPE" export "$work/changed.json" --format csv --model "$model" \
    --out "$work/none"
changed 'del(.exportable_tables)'
for format in hf csv; do
    refused "search with start_tokens: [0], or export as json" "$LONGROPE" export "$work/changed.json" --format $format \
        --model "$model" --out "$work/none"
done
refused "no-such: No such file" "$LONGROPE" export "$work/no-such" --format json --out "$work/none"
refused "$model/config.json: holds no factors: its rope_type is \"default\"" "$LONGROPE" export "$model" --format json \
    --out "$work/none"
refused "no-such: does not exist" none hf --model "$work/no-such"

# Models that lack something.
broken=$work/broken
mkdir "$broken"
cp "$model/config.json" "$broken/"
refused "$broken: holds no weights" none hf --model "$broken"
echo '{"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors", "a": "model-00002-of-00002.safetensors"}}' \
    >"$broken/model.safetensors.index.json"
cp "$model/model.safetensors" "$broken/model-00001-of-00002.safetensors"
refused "$broken/model-00002-of-00002.safetensors: does not exist" none hf --model "$broken"
ln -s nowhere "$broken/tokenizer.model"
rm "$broken"/model*
ln -s "$model/model.safetensors" "$broken/"
refused "$broken/tokenizer.model: cannot be copied: No such file" none hf --model "$broken"
export_to "$work/f.json" --format hf --model "$model" --weights none --out "$work/half"
jq '.rope_scaling.short_mscale = 1.5' "$work/half/config.json" >"$work/half/changed"
mv "$work/half/changed" "$work/half/config.json"
refused "short_mscale" "$LONGROPE" export "$work/half" --format json --out "$work/none"

# What is there is not touched, and nothing else is ever taken away.
echo mine >"$work/mine"
for format in csv json; do
    refused "$work/mine: already exists" "$LONGROPE" export "$work/f.json" --format $format --out "$work/mine"
    refused "$work/half: is a folder" "$LONGROPE" export "$work/f.json" --format $format --out "$work/half" --force
done
[ "$(cat "$work/mine")" = mine ] || fail "a file that was there is not as it was"
export_to "$work/f.json" --format csv --out "$work/mine" --force
mkdir -p "$work/photos/2024"
touch "$work/photos/picture.jpg" "$work/photos/2024/picture.jpg"
for folder in "$work/photos" "$work/photos/2024" "$work/mine"; do
    refused "$folder: is not " "$LONGROPE" export "$work/f.json" --format hf --model "$model" --out "$folder" --force
done
[ -e "$work/photos/2024/picture.jpg" ] || fail "a folder of other files was taken away"
refused "contains the model to export" "$LONGROPE" export "$work/f.json" --format hf --model "$broken/" \
    --weights none --out "$broken" --force
rm "$broken/tokenizer.model"
refused "contains the model to export" "$LONGROPE" export "$work/f.json" --format hf --model "$broken/" \
    --out "$broken" --force
mkdir "$work/source"
cp "$model/config.json" "$work/source/"
ln -s "$out/model.safetensors" "$work/source/"
refused "contains the model to export" "$LONGROPE" export "$work/f.json" --format hf --model "$work/source" \
    --weights link --out "$out" --force
[ -s "$out/model.safetensors" ] || fail "weights that were linked to are gone"
: >"$work/none.part"
refused "$work/none.part: exists and blocks writing $work/none; delete it" none hf --model "$model"
rm "$work/none.part"
[ ! -e "$work/none" ] || fail "something that was refused left a file"

# ---- kills and signals ----

# A model whose copy takes a while; the file holds nothing, but is copied all the same.
mkdir "$work/large"
cp "$model/config.json" "$model/model.safetensors" "$work/large/"
truncate -s 1G "$work/large/other.bin"
# signal SIGNAL: sends it while the large file is copied; false where that was over too soon.
signal() {
    rm -rf "$work/copy" "$work/copy.part"
    "$LONGROPE" export "$work/f.json" --format hf --model "$work/large" --out "$work/copy" >"$work/background.out" \
        2>"$work/background.err" &
    background=$!
    until [ -e "$work/copy.part/other.bin" ] || [ -e "$work/copy" ]; do kill -0 "$background" 2>/dev/null || break; done
    kill "-$1" "$background" 2>/dev/null || true
    end_search
    [ "$status" != 0 ]
}
if signal KILL; then
    [ ! -e "$work/copy" ] || fail "a killed export leaves a folder at its path"
    [ -e "$work/copy.part" ] || fail "a killed export leaves nothing aside: was it killed?"
    runs "$LONGROPE" export "$work/f.json" --format hf --model "$model" --out "$work/copy"
    [ ! -e "$work/copy/other.bin" ] || fail "what a killed export left is in the next one"
    [ ! -e "$work/copy.part" ] || fail "what a killed export left is still there"
    for name in TERM USR1; do
        signal "$name" || fail "the copy was over before SIG$name"
        [ "$status" = 75 ] || fail "an export that is sent SIG$name ends with status $status, not 75"
        for path in "$work/copy" "$work/copy.part"; do
            [ ! -e "$path" ] || fail "an export that was stopped leaves $path"
        done
        grep -q "^longrope: stopped by SIG$name; $work/copy was not written" "$work/background.err" ||
            fail "it does not say that nothing was written"
    done
else
    echo "export: kills are left out: this file system copies a gigabyte too soon"
fi
rm -rf "$work/large" "$work/copy" "$work/copy.part"

# ---- what the machine cannot do: status 1 ----

for format in csv json hf; do
    fails_with 2 "$work/no-such/x: its folder does not exist" "$LONGROPE" export "$work/f.json" --format $format \
        --model "$model" --out "$work/no-such/x"
done
mkdir "$work/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=2m tmpfs "$work/disk" 2>/dev/null; then
    mounted=$work/disk
    on_disk() { "$LONGROPE" export "$work/f.json" --format "$1" --model "$model" --out "$work/disk/x"; }
    fails_with 1 "model.safetensors: could not be copied: No space left on device; free space" on_disk hf
    [ -z "$(ls -A "$work/disk")" ] || fail "a full disk is left with $(ls "$work/disk")"
    head -c 2M /dev/zero >"$work/disk/full" 2>/dev/null || true
    for format in csv json hf; do
        fails_with 1 "No space left on device" on_disk $format
        [ "$(ls -A "$work/disk")" = full ] || fail "a full disk is left with $(ls "$work/disk")"
    done
    rm "$work/disk/full"
    mount -o remount,ro "$work/disk"
    for format in csv json hf; do fails_with 2 "x: its folder cannot be written: Read-only file system" on_disk $format; done
    umount "$work/disk"
    mounted=
else
    echo "export: full and read-only disks are left out: it takes root to mount a small file system"
fi

# ---- help ----

runs "$LONGROPE" export --help
for option in format out force model gguf weights stage length short-length original-length rope-theta json; do
    says "--$option"
done
[ ! -s "$work/stderr" ] || fail "help goes to stderr"

echo "export: passed"
