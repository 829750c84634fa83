# Sourced by the command-line tests. They run the program as its users do, on the demo model, and
# stop at the first thing that is not as it should be. In the environment:
#   LONGROPE  the program
#   SOURCE    the source folder
# $work is a folder of the test's own; it goes when the test ends.
# shellcheck shell=sh disable=SC2034 # what it sets is the tests' to use
set -eu
: "${LONGROPE:?the path of the program}" "${SOURCE:?the source folder}"
LC_ALL=C
export LC_ALL

demo=$SOURCE/configs/demo
model=$demo/model
corpus=$demo/corpus
document=$corpus/on-the-keeping-of-clocks.txt
second_document=$corpus/the-heir-of-thornby-mill.txt

for tool in jq sqlite3; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed: tests/packages.sh names what is"; exit 77; }
done

# ---- the folder ----

work=$(mktemp -d "${TMPDIR:-/tmp}/longrope-test.XXXXXX")
mounted=    # a file system that the test mounted
background= # a process that the test left running

clean_up() {
    [ -z "$background" ] || kill -KILL "$background" 2>/dev/null || true
    [ -z "$mounted" ] || umount "$mounted" || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- running the program ----

fail() {
    echo "FAILED: $*" >&2
    for stream in stdout stderr; do
        [ -s "$work/$stream" ] || continue
        echo "---- $stream of the last command:" >&2
        head -n 40 "$work/$stream" >&2
    done
    exit 1
}

# Runs a command; its output goes to $work/stdout and $work/stderr, its exit status to $status.
try() {
    status=0
    "$@" >"$work/stdout" 2>"$work/stderr" || status=$?
}

# It ends with status 0.
runs() {
    try "$@"
    [ "$status" = 0 ] || fail "exit status $status: $*"
}

# Nothing is on stderr but how far it is, which slow machines come to say.
says_nothing() {
    ! grep -qvE ': [0-9]+/[0-9]+ .* left$' "$work/stderr" || fail "writes to stderr though nothing is wrong"
}

# fails_with STATUS WORDS COMMAND...: with this status, nothing on stdout, and on stderr one line
# that begins with the program's name and contains WORDS.
fails_with() {
    expected=$1
    words=$2
    shift 2
    try "$@"
    [ "$status" = "$expected" ] || fail "exit status $status where $expected is due: $*"
    [ ! -s "$work/stdout" ] || fail "writes to stdout before it fails: $*"
    one_line_with "$words" "$@"
}

# one_line_with WORDS COMMAND...: the same of stderr alone; the command is for the message. eval says before which text it
# computes on.
one_line_with() {
    words=$1
    shift
    [ "$(grep -cvE '^[0-9]+ windows? of [0-9]+ tokens from ' "$work/stderr")" = 1 ] || fail "stderr is not one line: $*"
    grep -q '^longrope: .' "$work/stderr" || fail "stderr does not begin with 'longrope: ': $*"
    grep -qF -e "$words" "$work/stderr" || fail "stderr does not say '$words': $*"
}

# The JSON on stdout makes this filter of jq true.
holds() {
    jq -e "$1" "$work/stdout" >/dev/null || fail "does not hold: $1"
}

# says WORDS: they are on stdout.
says() {
    grep -qF -e "$1" "$work/stdout" || fail "stdout does not say '$1'"
}

# ---- searches ----

# The demo's configuration with its first stage alone.
one_stage=$work/demo.yaml
write_one_stage() {
    sed "/kind: recover/d; s|^model: .*|model: $model|; s|corpus/|$corpus/|" "$demo/demo.yaml" >"$one_stage"
}
write_one_stage

# What follows runs on the first of the demo model's four layers, which costs a quarter. For tests that compare results
# with each other: the perplexities are poor.
shallow_model() {
    mkdir "$work/shallow"
    jq '.num_hidden_layers = 1' "$model/config.json" >"$work/shallow/config.json"
    ln -s "$model/model.safetensors" "$work/shallow/model.safetensors"
    model=$work/shallow
    write_one_stage
}

# A search of 14 evaluations. The first argument is the run folder, the rest goes to the program.
launch= # "exec" where it is to take the shell's place
tiny_search() {
    run=$1
    shift
    $launch "$LONGROPE" search "$one_stage" -o "$run" --set search.population=6 --set search.mutations=2 \
        --set search.crossovers=2 --set search.parents=3 --set search.iterations=2 \
        --set stages.0.target_length=512 --set data.samples=2 "$@"
}

# A search of 4 evaluations on one window, with the same arguments. Later ones take the place of its own.
short_search() {
    short_run=$1
    shift
    tiny_search "$short_run" --set search.population=3 --set search.parents=2 --set search.mutations=1 \
        --set search.crossovers=1 --set search.iterations=1 --set data.samples=1 "$@"
}

# A script that stands for a fine-tuning and takes no time: it copies the weights and writes the table into config.json,
# as configs/finetune/finetune.py does after its training.
quick_tuning() {
    cat <<'SH'
set -e
mkdir -p "$LONGROPE_OUTPUT"
cp "$LONGROPE_MODEL/model.safetensors" "$LONGROPE_OUTPUT"
jq --slurpfile file "$LONGROPE_FACTORS" --argjson length "$LONGROPE_LENGTH" '
    $file[0] as $f | $f.exportable_tables[0] as $t | .max_position_embeddings = $length |
    .rope_scaling = {rope_type: "longrope", long_factor: $t.factors, short_factor: $t.factors,
        factor: $t.scale, attention_factor: $t.attention_factor,
        original_max_position_embeddings: $f.original_length}' "$LONGROPE_MODEL/config.json" >"$LONGROPE_OUTPUT/config.json"
SH
}

# two_stages RUN: a search of two stages, the first on one window, the second on two.
two_stages() {
    mkdir "$work/two-stages"
    cp "$document" "$second_document" "$work/two-stages/"
    ln -s "$model" "$work/two-stages/model"
    cat >"$work/two-stages/two.yaml" <<'YAML'
name: own
model: model
data: {text: ['*.txt'], tokenizer: bytes, samples: 1}
search: {population: 6, mutations: 2, crossovers: 2, parents: 3, iterations: 2, start_tokens: [0, 1, 2]}
stages:
  - {name: first, target_length: 300}
  - {name: second, target_length: 280, data: {text: ['*.txt'], tokenizer: bytes, samples: 2}, search: {seed: 5}}
YAML
    "$LONGROPE" search "$work/two-stages/two.yaml" -o "$1"
}

# copy_run FROM TO [SQL]: with changes.
copy_run() {
    cp -r "$work/$1" "$work/$2"
    [ -z "${3-}" ] || sqlite3 "$work/$2/run.db" "$3" || fail "cannot change the copy $2"
}

# start_search RUN ARGUMENT...: the same as a process of its own, $background.
start_search() {
    (launch="exec" && tiny_search "$@") >"$work/background.out" 2>"$work/background.err" &
    background=$!
}

# wait_until WHAT COMMAND...: until the command is true. The limit is far beyond what a machine takes that is busy with other
# work; a test whose subject is a time measures that.
wait_until() {
    awaited=$1
    shift
    patience=1800
    until "$@" 2>/dev/null; do
        patience=$((patience - 1))
        [ "$patience" -gt 0 ] || fail "$awaited: not within three minutes: $(tail "$work/background.err" 2>/dev/null)"
        sleep 0.1
    done
}

# Waits for it; its exit status goes to $status.
end_search() {
    status=0
    wait "$background" 2>/dev/null || status=$? # the shell would tell that it was killed
    background=
}

# All that a run's database holds but the columns and the tables that depend on interruptions, places, machines and
# ranks, in an order of its own.
dump_run() {
    [ -s "$1/run.db" ] || fail "$1 holds no run.db"
    dumped=$(sqlite3 "$1/run.db" "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('ranks', 'machines')
        ORDER BY name") || fail "$1/run.db cannot be read"
    [ -n "$dumped" ] || fail "$1/run.db has no tables"
    for table in $dumped; do
        columns=$(sqlite3 "$1/run.db" "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ')
            FROM pragma_table_info('$table') WHERE name NOT IN ('computed', 'model') AND name NOT LIKE '%seconds' AND name NOT LIKE '%\\_at' ESCAPE '\\'")
        echo "$table: $columns"
        sqlite3 "$1/run.db" "SELECT $columns FROM \"$table\" ORDER BY 1"
    done
}

# same_runs A B: two finished runs hold the same, and wrote the same factors.
same_runs() {
    dump_run "$1" >"$work/dump.a"
    dump_run "$2" >"$work/dump.b"
    if ! cmp -s "$work/dump.a" "$work/dump.b"; then
        diff "$work/dump.a" "$work/dump.b" | cut -c 1-200 | head -n 20 >&2 || true
        fail "the databases of $1 and $2 differ"
    fi
    cmp -s "$1/factors.json" "$2/factors.json" || fail "the factors.json of $1 and $2 differ"
}

# The evaluations that a run has stored, 0 where there is none yet; reads beside a writer.
evaluations() {
    count=$("$LONGROPE" show "$1" --json 2>/dev/null | jq '.stages[0].evaluations // 0' 2>/dev/null || true)
    echo "${count:-0}"
}

has_evaluations() { [ "$(evaluations "$1")" -ge "$2" ]; }

# wait_for_evaluations RUN COUNT: until it has stored so many.
wait_for_evaluations() { wait_until "$2 individuals in $1" has_evaluations "$@"; }

# rows FILE TABLE: how many it has, 0 where there is no such file or table.
rows() { { [ -s "$1" ] && sqlite3 "$1" "SELECT count(*) FROM $2" 2>/dev/null; } || echo 0; }

has_rows() { [ "$(rows "$1" "$2")" -ge "$3" ]; }

# wait_for_rows FILE TABLE COUNT: until it has so many.
wait_for_rows() { wait_until "$3 rows of $2 in $1" has_rows "$@"; }

# held RUN: the scores of its cache and the individuals of its database. It reads copies: a reader that recovers what a
# kill left would do the work of the search that resumes.
held() {
    rm -rf "$work/held"
    mkdir "$work/held"
    cp "$1"/run.db* "$1"/scores.db* "$work/held/" 2>/dev/null || true
    echo "$(rows "$work/held/scores.db" scores) $(rows "$work/held/run.db" individuals)"
}

# loses_nothing BEFORE AFTER WORDS: of what held() says. WORDS name what happened.
loses_nothing() {
    { [ "${2% *}" -ge "${1% *}" ] && [ "${2#* }" -ge "${1#* }" ]; } ||
        fail "$3: windows and individuals before: $1; after: $2"
}

# individuals_in RUN: how many its database holds; reads a copy.
individuals_in() { held "$1" | cut -d ' ' -f 2; }

# killed KILLS SECONDS RUN ARGUMENT...: runs the test's own `search ARGUMENT... --resume`, which writes to $work/RUN, until it
# is done, with SIGKILL at most KILLS times: when it has stored another individual, and every second time after up
# to so many seconds, wherever that falls. $seed says when.
killed() {
    most=$1
    longest=$2
    killed_run=$work/$3
    shift 3
    kills=0
    kept=0 # of the kills, those that left an individual
    while :; do
        before=$(individuals_in "$killed_run")
        (launch="exec" && search "$@" --resume) >"$work/background.out" 2>"$work/background.err" &
        background=$!
        if [ "$kills" -lt "$most" ] && [ $((kills % 2)) = 0 ]; then
            until [ "$(individuals_in "$killed_run")" -gt "$before" ] || ! kill -0 "$background" 2>/dev/null; do :; done
        elif [ "$kills" -lt "$most" ]; then
            sleep "$(awk -v seed="$((seed + kills))" -v longest="$longest" \
                'BEGIN { srand(seed); printf "%.3f", 0.02 + rand() * longest }')"
        fi
        [ "$kills" -ge "$most" ] || kill -KILL "$background" 2>/dev/null || true
        end_search
        [ "$status" = 137 ] || break
        kills=$((kills + 1))
        [ "$(individuals_in "$killed_run")" = 0 ] || kept=$((kept + 1))
    done
    [ "$status" = 0 ] || fail "exit status $status: $(tail -n 1 "$work/background.err")"
    [ "$kept" -gt 0 ] || fail "no search was killed that had stored an individual"
}

# ---- processes ----

# use_mpirun: whether Open MPI's is installed; it works then also as root, with more ranks than processors, where
# processes may not read each other's memory, and (PMIX_MCA_gds, see configs/cluster/README.md) where a rank is killed as
# it starts.
use_mpirun() {
    mpirun --version 2>/dev/null | grep -q 'Open MPI' || return 1
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none PMIX_MCA_gds=hash
}

# write_ranks_search NAME ITERATIONS LENGTH: $work/search.yaml, a search of enough windows at a time for several ranks,
# with racing that gives windows up.
write_ranks_search() {
    cat >"$work/search.yaml" <<YAML
name: $1
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 3}
search: {algorithm: paper, population: 6, mutations: 3, crossovers: 3, parents: 2, iterations: $2, start_tokens: [0, 4],
         racing: blocks, racing_risk: 0.2}
stages:
  - {name: only, target_length: $3}
YAML
}

# needs_mpi NAME: ends the test as skipped where the program or the machine has no MPI. Before, the test has tried a
# command as one of several processes.
needs_mpi() {
    if grep -q "was built without MPI; start a single one" "$work/stderr"; then
        echo "$1: this longrope was built without MPI; it says so, and the rest is skipped"
        exit 77
    fi
    use_mpirun && return
    echo "$1: Open MPI's mpirun is not installed (Debian package openmpi-bin)"
    exit 77
}

# on RANKS COMMAND...: the program with one thread per rank; 0: without mpirun.
on() (
    ranks=$1
    shift
    set -- "$LONGROPE" "$@" --threads 1
    [ "$ranks" = 0 ] || set -- mpirun -n "$ranks" "$@"
    exec "$@"
)

# children PROCESS: their numbers
children() { grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | sed 's|/proc/||; s|/status||'; }
rank_of() { tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }

# all_end PROCESS...: within a minute; mpirun does not wait for what it kills.
all_end() {
    for process in "$@"; do
        patience=600
        while kill -0 "$process" 2>/dev/null; do
            patience=$((patience - 1))
            [ "$patience" -gt 0 ] || fail "process $process of a search that is over is left"
            sleep 0.1
        done
    done
}

# ---- numbers ----

# random MOST: $value becomes one of 0..MOST-1, the next one of the seed $seed.
random() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    value=$((seed / 65536 % $1))
}

# Seconds since 1970, with a fraction.
now() { date +%s.%N; }

# calculate EXPRESSION: awk's value of it.
calculate() { awk "BEGIN { printf \"%.6f\", $1 }"; }

# write_npy PATH NUMBER...: numpy's format 1.0, 16-bit integers.
write_npy() {
    path=$1
    shift
    header="{'descr': '<i2', 'fortran_order': False, 'shape': ($#,), }"
    {
        printf '\223NUMPY\001\000\166\000%-117s\n' "$header"
        for number in "$@"; do
            # shellcheck disable=SC2059 # octal escapes
            printf "$(printf '\\%03o\\%03o' $((number % 256)) $((number / 256)))"
        done
    } >"$path"
}

# write_tokenizer PATH: a SentencePiece model of single characters: 0 <unk>, 1 <s>, 2 </s>, 3 a blank,
# 4 a, 5 b.
write_tokenizer() {
    {
        # a piece: its text and its type (2 unknown, 3 control, 1 a plain one is not said)
        printf '\012\011\012\005<unk>\030\002'
        printf '\012\007\012\003<s>\030\003'
        printf '\012\010\012\004</s>\030\003'
        printf '\012\005\012\003\342\226\201'
        printf '\012\003\012\001a\012\003\012\001b'
        printf '\022\002\030\004' # trained to be of characters
        printf '\032\002\030\000' # no blank before the text
    } >"$1"
}
