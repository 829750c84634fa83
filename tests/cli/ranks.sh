#!/bin/sh
# One search on several ranks that mpirun starts: the database is that of one process, whatever the number of ranks, also
# if they are stopped, killed and gone on with by others. And what is refused: ranks that are not alike.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

write_ranks_search ranks 1 300

# Open MPI frees little when it ends, in modules that are unloaded by then, so that no suppression could name them.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

# ---- without mpirun ----

# Something says that there are two processes, and there is one.
fails_with 2 "" env PMI_SIZE=2 PMI_RANK=0 "$LONGROPE" search "$work/search.yaml" -o "$work/lonely"
[ ! -e "$work/lonely" ] || fail "a process of several that are not there begins a run"
if grep -q "was built without MPI; start a single one" "$work/stderr"; then
    echo "ranks: this longrope was built without MPI; it says so, and the rest is skipped"
    exit 77
fi
grep -q "a launcher started 2 processes, and MPI knows of one" "$work/stderr" || fail "it does not say what is wrong"
runs env PMI_SIZE=2 PMI_RANK=1 "$LONGROPE" search "$work/search.yaml" --dry-run
[ ! -s "$work/stdout" ] || fail "rank 1 prints a dry run"

use_mpirun || {
    echo "ranks: Open MPI's mpirun is not installed (Debian package openmpi-bin)"
    exit 77
}

# ---- helpers ----

query() { sqlite3 "$work/$1/run.db" "$2"; }

# search_in CONFIGURATION RANKS RUN ARGUMENT...: one thread per rank; 0: without mpirun.
search_in() (
    configuration=$1
    ranks=$2
    folder=$3
    shift 3
    set -- "$LONGROPE" search "$work/$configuration.yaml" -o "$work/$folder" --threads 1 "$@"
    [ "$ranks" = 0 ] || set -- mpirun -n "$ranks" "$@"
    "$@"
)
search() { search_in search "$@"; }

# The number of windows that were not in the cache does not depend on the ranks either.
same_searches() {
    same_runs "$work/$1" "$work/$2"
    [ "$(query "$1" 'SELECT group_concat(computed) FROM individuals')" = \
        "$(query "$2" 'SELECT group_concat(computed) FROM individuals')" ] ||
        fail "$1 and $2 count other windows as computed"
}

# says_error WORDS: a line of longrope's on stderr, beside what mpirun says.
says_error() {
    grep '^longrope: ' "$work/stderr" | grep -qF -e "$1" || fail "stderr does not say '$1'"
    [ "$(grep -c '^longrope: ' "$work/stderr")" = 1 ] || fail "more than one rank speaks"
}

# ---- any number of ranks ----

runs search 0 alone
stopped=$(query alone 'SELECT sum(stopped) FROM individuals')
[ "$stopped" -gt 0 ] || fail "nothing was stopped; this test is to show something"
cp "$work/stdout" "$work/table"
for ranks in 1 2 3 8; do
    runs search "$ranks" "ranks$ranks"
    same_searches alone "ranks$ranks"
    grep -vE ' tokens/s; |^  on [0-9]+ ranks, |^    rank [0-9]+ on host ' "$work/stdout" >"$work/printed"
    grep -v ' tokens/s; ' "$work/table" | cmp -s - "$work/printed" || fail "$ranks ranks print another table"
    [ "$ranks" = 1 ] || grep -q "one search on $ranks ranks" "$work/stderr" || fail "it does not say that there are $ranks"
done

# What the ranks did. Windows in vain are among those that they computed.
runs "$LONGROPE" show "$work/ranks3" --json
holds ".stages[0].ranks | map(.rank) == [0, 1, 2] and all(.host == \"$(uname -n)\" and .seconds > 0 and .idle >= 0 and
    .idle < 1)"
holds ".stages[0] | (.ranks | map(.units) | add) >= $(query ranks3 'SELECT (SELECT sum(computed) FROM individuals) +
    (SELECT sum(computed) FROM baselines)')"
runs "$LONGROPE" show "$work/ranks3"
says "on 3 ranks, "
says "rank 2 on host $(uname -n): "
runs "$LONGROPE" report "$work/ranks3" -o "$work/ranks3.html"
grep -q '<dt>Ranks</dt>' "$work/ranks3.html" || fail "the report does not say how busy ranks were"
runs "$LONGROPE" show "$work/alone" --json
holds '.stages[0].ranks == []'

sed 's/^search: .*/search: {algorithm: bayesian, population: 4, evaluations: 6, start_tokens: [0, 4]}/; /racing: blocks/d' \
    "$work/search.yaml" >"$work/bayesian.yaml"
for ranks in 0 2 3; do
    runs search_in bayesian "$ranks" "bayesian$ranks"
    same_searches bayesian0 "bayesian$ranks"
done

# ---- what a dry run says of two ranks, and what they do ----

# Three windows of one length in each generation, for two ranks: a quarter of their time is idle, but for the first
# generation, which follows the five baselines without a gap.
cat >"$work/planned.yaml" <<YAML
name: planned
model: $model
dtype: f32
data: {text: [$document], tokenizer: bytes, samples: 1, held_out: 0}
search: {algorithm: paper, population: 3, mutations: 2, crossovers: 1, parents: 2, iterations: 8, start_tokens: [0],
         racing: none}
stages:
  - {name: only, target_length: 640}
YAML
runs "$LONGROPE" search "$work/planned.yaml" --dry-run --rate 10 --ranks 2 --json
planned=$(jq '.ranks.planned[0].idle' "$work/stdout")
[ "$(jq '.ranks.planned[0].windows' "$work/stdout")" = 32 ] || fail "other windows are planned"
awk "BEGIN { exit !($planned > 0.18 && $planned < 0.24) }" || fail "two ranks are said to be idle for $planned of the time"
LONGROPE_TRACE=ranks
export LONGROPE_TRACE
runs search_in planned 2 planned
unset LONGROPE_TRACE
# Rounds that the windows took: of those that were under way together, as many as the busier rank computed. Seconds would
# depend on what else the machine does.
idle=$(awk '/ within the old window of / { exit }
    /gets unit/ { under++; units++; n[$5]++ }
    /is scored$/ && --under == 0 { rounds += n["0:"] > n["1:"] ? n["0:"] : n["1:"]; delete n }
    END { print 1 - units / (2 * rounds) }' "$work/stderr")
awk "BEGIN { exit !($idle > $planned - 0.05 && $idle < $planned + 0.05) }" ||
    fail "the windows of two ranks leave $idle of the time idle; a dry run says $planned"
sed '1,/ within the old window of /d' "$work/stderr" | grep -q 'worker 1: gets unit' || fail "the old window is for rank 0 alone"
runs "$LONGROPE" show "$work/planned" --json
holds '.stages[0].ranks | (map(.units) | add == 32) and all(.units >= 9)' # one per generation at least
holds '.stages[0].ranks | map(.idle) | add / 2 | . > 0.02 and . < 0.45'

# ---- ranks that are stopped and killed ----

# Longer windows, so that there is time. Each rank's exit status goes to a file.
long="--set stages.0.target_length=640"
# shellcheck disable=SC2086 # words
runs search 0 whole $long

scores() { rows "$work/$1/scores.db" scores; }

# start COMMAND...: on three ranks, in the background, until it has scored some windows of $run, and has more to do. The
# processes that mpirun starts are in files.
start() {
    before=$(scores "$run")
    mpirun -n 3 "$@" >"$work/background.out" 2>"$work/background.err" &
    background=$!
    wait_for_rows "$work/$run/scores.db" scores $((before + 4))
    rm -f "$work"/pid.*
    for process in $(children "$background"); do
        rank=$(tr '\0' '\n' <"/proc/$process/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
        echo "$process" >"$work/pid.$rank"
    done
}

# send SIGNAL RANK: the job ends within ten seconds, and leaves no process; its exit status goes to $status.
send() {
    kept=$(scores "$run")
    began=$(now)
    kill "-$1" "$(cat "$work/pid.$2")" || fail "rank $2 is over"
    end_search
    awk "BEGIN { exit !($(now) - $began < 10) }" || fail "SIG$1 to rank $2 took longer than 10 seconds"
    for file in "$work"/pid.*; do # mpirun does not wait for what it kills
        patience=100
        while kill -0 "$(cat "$file")" 2>/dev/null; do
            patience=$((patience - 1))
            [ "$patience" -gt 0 ] || fail "SIG$1 to rank $2 leaves the process of ${file#"$work"/}"
            sleep 0.1
        done
    done
    [ "$(scores "$run")" -ge "$kept" ] || fail "SIG$1 to rank $2 lost windows"
    cp "$work/background.err" "$work/stderr"
}

run=stopped
# shellcheck disable=SC2086 # words
set -- "$LONGROPE" search "$work/search.yaml" -o "$work/stopped" --threads 1 $long --resume
start "$@"
send TERM 2
[ "$status" = 75 ] || fail "SIGTERM to a rank: mpirun ends with $status"
says_error "stopped by SIGTERM; everything scored is saved in $work/stopped; resume with --resume"

# The exit status of each rank: mpirun is told to leave it to them to end, and has no status of theirs then.
# shellcheck disable=SC2016 # the ranks expand it
note='file=$1.$OMPI_COMM_WORLD_RANK; shift; "$@" && status=0 || status=$?; echo $status >"$file"'
export OMPI_MCA_orte_abort_on_non_zero_status=0
for victim in 0 1; do
    start sh -c "$note" sh "$work/status" "$@"
    # the processes of the ranks are children of shells
    for file in "$work"/pid.*; do
        shell=$(cat "$file")
        children "$shell" >"$file"
    done
    send TERM "$victim"
    says_error "stopped by SIGTERM; everything scored is saved in $work/stopped; resume with --resume"
    [ "$(cat "$work"/status.*)" = "$(printf '75\n75\n75')" ] ||
        fail "SIGTERM to rank $victim: the ranks end with $(cat "$work"/status.*)"
    rm "$work"/status.*
done
unset OMPI_MCA_orte_abort_on_non_zero_status
# shellcheck disable=SC2086 # words
runs search 2 stopped $long --resume
same_runs "$work/whole" "$work/stopped"
[ "$(query stopped 'SELECT count(*) FROM ranks')" = 3 ] || fail "what ranks did is not kept over starts"

# While rank 0 waits for a rank that has not said what it computes with: this one is about to say on a full pipe that
# there are two of them.
mkfifo "$work/pipe"
# shellcheck disable=SC2016 # the ranks expand it
mpirun -n 1 sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$work/pid" "$LONGROPE" search "$work/search.yaml" -o "$work/early" : \
    -n 1 sh -c 'exec 2<>"$1"; head -c 65536 /dev/zero >&2; shift; exec "$@"' sh "$work/pipe" \
    env LONGROPE_TRACE=ranks "$LONGROPE" search "$work/search.yaml" -o "$work/early" \
    >"$work/background.out" 2>"$work/stderr" &
background=$!
wait_until "the beginning of a run" [ -s "$work/early/scores.db" ]
sleep 0.2
kill -TERM "$(cat "$work/pid")"
end_search
[ "$status" = 75 ] || fail "SIGTERM while ranks meet: mpirun ends with $status"
says_error "stopped by SIGTERM; everything scored is saved in $work/early; resume with --resume"

run=killed
# shellcheck disable=SC2086 # words
set -- "$LONGROPE" search "$work/search.yaml" -o "$work/killed" --threads 1 $long --resume
for victim in 1 0; do
    start "$@"
    send KILL "$victim"
    [ "$status" != 0 ] || fail "SIGKILL to rank $victim: exit status 0"
done
# shellcheck disable=SC2086 # words
runs search 0 killed $long --resume
same_runs "$work/whole" "$work/killed"

# ---- ranks that are not alike ----

# mpi_fails STATUS WORDS COMMAND...
mpi_fails() {
    expected=$1
    words=$2
    shift 2
    try "$@"
    [ "$status" = "$expected" ] || fail "exit status $status where $expected is due: $*"
    says_error "$words"
}

host=$(uname -n)
set -- "$LONGROPE" search "$work/search.yaml" -o "$work/refused"
mpi_fails 2 "rank 1 on host $host would compute with kernels reference (f32), and rank 0 with " \
    mpirun -n 1 "$@" : -n 1 env LONGROPE_KERNELS=reference "$@"
grep -qE 'set LONGROPE_KERNELS=[a-z0-9]+ for all ranks' "$work/stderr" || fail "it does not say which kernels all have"
mpi_fails 2 "rank 2 on host $host was started with 'search $work/search.yaml -o $work/other'" \
    mpirun -n 2 "$@" : -n 1 "$LONGROPE" search "$work/search.yaml" -o "$work/other"
mpi_fails 2 "no-such.yaml: " mpirun -n 2 "$LONGROPE" search "$work/no-such.yaml" -o "$work/other"
[ ! -e "$work/other" ] || fail "a rank begins a run of its own"

# Each rank in a folder of its own, in which it sees the same paths.
sed "s|^model: .*|model: /proc/self/cwd/model|; s|text: .*txt.,|text: [/proc/self/cwd/text/*.txt],|" \
    "$work/search.yaml" >"$work/places.yaml"
for rank in 0 1; do
    mkdir -p "$work/places/$rank/model" "$work/places/$rank/text"
    cp "$model"/* "$work/places/$rank/model"
    cp "$corpus"/*.txt "$work/places/$rank/text"
done
# shellcheck disable=SC2016 # the ranks expand it
set -- mpirun -n 2 sh -c 'cd "$1/$OMPI_COMM_WORLD_RANK" && shift && exec "$@"' sh "$work/places" \
    "$LONGROPE" search "$work/places.yaml" -o "$work/placed" --resume --threads 1
runs "$@"
cmp -s "$work/alone/factors.json" "$work/placed/factors.json" || fail "the same files elsewhere give another table"
rm -r "$work/placed"
echo >>"$work/places/1/model/config.json"
mpi_fails 2 "rank 1 on host $host has loaded another model (weights or config.json) than rank 0 on host $host" "$@"
rm "$work/places/1/model/model.safetensors"
mpi_fails 2 "rank 1 on host $host: /proc/self/cwd/model: holds no weights (model.safetensors)" "$@"
cp "$model"/* "$work/places/1/model"
for file in "$work/places/1/text"/*; do tr a b <"$file" >"$work/changed" && mv "$work/changed" "$file"; done
mpi_fails 2 "rank 1 on host $host has loaded another text" "$@"

# ---- fine-tuning between two stages ----

# Ranks wait for it. What it starts is none of them.
quick_tuning >"$work/tune.sh"
cat >"$work/recipe.yaml" <<YAML
name: recipe
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 2}
search: {population: 3, evaluations: 2, start_tokens: [0]}
stages:
  - {name: first, target_length: 257, finetune: {command: "! env | grep -E '^(OMPI_COMM_WORLD_|PMIX_RANK)' && sh tune.sh"}}
  - {name: second, target_length: 257, kind: recover, base: first, search: {lambda_max: 2}}
YAML
runs search_in recipe 0 recipe
runs search_in recipe 2 recipe2
same_runs "$work/recipe" "$work/recipe2"

echo "ranks: passed"
