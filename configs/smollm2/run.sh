#!/bin/sh
# Searches tables for SmolLM2-135M at 16384 and 32768 tokens and a short one for 8192, and measures them on books that
# no search saw and on pass keys. Started again, it continues where it was stopped. Writes the run to
# results/smollm2/run, the report and the numbers to results/smollm2, and prints them as tables. Installs missing
# packages, builds, and makes a Python environment for the tokens. Takes eleven hours on two cores.
#   MODEL: the model's folder (default ../models/SmolLM2-135M-Instruct beside the clone)
#   BOOKS: the folder that holds valid/*.txt (default ../shared/books)
#   LENGTHS: tokens of the windows to measure; TRIALS: pass keys per depth
# Arguments are passed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $REPORT_PACKAGES python3-venv
MODEL=${MODEL:-../models/SmolLM2-135M-Instruct}
valid=${BOOKS:-../shared/books}/valid
[ -f "$MODEL/config.json" ] || {
    echo "There is no $MODEL/config.json. Name the model's folder in MODEL, or download it:" >&2
    echo "  hf download HuggingFaceTB/SmolLM2-135M-Instruct --local-dir $MODEL" >&2
    exit 2
}

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
if ! cmp -s configs/smollm2/requirements.txt build/smollm2-venv/requirements.txt; then
    python3 -m venv build/smollm2-venv
    build/smollm2-venv/bin/python -m pip install -q -r configs/smollm2/requirements.txt
    cp configs/smollm2/requirements.txt build/smollm2-venv/ # last, so that an interrupted installation is repeated
fi

out=results/smollm2
build/smollm2-venv/bin/python configs/smollm2/tokenize_books.py "$MODEL" $out/tokens \
    "$valid/les-miserables-hugo.txt" "$valid/the-count-of-monte-cristo-dumas.txt" "$valid/the-moonstone-collins.txt" \
    "$valid/on-the-origin-of-species-darwin.txt"
build/release/longrope search configs/smollm2/smollm2.yaml --set "model=$(realpath "$MODEL")" -o $out/run --resume \
    "$@"
[ -e $out/run/factors.json ] || exit 0 # the arguments contain --dry-run or another folder
sh configs/smollm2/measure.sh build/release/longrope build/smollm2-venv/bin/python "$MODEL" $out
build/release/longrope report $out/run -o $out/report.html
