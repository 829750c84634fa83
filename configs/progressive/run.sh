#!/bin/sh
# The scaled recipe from beginning to end; goes on where it was stopped. Installs what is missing, builds, makes a
# Python environment to fine-tune and draw in, searches, sweeps over lengths and draws. Writes the run to
# results/progressive/run, the figures to results/progressive. Hours on two cores. Arguments are handed to
# `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES jq python3-venv

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
wanted=configs/progressive/requirements.txt
if ! cmp -s $wanted build/finetune-venv/requirements.txt; then
    python3 -m venv build/finetune-venv
    build/finetune-venv/bin/python -m pip install -q -r $wanted
    cp $wanted build/finetune-venv/ # last: an installation that broke off is done again
fi
PYTHON=$PWD/build/finetune-venv/bin/python
export PYTHON

out=results/progressive
build/release/longrope search configs/progressive/progressive.yaml -o $out/run --resume "$@"
sh configs/progressive/sweep.sh build/release/longrope $out/run $out
"$PYTHON" configs/progressive/plot.py --run $out/run --out $out
