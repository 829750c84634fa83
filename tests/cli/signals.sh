#!/bin/sh
# Every signal that asks to stop ends a search with everything saved and its fine-tuning stopped, and is named. The tests
# of the other commands send one signal each.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

# long_search RUN: with more than a test waits for.
long_search() { tiny_search "$1" --set search.iterations=1000 --resume; }

# stopped_by NAME: the process in the background ended with status 75 and says so.
stopped_by() {
    end_search
    [ "$status" = 75 ] || fail "exit status $status after SIG$1: $(cat "$work/background.err")"
    tail -n 1 "$work/background.err" | grep -q "^longrope: stopped by SIG$1; .*--resume" ||
        fail "the message of SIG$1 does not name it: $(tail -n 1 "$work/background.err")"
}

# ---- a search ----

for signal in INT TERM QUIT HUP USR1 USR2 XCPU ALRM PWR VTALRM; do
    (launch="exec" && long_search "$work/run") >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_for_evaluations "$work/run" 1
    sleep 0.1
    kill "-$signal" "$background"
    stopped_by "$signal"
    [ "$(evaluations "$work/run")" -gt 0 ] || fail "SIG$signal lost what was scored"
done

# nohup has it ignore SIGHUP
(trap '' HUP && launch="exec" && long_search "$work/nohup") >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_for_evaluations "$work/nohup" 1
kill -HUP "$background"
before=$(evaluations "$work/nohup")
goes_on() { [ "$(evaluations "$work/nohup")" -gt "$before" ]; }
wait_until "a search under nohup goes on after SIGHUP" goes_on
kill -USR2 "$background"
stopped_by USR2

# Nobody reads the rows any more: what follows is not computed. The status of what is done when its reader goes is that
# of other programs.
{
    code=0
    "$LONGROPE" eval --model "$model" --text "$document" --length 256,512,1024 --method none,pi,ntk \
        2>"$work/stderr" || code=$?
    echo "$code" >"$work/status"
} | head -n 1 >"$work/stdout"
case $(cat "$work/status") in
75) one_line_with "stopped by SIGPIPE; rows that were printed are complete" ;;
141) ;; # head took a while, and the last row was the first that it did not read
*) fail "exit status $(cat "$work/status") where nobody reads the rows" ;;
esac

# What measures the machine, or simulates many ranks, and has nothing to save names the signal, too.
measuring() {
    case $1 in
    init) exec "$LONGROPE" init "$model" --text "$document" -o "$work/new.yaml" ;;
    dry-run) exec "$LONGROPE" search "$one_stage" --dry-run ;;
    simulation)
        exec "$LONGROPE" search "$one_stage" --dry-run --rate 1 --ranks 1024 --set search.algorithm=paper \
            --set search.iterations=1000 --set data.samples=1
        ;;
    esac
}
for command in init dry-run simulation; do
    for delay in 0.2 1 3; do # a machine that is busy takes longer to begin
        (measuring $command) >"$work/background.out" 2>"$work/background.err" &
        background=$!
        sleep $delay
        kill -USR2 "$background"
        end_search
        [ "$status" = 140 ] || break
    done
    [ "$status" = 75 ] || fail "exit status $status of $command after SIGUSR2"
    grep -q '^longrope: stopped by SIGUSR2; nothing was ' "$work/background.err" || fail "$command does not name the signal"
done

# ---- its fine-tuning ----

# tuning COMMAND: begins a search whose first stage is done and whose fine-tuning is this command.
tuning() {
    cat >"$work/tuned.yaml" <<YAML
name: tuned
model: $model
data: {text: [$document], tokenizer: bytes, samples: 1}
search: {algorithm: paper, population: 3, mutations: 1, crossovers: 1, parents: 2, iterations: 1}
stages:
  - name: first
    target_length: 300
    finetune: {command: sh $1}
YAML
    rm -f "$work/child"
    (cd "$work" && exec "$LONGROPE" search tuned.yaml -o tuned --resume) >"$work/background.out" \
        2>"$work/background.err" &
    background=$!
    wait_until "the fine-tuning begins" test -s "$work/child"
}

# Nothing of it is left but what its parent has not asked after.
child_ended() {
    child=/proc/$(cat "$work/child")/status
    if grep -q '^State:.*[^Z] (' "$child" 2>/dev/null; then fail "the fine-tuning goes on without its search"; fi
}

# It takes its time to save; signals that come again in the meantime change nothing.
cat >"$work/saves.sh" <<'SH'
trap 'sleep $(cat patience); echo saved >saved; exit 75' TERM
echo $$ >child
while :; do sleep 0.1; done
SH
for signal in USR1 XCPU HUP; do
    rm -f "$work/saved"
    [ "$signal" = USR1 ] && echo 3 >"$work/patience" || echo 1 >"$work/patience"
    tuning saves.sh
    for _ in 1 2 3; do
        kill "-$signal" "$background"
        sleep 0.2
    done
    stopped_by "$signal"
    [ "$signal" != USR1 ] || grep -q "first: waiting for the fine-tuning command, which was told to stop" \
        "$work/background.err" || fail "it does not say what it waits for"
    [ -s "$work/saved" ] || fail "after SIG$signal the search does not wait for its fine-tuning"
    child_ended
done

# A batch system sends its signal to all processes, and the fine-tuning dies of it before the search has it.
cat >"$work/dies.sh" <<'SH'
sleep 1000 &
echo $! >child
wait
SH
tuning "dies.sh; exit 1"
kill -USR1 "$(cat "$work/child")"
kill -USR1 "$background"
stopped_by USR1
child_ended
cat >"$work/dies.sh" <<'SH'
echo $$ >child
exec sleep 1000
SH
tuning dies.sh
kill -USR2 "$(cat "$work/child")"
sleep 0.3
kill -USR2 "$background"
stopped_by USR2
child_ended

# Of a command that says itself that it was stopped
cat >"$work/says.sh" <<'SH'
echo $$ >child
exit 75
SH
tuning says.sh
end_search
[ "$status" = 75 ] || fail "exit status $status where the fine-tuning says 75"
tail -n 1 "$work/background.err" | grep -q "stopped by its fine-tuning command" || fail "it does not say who stopped"

# Whoever starts the program may ignore SIGCHLD, which is inherited; how a child ended is known all the same.
quick_tuning >"$work/quick.sh"
launch="env --ignore-signal=CHLD"
runs short_search "$work/childless" --set search.start_tokens=[0] --set "stages.0.finetune={command: sh $work/quick.sh}"
[ -e "$work/childless/extend-2k-finetuned/config.json" ] || fail "no fine-tuned model where SIGCHLD is ignored"
! command -v gnuplot >/dev/null || runs env --ignore-signal=CHLD "$LONGROPE" report "$work/childless" -o "$work/childless.html"

echo "signals: passed"
