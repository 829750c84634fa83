#!/bin/sh
# Searches with each objective and measures the best tables on pass keys and on books that no search saw. Started again,
# it continues where it was stopped. Writes the run to results/needle/run and prints the tables of
# results/needle/README.md. Takes about an hour on two cores. Arguments are passed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES jq

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
mkdir -p results/needle
build/release/longrope search configs/needle/needle.yaml -o results/needle/run --resume "$@"
case " $* " in *" --dry-run "*) exit 0 ;; esac
sh configs/needle/report.sh build/release/longrope results/needle/run
