#!/bin/sh
# seeds.sh TARGET FOLDER: writes small inputs that TARGET's reader accepts, to begin from.
set -eu
target=$1
folder=$2
mkdir -p "$folder"

# little_endian NUMBER BYTES: a number below 65536 in 2, 4 or 8 bytes, as printf understands it.
little_endian() {
    printf '\\%03o\\%03o' $(($1 % 256)) $(($1 / 256))
    [ "$2" -eq 2 ] || printf '\\0\\0'
    [ "$2" -ne 8 ] || printf '\\0\\0\\0\\0'
}

safetensors() { # NAME HEADER DATA
    # shellcheck disable=SC2059 # the number is a format
    { printf "$(little_endian ${#2} 8)"; printf '%s%s' "$2" "$3"; } >"$folder/$1"
}

npy() { # NAME DESCR COUNT DATA
    header="{'descr': '$2', 'fortran_order': False, 'shape': ($3,), }"
    # shellcheck disable=SC2059
    { printf '\223NUMPY\001\000'; printf "$(little_endian ${#header} 2)"; printf '%s%s' "$header" "$4"; } >"$folder/$1"
}

config() { # NAME FAMILY MORE
    cat >"$folder/$1" <<JSON
{"model_type": "$2", "vocab_size": 11, "hidden_size": 12, "intermediate_size": 14, "num_hidden_layers": 2,
 "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 4, "max_position_embeddings": 64$3}
JSON
}

# What a GGUF is made of, to standard output.
u32() {
    # shellcheck disable=SC2059
    printf "$(little_endian "$1" 4)"
}

u64() {
    # shellcheck disable=SC2059
    printf "$(little_endian "$1" 8)"
}

string() { u64 ${#1} && printf '%s' "$1"; }

gguf_begin() { printf 'GGUF' && u32 3 && u64 "$1" && u64 "$2"; } # TENSORS KEYS

key_u32() { string "$1" && u32 4 && u32 "$2"; } # NAME VALUE

key_string() { string "$1" && u32 8 && string "$2"; } # NAME VALUE

vector() { string "$1" && u32 1 && u64 "$2" && u32 0 && u64 "$3"; } # NAME COUNT OFFSET

# key_f32 NAME BYTES
key_f32() {
    # shellcheck disable=SC2059 # numbers are octal
    string "$1" && u32 6 && printf "$2"
}

key_texts() { # NAME TEXT...
    string "$1" && u32 9 && u32 8 && u64 $(($# - 1)) && shift
    for text; do string "$text"; done
}

key_numbers() { # NAME TYPE NUMBER...
    string "$1" && u32 9 && u32 "$2" && u64 $(($# - 2)) && shift 2
    for number; do u32 "$number"; done
}

# tensor NAME ROWS COLUMNS TYPE: of f32 (0) or q8_0 (8); the next one lies behind it. 0 columns: a vector.
offset=0
tensor() {
    if [ "$3" = 0 ]; then vector "$1" "$2" "$offset"; else string "$1" && u32 2 && u64 "$3" && u64 "$2" && u32 "$4" && u64 "$offset"; fi
    bytes=$(($2 * ($3 ? $3 : 1) * 4))
    [ "$4" != 8 ] || bytes=$(($2 * $3 * 34 / 32))
    offset=$((offset + (bytes + 31) / 32 * 32))
}

# model ARCHITECTURE KEYS TENSORS: what a model begins with, and the keys and tensors of every one; KEYS more keys and
# TENSORS more tensors follow.
model() {
    gguf_begin $((11 + $3)) $((10 + $2))
    key_string general.architecture "$1"
    key_u32 "$1.context_length" 64
    key_u32 "$1.embedding_length" 32
    key_u32 "$1.feed_forward_length" 1
    key_u32 "$1.block_count" 1
    key_u32 "$1.attention.head_count" 2
    key_u32 "$1.attention.head_count_kv" 1
    key_u32 "$1.attention.key_length" 2
    key_u32 "$1.rope.dimension_count" 2
    key_f32 "$1.attention.layer_norm_rms_epsilon" '\254\305\047\067' # 1e-5
}

model_tensors() {
    tensor token_embd.weight 3 32 8
    tensor output_norm.weight 32 0 0
    tensor blk.0.attn_norm.weight 32 0 0
    tensor blk.0.ffn_norm.weight 32 0 0
    tensor blk.0.attn_q.weight 4 32 8
    tensor blk.0.attn_k.weight 2 32 8
    tensor blk.0.attn_v.weight 2 32 0
    tensor blk.0.attn_output.weight 32 4 0
    tensor blk.0.ffn_gate.weight 1 32 8
    tensor blk.0.ffn_up.weight 1 32 8
    tensor blk.0.ffn_down.weight 32 1 0
}

zeros_of() { head -c "$1" /dev/zero | sed 's/\x00/\\0/g'; } # as printf understands them

# gguf NAME DATA: what comes in, padded to 32 bytes, and the data, as a file.
gguf() {
    cat >"$folder/$1"
    size=$(wc -c <"$folder/$1")
    head -c $(((32 - size % 32) % 32)) /dev/zero >>"$folder/$1"
    # shellcheck disable=SC2059 # numbers are octal
    printf "$2" >>"$folder/$1"
}

# octal NUMBER: a byte, as printf understands it.
octal() { printf '\\%03o' "$1"; }

# piece TEXT TYPE: a piece of a SentencePiece model, of score -1, as printf understands it. The text has no backslash.
piece() {
    printf '\\012%s\\012%s%s\\025\\000\\000\\200\\277\\030%s' \
        "$(octal $((9 + ${#1})))" "$(octal ${#1})" "$1" "$(octal "$2")"
}

# pieces NAME ALGORITHM NORMALIZER PIECE...: a SentencePiece model, unigram (1) or BPE (2).
pieces() {
    # shellcheck disable=SC2059 # all of it is octal
    { printf "$(octal 18)$(octal 2)$(octal 24)$(octal "$2")" && printf "$3"; } >"$folder/$1"
    destination=$folder/$1 && shift 3
    # shellcheck disable=SC2059
    for piece; do printf "$piece"; done >>"$destination"
}

case $target in
safetensors)
    safetensors empty '{}' ''
    safetensors vector '{"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}' 'abcd'
    safetensors three '{"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}, "b": {"dtype": "F16", "shape": [], "data_offsets": [8, 10]}, "c": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [10, 10]}}' 'abcdefghij'
    clex=model.clex_layer
    safetensors clex "{\"$clex.proj_func.ode_up_proj\": {\"dtype\": \"F32\", \"shape\": [2, 4], \"data_offsets\": [0, 32]}, \"$clex.proj_func.ode_down_proj\": {\"dtype\": \"F16\", \"shape\": [4, 2], \"data_offsets\": [32, 48]}, \"$clex.inv_freq\": {\"dtype\": \"BF16\", \"shape\": [2], \"data_offsets\": [48, 52]}}" \
        'wsw=wsw=wsw=wsw=wsw=wsw=wsw=wsw= 0 0 0 0 0 0 0 0~?~='
    ;;
model_config)
    factors='"short_factor": [1, 1], "long_factor": [1.5, 4]'
    config llama llama ', "rope_theta": 500000.0, "attention_bias": true, "hidden_act": "silu"'
    config mistral mistral ', "sliding_window": 16, "layer_types": ["sliding_attention", "sliding_attention"]'
    config qwen2 qwen2 ', "use_sliding_window": false, "rope_scaling": {"type": "dynamic", "factor": 2.0}'
    config qwen3 qwen3 ', "tie_word_embeddings": true, "rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 1e6}'
    config phi3 phi3 ", \"original_max_position_embeddings\": 16, \"rope_scaling\": {\"type\": \"su\", $factors}"
    config phi3-part phi3 ', "partial_rotary_factor": 0.5, "rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [4]}'
    config smollm3 smollm3 ', "no_rope_layers": [1, 0], "use_sliding_window": true, "sliding_window": 8'
    config olmo2 olmo2 ', "attention_bias": true'
    config qwen3_moe qwen3_moe ', "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 3, "mlp_only_layers": [0], "norm_topk_prob": true'
    config mixtral mixtral ', "num_local_experts": 2'
    config gemma3 gemma3_text ', "sliding_window_pattern": 2, "rope_local_base_freq": 100, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": {"rope_theta": 100}}'
    config ministral3 ministral3 ', "rope_parameters": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16, "llama_4_scaling_beta": 0.1}'
    config minicpm minicpm ', "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 2'
    config llama3 llama ', "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}'
    config yarn llama ', "rope_scaling": {"type": "yarn", "factor": 4, "beta_fast": 32, "beta_slow": 1, "mscale": 0.7, "mscale_all_dim": 0.5, "truncate": false, "attention_factor": 1.2}'
    config clex llama ', "log_scale": true, "rope_scaling": {"type": "clex", "max_factor": 4, "param_factor": 1, "act": "tanh", "time_dt": 0.1}'
    config longrope llama ", \"rope_scaling\": {\"type\": \"longrope\", \"factor\": 4, $factors}"
    ;;
npy)
    npy bytes '|u1' 4 'abcd'
    npy int32 '<i4' 2 'abcdefgh'
    ;;
gguf)
    two='\000\000\200\077\000\000\000\100' # 1 and 2 in f32
    zeros='\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    gguf_begin 0 0 | gguf empty ''
    {
        gguf_begin 1 4
        key_u32 general.alignment 32
        key_string general.name 'a model'
        string words && u32 9 && u32 8 && u64 2 && string one && string two
        string nested && u32 9 && u32 9 && u64 1 && u32 0 && u64 2 && printf ab
        vector v 2 0
    } | gguf values "$two"
    {
        gguf_begin 3 4
        key_string general.architecture phi3
        key_u32 phi3.context_length 64
        key_u32 phi3.rope.scaling.original_context_length 16
        key_u32 phi3.rope.dimension_count 4
        vector w 2 0
        vector rope_factors_long.weight 2 32
        vector rope_factors_short.weight 2 64
    } | gguf tables "$two$zeros$two$zeros$two"
    {
        model llama 4 0
        key_string tokenizer.ggml.model gpt2
        key_string tokenizer.ggml.pre qwen2
        key_texts tokenizer.ggml.tokens '<s>' a b ab 1
        key_texts tokenizer.ggml.merges 'a b'
        model_tensors
    } | gguf model "$(zeros_of 1792)"
    {
        model qwen3 9 2
        key_string tokenizer.ggml.model llama
        key_texts tokenizer.ggml.tokens '<unk>' '<s>' a b ab
        key_numbers tokenizer.ggml.token_type 5 2 3 1 1 1
        key_numbers tokenizer.ggml.scores 6 0 0 1 2 3
        key_u32 tokenizer.ggml.bos_token_id 1
        key_string qwen3.rope.scaling.type yarn
        key_f32 qwen3.rope.scaling.factor '\000\000\200\100'
        key_u32 qwen3.rope.scaling.original_context_length 16
        key_f32 qwen3.rope.freq_base '\000\000\200\106'
        model_tensors
        tensor blk.0.attn_q_norm.weight 2 0 0
        tensor blk.0.attn_k_norm.weight 2 0 0
    } | gguf model-yarn "$(zeros_of 1856)"
    {
        gguf_begin 0 6
        key_string general.architecture gemma3
        key_string tokenizer.ggml.model llama
        key_texts tokenizer.ggml.tokens '<unk>' '<s>' a b ab '  '
        key_numbers tokenizer.ggml.token_type 5 3 3 1 1 1 4
        key_u32 tokenizer.ggml.unknown_token_id 0
        key_u32 tokenizer.ggml.bos_token_id 1
    } | gguf gemma-tokenizer ''
    ;;
factors)
    table='"max_length": 64, "scale": 4, "factors": [1, 6.25], "start_tokens": 0, "attention_factor": 1.1, "origin": "yarn"'
    printf '1,1.25\n1,1.25\n' >"$folder/layers"
    printf '1 1.25\n6.4' >"$folder/numbers"
    printf '{"format": "longrope-factors", "version": 2, "original_length": 16, "rope_theta": 1e4, "tables": [{"name": "a", "whole": true, "base_factors": [1, 2.5], "searched_factors": [1, 2.5], "perplexity": 3, %s}], "exportable_tables": [{%s}]}' \
        "$table" "$table" >"$folder/json"
    config config llama ', "rope_scaling": {"rope_type": "longrope", "short_factor": [1, 1], "long_factor": [1.5, 4], "original_max_position_embeddings": 16, "attention_factor": 1.5, "long_mscale": 1.5}'
    ;;
tokenizer_json)
    vocabulary='"<unk>": 0, "a": 1, "b": 2, "aa": 3, "aab": 4, "\u0120": 5, "\u2581": 6, "<0xC3>": 7, "<0xAF>": 8'
    model="\"model\": {\"type\": \"BPE\", \"vocab\": {$vocabulary}, \"merges\": [[\"a\", \"a\"], \"aa b\"]"
    printf '{%s, "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true}, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\\u2581"}]}}' \
        "$model" >"$folder/characters"
    printf '{"version": "1.0", "added_tokens": [{"id": 9, "content": "<s>", "lstrip": true, "rstrip": true, "single_word": true, "normalized": true, "special": true}], %s, "ignore_merges": true}, "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(?i:%s)|[^\\\\r\\\\n\\\\p{L}]?\\\\p{L}+|\\\\p{N}{1,3}|\\\\s+(?!\\\\S)"}, "behavior": "Isolated", "invert": false}, {"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": true, "use_regex": true}]}}' \
        "$model" "'s|'t" >"$folder/bytes"
    printf '{%s}, "pre_tokenizer": {"type": "Metaspace", "replacement": "\\u2581", "prepend_scheme": "first", "split": true}, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"a": {"id": "a", "ids": [1]}}}}' \
        "$model" >"$folder/metaspace"
    ;;
tokenizer_config)
    printf '{"add_bos_token": true, "bos_token": "<s>", "tokenizer_class": "LlamaTokenizer", "model_max_length": 1000000000000000019884624838656}' >"$folder/llama"
    printf '{"bos_token": {"content": "<b>", "lstrip": false}, "added_tokens_decoder": {"7": {"content": "<b>"}}, "tokenizer_class": "GemmaTokenizerFast"}' >"$folder/added"
    printf '{"bos_token": null, "add_bos_token": null, "tokenizer_class": "PreTrainedTokenizerFast"}' >"$folder/none"
    ;;
sentencepiece)
    # Pieces are normal (1), unknown (2), control (3) or defined by users (4).
    pieces bpe 2 '\032\020\012\010identity\030\001\040\000\050\001' "$(piece '<unk>' 2)" "$(piece '<s>' 3)" \
        "$(piece a 1)" "$(piece b 1)" "$(piece ab 1)"
    pieces unigram 1 '\032\004\030\000\040\001' "$(piece '<unk>' 2)" "$(piece a 1)" "$(piece b 1)" "$(piece ab 4)"
    # Rules for normalisation: an empty trie of 256 units, and one replacement.
    pieces rules 1 "\\032\\211\\010\\022\\206\\010\\000\\004\\000\\000$(zeros_of 1024)a\\000" "$(piece '<unk>' 2)" \
        "$(piece a 1)"
    ;;
yaml)
    # The words of --set follow the file, each after a byte of 255.
    data='data: {text: [a.txt, "*.txt"], tokenizer: bytes, samples: 5}'
    printf 'name: a\nmodel: m\n%s\nstages:\n  - {name: x, target_length: 2048}\n  - name: y\n    kind: recover\n    target_length: 256\n    search: {lambda_max: 2, start_tokens: [0]}\n\377search.seed=2\377stages.0.target_length=4096\377stages.1.data.text=[b.txt]' \
        "$data" >"$folder/recover"
    printf 'name: a\nmodel: m\ncache: c.db\ndtype: bf16\nobjective: needle\nneedle: {prompt: published, digits: 5, seed: 1}\n%s\nsearch: {algorithm: paper, population: 64, mutations: 16, crossovers: 16, parents: 32, iterations: 40, mutation_probability: 0.3, lambda_step: 0.01, start_tokens: [0, 1, 2], seed: 1}\nattention_factor: 1.5\nstages:\n  - {name: x, target_length: 2048, finetune: {command: "true", output: o}}\n  - {name: y, target_length: 4096, base: x, finetune: {base: x}}\n' \
        "$data" >"$folder/progressive"
    printf 'name: a\nstages:\n- name: x\n  model: m\n  data:\n    tokens:\n    - t.npy\n  search:\n    critical_pair: searched\n    initial: [critical-ntk, yarn, "1,1.5,2"]\n    racing: blocks\n    racing_risk: 0.05\n    knots: 8\n    evaluations: 60\n  attention_factor: search\n  target_length: 2048 # tokens\n' >"$folder/critical"
    ;;
choice)
    printf '{"context": "Q: 1 + 1 =", "choices": [" 2", " three"], "answer": 0, "task": "sums"}\r\n\n{"context": "a \\u00e9\\n", "choices": ["b"], "answer": 0, "delimiter": " ", "doc": [{}]}' \
        >"$folder/items"
    ;;
command_line)
    words() { printf '%s\n' "$@" >"$folder/$1"; }
    words search a.yaml -o run --set search.seed=2 --set=name=b --dry-run --ranks 1,2 --rate 1e3 --json
    words eval --model m --text a.txt b.txt --length 128,256 --method none,yarn --samples 2 --stride 8 --dtype f32
    words passkey --model m --length 128 --depth 0,0.5 --trials 2 --into run --label a
    words choice --model m --tasks a.jsonl b.jsonl --length 128 --factors run --json --answers
    words export run --format hf --out o --one-table long --weights link --original-length 128 --force
    words bench --length 128 --threads 2 --dtype bf16 --kernels reference --seconds 0.5
    words show run --json --stage a --genealogy 3
    words report run -o a.html --force
    words init m --text a.txt --target 1024 --time 90m -o a.yaml
    words tokenize --tokenizer bytes --text a.txt b.txt --out tokens
    ;;
run)
    # Who reads, and lines: SQL table, column and row, as the values of bytes, type and value of what is changed.
    for reader in a b c d e f g h i j k l m n o p; do
        printf '%saaai7\nabbtx\nbccd1e300\n' "$reader" >"$folder/values-$reader"
        printf '%skga-\nlda+2\ncbbn\nleababcd\n' "$reader" >"$folder/rows-$reader"
    done
    ;;
*)
    echo "seeds.sh: no target '$target'" >&2
    exit 2
    ;;
esac
