#!/bin/sh
# Installs the packages that are missing, builds, and runs the tests. PRESET names the build (release). Arguments go to
# cmake: tests/run.sh -DLONGROPE_WERROR=ON.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $TEST_PACKAGES

preset=${PRESET:-release}
cmake --preset "$preset" -DBUILD_TESTING=ON "$@"
cmake --build --preset "$preset"
ctest --preset "$preset"
