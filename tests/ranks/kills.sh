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
use_mpirun || {
    echo "kills: skipped: Open MPI's mpirun is not installed (Debian package openmpi-bin)"
    exit 77
}

write_ranks_search kills 2 640
# run_on command|exec RANKS RUN: exec in a process of its own, whose children are the ranks then.
run_on() { "$1" mpirun -n "$2" "$LONGROPE" search "$work/search.yaml" --threads 1 --resume -o "$3"; }
runs "$LONGROPE" search "$work/search.yaml" -o "$work/whole" --threads 1
ranks=2 done=0 finished=0
while [ "$done" -lt "$kills" ]; do
    before=$(held "$work/run")
    random 3 && ranks=$((ranks % 4 + 1 + (value == 0)))
    (run_on exec "$ranks" "$work/run") >"$work/stdout" 2>"$work/stderr" &
    background=$!
    random 20 && sleep "$((value / 10)).$((value % 10))5"
    random 3
    victims=$(children "$background")
    for process in $victims; do
        rank=$(rank_of "$process")
        case $value in
        0) [ "$rank" = 0 ] || continue ;;
        1) [ "$rank" = $((ranks - 1)) ] || continue ;;
        esac
        kill -KILL "$process" 2>/dev/null || true
    done
    end_search
    # shellcheck disable=SC2086 # numbers
    all_end $victims
    loses_nothing "$before" "$(held "$work/run")" "a kill"
    done=$((done + 1))
    if [ "$status" = 0 ]; then # it was faster
        same_runs "$work/whole" "$work/run"
        finished=$((finished + 1))
        rm -r "$work/run"
    fi
done
[ "$finished" -lt "$kills" ] || fail "every search ended before it was killed"
runs run_on command 3 "$work/run"
same_runs "$work/whole" "$work/run"
echo "kills: passed, $kills kills; $finished of the searches had ended before"
