#!/bin/sh
# `longrope eval`: its table, its JSON, and what each option does.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# One document, one length; the arguments say how.
evaluate() { runs "$LONGROPE" eval --model "$model" --text "$document" "$@"; }
nll() { jq '.results[0].nll' "$work/stdout"; }
# tells LINE...: this is what stderr has, but for how far it is.
tells() {
    printf '%s\n' "$@" >"$work/told"
    grep -vE ': [0-9]+/[0-9]+ .* left$' "$work/stderr" | cmp -s - "$work/told" || fail "stderr is not '$*'"
}
from_one="from 1 of 1 document; documents begin without BOS"

# ---- the table ----

evaluate --length 64,300 --method none,yarn
[ "$(wc -l <"$work/stdout")" = 6 ] || fail "the table has not two lines of heading and four rows"
head -n 1 "$work/stdout" | grep -qE '^(f32|bf16) arithmetic, [a-z0-9]+ kernels, f64 angles$' ||
    fail "the first line does not say what was computed with"
for word in length method scale attention n_hat documents tokens nats/token perplexity seconds; do
    sed -n 2p "$work/stdout" | grep -qw -e "$word" || fail "the heading has no '$word'"
done
rows=$(awk 'NR > 2 { print $1, $2 }' "$work/stdout" | tr '\n' ';')
[ "$rows" = "64 none;64 yarn;300 none;300 yarn;" ] || fail "the rows are $rows"
awk 'NR > 2 { difference = $9 / exp($8) - 1; if (difference < -1e-4 || difference > 1e-4) exit 1 }' "$work/stdout" ||
    fail "perplexity is not exp(nats/token)"
tells "1 window of 64 tokens $from_one" "1 window of 300 tokens $from_one"

# ---- JSON ----

methods='"none", "pi", "ntk", "dynamic-ntk", "yarn"'
evaluate --length 64,300,512 --method none,pi,ntk,dynamic-ntk,yarn --json
holds "[.results[].length] == [64, 64, 64, 64, 64, 300, 300, 300, 300, 300, 512, 512, 512, 512, 512]"
holds "[.results[].method] == [$methods, $methods, $methods]"
holds 'all(.results[]; keys == (["length", "method", "scale", "attention_factor", "own_attention_factor", "start_tokens", "factors",
    "documents", "samples", "tokens", "nll", "perplexity", "seconds", "reused", "dtype", "kernels", "angles"] | sort))'
holds 'all(.results[]; (.factors | length) == 32 and .documents == 1 and .samples == 1 and .tokens == .length - 1)'
holds 'all(.results[]; .scale == ([1, .length / 256] | max) and .start_tokens == 0 and .seconds >= 0)'
holds 'all(.results[]; .nll > 0 and (.perplexity / (.nll | exp) - 1 | fabs) < 1e-12)'
holds 'all(.results[] | select(.method != "yarn"); .attention_factor == 1)'
holds 'all(.results[] | select(.method == "yarn"); (.attention_factor - (0.1 * (.scale | log) + 1) | fabs) < 1e-12)'
holds 'all(.results[] | select(.method == "pi"); (.factors | unique) == [.scale])'
holds 'all(.results[]; .factors == (.factors | sort))'

# Within the model's window every method with a scale of 1 is the model as it is.
holds '[.results[] | select(.length == 64) | .nll] | unique | length == 1'
holds '[.results[] | select(.length == 512) | .nll] | unique | length == 5'

# Methods that are no baselines of a search. The demo model has 32 pairs, and 13 turn within its window of 256 bytes.
evaluate --length 512 --method yarn,ntk-pi,resonance-yarn --json
holds '[.results[].method] == ["yarn", "ntk-pi", "resonance-yarn"]'
holds '.results[1] | .attention_factor == 1 and (.factors | .[0] == 1 and .[12] < 2 and (.[13:] | unique) == [2])'
# shellcheck disable=SC2016 # variables of jq
holds 'all(.results[1].factors | range(13) as $i | .[$i] - pow(2; $i / 13); fabs < 1e-12)'
# shellcheck disable=SC2016
holds '.results[0] as $yarn | .results[2] | .attention_factor == $yarn.attention_factor and .factors[0] < 1 and
    all(range(32) as $i | [.factors[$i], $yarn.factors[$i] | . * 6.283185307179586 * pow(10000; $i / 32)];
        (.[0] - (.[1] | round) | fabs) < 1e-9 * .[0])'
# The tables can be given as numbers, also where factors are below 1 and fall.
resonance=$(jq -c '.results[2]' "$work/stdout")
evaluate --length 512 --factors "$(echo "$resonance" | jq -r '.factors | map(tostring) | join(",")')" \
    --attention-factor "$(echo "$resonance" | jq .attention_factor)" --json
[ "$(nll)" = "$(echo "$resonance" | jq .nll)" ] || fail "the table of resonance-yarn as numbers gives $(nll)"

# A single token predicts nothing.
evaluate --length 1 --method none,yarn --json
holds 'all(.results[]; .tokens == 0 and .nll == null and .perplexity == null)'
evaluate --length 1 --method none
[ "$(awk 'NR == 3 { print $8, $9 }' "$work/stdout")" = "- -" ] || fail "a length of 1 has a perplexity"
evaluate --length 2 --method none --json
holds '.results[0] | .tokens == 1 and .nll > 0'

# ---- factors ----

ones=$(jq -nr '[range(32) | "1.0"] | join(",")')
evaluate --length 300 --method none --scale 1 --json
plain=$(nll)
evaluate --length 300 --factors "$ones" --attention-factor 1 --json
[ "$(nll)" = "$plain" ] || fail "factors of 1 give $(nll), method none $plain"
holds '.results[0] | .method == "factors" and .factors == [range(32) | 1]'

numbers=$(jq -nr '[range(32) | 1 + . * . / 500 | tostring] | join(",")')
evaluate --length 300 --factors "$numbers" --start-tokens 4 --attention-factor 1.1 --json
inline=$(nll)
[ "$inline" != "$plain" ] || fail "factors make no difference"
holds '.results[0] | .attention_factor == 1.1 and .start_tokens == 4 and .factors[31] == 1 + 31 * 31 / 500'

echo "$numbers" | tr ',' '\n' >"$work/lines.txt"
echo "$numbers" | tr ',' ' ' >"$work/row.txt"
cat >"$work/factors.json" <<END
{"format": "longrope-factors", "version": 1, "original_length": 256, "rope_theta": 10000.0, "tables": [
  {"name": "short", "max_length": 280, "scale": 1.5, "factors": [$ones], "start_tokens": 0, "attention_factor": 1.0},
  {"name": "long", "max_length": 320, "scale": 2.5, "factors": [$numbers], "start_tokens": 4, "attention_factor": 1.1}
]}
END
for file in lines.txt row.txt; do
    evaluate --length 300 --factors "$work/$file" --start-tokens 4 --attention-factor 1.1 --json
    [ "$(nll)" = "$inline" ] || fail "$file gives $(nll), the same numbers inline $inline"
done
evaluate --length 270,300,400 --factors "$work/factors.json" --json
holds '.results[1].nll == '"$inline"' and .results[1].scale == 2.5'
holds '.results[0] | .factors[31] == 1 and .scale == 1.5 and .attention_factor == 1 and .start_tokens == 0'
holds '.results[2] | .factors[31] > 2 and .start_tokens == 4'
evaluate --length 300 --factors "$work/factors.json" --start-tokens 0 --attention-factor 1.2 --json
holds '.results[0] | .start_tokens == 0 and .attention_factor == 1.2 and .nll != '"$inline"

# Where nothing is said of it, the attention factor is LongRoPE's.
evaluate --length 300 --factors "$numbers" --scale 4 --json
holds '.results[0] | .scale == 4 and (.attention_factor - (1 + (4 | log) / (256 | log) | sqrt) | fabs) < 1e-12'
# Where the file says all, a scale changes nothing.
jq '.tables[].scale = 2' "$work/factors.json" >"$work/scales.json"
fails_with 2 "--scale has no effect on $work/scales.json, whose tables state their scale and attention factor" \
    "$LONGROPE" eval --model "$model" --text "$document" --length 300 --factors "$work/scales.json" --scale 4
fails_with 2 "--original-length has no effect on $work/scales.json" \
    "$LONGROPE" eval --model "$model" --text "$document" --length 300 --factors "$work/scales.json" --original-length 128

# ---- the other options ----

evaluate --length 300 --method pi --json
default=$(nll)
evaluate --length 300 --method pi --scale 3 --json
holds '.results[0] | .scale == 3 and .factors == [range(32) | 3] and .nll != '"$default"
evaluate --length 300 --method pi --original-length 100 --json
three=$(nll)
holds '.results[0].scale == 3'
evaluate --length 300 --method pi --scale 3 --json
[ "$(nll)" = "$three" ] || fail "--original-length 100 is not a scale of 3 at 300 tokens"
evaluate --length 300 --method pi --attention-factor 1.5 --json
holds '.results[0] | .attention_factor == 1.5 and .nll != '"$default"
evaluate --length 300 --method pi --start-tokens 16 --json
holds '.results[0] | .start_tokens == 16 and .nll != '"$default"
evaluate --length 300 --method pi --start-tokens 300 --json
holds '.results[0].nll == '"$plain" # no position is left to rescale
evaluate --length 300 --method pi --threads 2 --json
holds '.results[0].nll == '"$default"

# ---- arithmetic ----

evaluate --length 300 --method pi --dtype f32 --json
single=$(nll)
holds '.results[0] | .dtype == "f32" and .angles == "f64"'
evaluate --length 300 --method pi --dtype bf16 --json
holds '.results[0] | .dtype == "bf16" and .nll != '"$single"' and (.nll - '"$single"' | fabs) < 5e-3'
half=$(nll)
evaluate --length 300 --method pi --dtype auto --json
holds '.results[0] | .nll == if .dtype == "f32" then '"$single else $half end"
evaluate --length 300 --method pi --dtype f32 --angles f32 --json
holds '.results[0] | .angles == "f32" and .nll != '"$single"' and (.nll - '"$single"' | fabs) < 1e-3'
evaluate --length 300 --method pi --dtype f32 --angles f64 --json
holds '.results[0].nll == '"$single"
runs env LONGROPE_KERNELS=reference "$LONGROPE" eval --model "$model" --text "$document" --length 20 --method pi --json
holds '.results[0].kernels == "reference"'
runs env LONGROPE_KERNELS=reference "$LONGROPE" eval --model "$model" --text "$document" --length 20 --method pi \
    --dtype f32
head -n 1 "$work/stdout" | grep -q '^f32 arithmetic, reference kernels' || fail "the first line names other kernels"

# Tracing says which model was loaded, and changes no result.
evaluate --length 20 --method pi --json
untraced=$(nll)
tells "1 window of 20 tokens $from_one"
runs env LONGROPE_TRACE=model "$LONGROPE" eval --model "$model" --text "$document" --length 20 --method pi --json
[ "$(nll)" = "$untraced" ] || fail "tracing changes the nats"
grep -q "^longrope: trace: model: $model: family llama, .*, kernels $(jq -r '.results[0].kernels' "$work/stdout"), " \
    "$work/stderr" || fail "the trace does not name the model and its kernels"
[ "$(grep -c '^longrope: trace: ' "$work/stderr")" = 1 ] || fail "the trace of a model has more than one line"

evaluate --length 300 --method pi --samples 7 --json
holds '.results[0] | .samples == 7 and .documents == 1 and .tokens == 7 * 299 and .nll != '"$default"

# ---- nats ----

evaluate --length 200 --samples 3 --method yarn --nats "$work/nats.npy" --json
[ "$(wc -c <"$work/nats.npy")" = $((128 + 3 * 199 * 8)) ] || fail "nats.npy has $(wc -c <"$work/nats.npy") bytes"
od -An -N 10 -t x1 "$work/nats.npy" | grep -q '93 4e 55 4d 50 59 01 00 76 00' || fail "nats.npy begins otherwise"
head -c 128 "$work/nats.npy" | tail -c 118 | grep -qF "'shape': (3, 199)" || fail "nats.npy has another shape"
od -An -v -j 128 -t f8 -w8 "$work/nats.npy" |
    awk -v mean="$(nll)" '$1 <= 0 { exit 1 } { sum += $1 } END { d = sum / NR - mean; exit !(NR == 597 && d * d < 1e-24) }' ||
    fail "the mean of nats.npy is not nll"

# ---- sliding windows ----

slide() { runs "$LONGROPE" eval --model "$model" --text "$work/thousand.txt" --method pi --scale 2 --json "$@"; }
head -c 1000 "$document" >"$work/thousand.txt"
slide --length 300 --stride 100
holds '.results[0] | .tokens == 999 and .samples == 8 and .documents == 1 and .stride == 100 and .length == 300'
# Beside each other they are the windows that --samples spreads.
head -c 900 "$document" >"$work/hundreds.txt"
runs "$LONGROPE" eval --model "$model" --text "$work/hundreds.txt" --method pi --scale 2 --json --length 300 --samples 3
holds '.results[0] | has("stride") | not'
beside=$(nll)
runs "$LONGROPE" eval --model "$model" --text "$work/hundreds.txt" --method pi --scale 2 --json --length 300 --stride 300
[ "$(nll)" = "$beside" ] || fail "a stride of a window gives $(nll), three samples $beside"
# A document that one window holds is one window.
slide --length 1000 --stride 7
whole=$(nll)
slide --length 5000 --stride 7
holds '.results[0] | .samples == 1 and .tokens == 999 and .nll == '"$whole"
slide --length 300 --stride 200 --nats "$work/slide.npy"
head -c 128 "$work/slide.npy" | tail -c 118 | grep -qF "'shape': (1, 999)" || fail "slide.npy has another shape"
od -An -v -j 128 -t f8 -w8 "$work/slide.npy" |
    awk -v mean="$(nll)" '{ sum += $1 } END { d = sum / NR - mean; exit !(NR == 999 && d * d < 1e-24) }' ||
    fail "the mean of slide.npy is not nll"
evaluate --length 300 --stride 100 --method pi
head -n 1 "$work/stdout" | grep -q ', stride 100$' || fail "the first line does not tell the stride"

# ---- tokenizers ----

write_tokenizer "$work/tokenizer.model"
printf 'ab abba' >"$work/letters.txt"
write_npy "$work/letters.npy" 1 4 5 3 4 5 5 4
runs "$LONGROPE" eval --model "$model" --tokens "$work/letters.npy" --length 8 --method none --json
letters=$(nll)
letters() { runs "$LONGROPE" eval --model "$1" --text "$work/letters.txt" --length "$2" --method none --json; }
runs "$LONGROPE" eval --model "$model" --text "$work/letters.txt" --tokenizer "$work/tokenizer.model" --length 8 \
    --method none --json
[ "$(nll)" = "$letters" ] || fail "the tokenizer gives $(nll), its tokens $letters"
mkdir "$work/with-tokenizer"
cp "$model/config.json" "$work/tokenizer.model" "$work/with-tokenizer/"
ln -s "$model/model.safetensors" "$work/with-tokenizer/model.safetensors"
letters "$work/with-tokenizer" 8
[ "$(nll)" = "$letters" ] || fail "the model's own tokenizer gives $(nll), its tokens $letters"
echo '{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false}' >"$work/with-tokenizer/tokenizer_config.json"
letters "$work/with-tokenizer" 7
holds '.results[0].nll != '"$letters"
letters "$model" 7
bytes=$(nll)
runs "$LONGROPE" eval --model "$work/with-tokenizer" --text "$work/letters.txt" --tokenizer bytes --length 7 \
    --method none --json
[ "$(nll)" = "$bytes" ] || fail "--tokenizer bytes gives $(nll), the default of a model of bytes $bytes"

# ---- progress and signals ----

# Without a terminal a line comes every ten seconds; a signal ends it all within two.
: >"$work/background.err"
"$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --length 4096 --stride 1 --method pi,ntk --json \
    >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_until "a line of progress" grep -q '^pi at 4096 tokens: .* windows.* left$' "$work/background.err"
stopped=$(now)
kill -XCPU "$background"
end_search
[ "$status" = 75 ] || fail "eval that is sent SIGXCPU ends with status $status, not 75"
[ "$(calculate "$(now) - $stopped < 2")" = 1.000000 ] || fail "eval goes on for more than two seconds after SIGXCPU"
tail -n 1 "$work/background.err" | grep -q '^longrope: stopped by SIGXCPU; ' || fail "it does not say why it ended"
[ ! -s "$work/background.out" ] || fail "half of a JSON object was printed"

# ---- documents ----

# Files may follow --text one by one, and options may follow them.
runs "$LONGROPE" eval --text "$document" "$second_document" --model "$model" --length 300 --json --method pi
holds '.results[0] | .documents == 2 and .samples == 2 and .tokens == 2 * 299'
both=$(nll)
runs "$LONGROPE" eval --text "$document" --method pi --text "$second_document" --json --length 300 --model "$model"
[ "$(nll)" = "$both" ] || fail "--text twice gives $(nll), two files after one $both"
runs "$LONGROPE" eval --model "$model" --text "$second_document" --length 300 --method pi --json
second=$(nll)
awk "BEGIN { d = ($default + $second) / 2 - $both; exit !(d * d < 1e-24) }" ||
    fail "two documents give $both, alone they give $default and $second"
runs "$LONGROPE" eval --model "$model" --text "$corpus"/*.txt --length 128 --method none --json
holds '.results[0].documents == 5'

# Documents that are too short for a window are passed over.
head -c 299 "$document" >"$work/short.txt"
runs "$LONGROPE" eval --model "$model" --text "$work/short.txt" "$document" --length 300 --method pi --json
holds '.results[0] | .documents == 1 and .nll == '"$default"
tells "1 window of 300 tokens from 1 of 2 documents; left out: short.txt (299 tokens, too short); documents begin without BOS"
printf 'abababababab' >"$work/ab.txt"
write_tokenizer "$work/tokenizer.model"
runs "$LONGROPE" eval --model "$model" --text "$work/ab.txt" --tokenizer "$work/tokenizer.model" --length 8 --method none
tells "1 window of 8 tokens from 1 of 1 document; documents begin with BOS (token 1)"
# A search says the same. Without BOS both say so, too, also where no document is left out.
mkdir "$work/plain"
ln -s "$model/model.safetensors" "$model/config.json" "$work/plain/"
mv "$work/tokenizer.model" "$work/plain/"
echo '{"add_bos_token": false, "bos_token": "<s>"}' >"$work/plain/tokenizer_config.json"
told="1 window of 8 tokens from 1 of 1 document; documents begin without BOS"
runs "$LONGROPE" eval --model "$work/plain" --text "$work/ab.txt" --length 8 --method none
tells "$told"
sed "s|^model: .*|model: $work/plain|; s|^data: .*|data: {text: $work/ab.txt, held_out: 0}|" "$one_stage" >"$work/plain.yaml"
runs "$LONGROPE" search "$work/plain.yaml" -o "$work/plain-run" --set search.evaluations=1 --set data.samples=1 \
    --set 'stages=[{name: only, kind: recover, target_length: 8, search: {lambda_max: 2}}]'
grep -qxF "only: $told" "$work/stderr" || fail "a search says something else of the text"
# Tokens that all are used say nothing.
write_npy "$work/all.npy" 1 2 3 4 5 6 7 8
runs "$LONGROPE" eval --model "$model" --tokens "$work/all.npy" --length 8 --method none
says_nothing

# The attention factor that is in force is the model's own times that of the table.
mkdir "$work/yarn"
ln -s "$model/model.safetensors" "$work/yarn/"
jq '.rope_scaling = {rope_type: "yarn", factor: 4.0, original_max_position_embeddings: 64}' "$model/config.json" \
    >"$work/yarn/config.json"
runs "$LONGROPE" eval --model "$work/yarn" --text "$document" --length 300 --method none,pi
[ "$(awk '$1 == 300 { print $4 }' "$work/stdout" | sort -u)" = 1.1386 ] || fail "the attention factor in force is not printed"
grep -q "^$work/yarn: the model's own rope scaling (yarn, factor 4, attention factor 1.1386)" "$work/stderr" ||
    fail "the model's own scaling is not said"
runs "$LONGROPE" eval --model "$work/yarn" --text "$document" --length 300 --method none --json
holds '.results[0] | .attention_factor == 1 and (.own_attention_factor - 1.1386294361119891 | fabs) < 1e-12'

# Tokens are the bytes of the text.
head -c 40 "$document" >"$work/line.txt"
# shellcheck disable=SC2046 # a list of numbers
write_npy "$work/line.npy" $(od -An -v -t u1 "$work/line.txt")
runs "$LONGROPE" eval --model "$model" --text "$work/line.txt" --length 40 --method none --json
text=$(nll)
runs "$LONGROPE" eval --model "$model" --tokens "$work/line.npy" --length 40 --method none --json
[ "$(nll)" = "$text" ] || fail "as tokens the text gives $(nll), as bytes $text"

# ---- help ----

runs "$LONGROPE" eval --help
for option in model text tokens tokenizer length method factors scale original-length attention-factor start-tokens \
    samples stride dtype angles threads nats json into label; do
    says "--$option"
done
[ ! -s "$work/stderr" ] || fail "help goes to stderr"

echo "eval: passed"
