#!/bin/sh
# The scaled recipe from beginning to end; goes on where it was stopped. Installs what is missing, builds, makes a
# Python environment to fine-tune and draw in, searches, sweeps over lengths, asks for pass keys and draws. Writes the
# run to results/progressive/run, the figures and the report to results/progressive. Hours on two cores. Arguments are
# handed to `longrope search`.
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
    cp $wanted build/finetune-venv/ # last: an installation that broke off is done again
fi
PYTHON=$PWD/build/finetune-venv/bin/python
export PYTHON

out=results/progressive
longrope=build/release/longrope
"$longrope" search configs/progressive/progressive.yaml -o $out/run --resume "$@"
[ -e $out/run/factors.json ] || exit 0 # --dry-run or another folder were among the arguments
sh configs/progressive/sweep.sh $longrope $out/run $out
sh configs/progressive/passkeys.sh $longrope $out/run
"$longrope" report $out/run -o $out/report.html
"$PYTHON" configs/progressive/plot.py --run $out/run --out $out
