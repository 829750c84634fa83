#!/bin/sh
# `longrope eval` over many lengths and methods: each row is what a run of its own gives, to the last bit, though
# windows are shared; and what --into records in a run is what eval printed, and changes nothing of a search that goes
# on there.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
shallow_model

evaluate() {
    runs "$LONGROPE" eval --model "$model" --text "$document" "$second_document" "$@"
}

# The beginnings of both, for windows that slide over all of a text.
whole_document=$document whole_second_document=$second_document
beginnings() {
    document=$work/first.txt second_document=$work/second.txt
    head -c 3000 "$whole_document" >"$document"
    head -c 2500 "$whole_second_document" >"$second_document"
}
whole_documents() { document=$whole_document second_document=$whole_second_document; }

# ---- what is shared ----

# bits JSON: the numbers that a row is about.
bits() {
    jq -c '.results[] | [.length, .method, .tokens, .samples, .nll, .factors, .attention_factor]' "$1"
}

# sweep NAME LENGTHS METHODS OPTION...: against the rows one by one.
sweep() {
    name=$1 lengths=$2 methods=$3
    shift 3
    evaluate --length "$lengths" --method "$methods" --json "$@"
    cp "$work/stdout" "$work/$name.json"
    bits "$work/$name.json" >"$work/together"
    : >"$work/alone"
    for length in $(echo "$lengths" | tr , ' '); do
        for method in $(echo "$methods" | tr , ' '); do
            evaluate --length "$length" --method "$method" --json "$@"
            holds '.results[0].reused == 0'
            bits "$work/stdout" >>"$work/alone"
        done
    done
    diff "$work/alone" "$work/together" >&2 || fail "$name: a sweep gives other numbers than its rows one by one"
}

# holds_in NAME EXPRESSION
holds_in() {
    jq -e "$2" "$work/$1.json" >/dev/null || fail "$1: does not hold: $2"
}

# Beyond the window of 256 only `none` is one table for all lengths; up to it all methods are that table.
sweep methods 256,97,640,512,300,96 none,yarn,ntk
holds_in methods '[.results[] | select(.reused == 0) | [.method, .length]] ==
    [["none", 640], ["yarn", 640], ["ntk", 640], ["yarn", 512], ["ntk", 512], ["yarn", 300], ["ntk", 300]]'
holds_in methods 'all(.results[]; .reused == 0 or (.reused == 2 and .seconds == 0))'
holds_in methods 'all(.results[]; .reused > 0 or .seconds > 0)'
holds_in methods '[.results[] | .samples - .reused] | add == 14' # of 36

# A ratio that is given makes one table of a method.
sweep scale 300,640,97 pi,yarn --scale 4
holds_in scale '[.results[] | select(.reused == 0).length] == [640, 640]'

# With more windows than documents only the beginnings are shared; windows that slide score what others do not.
sweep samples 200,400 none --samples 5
holds_in samples '.results[0].reused == 2 and .results[1].reused == 0'
beginnings
sweep stride 256,512 none --stride 128
whole_documents
holds_in stride '.results[0] | .reused >= 2 and .reused < .samples'

# The type of numbers and the threads are none of it.
sweep f32 300,512,200 none --dtype f32 --threads 1
evaluate --length 300,512,200 --method none --json --dtype f32 --threads 2
bits "$work/stdout" | diff "$work/together" - >&2 || fail "two threads give other numbers"
if LONGROPE_KERNELS=baseline "$LONGROPE" eval --model "$model" --text "$document" --length 97 --method none \
    --dtype bf16 >/dev/null; then
    LONGROPE_KERNELS=baseline
    export LONGROPE_KERNELS
    sweep baseline 300,512,200 none --dtype bf16
    unset LONGROPE_KERNELS
fi

# ---- the tables of a run ----

runs tiny_search "$work/whole"
evaluate --length 512,256 --factors "$work/whole/factors.json" --json
bits "$work/stdout" >"$work/of-file"
evaluate --length 512,256 --factors "$work/whole" --json
bits "$work/stdout" | diff "$work/of-file" - >&2 || fail "a run gives other numbers than its factors.json"
fails_with 2 "run.db: is read by this command and is not replaced" "$LONGROPE" eval --model "$model" --text "$document" \
    --length 256 --factors "$work/whole" --nats "$work/whole/run.db" --force
copy_run whole stopped "UPDATE stages SET state = 'running'"
fails_with 2 "stopped: no stage of this run is done; longrope show prints its progress" "$LONGROPE" eval \
    --model "$model" --text "$document" --length 256 --factors "$work/stopped"

# ---- what is recorded ----

evaluate --length 512,256 --method none,yarn --into "$work/whole" --json
cp "$work/stdout" "$work/printed.json"
runs "$LONGROPE" show "$work/whole" --json
recorded='[.lengths[] | {length, method: .label, scale, attention_factor, start_tokens, factors, samples, tokens, nll,
    perplexity, seconds, dtype, kernels, angles}] | sort_by(.length, .method)'
jq -S "$recorded" "$work/stdout" >"$work/recorded"
jq -S '[.results[] | del(.documents, .reused, .own_attention_factor)] | sort_by(.length, .method)' "$work/printed.json" |
    diff "$work/recorded" - >&2 || fail "what is recorded is not what was printed"
holds "all(.lengths[]; .model == \"$model\" and .stride == null)"

# Again is in its place; a label is another row; a factor file's table has its name.
beginnings
evaluate --length 256 --method none --stride 128 --into "$work/whole"
whole_documents
evaluate --length 512 --method none --label 'none, again' --into "$work/whole"
evaluate --length 512 --factors "$work/whole/factors.json" --into "$work/whole"
runs "$LONGROPE" show "$work/whole" --json
holds '[.lengths[] | [.label, .length, .stride]] == [["none", 256, 128], ["none", 512, null], ["yarn", 256, null],
    ["yarn", 512, null], ["none, again", 512, null], ["extend-2k", 512, null]]'
runs "$LONGROPE" show "$work/whole"
says "perplexity by length in tokens"

# ---- beside a search ----

# measured RUN: the same as many times as it is asked.
measured() {
    "$LONGROPE" eval --model "$model" --text "$document" --length 64,128 --method none,pi --into "$1" >/dev/null 2>&1
}

runs tiny_search "$work/left-alone" --set search.iterations=20
start_search "$work/beside" --set search.iterations=20
wait_for_evaluations "$work/beside" 1
during=0
while [ "$during" -lt 4 ]; do
    measured "$work/beside" || fail "nothing can be recorded beside a search"
    during=$((during + 1))
done
kill -KILL "$background" 2>/dev/null || fail "the search was over before it was killed"
end_search
measured "$work/beside" || fail "nothing can be recorded after a kill"
start_search "$work/beside" --set search.iterations=20 --resume
measured "$work/beside" || fail "nothing can be recorded while a search begins again"
end_search
[ "$status" = 0 ] || fail "the search does not go on: $(cat "$work/background.err")"
runs "$LONGROPE" show "$work/beside" --json
holds '(.lengths | length) == 4 and .state == "done"'
for run in left-alone beside; do sqlite3 "$work/$run/run.db" "DELETE FROM lengths"; done
same_runs "$work/left-alone" "$work/beside"

# ---- what is refused ----

refused() {
    words=$1
    shift
    fails_with 2 "$words" "$LONGROPE" eval --model "$model" --text "$document" --length 256 "$@"
}
refused "--label requires --into" --method none --label x
refused "--label requires a single --method" --method none,pi --label x --into "$work/whole"
refused "--label: the value is empty" --method none --label '' --into "$work/whole"
refused "holds no run (no run.db); check the path" --method none --into "$work"

echo "sweep: passed"
