#!/bin/sh
# measure.sh LONGROPE PYTHON MODEL OUT: measures the tables of OUT/run and the closed forms at 8192, 16384 and 32768
# tokens (or LENGTHS), on three books that no search saw and on pass keys (TRIALS per depth, default 2). Writes
# OUT/unseen and OUT/passkeys, one file per table and length, records perplexities in OUT/run for its report, and prints
# Markdown tables. What has its file already is not measured again.
set -eu
longrope=$1 python=$2 model=$3 out=$4
here=$(dirname "$0")
run=$out/run
LC_ALL=C
export LC_ALL
mkdir -p "$out/unseen" "$out/prompts" "$out/passkeys"

# arguments NAME: what eval takes for a table. Of the run's tables it chooses the one for the length.
arguments() {
    case $1 in
    longrope) echo "--factors $run/factors.json" ;;
    *) echo "--method $1" ;;
    esac
}

# score NAME LENGTH: perplexity on the beginnings of the unseen books, and the nats of each token.
score() {
    file=$out/unseen/$1-$2
    [ ! -s "$file.json" ] || return 0
    # shellcheck disable=SC2046 # a list of words
    "$longrope" eval --model "$model" --length "$2" --json --nats "$file.npy" --force $(arguments "$1") \
        --into "$run" --label "$1" --tokens "$out/tokens/the-count-of-monte-cristo-dumas.npy" \
        "$out/tokens/the-moonstone-collins.npy" "$out/tokens/on-the-origin-of-species-darwin.npy" >"$file.part"
    mv "$file.part" "$file.json"
}

# ask NAME LENGTH DEPTH: pass keys behind DEPTH percent of the text.
ask() {
    file=$out/passkeys/$1-$2-$3
    [ ! -s "$file.json" ] || return 0
    prompts=$("$python" "$here/passkeys.py" make "$model" "$out/prompts" "$2" "$3" "${TRIALS:-2}")
    # shellcheck disable=SC2046,SC2086 # lists of words
    "$longrope" eval --model "$model" --length "$2" --nats "$file.npy" --force $(arguments "$1") --tokens $prompts \
        >/dev/null
    # shellcheck disable=SC2086 # a list of words
    "$python" "$here/passkeys.py" found "$file.npy" $prompts >"$file.part"
    rm "$file.npy"
    mv "$file.part" "$file.json"
}

# Closed forms differ from the unchanged model beyond its window only. What matters most comes first.
for length in ${LENGTHS:-8192 16384 32768}; do
    tables="longrope yarn ntk dynamic-ntk pi none" asked="longrope yarn"
    [ "$length" -gt 8192 ] || tables="longrope none" asked="longrope none"
    for name in $tables; do score "$name" "$length"; done
    for depth in 0 25 50 75 100; do
        for name in $asked; do ask "$name" "$length" "$depth"; done
    done
done
"$longrope" show "$run" --json >"$out/run.json"
"$python" "$here/table.py" "$out"
