#!/bin/sh
# Compares the program with PyTorch and transformers, in a virtual environment of their own under
# build/. Arguments are handed to pytest; LONGROPE may name another program than the release build.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh

if [ -z "${LONGROPE-}" ]; then
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES
    cmake --preset release >/dev/null
    cmake --build --preset release
    LONGROPE=$PWD/build/release/longrope
fi
export LONGROPE

venv=build/interop-venv
wanted=tests/interop/requirements.txt
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_missing python3-venv
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install -q -r "$wanted"
    cp "$wanted" "$venv/requirements.txt" # last: an installation that broke off is done again
fi
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider tests/interop "$@"
