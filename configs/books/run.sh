#!/bin/sh
# Compares the ways to search on real books, with three seeds. Started again, it continues where it was stopped. Writes
# the runs to results/books/seed-N and prints the tables of results/books/README.md.
# Takes about one and a half hours on two cores. Arguments are passed to each `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES jq sqlite3

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
mkdir -p results/books
for seed in 1 2 3; do
    build/release/longrope search configs/books/books.yaml --set search.seed=$seed -o results/books/seed-$seed \
        --resume "$@"
done
sh configs/books/report.sh build/release/longrope results/books/seed-1 results/books/seed-2 results/books/seed-3
