#!/bin/bash
# One search as a PBS job (OpenPBS, PBS Professional), one rank per node. PBS sends no signal ahead of the limit, so the
# script sends it, and submits itself again until the search is done.
#
#     qsub -v CONFIG=$PWD/CONFIG.yaml,RUN=$PWD/RUN_DIR,SCRIPT=$PWD/configs/cluster/pbs.sh configs/cluster/pbs.sh
#
#PBS -N longrope
#PBS -l select=4:ncpus=64:mpiprocs=1:mem=100gb -l place=scatter
#PBS -l walltime=24:00:00
seconds=$((24 * 3600 - 600)) # until the signal: the walltime without ten minutes
set -eu
# mpirun gives a node up that has not answered for a minute; its own settings are eight minutes.
export OMPI_MCA_oob_tcp_keepalive_time=30 OMPI_MCA_oob_tcp_keepalive_intvl=10 OMPI_MCA_oob_tcp_keepalive_probes=3
# A rank that is killed as it starts leaves mpirun waiting for a lock of PMIx's shared memory; hash has none.
export PMIX_MCA_gds=hash
timeout --signal=USR1 "$seconds" mpirun --map-by ppr:1:node --bind-to none "${LONGROPE:-longrope}" search "$CONFIG" \
    -o "$RUN" --resume --threads "$NCPUS" && status=0 || status=$?
[ "$status" != 124 ] || exec qsub -v "CONFIG=$CONFIG,RUN=$RUN,SCRIPT=$SCRIPT" "$SCRIPT" # 124: timeout sent the signal
exit "$status"
