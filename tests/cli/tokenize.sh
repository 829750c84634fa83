#!/bin/sh
# `longrope tokenize`: the files it writes with every kind of tokenizer, and that eval, passkey and search read a
# tokenizer.json. That its tokens are those of the tokenizers library is tested by tests/interop/test_tokenizer_json.py.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# A tokenizer.json whose tokens are the bytes of a text, in GPT-2's alphabet, and <s>, which begins it.
byte_level() { # FILTER
    jq -n '[range(256)] as $bytes | [$bytes[] | select((. > 32 and . < 127) or (. > 160 and . != 173))] as $printable |
        ($bytes - $printable) as $others | ([$printable[] | {key: [.] | implode, value: .}] +
        [range($others | length) | {key: [256 + .] | implode, value: $others[.]}] | from_entries) as $vocab |
        {version: "1.0", model: {type: "BPE", vocab: $vocab, merges: []}, added_tokens: [], normalizer: null,
         pre_tokenizer: {type: "ByteLevel", add_prefix_space: false, use_regex: true}} | '"${1:-.}"
}

tokens_of() { od -An -v -t d4 -j 128 "$1" | xargs; }

# ---- one file, and a folder ----

printf 'ab \303\251\n' >"$work/a.txt"
printf 'ba' >"$work/b"
runs "$LONGROPE" tokenize --tokenizer bytes --text "$work/a.txt" --out "$work/a.npy"
says_nothing
[ "$(cat "$work/stdout")" = "$work/a.npy: 6 tokens" ] || fail "it prints $(cat "$work/stdout")"
[ "$(tokens_of "$work/a.npy")" = "97 98 32 195 169 10" ] || fail "the tokens are $(tokens_of "$work/a.npy")"
head -c 128 "$work/a.npy" | grep -aqF "'<i4', 'fortran_order': False, 'shape': (6,), " || fail "not a document's shape"
runs "$LONGROPE" tokenize --tokenizer bytes --text "$work/a.txt" "$work/b" --out "$work/tokens"
[ "$(cat "$work/stdout")" = "$work/tokens/a.npy: 6 tokens
$work/tokens/b.npy: 2 tokens" ] || fail "it prints $(cat "$work/stdout")"
cmp -s "$work/tokens/a.npy" "$work/a.npy" || fail "a folder's file differs from a single one"
[ "$(ls "$work/tokens")" = "a.npy
b.npy" ] || fail "the folder holds $(ls "$work/tokens")"

# ---- files that exist ----

fails_with 2 "a.npy: already exists; choose another path, or replace it with --force" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" --out "$work/a.npy"
rm "$work/tokens/b.npy"
fails_with 2 "tokens/a.npy: already exists" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" "$work/a.txt" --out "$work/tokens"
[ ! -e "$work/tokens/b.npy" ] || fail "a text is tokenized though another one's file is in the way"
runs "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" --out "$work/a.npy" --force
[ "$(tokens_of "$work/a.npy")" = "98 97" ] || fail "--force does not replace"
mkdir "$work/other"
cp "$work/b" "$work/other/a.txt"
fails_with 2 "would both become a.npy" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/a.txt" "$work/other/a.txt" --out "$work/both"

# ---- the command line, and texts ----

fails_with 2 "missing --model DIR or --tokenizer" "$LONGROPE" tokenize --text "$work/b" --out "$work/x.npy"
fails_with 2 "missing --text" "$LONGROPE" tokenize --tokenizer bytes --out "$work/x.npy"
fails_with 2 "missing --out" "$LONGROPE" tokenize --tokenizer bytes --text "$work/b"
fails_with 2 "is a file, and there are 2 texts; name a folder" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" "$work/a.txt" --out "$work/x.npy"
fails_with 2 "no-such.txt: No such file" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/no-such.txt" --out "$work/x.npy"
fails_with 2 "none/tokens: its folder does not exist; create it or choose another one" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" "$work/a.txt" --out "$work/none/tokens"
fails_with 2 "tokens: is a folder; name a file" \
    "$LONGROPE" tokenize --tokenizer bytes --text "$work/b" --out "$work/tokens"
[ ! -e "$work/x.npy" ] || fail "a file is written though its text is wrong"

# ---- tokenizers ----

write_tokenizer "$work/tokenizer.model"
runs "$LONGROPE" tokenize --tokenizer "$work/tokenizer.model" --text "$work/b" --out "$work/x.npy"
[ "$(tokens_of "$work/x.npy")" = "1 5 4" ] || fail "tokenizer.model gives $(tokens_of "$work/x.npy")"
byte_level '.added_tokens = [{id: 256, content: "<s>", special: true}] | .post_processor = {type: "TemplateProcessing",
    single: [{SpecialToken: {id: "<s>"}}, {Sequence: {id: "A"}}], special_tokens: {"<s>": {ids: [256]}}}' \
    >"$work/begins.json"
runs "$LONGROPE" tokenize --tokenizer "$work/begins.json" --text "$work/a.txt" --out "$work/x.npy" --force
[ "$(tokens_of "$work/x.npy")" = "256 97 98 32 195 169 10" ] || fail "tokenizer.json gives $(tokens_of "$work/x.npy")"
jq '.model.vocab = []' "$work/begins.json" >"$work/wrong.json"
fails_with 2 "wrong.json: model.vocab is not an object" \
    "$LONGROPE" tokenize --tokenizer "$work/wrong.json" --text "$work/b" --out "$work/y.npy"
printf 'a\377' >"$work/latin"
fails_with 2 "latin: byte 1 is not UTF-8 (0xff)" \
    "$LONGROPE" tokenize --tokenizer "$work/begins.json" --text "$work/latin" --out "$work/y.npy"

# The model's vocabulary is one that the tokens must be of.
fails_with 2 "a.txt: token 256 at position 0 is not in the model's vocabulary of 256" \
    "$LONGROPE" tokenize --model "$model" --tokenizer "$work/begins.json" --text "$work/a.txt" --out "$work/y.npy"
[ ! -e "$work/y.npy" ] || fail "tokens that are not the model's are written"

# ---- a model with tokenizer.json ----

mkdir "$work/model"
cp "$model/config.json" "$work/model/"
ln -s "$model/model.safetensors" "$work/model/model.safetensors"
byte_level >"$work/model/tokenizer.json"
runs "$LONGROPE" tokenize --model "$work/model" --text "$document" "$second_document" --out "$work/documents"
for text in "$document" "$second_document"; do
    name=$(basename "$text" .txt)
    [ "$(od -An -v -t d4 -w4 -j 128 "$work/documents/$name.npy" | tr -d ' ' | cksum)" = \
        "$(od -An -v -t u1 -w1 "$text" | tr -d ' ' | cksum)" ] || fail "$name: the tokens are not its bytes"
done

evaluate() { # ARGUMENT...: nats of the unchanged model
    runs "$LONGROPE" eval --length 256 --method none --samples 3 --json "$@"
    jq '.results[0].nll' "$work/stdout"
}
bytes=$(evaluate --model "$model" --text "$document" "$second_document")
[ "$(evaluate --model "$work/model" --text "$document" "$second_document")" = "$bytes" ] ||
    fail "eval --text does not read the model's tokenizer.json"
[ "$(evaluate --model "$model" --tokens "$work"/documents/*.npy)" = "$bytes" ] ||
    fail "eval --tokens does not read what tokenize writes"

keys() {
    runs "$LONGROPE" passkey --prompt published --length 400 --method none --trials 2 --depths 50 --json --prompts "$@"
    jq -c '[.results[0].depths[].prompts[] | del(.seconds)]' "$work/stdout"
}
[ "$(keys --model "$work/model")" = "$(keys --model "$model")" ] || fail "passkey does not read tokenizer.json"

cat >"$work/search.yaml" <<YAML
name: search
model: $model
data: {text: [$document], samples: 1}
search: {algorithm: paper, population: 3, mutations: 1, crossovers: 1, parents: 2, iterations: 1}
stages: [{name: first, target_length: 300}]
YAML
runs "$LONGROPE" search "$work/search.yaml" -o "$work/by-bytes"
runs "$LONGROPE" search "$work/search.yaml" -o "$work/by-json" --set data.tokenizer="$work/model/tokenizer.json"
cmp -s "$work/by-bytes/factors.json" "$work/by-json/factors.json" || fail "search does not read tokenizer.json"

echo "tokenize: passed"
