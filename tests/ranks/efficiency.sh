#!/bin/sh
# How much faster a search is on two ranks of one thread: against one rank of one thread, whose half of the time is ideal,
# and against one rank of two threads. On the demo model, beside what `--dry-run --ranks` says of the same search. For a
# machine with two free cores and nothing else to do.
#   sh tests/ranks/efficiency.sh [LENGTH [TABLES]]   LONGROPE: the program (build/release/longrope)
# LENGTH is the length of a window in bytes: 2048, the demo's, by default; with 32768 one takes half a minute.
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
LONGROPE=${LONGROPE:-$SOURCE/build/release/longrope}
export SOURCE LONGROPE
length=${1:-2048}
tables=${2:-8}
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
use_mpirun || {
    echo "efficiency: Open MPI's mpirun is not installed (Debian package openmpi-bin)"
    exit 1
}
export OMP_WAIT_POLICY=passive

# A text as long as it takes; what it says does not matter.
: >"$work/text.txt"
while [ "$(wc -c <"$work/text.txt")" -lt $((2 * length)) ]; do cat "$corpus"/*.txt >>"$work/text.txt"; done
cat >"$work/search.yaml" <<YAML
name: efficiency
model: $model
dtype: f32
data: {text: [text.txt], tokenizer: bytes, samples: 2}
search: {algorithm: paper, population: $tables, mutations: $tables, crossovers: 0, parents: $((tables / 2 + 1)),
         iterations: 1, start_tokens: [0], racing: none}
stages:
  - {name: only, target_length: $length}
YAML

# measure NAME COMMAND...: seconds from the first window to the last, into $seconds
measure() {
    name=$1
    shift
    runs "$@" search "$work/search.yaml" -o "$work/$name"
    seconds=$(sqlite3 "$work/$name/run.db" \
        'SELECT sum(seconds) FROM (SELECT seconds FROM baselines UNION ALL SELECT seconds FROM individuals)')
}
one_thread() { "$LONGROPE" "$@" --threads 1; }
two_threads() { "$LONGROPE" "$@" --threads 2; }
two_ranks() { mpirun -n 2 "$LONGROPE" "$@" --threads 1; }

"$LONGROPE" search "$work/search.yaml" --dry-run --ranks 1,2 --json >"$work/planned.json"
windows=$(jq .stages[0].windows "$work/planned.json")
measure one one_thread && one=$seconds
measure two two_threads && two=$seconds
measure ranks two_ranks && ranks=$seconds
same_runs "$work/one" "$work/ranks"
row() { printf '%-26s %10.1f %12.3f %14.1f\n' "$1" "$2" "$(calculate "$2 / $windows")" "$(calculate "100 * $3")"; }
printf '%-26s %10s %12s %14s\n' "windows of $length bytes" seconds "a window" "efficiency/%"
row "1 rank of 1 thread" "$one" 1
row "1 rank of 2 threads" "$two" "$one / $two / 2"
row "2 ranks of 1 thread" "$ranks" "$one / $ranks / 2"
printf '2 ranks of 1 thread take %.3f of the time of 1 rank of 2 threads; simulated efficiency: %.1f %%\n' \
    "$(calculate "$ranks / $two")" "$(jq '.ranks.planned | 50 * .[0].hours / .[1].hours' "$work/planned.json")"
