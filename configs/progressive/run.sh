#!/bin/sh
# The paper's experiment on the demo model, from beginning to end: 256 bytes to 8 192 and 16 384 with fine-tuning, to
# 131 072 (512 times) without, and back at 256 and 512. Fine-tunes with the tables of PI and YaRN in the same way. Measures
# perplexity, pass keys and multiple choice, of the untouched model too. Killed at any moment and started again, it
# continues where it was. Takes two hours on two cores with AMX. Models, the run of the search and single numbers stay in
# WORK; the tables, figures, the report, the final model and its run are written to OUT at the end. Arguments are passed
# to `longrope search`. In the environment:
#   BOOKS      the folder that holds train/*.txt and valid/*.txt (default ../shared/books)
#   WORK, OUT  default build/progressive and results/progressive
#   THREADS    of everything (default: as many as the machine offers)
#   LONGROPE   a program, which is then not built
#   PYTHON     a Python with requirements.txt installed, instead of one in build/finetune-venv
# For a shorter run, with a WORK and an OUT of its own:
#   LENGTHS      of the fine-tunings and of the last extension (8192 16384 131072)
#   STEPS        of the two fine-tunings, of each method (160 60)
#   EVALUATIONS  of each search, instead of those of progressive.yaml
#   WINDOWS      of text at each length, at most
#   TRIALS       pass keys per depth (20)
#   ITEMS        of multiple choice per book (400)
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${LONGROPE-}" ]; then
    . tests/packages.sh
    # shellcheck disable=SC2086 # lists of words
    install_missing $BUILD_PACKAGES $REPORT_PACKAGES jq
    cmake --preset release -DBUILD_TESTING=OFF
    cmake --build --preset release
fi
if [ -z "${PYTHON-}" ]; then
    wanted=configs/progressive/requirements.txt
    if ! cmp -s $wanted build/finetune-venv/requirements.txt; then
        . tests/packages.sh
        install_missing python3-venv
        python3 -m venv build/finetune-venv
        build/finetune-venv/bin/python -m pip install -q -r $wanted
        cp $wanted build/finetune-venv/ # last, so that an interrupted installation is repeated
    fi
    PYTHON=$PWD/build/finetune-venv/bin/python
fi
. configs/progressive/common.sh
[ -d "$BOOKS/valid" ] || {
    echo "configs/progressive/run.sh: there is no $BOOKS/valid; BOOKS names the folder of the books" >&2
    exit 2
}
case $BOOKS in
*[[:space:]]*)
    echo "configs/progressive/run.sh: $BOOKS: blanks in this path are not supported; link the folder under another name" >&2
    exit 2
    ;;
esac
BOOKS=$(realpath -s --relative-to=. "$BOOKS") # the report names files by the paths that are given here
mkdir -p "$WORK" "$OUT"

set -- --set "stages.0.target_length=$(nth 1)" --set "stages.1.target_length=$(nth 2)" \
    --set "stages.2.target_length=$(nth 3)" "$@"
if [ -n "${EVALUATIONS-}" ]; then
    for stage in 0 1 2 3 4; do set -- --set "stages.$stage.search.evaluations=$EVALUATIONS" "$@"; done
fi
text=
for book in david-copperfield-dickens les-miserables-hugo middlemarch-eliot moby-dick-melville pride-and-prejudice-austen; do
    # Paths are relative to the YAML file.
    text=$text${text:+, }$(realpath -s --relative-to=configs/progressive "$BOOKS/valid/$book.txt")
done
"$LONGROPE" search configs/progressive/progressive.yaml -o "$run" --resume --threads "$THREADS" \
    --set "data.text=[$text]" "$@"
case " $* " in *" --dry-run "*) exit 0 ;; esac
sh configs/progressive/rivals.sh
sh configs/progressive/sweep.sh
sh configs/progressive/passkeys.sh
sh configs/progressive/choice.sh

mkdir -p "$OUT/model" "$OUT/run"
cp "$tuned/config.json" "$tuned/model.safetensors" "$tuned/finetune.json" "$OUT/model/"
cp "$run/factors.json" "$OUT/factors.json"
"$PYTHON" configs/progressive/publish.py "$run/run.db" "$OUT/run/run.db" "$tuned" "$OUT/model"
"$LONGROPE" report "$OUT/run" -o "$OUT/report.html" --force
if "$PYTHON" -c 'import matplotlib' 2>/dev/null; then
    "$PYTHON" configs/progressive/plot.py --out "$OUT"
else
    echo "configs/progressive/run.sh: $PYTHON has no matplotlib; the figures are not drawn" >&2
fi
"$PYTHON" configs/progressive/tables.py --out "$OUT" --window $window --tuned "$(nth 2)" >"$OUT/tables.md.part"
mv "$OUT/tables.md.part" "$OUT/tables.md"
cat "$OUT/tables.md"
