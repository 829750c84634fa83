#!/bin/sh
# What is wrong with a command line, a file or the machine is said in one line, with the status that
# tells whose fault it is: 2 the user's, 1 the machine's, 75 a signal's.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

refused() { fails_with 2 "$@"; }
evaluate() { "$LONGROPE" eval --model "$model" --text "$document" --length 64 --method none "$@"; }
search_with() {
    rm -rf "$work/none"
    "$LONGROPE" search "$demo/demo.yaml" -o "$work/none" "$@"
}

# ---- commands and options ----

refused "missing command; see longrope --help" "$LONGROPE"
refused "unknown command 'serach' (did you mean 'search'?)" "$LONGROPE" serach
refused "unknown command 'evals' (did you mean 'eval'?)" "$LONGROPE" evals
refused "unknown command 'frobnicate'; choose init, search, show, report, eval, passkey, choice, tokenize, export or bench" "$LONGROPE" frobnicate
refused "unknown command ''" "$LONGROPE" ""
refused "unknown option '--lenght' (did you mean '--length'?)" evaluate --lenght 64
refused "unknown option '--thread-count'" evaluate --thread-count 2
refused "unknown option '-x'" evaluate -x
refused "unknown option '--rezume' (did you mean '--resume'?)" search_with --rezume
refused "unknown option '-x'" search_with -xy
refused "unknown option '--jsn' (did you mean '--json'?)" "$LONGROPE" show "$work" --jsn
refused "missing value: --samples K; see longrope eval --help" evaluate --samples
refused "missing value: --output RUN_DIR" search_with -o
refused "--json does not take a value" evaluate --json=yes
refused "'--s' is not unique: it can be --samples, --stride, --scale, --start-tokens" evaluate --s 2
refused "unexpected argument 'stray'; see longrope eval --help" evaluate stray
refused "unexpected argument 'stray'; see longrope eval --help" evaluate -- stray

refused "missing --model DIR" "$LONGROPE" eval --text "$document" --length 64 --method none
refused "missing --text FILE... or --tokens FILE.npy..." "$LONGROPE" eval --model "$model" --length 64 --method none
refused "--text and --tokens exclude each other" evaluate --tokens "$work/a.npy"
refused "missing --length N" "$LONGROPE" eval --model "$model" --text "$document" --method none
refused "missing --method NAME[,NAME...] or --factors FILE" "$LONGROPE" eval --model "$model" --text "$document" --length 64
refused "--method and --factors exclude each other" evaluate --factors 1,1
refused "--nats requires a single --length" evaluate --length 32 --nats "$work/n.npy"
refused "--nats requires a single --method" evaluate --method pi --nats "$work/n.npy"
refused "missing CONFIG.yaml; see longrope search --help" "$LONGROPE" search
refused "unexpected argument '$demo/demo.yaml'; see longrope search --help" search_with "$demo/demo.yaml"
refused "missing RUN_DIR; see longrope show --help" "$LONGROPE" show
refused "unexpected argument 'b'; see longrope show --help" "$LONGROPE" show a b

methods="none, pi, ntk, dynamic-ntk, yarn, ntk-pi or resonance-yarn"
refused "--method: unknown method 'frob'; choose $methods" evaluate --method frob
refused "--method: unknown method 'yran' (did you mean 'yarn'?); choose $methods" evaluate --method yran
refused "unknown method 'resonanse-yarn' (did you mean 'resonance-yarn'?)" evaluate --method resonanse-yarn
refused "--method: an item is empty" evaluate --method pi,,ntk
refused "--dtype: unknown number type 'f64' (did you mean 'f32'?); choose auto, f32 or bf16" evaluate --dtype f64
refused "--angles: unknown precision of angles 'bf16'; choose f64 or f32" evaluate --angles bf16
refused "--samples and --stride exclude each other" evaluate --stride 4 --samples 2
refused "a stride of 65 is not within 1 and the window's 64 tokens" evaluate --stride 65
refused "windows of 1 tokens over these documents predict nothing" "$LONGROPE" eval --model "$model" \
    --text "$document" --length 1 --stride 1 --method none
refused "--tokenizer requires --text" "$LONGROPE" eval --model "$model" --tokens "$work/a.npy" --tokenizer bytes \
    --length 64 --method none
refused "LONGROPE_KERNELS: kernels 'abacus' are not available for " env LONGROPE_KERNELS=abacus "$LONGROPE" eval --model "$model" --text "$document" \
    --length 64 --method none

# ---- numbers ----

for option in length original-length start-tokens samples stride threads; do
    for number in '' x 12k 1e3x 0x10 1.5 ' 5' '5 ' +5 - -1 nan inf 99999999999999999999; do
        refused "--$option: " evaluate "--$option" "$number"
    done
done
for option in scale attention-factor; do
    for number in '' x 12k 1e3x 0x10 ' 5' '5 ' 1,5 - -1 nan inf 1e999; do
        refused "--$option: " evaluate "--$option" "$number"
    done
done
for option in length original-length samples stride threads scale attention-factor; do
    refused "--$option: 0 is not within" evaluate "--$option" 0
done
refused "--scale: 0.5 is not within" evaluate --scale 0.5
refused "--length: 'x' is not an integer" evaluate --length 64,x
for number in '' x 2x -1 0 1.5 5000; do
    refused "--threads: " search_with --threads "$number"
done

for key in population parents mutations crossovers iterations evaluations mutation_probability lambda_step lambda_max \
    start_tokens seed; do
    for number in x -1 12k '[]' '{a: 1}'; do
        refused "--set search.$key=$number: '$key' must" search_with --set "search.$key=$number"
    done
done
refused "--set stages.0.target_length=1: 'target_length' must" search_with --set stages.0.target_length=1
refused "--set data.samples=x: 'samples' must" search_with --set data.samples=x
refused "--set attention_factor=loud: 'attention_factor' must" search_with --set attention_factor=loud
refused "--set dtype=f64: 'dtype' must be auto, f32 or bf16" search_with --set dtype=f64
refused "--set data.tokenizer=[a]: 'tokenizer' must be bytes" search_with --set 'data.tokenizer=[a]'
refused "no-such.model: No such file" search_with --set data.tokenizer=no-such.model
refused "'search.racing_risk' is not used without 'racing: statistical' or 'racing: blocks'" search_with --set search.racing_risk=0.1
refused "'search.mutations' is not used with 'algorithm: cma-es'" search_with --set search.algorithm=cma-es --set search.mutations=3
refused "--cache: the value is empty" search_with --cache ''
refused "'parents' is 65, more than the 'population'" search_with --set search.population=64 --set search.parents=65

# ---- configurations ----

refused "unknown key 'populaton' (did you mean 'population'?)" search_with --set search.populaton=6
refused "(did you mean 'search.population'?)" search_with --set population=6
refused "--set nonsense" search_with --set nonsense
refused "--set stages.7.name=x" search_with --set stages.7.name=x
refused "no-such.yaml: No such file or directory" "$LONGROPE" search "$work/no-such.yaml"
refused "$work: is a directory" "$LONGROPE" search "$work"

# wrong_yaml LINE WORDS TEXT: a configuration with TEXT appended, at whose line LINE is the fault.
wrong_yaml() {
    {
        printf 'name: wrong\nmodel: %s\ndata: {text: [%s]}\n' "$model" "$document"
        printf '%b\n' "$3"
    } >"$work/wrong.yaml"
    refused "$work/wrong.yaml:$1: $2" "$LONGROPE" search "$work/wrong.yaml" -o "$work/none"
}
stage='stages: [{name: a, target_length: 300}]'
wrong_yaml 4 "unknown key 'serach' (did you mean 'search'?)" "serach: {seed: 2}\n$stage"
wrong_yaml 5 "unknown key 'populaton' (did you mean 'population'?)" "search:\n  populaton: 6\n$stage"
wrong_yaml 4 "unknown key 'target_lenght' (did you mean 'target_length'?)" 'stages: [{name: a, target_lenght: 300}]'
wrong_yaml 5 "" "stages: [{name: a\nname: b"
wrong_yaml 4 "'stages' must be a list" "stages: none"
wrong_yaml 1 "there are no 'stages'" "search: {seed: 1}"
wrong_yaml 4 "two stages have the name 'a'" \
    'stages: [{name: a, target_length: 300}, {name: a, target_length: 400}]'
printf '' >"$work/wrong.yaml"
refused "$work/wrong.yaml: is empty" "$LONGROPE" search "$work/wrong.yaml"
refused "no file matches 'nothing/*.txt'" search_with --set 'data.text=[nothing/*.txt]'
[ ! -e "$work/none" ] || fail "a refused configuration leaves a run folder behind"
refused "nothing: does not exist; name the folder of a model" search_with --set model=nothing
refused "no document has the 50000 tokens of a window" search_with --set stages.0.target_length=50000
refused "100 windows of 2048 tokens are required" search_with --set data.samples=100

# ---- models ----

refused "$work/no-such: does not exist" evaluate --model "$work/no-such"

# The last thing that was said before is taken: --model "$model" stands in evaluate().
copy=$work/model
fresh_model() {
    rm -rf "$copy"
    mkdir "$copy"
    cp "$model/config.json" "$copy/"
    ln -s "$model/model.safetensors" "$copy/model.safetensors"
}
# wrong_config WORDS SED-SCRIPT: config.json as the script leaves it.
wrong_config() {
    fresh_model
    sed "$2" "$model/config.json" >"$copy/config.json"
    if cmp -s "$model/config.json" "$copy/config.json"; then fail "the script '$2' changes nothing"; fi
    refused "$copy/config.json" evaluate --model "$copy"
    grep -qF -e "$1" "$work/stderr" || fail "stderr does not say '$1'"
}
wrong_config 'model_type "mamba" is not supported' 's/"model_type": "llama"/"model_type": "mamba"/'
wrong_config "has no model_type" '/"model_type"/d'
wrong_config "hidden_act" 's/"silu"/"gelu"/'
wrong_config "has no hidden_size" '/"hidden_size"/d'
wrong_config "vocab_size is not an integer" 's/"vocab_size": 256/"vocab_size": "many"/'
wrong_config "vocab_size is -256" 's/"vocab_size": 256/"vocab_size": -256/'
wrong_config "num_hidden_layers" 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": 99999999/'
wrong_config "must be a multiple" 's/"num_key_value_heads": 2/"num_key_value_heads": 3/'
wrong_config "rope_theta" 's/"rope_theta": [0-9.]*/"rope_theta": 0/'
wrong_config "rms_norm_eps" 's/"rms_norm_eps": [-0-9.e]*/"rms_norm_eps": "small"/'
wrong_config "is not valid JSON" 's/"hidden_size": 256,/"hidden_size": 256/'
wrong_config "rms_norm_eps is not a number" 's/"rms_norm_eps": [-0-9.e]*/"rms_norm_eps": NaN/'
wrong_config "is not valid JSON" '/^}/d'

fresh_model
sed 's/"intermediate_size": [0-9]*/"intermediate_size": 768/' "$model/config.json" >"$copy/config.json"
refused "the two files do not belong together" evaluate --model "$copy"
fresh_model
sed 's/"tie_word_embeddings": true/"tie_word_embeddings": false/' "$model/config.json" >"$copy/config.json"
refused "has no tensor 'lm_head.weight'" evaluate --model "$copy"
fresh_model
: >"$copy/config.json"
refused "config.json: is empty" evaluate --model "$copy"
fresh_model
rm "$copy/model.safetensors"
refused "holds no weights (model.safetensors)" evaluate --model "$copy"
: >"$copy/model.safetensors.index.json"
refused "$copy/model.safetensors.index.json: is empty" evaluate --model "$copy"

size=$(wc -c <"$model/model.safetensors")
header=$(od -An -N 4 -t u4 "$model/model.safetensors" | tr -d ' ')
for cut in 0 1 7 8 9 100 $((7 + header)) $((8 + header)) $((9 + header)) $((size / 2)) $((size - 1)); do
    fresh_model
    rm "$copy/model.safetensors"
    head -c "$cut" "$model/model.safetensors" >"$copy/model.safetensors"
    refused "$copy/model.safetensors: " evaluate --model "$copy"
done
# A header that says of itself that it is longer than the file, and one that is not JSON.
fresh_model
rm "$copy/model.safetensors"
{
    printf '\377\377\377\377\377\377\377\177'
    tail -c +9 "$model/model.safetensors"
} >"$copy/model.safetensors"
refused "$copy/model.safetensors: states a header of" evaluate --model "$copy"
{
    head -c 8 "$model/model.safetensors"
    printf '!'
    tail -c +10 "$model/model.safetensors"
} >"$copy/model.safetensors"
refused "$copy/model.safetensors: the header is not valid JSON" evaluate --model "$copy"

# ---- documents ----

refused "$work/no-such.txt: No such file" evaluate --text "$work/no-such.txt"
refused "$work: is a directory" evaluate --text "$work"
refused "no such  file.txt: No such file" evaluate --text "$work/no such
	file.txt" # a message has one line, whatever a name holds
: >"$work/empty.txt"
refused "$work/empty.txt: is empty" evaluate --text "$work/empty.txt"
refused "no document has the 99999 tokens of a window: the longest, $document, has" "$LONGROPE" eval \
    --model "$model" --text "$document" --length 99999 --method none
refused "1000 windows of 64 tokens are required" evaluate --samples 1000

tokens() { "$LONGROPE" eval --model "$model" --tokens "$@" --length 4 --method none; }
write_npy "$work/good.npy" 0 1 2 255
runs tokens "$work/good.npy"
write_npy "$work/beyond.npy" 0 1 256 2
refused "$work/beyond.npy: token 256 at position 2 is not in the model's vocabulary of 256" tokens "$work/beyond.npy"
write_npy "$work/negative.npy" 0 1 2 65535
refused "$work/negative.npy: the token at position 3 is negative (-1)" tokens "$work/negative.npy"
refused "$work/no-such.npy: No such file" tokens "$work/good.npy" "$work/no-such.npy"
refused "$document: " tokens "$document"
for cut in 0 5 9 60 127 128 135; do
    head -c "$cut" "$work/good.npy" >"$work/cut.npy"
    refused "$work/cut.npy: " tokens "$work/cut.npy"
done

# ---- tokenizers ----

refused "$work/no-such.model: No such file" evaluate --tokenizer "$work/no-such.model"
refused "$work/empty.txt: is empty" evaluate --tokenizer "$work/empty.txt"
refused "$document: is not a SentencePiece model, or is damaged" evaluate --tokenizer "$document"
write_tokenizer "$work/tokenizer.model"
size=$(wc -c <"$work/tokenizer.model")
for cut in 1 2 10 20 $((size - 9)) $((size - 1)); do
    head -c "$cut" "$work/tokenizer.model" >"$work/cut.model"
    refused "$work/cut.model: is not a SentencePiece model" evaluate --tokenizer "$work/cut.model"
done
printf 'ab\377' >"$work/latin.txt"
refused "$work/latin.txt: byte 2 is not UTF-8 (0xff)" evaluate --text "$work/latin.txt" \
    --tokenizer "$work/tokenizer.model"
echo '{"bos_token": "<|begin|>"}' >"$work/tokenizer_config.json"
refused "$work/tokenizer_config.json: bos_token '<|begin|>' is no token" evaluate --tokenizer "$work/tokenizer.model"
echo '{"bos_token": "<x>", "added_tokens_decoder": {"256": {"content": "<x>"}}}' >"$work/tokenizer_config.json"
refused "$document: token 256 at position 0 is not in the model's vocabulary of 256" evaluate \
    --tokenizer "$work/tokenizer.model"
fresh_model
sed 's/"vocab_size": 256/"vocab_size": 385/' "$model/config.json" >"$copy/config.json"
refused "$copy: has neither tokenizer.model nor tokenizer.json, and a vocabulary of 385" evaluate --model "$copy"

# ---- factors ----

factors() { "$LONGROPE" eval --model "$model" --text "$document" --length 64 --factors "$1"; }
ones=$(jq -nr '[range(32) | "1.0"] | join(",")')
runs factors "$ones"
refused "holds 31 factors, but the model has 32 rotary pairs" factors "${ones%,*}"
refused "holds 33 factors, but the model has 32 rotary pairs" factors "$ones,1.0"
refused "'0' is not a rescale factor" factors "${ones%,*},0"
refused "'-1' is not a rescale factor" factors "${ones%,*},-1"
refused "$work/no-such.txt: No such file" factors "$work/no-such.txt"
refused "$work/empty.txt: is empty" factors "$work/empty.txt"
printf '%s\n' "$ones" | sed 's/1\.0$/nan/' >"$work/nan.txt"
refused "$work/nan.txt: 'nan' is not a rescale factor" factors "$work/nan.txt"
printf ' \n' >"$work/blank.txt"
refused "$work/blank.txt: contains no rescale factor" factors "$work/blank.txt"
table="{\"name\": \"a\", \"max_length\": 64, \"factors\": [$ones]}"
good="{\"format\": \"longrope-factors\", \"version\": 1, \"tables\": [$table]}"
echo "$good" >"$work/f.json"
runs factors "$work/f.json"
# wrong_factors WORDS SED-SCRIPT: a factor file as the script leaves it.
wrong_factors() {
    echo "$good" | sed "$2" >"$work/f.json"
    refused "$work/f.json" factors "$work/f.json"
    grep -qF -e "$1" "$work/stderr" || fail "stderr does not say '$1'"
}
wrong_factors "is not valid JSON" 's/}$//'
wrong_factors "not a factor file" 's/longrope-factors/other/'
wrong_factors "unknown version of a factor file" 's/"version": 1/"version": 3/'
wrong_factors "'factors' of tables[0]" 's/\[1\.0,/["1.0",/'
wrong_factors "'factors' of tables[0]" 's/\[1\.0,/[-1.0,/'
wrong_factors "'max_length' of tables[0]" 's/"max_length": 64/"max_length": -64/'
wrong_factors "contains no table" 's/"tables"/"tabels"/'
wrong_factors "31 factors" 's/\[1\.0,/[/'

# ---- run folders ----

refused "$work/no-such: does not exist; check the path, or start a run with longrope search" "$LONGROPE" \
    show "$work/no-such"
mkdir "$work/folder"
refused "$work/folder: holds no run" "$LONGROPE" show "$work/folder"
echo "not a database, whatever its name may say; longer than a header of SQLite's, which has 100 bytes" \
    >"$work/folder/run.db"
refused "$work/folder/run.db: is not a database" "$LONGROPE" show "$work/folder"
refused "$work/folder/run.db: is not a database" tiny_search "$work/folder" --resume
rm "$work/folder/run.db"
sqlite3 "$work/folder/run.db" "CREATE TABLE t (a)"
refused "is a database of another program" "$LONGROPE" show "$work/folder"
refused "$document: is not a folder" tiny_search "$document"

# ---- two processes on one run ----

start_search "$work/busy" --set search.iterations=1000
wait_for_evaluations "$work/busy" 1
refused "in use by process $background on host" tiny_search "$work/busy" --set search.iterations=1000 --resume
refused "in use by process $background on host" tiny_search "$work/busy" --set search.iterations=1000
runs "$LONGROPE" show "$work/busy" --json
holds '.state == "running" and .stages[0].evaluations > 0'
kill -TERM "$background"
end_search
[ "$status" = 75 ] || fail "a search that is sent SIGTERM ends with status $status, not 75"
tail -n 1 "$work/background.err" | grep -q '^longrope: stopped by SIGTERM; .*--resume' || fail "it does not say how to go on"

# ---- what the machine cannot do: status 1 ----

status=0
evaluate --json 2>"$work/stderr" >/dev/full || status=$?
: >"$work/stdout"
[ "$status" = 1 ] || fail "status $status where standard output cannot be written"
one_line_with "standard output: could not be written" evaluate
# The row is printed all the same: it may have taken hours.
try evaluate --json --nats /dev/full
[ "$status" = 1 ] || fail "status $status where the nats cannot be written"
one_line_with "/dev/full: could not be written: No space left on device" evaluate
holds '.results | length == 1 and .[0].nll > 0'
fails_with 2 "no-such/n.npy: its folder does not exist" evaluate --json --nats "$work/no-such/n.npy"

# A damaged database is told from a good one, and what is left of it is not touched.
runs tiny_search "$work/whole" --set search.iterations=5
# spoilt OFFSET: a copy of the run with 64 bytes of its database overwritten.
spoilt() {
    rm -rf "$work/spoilt"
    mkdir "$work/spoilt"
    cp "$work/whole/run.db" "$work/spoilt/"
    head -c 64 /dev/zero | tr '\0' '\377' | dd of="$work/spoilt/run.db" bs=1 seek="$1" conv=notrunc status=none
    cp "$work/spoilt/run.db" "$work/spoilt.db"
}
size=$(wc -c <"$work/whole/run.db")
half=$((size / 2))
for offset in 4096 8192 $((half - half % 4096)) $((size - 4096)); do # where pages begin
    spoilt "$offset"
    fails_with 1 "$work/spoilt/run.db: is damaged" tiny_search "$work/spoilt" --set search.iterations=5 --resume
    cmp -s "$work/spoilt.db" "$work/spoilt/run.db" || fail "a damaged database was written to"
done
spoilt 0
refused "$work/spoilt/run.db: is not a database, or its header is damaged" tiny_search "$work/spoilt" --resume
rm -rf "$work/spoilt"
mkdir "$work/spoilt"
head -c "$half" "$work/whole/run.db" >"$work/spoilt/run.db"
fails_with 1 "$work/spoilt/run.db: is damaged" tiny_search "$work/spoilt" --set search.iterations=5 --resume
cp "$work/whole/run.db" "$work/spoilt/run.db"
sqlite3 "$work/spoilt/run.db" "PRAGMA user_version = 99"
refused "$work/spoilt/run.db: was written by a newer longrope (schema 99" tiny_search "$work/spoilt" --resume
refused "$work/spoilt/run.db: was written by a newer longrope (schema 99" "$LONGROPE" show "$work/spoilt"

# A full disk costs nothing that was saved; nor does one that has become read-only.
mkdir "$work/disk"
small_disk() { mount -t tmpfs -o "size=$1" tmpfs "$work/disk" 2>/dev/null && mounted=$work/disk; }
search_on_disk() { tiny_search "$work/disk/run" --set search.iterations=5 "$@"; }
full_disk() {
    [ "$status" = 1 ] || fail "status $status where the disk is full"
    [ ! -s "$work/stdout" ] || fail "a search that failed prints a table"
    tail -n 1 "$work/stderr" | grep -q '^longrope: .*the disk is full.*--resume' || fail "it does not say that the disk is full"
}
if [ "$(id -u)" = 0 ] && small_disk 448k; then
    try search_on_disk
    full_disk
    kept=$(evaluations "$work/disk/run")
    [ "$kept" -gt 0 ] || fail "nothing was saved before the disk was full; give it more room in this test"
    [ "$kept" -lt 26 ] || fail "the disk was not full; give it less room in this test"
    mount -o remount,ro "$work/disk"
    fails_with 1 "$work/disk/run: cannot be written" search_on_disk --resume
    mount -o remount,rw,size=64m "$work/disk"
    runs search_on_disk --resume
    same_runs "$work/whole" "$work/disk/run"
    mount -o remount,ro "$work/disk"
    runs "$LONGROPE" show "$work/disk/run"
    says "longrope"
    fails_with 1 "$work/disk/run: cannot be written" search_on_disk --resume
    fails_with 1 "$work/disk/run: cannot be written" search_on_disk --dry-run --rate 1
    for new in new new/run; do
        fails_with 1 "$work/disk/$new: cannot be written" tiny_search "$work/disk/$new"
        cp "$work/stderr" "$work/searching"
        fails_with 1 "$work/disk/$new: cannot be written" tiny_search "$work/disk/$new" --dry-run --rate 1
        cmp -s "$work/searching" "$work/stderr" || fail "a dry run says of a read-only disk what a search does not"
    done
    for dry in '' '--dry-run --rate 1'; do
        # shellcheck disable=SC2086 # words
        fails_with 2 "$work/disk/points: cannot hold checkpoints: Read-only file system" tiny_search "$work/aside" \
            --checkpoint "$work/disk/points" $dry
    done
    umount "$work/disk"
    mounted=

    # The same of the cache, on a disk of its own.
    small_disk 64k || fail "a second small disk cannot be mounted"
    try tiny_search "$work/aside" --set search.iterations=5 --cache "$work/disk/scores.db"
    full_disk
    mount -o remount,size=64m "$work/disk"
    runs tiny_search "$work/aside" --set search.iterations=5 --cache "$work/disk/scores.db" --resume
    same_runs "$work/whole" "$work/aside"
    mount -o remount,ro "$work/disk"
    for cache in scores.db new.db; do
        for dry in '--dry-run --rate 1' ''; do
            # shellcheck disable=SC2086 # words
            fails_with 1 "$work/disk/$cache: cannot be written" tiny_search "$work/aside2" --cache "$work/disk/$cache" $dry
        done
    done
else
    echo "errors: full and read-only disks are left out: it takes root to mount a small file system"
fi

echo "errors: passed"
