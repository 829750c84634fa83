#!/bin/sh
# Searches tables for SmolLM2-135M at 16384 and 32768 tokens and a short one for 8192, and measures them on books that
# no search saw, on pass keys and on multiple choice. Started again, it continues where it was stopped. Writes the run to
# results/smollm2/run, the report and the numbers to results/smollm2, and prints them as tables. Installs missing
# packages and builds. Takes hours: README.md beside this script. In the environment:
#   MODEL      the model's folder (default ../models/SmolLM2-135M-Instruct beside the clone), or a GGUF of it
#   BOOKS      the folder that holds valid/*.txt, the four books of README.md (default ../shared/books)
#   LENGTHS    tokens of the windows to measure
#   METHODS    closed forms to measure beyond the window (yarn,ntk,dynamic-ntk,pi,none)
#   TRIALS     pass keys per depth
#   CHOICE     arguments of configs/choice/continuations.py, which makes items of multiple choice (--items 200)
#   OUT        folder of the run and the numbers, instead of results/smollm2
#   LONGROPE   a program, which is then not built
# Arguments are passed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
MODEL=${MODEL:-../models/SmolLM2-135M-Instruct}
books=$(realpath -m "${BOOKS:-../shared/books}")/valid
out=${OUT:-results/smollm2}
[ -f "$MODEL" ] || [ -f "$MODEL/config.json" ] || {
    echo "There is no $MODEL/config.json. Name the model's folder in MODEL, or download it:" >&2
    echo "  hf download HuggingFaceTB/SmolLM2-135M-Instruct --local-dir $MODEL" >&2
    exit 2
}
[ -d "$books" ] || {
    echo "configs/smollm2/run.sh: there is no $books; name the folder of the books in BOOKS" >&2
    exit 2
}
# Before the search, which takes hours, also those that only measure.sh reads.
for name in les-miserables-hugo the-count-of-monte-cristo-dumas the-moonstone-collins \
    on-the-origin-of-species-darwin; do
    book=$books/$name.txt
    [ -f "$book" ] || {
        echo "configs/smollm2/run.sh: there is no $book; put this book there, or name another folder in BOOKS" >&2
        exit 2
    }
done

if [ -z "${LONGROPE-}" ]; then
    . tests/packages.sh
    # shellcheck disable=SC2086 # lists of words
    install_missing $BUILD_PACKAGES $REPORT_PACKAGES jq python3
    cmake --preset release -DBUILD_TESTING=OFF
    cmake --build --preset release
    LONGROPE=build/release/longrope
fi

"$LONGROPE" search configs/smollm2/smollm2.yaml --set "model=$(realpath "$MODEL")" \
    --set "data.text=[$books/les-miserables-hugo.txt]" -o "$out/run" --resume "$@"
case " $* " in *" --dry-run "*) exit 0 ;; esac
[ -e "$out/run/factors.json" ] || exit 0 # the arguments contain another folder
sh configs/smollm2/measure.sh "$LONGROPE" "$MODEL" "$books" "$out"
"$LONGROPE" report "$out/run" -o "$out/report.html" --force
