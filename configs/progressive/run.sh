#!/bin/sh
# Runs the scaled recipe from beginning to end. Started again, it continues where it was stopped. Installs missing
# packages, builds, makes a Python environment for fine-tuning and figures, searches, sweeps over lengths, measures pass
# keys and draws. Writes the run to results/progressive/run, the figures and the report to results/progressive. Takes
# hours on two cores. Arguments are passed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $REPORT_PACKAGES jq python3-venv

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
wanted=configs/progressive/requirements.txt
if ! cmp -s $wanted build/finetune-venv/requirements.txt; then
    python3 -m venv build/finetune-venv
    build/finetune-venv/bin/python -m pip install -q -r $wanted
    cp $wanted build/finetune-venv/ # last, so that an interrupted installation is repeated
fi
PYTHON=$PWD/build/finetune-venv/bin/python
export PYTHON

out=results/progressive
longrope=build/release/longrope
"$longrope" search configs/progressive/progressive.yaml -o $out/run --resume "$@"
[ -e $out/run/factors.json ] || exit 0 # the arguments contain --dry-run or another folder
sh configs/progressive/sweep.sh $longrope $out/run $out
sh configs/progressive/passkeys.sh $longrope $out/run
"$longrope" report $out/run -o $out/report.html
"$PYTHON" configs/progressive/plot.py --run $out/run --out $out
