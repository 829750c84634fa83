#!/bin/sh
# `longrope eval`, `passkey` and `choice` on several ranks that mpirun starts: what they print and write is what one process
# does, to the last byte but for seconds. Signals, ranks that die and ranks that are not alike end them as a search.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# Open MPI frees little when it ends, in modules that are unloaded by then, so that no suppression could name them.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

try env PMI_SIZE=2 PMI_RANK=0 "$LONGROPE" eval --model "$model" --text "$document" --length 256 --method none
[ "$status" = 2 ] || fail "a process of several that are not there measures by itself"
needs_mpi measure_ranks

# same_output NAME COMMAND...: on any number of ranks what is printed is that of one process, but for seconds.
same_output() {
    name=$1
    shift
    for ranks in 0 1 2 3; do
        runs on "$ranks" "$@"
        sed -E 's/"seconds": [-+0-9.e]+/"seconds": 0/; s/^( +[0-9]+ .*) +[0-9]+\.[0-9][0-9]$/\1/' "$work/stdout" \
            >"$work/$name.$ranks"
        cmp -s "$work/$name.0" "$work/$name.$ranks" || {
            diff "$work/$name.0" "$work/$name.$ranks" | head >&2 || true
            fail "$name on $ranks ranks prints something else"
        }
        [ "$ranks" -lt 2 ] || grep -q "^one measurement on $ranks ranks, with 1 thread on rank 0$" "$work/stderr" ||
            fail "it does not say that there are $ranks ranks"
        grep -vE '^one measurement on |: [0-9]+/[0-9]+ .* left$' "$work/stderr" >"$work/$name.$ranks.err" || true
        cmp -s "$work/$name.0.err" "$work/$name.$ranks.err" || fail "$name on $ranks ranks says something else"
    done
}

evaluate="eval --model $model --text $corpus/*.txt --method none,yarn,ntk"
# Rows that share windows, and rows that do not; windows of many lengths.
# shellcheck disable=SC2086 # words
same_output shared $evaluate --length 97,640,512,300,96 --json
jq -e '[.results[] | .reused > 0] | any' "$work/shared.3" >/dev/null || fail "no window is shared"
# shellcheck disable=SC2086 # words
same_output rows $evaluate --length 256,512 --samples 3 --dtype f32
head -c 3000 "$document" >"$work/text.txt"
same_output slide eval --model "$model" --text "$work/text.txt" --length 256,512 --stride 100 --method none --angles f32 --json
same_output twice eval --model "$model" --text "$work/text.txt" --length 512,512 --method none,yarn --json
same_output keys passkey --model "$model" --prompt demo --length 256,600 --method none,yarn --depths 0,50,100 --trials 4 \
    --json --prompts
same_output map passkey --model "$model" --prompt demo --length 256,300 --method none,yarn --depths 0,100 --trials 3
for item in '"A", "choices": [" b", " cd"]' '"Once", "choices": [" upon", " xq", " z"]' '"He", "choices": ["r", " said"], "task": "b"'; do
    echo "{\"context\": $item, \"answer\": 0}"
done >"$work/items.jsonl"
same_output items choice --model "$model" --tasks "$work/items.jsonl" --method none,yarn --length 256,512 --json --answers

# What is written is written once, by rank 0.
for ranks in 0 3; do
    runs on "$ranks" eval --model "$model" --text "$document" "$second_document" --length 300 --samples 5 --method yarn \
        --nats "$work/nats.$ranks.npy"
    runs on "$ranks" passkey --model "$model" --prompt demo --length 300 --method none --trials 2 \
        --save-tokens "$work/tokens.$ranks.npy"
done
cmp -s "$work/nats.0.npy" "$work/nats.3.npy" || fail "--nats writes other numbers on three ranks"
cmp -s "$work/tokens.0.npy" "$work/tokens.3.npy" || fail "--save-tokens writes other prompts on three ranks"
fails_with_ranks() { # STATUS WORDS COMMAND...: one line of longrope's on stderr
    expected=$1
    words=$2
    shift 2
    try "$@"
    [ "$status" = "$expected" ] || fail "exit status $status where $expected is due: $*"
    grep '^longrope: ' "$work/stderr" | grep -qF -e "$words" || fail "stderr does not say '$words'"
    [ "$(grep -c '^longrope: ' "$work/stderr")" = 1 ] || fail "more than one rank speaks"
    [ ! -s "$work/stdout" ] || fail "something is printed all the same"
}
fails_with_ranks 2 "nats.3.npy" on 2 eval --model "$model" --text "$document" --length 300 --method yarn \
    --nats "$work/nats.3.npy"

runs tiny_search "$work/run"
for ranks in 0 2; do
    copy_run run "into$ranks"
    runs on "$ranks" eval --model "$model" --text "$document" --length 512,256 --method none,yarn --into "$work/into$ranks"
    runs on "$ranks" passkey --model "$model" --prompt demo --length 300 --method none --trials 2 --into "$work/into$ranks"
    runs on "$ranks" choice --model "$model" --tasks "$work/items.jsonl" --method none --into "$work/into$ranks"
done
same_runs "$work/into0" "$work/into2"

# ---- signals and kills ----

# start COMMAND...: on three ranks, in the background, until the first row is printed.
start() {
    rm -f "$work/background.out" # the last one's
    mpirun -n 3 "$LONGROPE" "$@" --threads 1 >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_until "a row" grep -qE '^ +(64|256) ' "$work/background.out"
    victims=$(children "$background")
    [ "$(echo "$victims" | wc -w)" = 3 ] || fail "the job does not have three ranks: $victims"
}

# send SIGNAL RANK: all end within ten seconds.
send() {
    began=$(now)
    for process in $victims; do
        [ "$(rank_of "$process")" != "$2" ] || kill "-$1" "$process" || fail "rank $2 is over"
    done
    end_search
    awk "BEGIN { exit !($(now) - $began < 10) }" || fail "SIG$1 to rank $2 took longer than 10 seconds"
    # shellcheck disable=SC2086 # numbers
    all_end $victims
    cp "$work/background.err" "$work/stderr"
}

for rank in 0 2; do
    start eval --model "$model" --text "$document" --length 64,2048 --stride 64 --method yarn,ntk,pi
    send TERM "$rank"
    [ "$status" = 75 ] || fail "SIGTERM to rank $rank: mpirun ends with $status"
    grep '^longrope: ' "$work/stderr" | grep -q 'stopped by SIGTERM; rows that were printed are complete$' ||
        fail "it does not say what stopped it"
    [ "$(grep -c '^longrope: ' "$work/stderr")" = 1 ] || fail "more than one rank speaks"
done
start passkey --model "$model" --prompt demo --length 256,2048 --trials 40 --method yarn,ntk
send USR1 1
[ "$status" = 75 ] || fail "SIGUSR1 to rank 1: mpirun ends with $status"
start passkey --model "$model" --prompt demo --length 256,2048 --trials 40 --method yarn,ntk
send KILL 1
[ "$status" != 0 ] || fail "SIGKILL to a rank: exit status 0"

# ---- ranks that are not alike ----

host=$(uname -n)
set -- "$LONGROPE" eval --model "$model" --text "$document" --length 300 --method yarn --dtype f32
fails_with_ranks 2 "rank 1 on host $host would compute with kernels reference (f32), and rank 0 with " \
    mpirun -n 1 "$@" : -n 1 env LONGROPE_KERNELS=reference "$@"
fails_with_ranks 2 "rank 1 on host $host was started with 'eval --model $model --text $document --length 300 " \
    mpirun -n 1 "$@" : -n 1 "$@" --scale 2
fails_with_ranks 2 "no-such: " mpirun -n 2 "$LONGROPE" passkey --model "$work/no-such" --length 300 --method yarn
for rank in 0 1; do
    mkdir -p "$work/places/$rank"
    cp "$document" "$work/places/$rank/text.txt"
done
# Each rank in a folder of its own, in which it sees the same path.
# shellcheck disable=SC2016 # the ranks expand it
set -- mpirun -n 2 sh -c 'cd "$1/$OMPI_COMM_WORLD_RANK" && shift && exec "$@"' sh "$work/places" \
    "$LONGROPE" eval --model "$model" --text text.txt --length 300 --method yarn
runs "$@"
tr a b <"$document" >"$work/places/1/text.txt"
fails_with_ranks 2 "rank 1 on host $host has loaded another text" "$@"
rm "$work/places/1/text.txt"
fails_with_ranks 2 "rank 1 on host $host: text.txt: " "$@"

echo "measure_ranks: passed"
