#!/bin/sh
# Standard output that cannot be written: nothing more is computed, what is stored is kept, and the error says why.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

shallow_model
runs short_search "$work/run"
echo '{"context": "The clock had stopped at", "choices": [" noon", " xqzjv"], "answer": 0}' >"$work/one.jsonl"
cp "$work/one.jsonl" "$work/two.jsonl"

measure() {
    command=$1
    shift
    "$LONGROPE" "$command" --model "$model" --into "$work/run" "$@"
}
evaluate() { measure eval --text "$document" --length 64,128,256,300 --method none,pi "$@"; }
ask() { measure passkey --prompt demo --length 202,230 --method none,pi,ntk,yarn --depths 0 --trials 1 "$@"; }
choose() { measure choice --tasks "$work/one.jsonl" "$work/two.jsonl" --length 64,128 --method none,pi "$@"; }
# Ten minutes, if it were not for the error.
bench() { "$LONGROPE" bench --hidden 64 --heads 4 --layers 1 --vocabulary 300 --length 64 --seconds 100 --threads 1 "$@"; }
tokenize() { "$LONGROPE" tokenize --tokenizer bytes --text "$document" "$second_document" --out "$work/tokens" --force "$@"; }
plan() { "$LONGROPE" search "$one_stage" --dry-run --ranks 1024 --set search.algorithm=paper --set search.iterations=1000 "$@"; }

# stored: how many rows of measurements the run has.
stored() {
    sqlite3 "$work/run/run.db" "SELECT (SELECT count(*) FROM lengths) + (SELECT count(*) FROM pass_keys) +
        (SELECT count(*) FROM choices)"
}

# to OUT COMMAND...: runs it with standard output there.
to() {
    out=$1
    shift
    status=0
    : >"$work/stdout"
    "$@" >>"$out" 2>"$work/stderr" || status=$?
}

# ---- no room from the beginning ----

# full COMMAND...: it ends at once, and stores nothing.
full() {
    before=$(stored)
    began=$(date +%s)
    to /dev/full "$@"
    [ "$status" = 1 ] || fail "exit status $status where standard output is full: $*"
    one_line_with "standard output: could not be written: No space left on device; free space" "$@"
    [ $(($(date +%s) - began)) -lt 60 ] || fail "computes on where standard output is full: $*"
    [ "$(stored)" = "$before" ] || fail "measures on where standard output is full: $*"
}
if [ -c /dev/full ]; then
    for one in evaluate ask choose bench; do
        full "$one"
        full "$one" --json
    done
    full plan
    full tokenize
    [ ! -e "$work/tokens" ] || fail "tokenize writes files where standard output is full"
fi

# ---- no room any more ----

# Two megabytes are enough for run.db, and all but BYTES of them are taken from standard output.
filling() {
    bytes=$1
    shift
    head -c $((2097152 - bytes)) /dev/zero >"$work/filled"
    sqlite3 "$work/run/run.db" 'DELETE FROM lengths; DELETE FROM pass_keys; DELETE FROM choices'
    limited() (ulimit -f 4096 && "$@")
    to "$work/filled" limited "$@"
    [ "$status" = 1 ] || fail "exit status $status where standard output fills up: $*"
    one_line_with "standard output: could not be written: File too large; raise the limit on the size of files" "$@"
    rows=$(stored)
}
# fills BYTES COMMAND...: of its eight rows it measures one more than it prints.
fills() {
    filling "$@"
    shift
    printed=$(tail -c +$((2097152 - bytes + 1)) "$work/filled" | grep -cE '^ +[0-9]+ .*[0-9]$' || true)
    { [ "$rows" -gt 1 ] && [ "$rows" -lt 7 ]; } || fail "stores $rows rows where standard output fills up: $*"
    [ "$rows" -le $((printed + 1)) ] || fail "prints $printed rows and stores $rows: $*"
}
fills 500 evaluate
fills 700 ask
fills 700 choose
filling 3 evaluate --json
[ "$rows" = 8 ] || fail "eval --json does not store what it cannot print: $rows"
filling 0 evaluate --json
[ "$rows" = 0 ] || fail "eval --json measures where the file cannot grow"

# ---- nobody reads ----

# The reader of JSON ends while it is computed: bench and eval say so before they would print it.
mkfifo "$work/pipe"
unread() {
    "$@" >"$work/pipe" 2>"$work/stderr" &
    background=$!
    : <"$work/pipe"
    end_search
    : >"$work/stdout"
    [ "$status" = 75 ] || fail "exit status $status where nobody reads: $*"
    one_line_with "stopped by SIGPIPE; nothing was printed" "$@"
}
unread bench --json
unread evaluate --json --stride 1

echo "standard_output: passed"
