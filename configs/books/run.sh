#!/bin/sh
# Compares the ways to search on real books, with five seeds. Started again, it continues where it was stopped. Writes
# the runs to results/books/seed-N and prints the tables of results/books/README.md as Markdown; what the searches say
# goes to stderr. Takes hours on two cores. Arguments are passed to each `longrope search`. In the environment:
#   SEEDS      the random seeds, for example SEEDS="1 2"
#   OUT        folder of the runs, instead of results/books
#   LONGROPE   a program, which is then not built
#   BOOKS, PAPER_END  see report.sh, which also prints the tables of runs that are not over
set -eu
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-1 2 3 4 5}
out=${OUT:-results/books}
if [ ! -d "${BOOKS:-../shared/books}/valid" ]; then
    echo "configs/books/run.sh: skipped, since ${BOOKS:-../shared/books}/valid does not exist; BOOKS names its folder" >&2
    exit 77
fi

if [ -z "${LONGROPE-}" ]; then
    . tests/packages.sh
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES jq sqlite3
    cmake --preset release -DBUILD_TESTING=OFF
    cmake --build --preset release
    LONGROPE=build/release/longrope
fi
mkdir -p "$out"
for seed in $seeds; do
    "$LONGROPE" search configs/books/books.yaml --set "search.seed=$seed" -o "$out/seed-$seed" --resume "$@" >&2
done
case " $* " in *" --dry-run "*) exit 0 ;; esac
set --
for seed in $seeds; do set -- "$@" "$out/seed-$seed"; done
sh configs/books/report.sh "$LONGROPE" "$@"
