#!/bin/sh
# Searches with either objective, asks the best tables for pass keys that no search saw and scores them on books that
# none saw; goes on where it was stopped. Writes the run to results/needle/run and prints what results/needle/README.md
# shows. Takes an hour or so on two cores. Arguments are handed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES jq

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
mkdir -p results/needle
build/release/longrope search configs/needle/needle.yaml -o results/needle/run --resume "$@"
sh configs/needle/report.sh build/release/longrope results/needle/run
