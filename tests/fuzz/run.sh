#!/bin/sh
# run.sh [SECONDS]: builds the fuzz targets and runs each for SECONDS (30), one per processor at a time. An input that
# makes one fail is kept in build/fuzz/found/, the corpus in build/fuzz/corpus/ for the next run.
set -eu
cd "$(dirname "$0")/../.."
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
mkdir -p build/fuzz/found
printf '%s\n' safetensors model_config npy gguf factors tokenizer_json tokenizer_config sentencepiece yaml command_line \
    run choice |
    xargs -P "$(nproc)" -I TARGET sh tests/fuzz/one.sh TARGET "${1:-30}"
