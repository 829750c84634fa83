#!/bin/sh
# configs/cluster/slurm.sh in a Slurm of the test's own, on this machine: submitted, stopped ahead of its time limit,
# requeued and finished, its run is that of a search that nothing interrupts. Takes a minute, most of it waiting.
# Requires root, and the packages slurm-wlm and munge.
#   LONGROPE  the program (build/release/longrope)
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
LONGROPE=${LONGROPE:-$SOURCE/build/release/longrope}
export SOURCE LONGROPE

skip() {
    echo "slurm: skipped: $*"
    exit 77
}
for program in munged slurmctld slurmd sbatch; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
        skip "$program is not installed (Debian packages slurm-wlm and munge)"
done
PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || skip "Slurm's daemons are started as root, and this is another user"
if env PMI_SIZE=2 PMI_RANK=1 "$LONGROPE" search none.yaml 2>&1 | grep -q 'built without MPI'; then
    skip "$LONGROPE was built without MPI"
fi
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

# ---- a Slurm of its own ----

slurm=$work/slurm
mkdir -p "$slurm/state" "$slurm/spool"
host=$(uname -n | cut -d . -f 1)
port=$((20000 + $$ % 10000 * 2))
cat >"$slurm/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmctldPort=$port
SlurmdPort=$((port + 1))
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$slurm/slurm.conf"

# Ends the daemons by the numbers that they wrote, and waits for them.
stop_daemons() {
    scancel --quiet --full --signal=KILL --user=root 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do
        [ -s "$slurm/$daemon.pid" ] || continue
        process=$(cat "$slurm/$daemon.pid")
        kill -TERM "$process" 2>/dev/null || continue
        patience=100
        while kill -0 "$process" 2>/dev/null && [ "$patience" -gt 0 ]; do
            patience=$((patience - 1))
            sleep 0.1
        done
        kill -KILL "$process" 2>/dev/null || true
    done
}
trap 'stop_daemons; clean_up' EXIT

# wait_in_slurm SECONDS WHAT COMMAND...: until the command is true.
wait_in_slurm() {
    patience=$(($1 * 10))
    what=$2
    shift 2
    until "$@" 2>/dev/null; do
        patience=$((patience - 1))
        [ "$patience" -gt 0 ] || {
            tail -n 20 "$slurm"/*.log "$work"/job.out >&2 || true
            squeue >&2 || true
            fail "$what did not come in time"
        }
        sleep 0.1
    done
}

dd if=/dev/urandom of="$slurm/munge.key" bs=128 count=1 2>/dev/null
chmod 400 "$slurm/munge.key"
chmod 755 "$work"
munged --force --socket="$slurm/munge.socket" --key-file="$slurm/munge.key" --pid-file="$slurm/munged.pid" \
    --log-file="$slurm/munged.log" --seed-file="$slurm/munged.seed" >"$slurm/munged.out" 2>&1 || fail "$(cat "$slurm/munged.out")"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
is_idle() { [ "$(sinfo --noheader --format=%T)" = idle ]; }
wait_in_slurm 30 "a node that is idle" is_idle
srun --mpi=list 2>&1 | grep -q pmix || skip "this Slurm has no pmix"

# ---- the search ----

# The first start comes to a fine-tuning that would take minutes.
{
    echo '[ -e waited ] || { touch waited && sleep 600; }'
    quick_tuning
} >"$work/tune.sh"
cat >"$work/search.yaml" <<YAML
name: slurm
model: $model
dtype: f32
data: {text: [$corpus/*.txt], tokenizer: bytes, samples: 3}
search: {algorithm: paper, population: 6, mutations: 3, crossovers: 3, parents: 2, iterations: 1, start_tokens: [0]}
stages:
  - {name: first, target_length: 257, finetune: {command: exec sh tune.sh}}
  - {name: second, target_length: 640, base: first, search: {lambda_max: 8}}
YAML
touch "$work/waited"
runs "$LONGROPE" search "$work/search.yaml" -o "$work/whole"
rm "$work/waited"

# Slurm looks at the limits of time twice a minute: the signal comes within 30 seconds.
job=$(sbatch --parsable --time=1 --signal=B:USR1@50 --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 --mem=800M \
    --output="$work/job.out" "$SOURCE/configs/cluster/slurm.sh" "$work/search.yaml" "$work/run")
starts() { grep -c 'one search on 2 ranks' "$work/job.out"; }
started() { [ "$(starts)" -ge "$1" ]; }
is_pending() { [ "$(squeue --noheader --format=%T --jobs="$job")" = PENDING ]; }
scores() { sqlite3 "$work/run/scores.db" 'SELECT count(*) FROM scores' 2>/dev/null || echo 0; }
more_scores() { [ "$(scores)" -gt "$1" ]; }

# Slurm's daemon of a step can outlive the step by seconds. Until it is gone, a step with the same number cannot bind the
# socket that both would use for PMIx.
no_step_daemon() { ! pgrep -f "slurmstepd: \\[$job\\.0\\]" >/dev/null && ! test -e "$slurm/spool/stepd.slurm.pmix.$job.0"; }

# requeued TIMES: Slurm lets a requeued job wait for two minutes; the test does not, but for a start that slurmd can tell
# from the one before, whose credential it has revoked.
requeued() {
    wait_in_slurm 60 "the job, requeued," is_pending
    [ "$(grep -c 'stopped by SIGUSR1; everything scored is saved' "$work/job.out")" = "$1" ] ||
        fail "the search was not stopped by a signal: $(cat "$work/job.out")"
    wait_in_slurm 60 "the end of the step's daemon" no_step_daemon
    sleep 2
    scontrol update JobId="$job" StartTime=now
    wait_in_slurm 60 "the job's next start" started $(($1 + 1))
}

wait_in_slurm 60 "a fine-tuning" test -e "$work/waited"
wait_in_slurm 60 "the signal of the limit" grep -q 'slurm.sh: the time limit is near; requeued' "$work/job.out"
requeued 1

# The limit again, in the middle of scoring: the signal that Slurm would send, sooner.
kept=$(scores)
wait_in_slurm 60 "a window" more_scores $((kept + 3))
scancel --batch --signal=USR1 "$job"
requeued 2

is_complete() { scontrol show job "$job" | grep -q 'JobState=COMPLETED '; }
wait_in_slurm 60 "the end of the job" is_complete
same_runs "$work/whole" "$work/run"
[ "$(starts)" = 3 ] || fail "the job started $(starts) times"
echo "slurm: passed"
