#!/bin/sh
# Installs what is missing, builds, and searches on the demo model; goes on where it was stopped.
# Arguments are handed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
exec build/release/longrope search configs/demo/demo.yaml -o results/demo --resume "$@"
