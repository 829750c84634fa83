#!/bin/sh
# Formatting and static analysis of all that is committed in C and shell.
set -eu
cd "$(dirname "$0")/.."
git ls-files '*.c' '*.cc' '*.h' | xargs clang-format --dry-run --Werror
git ls-files '*.sh' .ci/run | xargs shellcheck -x
sh tests/arrows.sh
sh tests/links.sh
ignored=$(git ls-files -ci --exclude-standard)
[ -z "$ignored" ] || { echo "committed, but ignored by .gitignore:" "$ignored" >&2; exit 1; }
cmake --preset lint >/dev/null
git ls-files 'eval/**.c' 'eval/**.cc' 'search/**.c' | grep -v kernels/vector.c | xargs -n 2 -P "$(nproc)" clang-tidy -p build/lint --quiet
echo "lint: clean"
