#!/bin/sh
# What people get wrong, and whether the message says what is wrong, where, and what to do.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

refused() { fails_with 2 "$@"; }
evaluate() { "$LONGROPE" eval --length 9 --method none "$@"; }
tokens() { evaluate --model "$model" --tokens "$@"; }
cd "$work"
write_npy t.npy 1 2 3 4 5 6 7 8 9 10

# model NAME: a folder with config.json alone.
model() {
    mkdir "$1"
    cp "$model/config.json" "$1/"
}

# ---- files that are something else ----

printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456789\n' >pointer
printf '<!DOCTYPE html>\n<html><title>Sign in</title></html>\n' >page
model other
for kind in pointer page; do
    case $kind in
    pointer) said="is a pointer of Git LFS, not the file; get the file with git lfs pull" ;;
    page) said="is a web page, maybe of a login or an error; download the file again" ;;
    esac
    cp $kind other/model.safetensors
    refused "other/model.safetensors: $said" evaluate --model other --tokens t.npy
    rm other/model.safetensors
    cp $kind other/model.safetensors.index.json
    refused "other/model.safetensors.index.json: $said" evaluate --model other --tokens t.npy
    rm other/model.safetensors.index.json
    refused "$kind: $said" tokens $kind
    refused "$kind: $said" "$LONGROPE" eval --model "$model" --tokens t.npy --length 9 --factors $kind
    mkdir $kind-model
    cp $kind $kind-model/config.json
    refused "$kind-model/config.json: $said" evaluate --model $kind-model --tokens t.npy
done
refused "pointer: is a pointer of Git LFS" evaluate --model "$model" --text pointer
refused "pointer: is a pointer of Git LFS" evaluate --model "$model" --text t.npy --tokenizer pointer
refused "pointer: is a pointer of Git LFS" "$LONGROPE" search pointer --dry-run
refused "t.npy: is an .npy file, which holds tokens" evaluate --model "$model" --text t.npy
{ printf '\357\273\277' && cat "$model/config.json"; } >page-model/config.json
refused "page-model/config.json: begins with a byte order mark; save it as UTF-8 without one" \
    evaluate --model page-model --tokens t.npy
printf '\357\273\2771,1,1\n' >mark.csv
refused "mark.csv: begins with a byte order mark" "$LONGROPE" eval --model "$model" --tokens t.npy --length 9 --factors mark.csv

# ---- folders of models ----

refused "no/such-model: does not exist; name the folder of a model that is downloaded" \
    evaluate --model no/such-model --tokens t.npy
# shellcheck disable=SC2088 # as it stands where no shell replaces it
refused "~/m: does not exist; write the path of your home folder instead of ~" evaluate --model '~/m' --tokens t.npy
refused "t.npy: is an .npy file, which holds tokens" evaluate --model t.npy --tokens t.npy
mkdir empty
refused "empty: holds no config.json; name the folder of a model in Hugging Face's format" \
    evaluate --model empty --tokens t.npy
model bare
refused "bare: holds no weights (model.safetensors); download them too" evaluate --model bare --tokens t.npy
touch bare/pytorch_model.bin
refused "bare: holds pytorch_model.bin, weights of PyTorch, which are not read; convert them" \
    evaluate --model bare --tokens t.npy
touch bare/model-00001-of-00002.safetensors
refused "a shard, but no model.safetensors.index.json that lists the shards; download it too" \
    evaluate --model bare --tokens t.npy
model experts
jq '.model_type = "deepseek_v3" | .n_routed_experts = 64' "$model/config.json" >experts/config.json
refused 'experts/config.json: model_type "deepseek_v3" is a mixture of experts that is not supported; supported: llama' \
    evaluate --model experts --tokens t.npy

mkdir adapter weights
touch adapter/adapter_config.json weights/params.json
refused "adapter: holds adapter_config.json, an adapter, but not its model; merge them" evaluate --model adapter --tokens t.npy
refused "weights: holds params.json, of a format that is not read" evaluate --model weights --tokens t.npy

# links of a cache of downloads, whose files were deleted
model cached
for file in model.safetensors model.safetensors.index.json; do
    ln -s ../../blobs/0 cached/$file
    refused "cached/$file: is a link to a file that does not exist; get that file, too" evaluate --model cached --tokens t.npy
    rm cached/$file
done
ln -sf ../../blobs/0 cached/config.json
refused "cached/config.json: is a link to a file that does not exist" evaluate --model cached --tokens t.npy
echo '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' >page-model/config.json
refused "page-model/config.json: is a web page, maybe of a login or an error" evaluate --model page-model --tokens t.npy

# ---- arrays ----

# array SHAPE TYPE: the header of an array, and some bytes.
array() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $1, }"
    head -c 40 /dev/zero
}
array '(2, 5)' '<i4' >rows.npy
refused "rows.npy: holds an array of 2 dimensions, but a file holds one document" tokens rows.npy
one_line_with "save each row as a file of its own"
array '()' '<i4' >scalar.npy
refused "scalar.npy: holds an array of 0 dimensions, but a file holds one document" tokens scalar.npy
array '(40,)' '|b1' >truth.npy
refused "truth.npy: holds no numbers of a known type ('|b1'), not integers; save the numbers of the tokens" tokens truth.npy

# ---- configurations ----

printf 'name: x\nmodel: m\ndata:\n\ttokens: [t.npy]\n' >tab.yaml
refused "tab.yaml:4: not valid YAML:" "$LONGROPE" search tab.yaml --dry-run
one_line_with "indent with blanks: YAML allows no tabs there"
printf 'name: x\ndata: {tokens: [t.npy]\nmodel: m\nstages: []\n' >open.yaml
refused "while parsing a flow mapping that begins in line 2" "$LONGROPE" search open.yaml --dry-run
printf 'name:x\nmodel: m\n' >colon.yaml
refused "write a blank after the ':' of a key" "$LONGROPE" search colon.yaml --dry-run
sed 's/^search: {/search: {mutation_probability: 0,3, /' "$one_stage" >comma.yaml
refused "unknown key '3'; write decimals with a point, as in 0.3" "$LONGROPE" search comma.yaml --dry-run
printf 'name: x\nmodel: m\ndata:\n  \302\240tokens: [t.npy]\n' >blank.yaml
refused "it holds a no-break space, which looks like a blank" "$LONGROPE" search blank.yaml --dry-run
dry_run() { "$LONGROPE" search "$one_stage" --dry-run --rate 1 "$@"; }
refused "'initial' must be a list of pi, " dry_run --set 'search={algorithm: paper, initial: []}'
one_line_with "the list is empty"
runs dry_run --set 'search.initial=[]' # which is the default

# ---- the command line ----

refused "--length: 9223372036854775808 is not within 1..2147483647" tokens t.npy --length 9223372036854775808
refused "--length: '8k' is not an integer; write digits only" tokens t.npy --length 8k
for option in --output --cache; do
    refused "$option: the value is empty; is a variable of the shell not set?" dry_run $option ''
done
refused "--tokens: the value is empty" tokens ''
refused "RUN_DIR: the value is empty" "$LONGROPE" show ''
refused "--method: an item is empty; separate items by single commas" tokens t.npy --method none,

# an empty variable of the shell without quotes
refused "missing value: --text FILE..." "$LONGROPE" init "$model" --text --target 512
# what a web page makes of two hyphens
refused "begins with a dash that is not '-'; type it again" tokens t.npy "$(printf '\342\200\223-samples')" 2
refused "unknown option '-samples' (did you mean '--samples'?)" tokens t.npy -samples 2

# standard input
refused "-: standard input is not supported; name a file" tokens -
refused "-: standard input is not supported" evaluate --model "$model" --text -
refused "-: standard input is not supported" "$LONGROPE" search - --dry-run
refused "-: standard input is not supported" "$LONGROPE" export - --format csv --out x
refused "'1;2;3': is neither a file nor numbers separated by commas" "$LONGROPE" export '1;2;3' --format csv --out x

# ---- runs ----

mkdir begun
: >begun/run.db
for command in "show begun" "report begun -o x"; do
    # shellcheck disable=SC2086 # a list of words
    refused "begun: holds no run (run.db is empty)" "$LONGROPE" $command
done
refused "begun: holds no run (run.db is empty)" tokens t.npy --into begun
refused "begun: is a folder without config.json and without a run that has begun" "$LONGROPE" export begun \
    --format csv --out x
mkdir cloned
cp pointer cloned/run.db
refused "cloned/run.db: is a pointer of Git LFS, not the file" "$LONGROPE" show cloned
refused "cloned/run.db: is a pointer of Git LFS, not the file" "$LONGROPE" search "$one_stage" -o cloned --resume
refused "t.npy: is not a folder, as runs are" "$LONGROPE" show t.npy
refused "no-run: does not exist" "$LONGROPE" show no-run
mkdir -p folder/run.db
refused "folder/run.db: is not a file; name the folder of a run" "$LONGROPE" show folder

# ---- exports ----

# Shorter tables than the window are there, but none reaches it.
jq -n '[range(32) | 1 + . / 40] as $factors | {format: "longrope-factors", version: 2, original_length: 256,
    rope_theta: 10000, tables: [{n: "a", l: 64}, {n: "b", l: 128}, {n: "long", l: 512}] | map({name: .n, max_length: .l,
    scale: 2, factors: $factors, start_tokens: 0, attention_factor: 1, perplexity: 4, objective: "perplexity",
    origin: "mutation"})} | .exportable_tables = .tables' >three.json
runs "$LONGROPE" export three.json --format hf --model "$model" --weights none --out three
says "no shorter table reaches 256 tokens: the long table is also the short table; --short-length 128 uses the table for 128"
jq '.tables |= .[2:] | .exportable_tables |= .[2:]' three.json >one.json
runs "$LONGROPE" export one.json --format hf --model "$model" --weights none --out one
says "no shorter table was searched"

# ---- the machine ----

fails_with 1 "out of memory: prompts of 2147483647 tokens need more than" "$LONGROPE" passkey --model "$model" \
    --length 2147483647 --method none
one_line_with "give a smaller --length"

echo "messages: passed"
