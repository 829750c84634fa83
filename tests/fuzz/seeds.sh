#!/bin/sh
# seeds.sh TARGET FOLDER: writes small inputs that TARGET's reader accepts, to begin from.
set -eu
target=$1
folder=$2
mkdir -p "$folder"

# A 64-bit (or, with 2, 16-bit) little-endian number below 65536, as printf understands it.
little_endian() {
    printf '\\%03o\\%03o' $(($1 % 256)) $(($1 / 256))
    [ "$2" -eq 2 ] || printf '\\0\\0\\0\\0\\0\\0'
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

case $target in
safetensors)
    safetensors empty '{}' ''
    safetensors vector '{"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}' 'abcd'
    safetensors three '{"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}, "b": {"dtype": "F16", "shape": [], "data_offsets": [8, 10]}, "c": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [10, 10]}}' 'abcdefghij'
    ;;
model_config)
    factors='"short_factor": [1, 1], "long_factor": [1.5, 4]'
    config llama llama ', "rope_theta": 500000.0, "attention_bias": true, "hidden_act": "silu"'
    config mistral mistral ', "sliding_window": 16, "layer_types": ["sliding_attention", "sliding_attention"]'
    config qwen2 qwen2 ', "use_sliding_window": false, "rope_scaling": {"type": "dynamic", "factor": 2.0}'
    config qwen3 qwen3 ', "tie_word_embeddings": true, "rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 1e6}'
    config phi3 phi3 ", \"original_max_position_embeddings\": 16, \"rope_scaling\": {\"type\": \"su\", $factors}"
    config phi3-part phi3 ', "partial_rotary_factor": 0.5, "rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [4]}'
    config llama3 llama ', "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}'
    config yarn llama ', "rope_scaling": {"type": "yarn", "factor": 4, "beta_fast": 32, "beta_slow": 1, "mscale": 0.7, "mscale_all_dim": 0.5, "truncate": false, "attention_factor": 1.2}'
    config longrope llama ", \"rope_scaling\": {\"type\": \"longrope\", \"factor\": 4, $factors}"
    ;;
npy)
    npy bytes '|u1' 4 'abcd'
    npy int32 '<i4' 2 'abcdefgh'
    ;;
*)
    echo "seeds.sh: no target '$target'" >&2
    exit 2
    ;;
esac
