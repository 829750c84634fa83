#!/bin/sh
# --checkpoint on several ranks that mpirun starts: a window that was killed or stopped on one rank continues on another
# one, of any number of ranks, and the results are those of an undisturbed process, bit for bit.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# Open MPI frees little when it ends, in modules that are unloaded by then, so that no suppression could name them.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
try env PMI_SIZE=2 PMI_RANK=0 "$LONGROPE" eval --model "$model" --text "$document" --length 256 --method none
needs_mpi checkpoint_ranks

folder=$work/checkpoints
host=$(uname -n)

files() { find "$1" -name '*.checkpoint' 2>/dev/null | wc -l; }

# begin COMMAND...: on two ranks, in the background, until checkpoints of two windows are in the folder.
begin() {
    mpirun -n 2 "$LONGROPE" "$@" --threads 1 --checkpoint "$folder" --checkpoint-every 0.01 \
        >"$work/background.out" 2>"$work/background.err" &
    background=$!
    patience=6000
    until [ "$(files "$folder")" -ge 2 ]; do
        patience=$((patience - 1))
        { [ "$patience" -gt 0 ] && kill -0 "$background" 2>/dev/null; } ||
            fail "no two windows have checkpoints: $(tail "$work/background.err")"
        sleep 0.01
    done
}

# end_ranks SIGNAL RANK|all: all end; at least one checkpoint is left.
end_ranks() {
    victims=$(children "$background")
    for process in $victims; do
        rank=$(rank_of "$process")
        [ "$2" != all ] && [ "$2" != "$rank" ] || kill "-$1" "$process" 2>/dev/null || true
    done
    end_search
    # shellcheck disable=SC2086 # numbers
    all_end $victims
    [ "$status" != 0 ] || fail "SIG$1 to rank $2: exit status 0: give it longer windows in this test"
    left=$(files "$folder")
    [ "$left" -ge 1 ] || fail "SIG$1 to rank $2 leaves no checkpoint: $(cat "$work/background.err")"
}

# continued RANKS: the command that ran says which rank went on with a window, and leaves no files in $copy.
continued() {
    who="rank [0-$(($1 - 1))] on host $host: "
    [ "$1" -gt 1 ] || who=
    grep -qE "${who}(continues at |was finished earlier, )" "$work/stderr" || fail "no window continues on $1 ranks"
    [ -z "$(ls "$copy")" ] || fail "files are left: $(ls "$copy")"
}

# ---- a search ----

cat >"$work/search.yaml" <<YAML
name: checkpoints
model: $model
dtype: f32
data: {text: [$document], tokenizer: bytes, samples: 1, held_out: 0}
search: {algorithm: paper, population: 2, mutations: 1, crossovers: 1, parents: 1, iterations: 1, start_tokens: [0],
         racing: none}
stages:
  - {name: only, target_length: 1000}
YAML
search() {
    run=$1
    ranks=$2
    shift 2
    on "$ranks" search "$work/search.yaml" -o "$run" --resume "$@"
}
runs search "$work/whole" 0
for victim in all 1; do
    rm -rf "$work/run" "$folder"
    begin search "$work/search.yaml" -o "$work/run" --resume
    end_ranks KILL "$victim"
    for ranks in 1 3; do
        copy=$work/copy.$ranks
        rm -rf "$copy" "$work/run.$ranks"
        cp -r "$folder" "$copy"
        cp -r "$work/run" "$work/run.$ranks"
        runs search "$work/run.$ranks" "$ranks" --checkpoint "$copy"
        continued "$ranks"
        same_runs "$work/whole" "$work/run.$ranks"
    done
done

# Windows of tables that are given up leave nothing.
write_ranks_search racing 1 300
runs on 0 search "$work/search.yaml" -o "$work/racing"
[ "$(sqlite3 "$work/racing/run.db" 'SELECT sum(stopped) FROM individuals')" -gt 0 ] || fail "nothing was stopped"
copy=$work/raced
runs on 3 search "$work/search.yaml" -o "$work/racing3" --checkpoint "$copy" --checkpoint-every 0
[ -z "$(ls "$copy")" ] || fail "a search leaves files: $(ls "$copy")"
same_runs "$work/racing" "$work/racing3"

# ---- an evaluation ----

result() { jq 'del(.results[].seconds)' "$work/stdout"; }
evaluate="eval --model $model --text $document --length 1400 --samples 3 --method yarn,pi --dtype f32 --json"
# shellcheck disable=SC2086 # words
runs on 0 $evaluate
result >"$work/result"
for signal in KILL TERM; do
    rm -rf "$folder"
    # shellcheck disable=SC2086 # words
    begin $evaluate
    end_ranks "$signal" 1
    if [ "$signal" = TERM ]; then
        [ "$status" = 75 ] || fail "exit status $status after SIGTERM"
        grep -q "nothing was printed; the same command continues at the last checkpoint" "$work/background.err" ||
            fail "it does not say that it continues: $(cat "$work/background.err")"
    fi
    for ranks in 1 3; do
        copy=$work/copy.$ranks
        rm -rf "$copy"
        cp -r "$folder" "$copy"
        # shellcheck disable=SC2086 # words
        runs on "$ranks" $evaluate --checkpoint "$copy"
        continued "$ranks"
        result | cmp -s - "$work/result" || fail "$ranks ranks have another result after SIG$signal"
    done
done

# ---- ranks that are not alike ----

# Each rank in a folder of its own: it has checkpoints of its own.
mkdir -p "$work/places/0" "$work/places/1"
# shellcheck disable=SC2016,SC2086 # the ranks expand it; words
set -- mpirun -n 2 sh -c 'cd "$1/$OMPI_COMM_WORLD_RANK" && shift && exec "$@"' sh "$work/places" \
    "$LONGROPE" $evaluate --threads 1 --checkpoint mine --checkpoint-every 0.01
runs "$@"
result | cmp -s - "$work/result" || fail "folders that are not shared change the result"
[ -z "$(find "$work/places" -type f)" ] || fail "a folder that is not shared holds files"
rm -rf "$work/places/1/mine" # rank 1 makes it with its first window
: >"$work/places/1/mine"
try "$@"
[ "$status" = 2 ] || fail "exit status $status without a folder on rank 1"
grep -q "^longrope: rank 1 on host $host: mine: cannot hold checkpoints: Not a directory; name a folder" "$work/stderr" ||
    fail "it does not say which rank has no folder"
set -- "$LONGROPE" search "$work/search.yaml" -o "$work/refused"
try mpirun -n 1 "$@" --checkpoint "$folder" : -n 1 "$@"
[ "$status" = 2 ] || fail "exit status $status where one rank has checkpoints"
grep -q "^longrope: rank 1 on host $host was started with " "$work/stderr" || fail "a rank without checkpoints is taken"

echo "checkpoint_ranks: passed"
