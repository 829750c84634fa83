#!/bin/sh
# Searches with each objective and measures the best tables on pass keys and on books that no search saw. Started again,
# it continues where it was stopped. Writes the run to results/needle/run and prints the tables of
# results/needle/README.md; what the search says goes to stderr. Takes about an hour on two cores. Arguments are passed to
# `longrope search`. In the environment:
#   OUT        folder of the run, instead of results/needle
#   LONGROPE   a program, which is then not built
#   BOOKS, REUSE, TRIALS, WINDOWS  see report.sh; with another BOOKS also pass --set data.text=[...]
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${LONGROPE-}" ]; then
    . tests/packages.sh
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES jq
    cmake --preset release -DBUILD_TESTING=OFF
    cmake --build --preset release
    LONGROPE=build/release/longrope
fi

out=${OUT:-results/needle}
mkdir -p "$out"
"$LONGROPE" search configs/needle/needle.yaml -o "$out/run" --resume "$@" >&2
case " $* " in *" --dry-run "*) exit 0 ;; esac
sh configs/needle/report.sh "$LONGROPE" "$out/run"
