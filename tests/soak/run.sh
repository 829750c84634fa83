#!/bin/sh
# A soak: random small searches on the demo model, each once undisturbed, and once killed, stopped by signals and by full
# disks at random instants, resumed each time on other threads and ranks. The two databases hold the same, but for times,
# and no disturbance loses what was stored. The first difference, loss or unexpected exit status ends it.
#   sh tests/soak/run.sh HOURS [SEED]   HOURS by the clock: such as 0.01 or 8; 0 is one configuration
#   LONGROPE: the program (build/release/longrope)   TMPDIR: where it works, and keeps what failed
# Configuration N has the seed SEED + N - 1, which each line says: `run.sh 0 SEED` repeats its configuration and the kinds of
# its disturbances. The instants depend on the machine, too.
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
LONGROPE=${LONGROPE:-$SOURCE/build/release/longrope}
export SOURCE LONGROPE OMP_WAIT_POLICY=passive
hours=${1:?sh tests/soak/run.sh HOURS [SEED]}
first_seed=${2:-$(($(date +%s) % 1000000 * 1000))}
config_seed=$first_seed configurations=0 kills=0 hangs=0 signals=0 disks=0 stages_of_all=0
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
started=$(now)
processors=$(getconf _NPROCESSORS_ONLN)

most_ranks=1
if ldd "$LONGROPE" | grep -q libmpi && use_mpirun; then most_ranks=3; fi

# ---- the folder of the runs ----

mkdir "$work/disk"
limit_disk() { mount -o "remount,size=$1" "$work/disk"; }
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=512m tmpfs "$work/disk" 2>/dev/null; then mounted=$work/disk; fi

# $elapsed: seconds by the clock. $computed: those of processors, of all that this shell has waited for: undisturbed and
# disturbed searches, killed ones too, and the commands that compare them. Small searches mostly start, wait for the disk
# and for each other, and are waited for, so it is far less than the processors could do.
measure_times() {
    times >"$work/times" # its second line is of children
    elapsed=$(calculate "$(now) - $started")
    computed=$(awk -F '[ms ]+' 'NR == 2 { print $1 * 60 + $2 + $3 * 60 + $4 }' "$work/times")
}

summary() {
    measure_times
    echo "soak: $1: $configurations configurations of $stages_of_all stages, $kills kills, $signals signals," \
        "$disks full disks, $hangs times an mpirun without ranks, in $(printf '%.4f hours by the clock, with %.4f hours of processor time (%.0f %% of %s processors)' \
            "$(calculate "$elapsed / 3600")" "$(calculate "$computed / 3600")" \
            "$(calculate "100 * $computed / $elapsed / $processors")" "$processors")"
}

# What failed is kept, and nothing else.
keep() {
    code=$?
    if [ "$code" = 1 ]; then
        kept=$(mktemp -d "${TMPDIR:-/tmp}/longrope-soak.XXXXXX")
        cp -r "$work"/*.yaml "$work"/tune.sh "$work"/background.* "$work"/dump.* "$work/log" "$work/whole" "$work/disk/run" "$kept/" \
            2>/dev/null || true
        summary FAILED
        echo "soak: FAILED with seed $config_seed; the configuration, both runs and a log are kept in $kept" >&2
    fi
    clean_up
}
trap keep EXIT

# ---- a random configuration ----

# one_of WORD...: $word is one of them.
one_of() {
    random $#
    shift "$value"
    word=$1
}
# between LOW HIGH: $value is one of them.
between() {
    random $(($2 - $1 + 1))
    value=$((value + $1))
}
# setting KEY: VALUE, appended to the stage's search.
setting() { search="$search${search:+, }$*"; }

# genetic: the numbers of an algorithm with parents and children.
genetic() {
    between 2 8
    population=$value
    between 2 "$population"
    parents=$value
    between 1 3
    mutations=$value
    random 4
    crossovers=$value
    random 4
    setting "population: $population, parents: $parents, mutations: $mutations, crossovers: $crossovers, iterations: $value"
}

# stage NAME KIND: the YAML of a stage.
stage() {
    search=
    algorithms="paper microsoft cma-es bayesian"
    [ "$2" = recover ] || algorithms="$algorithms longrope2"
    # shellcheck disable=SC2086 # words
    one_of $algorithms
    algorithm=$word
    setting "algorithm: $algorithm"
    case $algorithm in
    bayesian)
        between 1 3
        setting "population: $value"
        between 1 6
        setting "evaluations: $value"
        ;;
    cma-es)
        between 3 6
        setting "population: $value, parents: 2"
        random 4
        setting "iterations: $value"
        ;;
    *) genetic ;;
    esac
    if [ "$algorithm" != bayesian ]; then # a limit, which may fall into a generation
        one_of 0 0 3 7
        setting "evaluations: $word"
        one_of all all 1 2
        setting "first_windows: $word"
    fi
    one_of none none theoretical searched
    [ "$2" = extend ] || word=none
    [ "$algorithm" != longrope2 ] || word=searched
    critical=$word
    [ "$critical" = none ] || setting "critical_pair: $critical"
    one_of all 2 4 8 16
    case $critical/$algorithm/$word in
    */bayesian/all) word=8 ;;
    none/* | */bayesian/* | */cma-es/*) ;;
    *) word=all ;;
    esac
    setting "knots: $word"
    one_of "[0]" "[0, 4]" "[0, 1, 2, 8, 64]"
    setting "start_tokens: $word"
    one_of none bound statistical blocks
    setting "racing: $word"
    case $word in statistical | blocks) setting "racing_risk: 0.3" ;; esac
    random 1000
    setting "seed: $value"
    if [ "$2" = recover ]; then
        between 100 256
        setting "lambda_max: 2"
    else
        between 300 700
    fi
    printf '  - {name: %s, kind: %s, target_length: %s' "$1" "$2" "$value"
    one_of longrope yarn none search 1.1
    printf ', attention_factor: %s' "$word"
    between 1 4
    printf ', data: {text: ["%s"], tokenizer: bytes, samples: %s}' "$corpus/*.txt" "$value"
    one_of perplexity perplexity needle
    printf ', objective: %s' "$word"
    [ "$word" != needle ] || printf ', needle: {prompt: demo, digits: 4}'
    printf ',\n     search: {%s}' "$search"
}

# Writes $work/soak.yaml; $what names it in a few words.
write_configuration() {
    between 1 3
    stages=$value
    one_of f32 f32 bf16
    printf 'name: soak\nmodel: %s\ndtype: %s\nstages:\n' "$model" "$word" >"$work/soak.yaml"
    what=$word
    random 3
    tuned=$value # 0: a model is fine-tuned with the first table
    number=0
    while [ "$number" -lt "$stages" ]; do
        number=$((number + 1))
        kind=extend
        [ "$number" = 1 ] || one_of extend recover
        [ "$number" = 1 ] || kind=$word
        stage "stage$number" "$kind" >"$work/stage" # in this shell: it draws
        {
            cat "$work/stage"
            if [ "$stages" -gt 1 ] && [ "$tuned" = 0 ]; then
                if [ "$number" = 1 ]; then
                    printf ', finetune: {command: sh %s}' "$work/tune.sh"
                else
                    printf ', base: stage1'
                fi
            fi
            printf '}\n'
        } >>"$work/soak.yaml"
        what="$what $kind/$algorithm"
    done
    [ "$stages" = 1 ] || [ "$tuned" != 0 ] || what="$what, fine-tuned"
}
quick_tuning >"$work/tune.sh"

# ---- a search that is disturbed ----

# search command|exec RANKS THREADS RUN: exec in a process of its own.
search() {
    how=$1 ranks=$2
    set -- "$LONGROPE" search "$work/soak.yaml" --threads "$3" --resume -o "$4"
    [ "$ranks" = 1 ] || set -- mpirun -n "$ranks" "$@"
    "$how" "$@"
}

# begin BLOCKS: in the background, on a random number of ranks and threads. BLOCKS limits the size of files; 0 does not.
begin() {
    between 1 "$most_ranks"
    ranks=$value
    [ "$1" = 0 ] || ranks=1 # mpirun's own files are larger
    between 1 2
    before=$(held "$work/disk/run")
    echo "-- $ranks ranks of $value threads, at most $1 blocks, $before" >>"$work/log"
    (
        [ "$1" = 0 ] || ulimit -f "$1"
        search exec "$ranks" "$value" "$work/disk/run"
    ) >"$work/background.out" 2>"$work/background.err" &
    background=$!
}

# Sleeps a random part of the time that the undisturbed search took: at most 0.6, 0.3 or 0.1 of it.
pause() {
    random 1000
    part=$value
    one_of 0.6 0.3 0.1
    sleep "$(calculate "$part / 1000 * $seconds * $word")"
}

# is_over PROCESS: it has ended, or is a zombie.
is_over() { ! grep -q '^State:.*[^Z] (' "/proc/$1/status" 2>/dev/null; }

# catches PROCESS: it has longrope's handlers; SIGPIPE, number 13, is caught last.
catches() {
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [ $((0x${caught:-0} & 0x1000)) != 0 ]
}

# victims: $processes become those of the search, $background itself or what its mpirun has started so far.
victims() {
    processes=$background
    [ "$ranks" = 1 ] || processes=$(for process in $(children "$background"); do
        [ -z "$(rank_of "$process")" ] || echo "$process" # what is not longrope yet is mpirun, which dies of its own
    done)
}

send() {
    [ -z "$1" ] || kill "-$2" "$1" 2>/dev/null || true
}

# has_ranks: one at least runs.
has_ranks() {
    victims
    for process in $processes; do is_over "$process" || return 0; done
    return 1
}

# ends STATUS...: the search ends with 0 or one of these, within five minutes, and nothing of it is left or lost. An mpirun
# that waits for nobody is killed after a minute, which is right after SIGKILL alone: it can lose the end of a rank that was
# killed while it connected (configs/cluster/README.md, Lost ranks).
ends() {
    victims
    started_ranks=$processes patience=3000 alone=0
    until is_over "$background"; do
        patience=$((patience - 1))
        [ "$patience" -gt 0 ] || fail "$disturbance: the search does not end"
        if [ "$ranks" -gt 1 ] && [ $((patience % 10)) = 0 ]; then
            alone=$((alone + 1))
            ! has_ranks || alone=0
            [ "$alone" != 60 ] || { hangs=$((hangs + 1)) && send "$background" KILL; }
        fi
        sleep 0.1
    done
    processes=$started_ranks
    end_search
    cp "$work/background.out" "$work/stdout"
    cp "$work/background.err" "$work/stderr"
    # shellcheck disable=SC2086 # numbers
    [ "$ranks" = 1 ] || all_end $processes
    cat "$work/background.err" >>"$work/log"
    echo "-- $disturbance: status $status" >>"$work/log"
    case " 0 $* " in
    *" $status "*) ;;
    *) fail "exit status $status after $disturbance" ;;
    esac
    loses_nothing "$before" "$(held "$work/disk/run")" "$disturbance"
}

says_how_to_go_on() {
    grep '^longrope: ' "$work/background.err" | tail -n 1 | grep -Eq "$1" ||
        fail "$disturbance: it does not say '$1': $(tail -n 1 "$work/background.err")"
}

kill_it() {
    begin 0
    disturbance="SIGKILL on $ranks ranks"
    pause
    victims
    random 3 # all, the first or the last
    # shellcheck disable=SC2086 # numbers
    case $value in
    0) ;;
    1) processes=${processes%%[!0-9]*} ;;
    2) processes=${processes##*[!0-9]} ;;
    esac
    for process in $processes; do send "$process" KILL; done
    ends 137
    [ "$status" = 0 ] || kills=$((kills + 1))
}

signal_it() {
    begin 0
    one_of INT TERM QUIT HUP USR1 USR2 XCPU ALRM PIPE
    disturbance="SIG$word on $ranks ranks"
    signal=$word
    pause
    victims
    if random 2 && [ "$value" = 0 ]; then process=${processes%%[!0-9]*}; else process=${processes##*[!0-9]}; fi
    until [ -z "$process" ] || catches "$process" || is_over "$process"; do sleep 0.02; done
    send "$process" "$signal"
    ends 75
    [ "$status" = 0 ] || {
        signals=$((signals + 1))
        # A rank that loads a model ends silently, and mpirun sends the others SIGTERM.
        [ "$ranks" = 1 ] || signal="($signal|TERM)"
        says_how_to_go_on "^longrope: stopped by SIG${signal}[; ].*--resume"
    }
}

# The fine-tuning may be what fails.
full="its fine-tuning command (failed|ended with status 0, but not with a model)|the disk is full|No space left on device|exceeds the limit on the size of files|File too large"

# The disk has room for little more than what is on it.
fill_disk() {
    random 160
    room=$value
    limit_disk "$(($(df -k --output=used "$work/disk" | tail -n 1) + 4 + room))k" || fail "the disk cannot be limited"
    begin 0
    disturbance="a full disk on $ranks ranks"
    ends 1
    limit_disk 512m
    [ "$status" = 0 ] || {
        disks=$((disks + 1))
        says_how_to_go_on "$full"
    }
}

# No file may become larger than the largest one that the run has, or little more.
limit_files() {
    largest=$(find "$work/disk" -name '*.db*' -size +0 -exec wc -c {} + 2>/dev/null | awk '$2 != "total" && $1 > m { m = $1 } END { print m + 0 }')
    random 160
    begin $((largest / 512 + 2 * value + 80))
    disturbance="a limit on files"
    ends 1
    [ "$status" = 0 ] || {
        disks=$((disks + 1))
        says_how_to_go_on "$full"
    }
}

# disturbed MOST: until the search ends, undisturbed after so many disturbances.
disturbed() {
    left=$1
    status=1
    while [ "$status" != 0 ]; do
        if [ "$left" = 0 ]; then
            begin 0
            disturbance="the last resume"
            ends
            break
        fi
        left=$((left - 1))
        one_of kill_it kill_it signal_it signal_it fill_disk limit_files
        [ "$word" != fill_disk ] || [ -n "$mounted" ] || word=limit_files
        $word
    done
}

# ---- the soak ----

until=$(calculate "$started + 3600 * $hours")
echo "soak: $hours hours from seed $first_seed, on 1 to $most_ranks ranks"
while [ "$configurations" = 0 ] || awk "BEGIN { exit !($(now) < $until) }"; do
    config_seed=$((first_seed + configurations))
    seed=$config_seed
    random 2 && random 2 # seeds that follow each other begin alike
    rm -rf "$work/whole" "$work/disk/run" "$work/log"
    write_configuration
    before_it="$kills $signals $disks"
    began=$(now)
    runs search command 1 2 "$work/whole"
    seconds=$(calculate "$(now) - $began")
    between 2 7
    disturbed "$value"
    same_runs "$work/whole" "$work/disk/run"
    configurations=$((configurations + 1))
    stages_of_all=$((stages_of_all + stages))
    # shellcheck disable=SC2086 # three numbers
    set -- $before_it
    printf 'soak: seed %s: %s: %.1f s, %s kills, %s signals, %s full disks: the same\n' "$config_seed" "$what" "$seconds" \
        $((kills - $1)) $((signals - $2)) $((disks - $3))
done
measure_times
awk "BEGIN { exit !($elapsed >= 3600 * $hours && $computed > 0 && $computed <= $elapsed * $processors) }" ||
    fail "the soak took $elapsed s and $computed s of processor time, which cannot be for $hours hours"
summary "passed, 0 differences"
