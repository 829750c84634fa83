#!/bin/bash
# One search as a Slurm job on one or several nodes. It is stopped before the time limit, requeued and continued until
# the search is done.
#
#     sbatch --nodes=8 --cpus-per-task=64 --mem=100G configs/cluster/slurm.sh CONFIG.yaml RUN_DIR [OPTION]...
#
# OPTIONs are those of longrope search. Options of sbatch replace the ones below. One rank per NUMA domain instead of one
# per node, on nodes of 64 cores with two domains: --ntasks-per-node=2 --cpus-per-task=32.
#SBATCH --job-name=longrope
#SBATCH --nodes=1 --ntasks-per-node=1 --cpus-per-task=1 --time=24:00:00
#SBATCH --requeue --open-mode=append --signal=B:USR1@600
#   LONGROPE  path of the program (longrope)
#   LAUNCHER  starts one rank per task (srun --mpi=pmix --kill-on-bad-exit=1); for an MPI that Slurm does not know:
#             mpirun --map-by ppr:1:node --bind-to none
set -eu
: "${2:?usage: sbatch [OPTION of sbatch]... slurm.sh CONFIG.yaml RUN_DIR [OPTION of longrope search]...}"
config=$1
run=$2
shift 2
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK" # srun does not take it from sbatch

# mpirun gives a node up that has not answered for a minute; its own settings are eight minutes.
export OMPI_MCA_oob_tcp_keepalive_time=30 OMPI_MCA_oob_tcp_keepalive_intvl=10 OMPI_MCA_oob_tcp_keepalive_probes=3
# A rank that is killed as it starts leaves mpirun waiting for a lock of PMIx's shared memory; hash has none.
export PMIX_MCA_gds=hash

# Slurm sends SIGUSR1 to this script alone (B:). srun and mpirun pass it on to the ranks.
signalled=
search=
trap 'signalled=yes; [ -z "$search" ] || kill -USR1 "$search"' USR1
# shellcheck disable=SC2086 # words
${LAUNCHER-srun --mpi=pmix --kill-on-bad-exit=1} "${LONGROPE:-longrope}" search "$config" -o "$run" --resume "$@" &
search=$!
status=0
wait "$search" || status=$?
# The signal ends the wait, not the search.
while kill -0 "$search" 2>/dev/null; do
    status=0
    wait "$search" || status=$?
done

# Without a signal, 75 says that a stage waits for a model that somebody has to fine-tune.
if [ "$status" = 75 ] && [ -n "$signalled" ]; then
    echo "slurm.sh: the time limit is near; requeued to continue"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
