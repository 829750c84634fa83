#!/bin/sh
# Installs missing packages, builds, searches on the demo model and writes a report. Started again, it continues where
# it was stopped. Arguments are passed to `longrope search`.
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $REPORT_PACKAGES

cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release
build/release/longrope search configs/demo/demo.yaml -o results/demo --resume "$@"
case " $* " in *" --dry-run "*) exit 0 ;; esac
[ -e results/demo/run.db ] || exit 0 # the arguments contain another folder
build/release/longrope report results/demo -o results/demo/report.html
echo "wrote results/demo/report.html; open it in a browser"
