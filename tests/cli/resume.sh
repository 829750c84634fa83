#!/bin/sh
# A search that is killed, or stopped by a signal, at any moment goes on with --resume to the very
# result of one that was left alone.
#   LONGROPE_TEST_SEED  of the random moments, to repeat a failure
#   LONGROPE_TEST_KILLS how many times SIGKILL is sent (20)
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

seed=${LONGROPE_TEST_SEED:-$(($(date +%s) % 100000 * 100 + $$ % 100))}
kills=${LONGROPE_TEST_KILLS:-20}
echo "resume: LONGROPE_TEST_SEED=$seed"

# What a search prints at its end, but for the line on the time that it took.
table() { grep -v ' tokens/s; ' "$1"; }

# The uninterrupted run is the measure, also of how long one takes.
began=$(now)
runs tiny_search "$work/whole"
whole=$(calculate "$(now) - $began")
table "$work/stdout" >"$work/table"

# Random pauses in seconds, one a line, for signal after signal. Every third falls into the first
# tenth of a run's life: opening, creating tables, recovering what a kill left.
awk -v seed="$seed" -v whole="$whole" 'BEGIN {
    srand(seed)
    for (i = 0; i < 1000; i++) printf "%.4f\n", rand() * whole * (i % 3 == 2 ? 0.1 : 0.7)
}' >"$work/pauses"
taken=0
pause() {
    taken=$((taken + 1))
    sleep "$(sed -n "${taken}p" "$work/pauses")"
}

# Waits at most 2 seconds for the search that was sent a signal; its exit status goes to $status.
end_soon() {
    began=$(now)
    end_search
    awk "BEGIN { exit !($(now) - $began < 2) }" || fail "the search took more than 2 seconds to stop"
}

# The run in $work/run is over and is what it should be; the next one begins from nothing.
finished() {
    table "$work/background.out" | cmp -s - "$work/table" || fail "after $taken pauses the table is another one"
    same_runs "$work/whole" "$work/run"
    rm -rf "$work/run"
    compared=$((compared + 1))
}

# ---- SIGKILL ----

killed=0
compared=0
while [ "$killed" -lt "$kills" ]; do
    start_search "$work/run" --resume
    pause
    kill -KILL "$background" 2>/dev/null || true
    end_search
    case $status in
    137) killed=$((killed + 1)) ;;
    0) finished ;; # it was faster than the pause
    *)
        cat "$work/background.err" >&2
        fail "exit status $status after $killed kills and $taken pauses"
        ;;
    esac
done
start_search "$work/run" --resume
end_search
[ "$status" = 0 ] || fail "exit status $status after the last kill: $(tail -n 1 "$work/background.err")"
finished
echo "resume: $killed kills, $compared runs compared"

# ---- SIGTERM and SIGINT ----

for signal in TERM INT; do
    stopped=0
    tries=0
    while [ "$stopped" -lt 4 ]; do
        tries=$((tries + 1))
        [ "$tries" -le 40 ] || fail "40 searches ended before SIG$signal reached them"
        start_search "$work/run" --resume
        wait_for_evaluations "$work/run" 1 # signals are caught by then, where the run is new
        [ "$tries" -gt 1 ] || sleep 0.2 # into the middle of an evaluation
        before=$(evaluations "$work/run")
        kill "-$signal" "$background" 2>/dev/null || true
        end_soon
        case $status in
        75)
            stopped=$((stopped + 1))
            # While a model is read, the handler itself ends the process, with words that were chosen before.
            tail -n 1 "$work/background.err" | grep -Eq "^longrope: stopped by SIG$signal; (.*$work/run|a model and its text).*--resume" ||
                fail "the message of SIG$signal does not say how to go on: $(tail -n 1 "$work/background.err")"
            [ ! -s "$work/background.out" ] || fail "a search that was stopped prints a table"
            [ "$(evaluations "$work/run")" -ge "$before" ] || fail "SIG$signal lost what was scored"
            ;;
        0) finished ;;
        *) fail "exit status $status after SIG$signal: $(tail -n 1 "$work/background.err")" ;;
        esac
    done
    start_search "$work/run" --resume
    end_search
    [ "$status" = 0 ] || fail "exit status $status after SIG$signal: $(tail -n 1 "$work/background.err")"
    finished
done

echo "resume: passed"
