#!/bin/sh
# Measures which pass keys the demo model finds, by length, depth and table; writes results/passkey. Installs missing
# packages, builds, and searches the demo's table if it does not exist. Started again, it continues with the table at
# which it was stopped. Takes some minutes on two cores. In the environment:
#   LENGTHS    tokens (256,512,1024,2048,4096)
#   TRIALS     pass keys per depth (20)
#   DEMO       the factor file of a search on the demo, instead of results/demo/factors.json
#   WORK, OUT  default build/passkey, where numbers stay, and results/passkey
#   LONGROPE   a program, which is then not built
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${LONGROPE-}" ]; then
    . tests/packages.sh
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES jq
    [ -n "${DEMO-}" ] || [ -f results/demo/factors.json ] || sh configs/demo/run.sh
    cmake --preset release -DBUILD_TESTING=OFF
    cmake --build --preset release
    LONGROPE=build/release/longrope
fi
. configs/keep.sh

out=${OUT:-results/passkey} work=${WORK:-build/passkey}
base=configs/demo/model
tuned=results/progressive/model
mkdir -p "$out" "$work"

# ask ARGUMENT...: five depths.
ask() { "$LONGROPE" passkey --prompt demo --json "$@"; }

# measure NAME ARGUMENT...: keeps it.
measure() {
    name=$1
    shift
    echo "$name"
    keep "$work/$name.json" ask --length "${LENGTHS:-256,512,1024,2048,4096}" --trials "${TRIALS:-20}" "$@"
    cp "$work/$name.json" "$out/$name.json"
}

for method in none pi ntk dynamic-ntk yarn; do
    measure $method --model $base --method $method
done
measure longrope-2k --model $base --factors "${DEMO:-results/demo/factors.json}"
measure longrope-131k --model $base --factors results/progressive/factors.json
measure tuned-131k --model $tuned --factors results/progressive/factors.json
sh configs/passkey/table.sh "$out"
