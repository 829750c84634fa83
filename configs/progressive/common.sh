# Sourced by the scripts of this folder, which run in the root of the repository.
# shellcheck shell=sh disable=SC2034 # the names are for the scripts that source this
#   LONGROPE   the program
#   PYTHON     a Python with requirements.txt installed
#   BOOKS      the folder that holds train/*.txt and valid/*.txt
#   WORK, OUT  folders of what is made on the way, and of what is kept
#   LENGTHS    tokens: of the two fine-tunings, and of the last extension
#   THREADS    of everything
LC_ALL=C
export LC_ALL
LONGROPE=${LONGROPE:-build/release/longrope}
PYTHON=${PYTHON:-python3}
BOOKS=${BOOKS:-../shared/books}
WORK=${WORK:-build/progressive}
OUT=${OUT:-results/progressive}
LENGTHS=${LENGTHS:-8192 16384 131072}
THREADS=${THREADS:-$(nproc)}
export LONGROPE PYTHON BOOKS WORK OUT LENGTHS THREADS

base=configs/demo/model
window=256
run=$WORK/run
tuned=$run/extend-16k-finetuned
unseen="war-and-peace-tolstoy the-count-of-monte-cristo-dumas on-the-origin-of-species-darwin the-moonstone-collins
    travels-in-west-africa-kingsley" # no search and no training reads them

# nth N: word number N of LENGTHS.
nth() { echo "$LENGTHS" | cut -d ' ' -f "$1"; }

# unseen_files: their paths.
unseen_files() {
    for book in $unseen; do echo "$BOOKS/valid/$book.txt"; done
}

. configs/keep.sh
