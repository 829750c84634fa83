#!/bin/sh
# Kills a search on several ranks at random instants: rank 0, another one, or all of them. Each time it is resumed on
# another number of ranks. Nothing that was stored is lost, and the end is that of a search that nothing interrupts.
#   sh tests/ranks/kills.sh [KILLS] [SEED]   LONGROPE: the program (build/release/longrope)
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
LONGROPE=${LONGROPE:-$SOURCE/build/release/longrope}
export SOURCE LONGROPE
kills=${1:-3}
seed=${2:-1}
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
mpirun --version 2>/dev/null | grep -q 'Open MPI' || {
    echo "kills: skipped: Open MPI's mpirun is not installed (Debian package openmpi-bin)"
    exit 0
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none

cat >"$work/search.yaml" <<YAML
name: kills
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 3}
search: {algorithm: paper, population: 6, mutations: 3, crossovers: 3, parents: 2, iterations: 2, start_tokens: [0, 4],
         racing: blocks, racing_risk: 0.2}
stages:
  - {name: only, target_length: 640}
YAML
run_on() (
    ranks=$1
    shift
    exec mpirun -n "$ranks" "$LONGROPE" search "$work/search.yaml" --threads 1 --resume -o "$@"
)
# The numbers that it is to hold at least, 0 0 where there is no run yet.
held() {
    echo "$(sqlite3 "$work/run/scores.db" 'SELECT count(*) FROM scores' 2>/dev/null || echo 0)" \
        "$(sqlite3 "$work/run/run.db" 'SELECT count(*) FROM individuals' 2>/dev/null || echo 0)"
}
# random MOST: 0..MOST-1, the next one of the seed's
random() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    value=$((seed / 65536 % $1))
}
processes() { grep -l "^PPid:[[:space:]]*$background\$" /proc/[0-9]*/status 2>/dev/null | sed 's|/proc/||; s|/status||'; }
rank_of() { tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }

runs "$LONGROPE" search "$work/search.yaml" -o "$work/whole" --threads 1
ranks=2 done=0 finished=0
while [ "$done" -lt "$kills" ]; do
    before=$(held)
    random 3 && ranks=$((ranks % 4 + 1 + (value == 0)))
    run_on "$ranks" "$work/run" >"$work/stdout" 2>"$work/stderr" &
    background=$!
    random 20 && sleep "$((value / 10)).$((value % 10))5"
    random 3
    victims=$(processes)
    for process in $victims; do
        rank=$(rank_of "$process")
        case $value in
        0) [ "$rank" = 0 ] || continue ;;
        1) [ "$rank" = $((ranks - 1)) ] || continue ;;
        esac
        kill -KILL "$process" 2>/dev/null || true
    done
    end_search
    for process in $victims; do # mpirun does not wait for what it kills
        patience=100
        while kill -0 "$process" 2>/dev/null; do
            patience=$((patience - 1))
            [ "$patience" -gt 0 ] || fail "process $process of a search that was killed is left"
            sleep 0.1
        done
    done
    after=$(held)
    # shellcheck disable=SC2086 # two numbers each
    set -- $before $after
    { [ "$3" -ge "$1" ] && [ "$4" -ge "$2" ]; } || fail "windows and individuals before and after a kill: $before, $after"
    done=$((done + 1))
    if [ "$status" = 0 ]; then # it was faster
        same_runs "$work/whole" "$work/run"
        finished=$((finished + 1))
        rm -r "$work/run"
    fi
done
runs run_on 3 "$work/run"
same_runs "$work/whole" "$work/run"
echo "kills: passed, $kills kills; $finished of the searches had ended before"
