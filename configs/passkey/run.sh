#!/bin/sh
# Measures which pass keys the demo model finds, by length, depth and table; writes results/passkey. Installs missing
# packages, builds, and searches the demo's table if it does not exist. Started again, it continues with the table at
# which it was stopped: a table that has a file is not measured again. Takes some minutes on two cores.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES jq

[ -f results/demo/factors.json ] || sh configs/demo/run.sh
cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release

out=results/passkey
base=configs/demo/model
tuned=results/progressive/model
mkdir -p $out

# measure NAME ARGUMENT...: five depths, twenty prompts at each.
measure() {
    name=$1
    shift
    [ ! -f "$out/$name.json" ] || return 0
    echo "$name"
    build/release/longrope passkey --prompt demo --length 256,512,1024,2048,4096 --trials 20 --json "$@" \
        >"$out/$name.part"
    mv "$out/$name.part" "$out/$name.json"
}

for method in none pi ntk dynamic-ntk yarn; do
    measure $method --model $base --method $method
done
measure longrope-2k --model $base --factors results/demo/factors.json
measure longrope-64k --model $base --factors results/progressive/factors.json
measure tuned-64k --model $tuned --factors results/progressive/factors.json
sh configs/passkey/table.sh $out
