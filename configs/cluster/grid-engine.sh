#!/bin/bash
# One search as a Grid Engine job. At the soft limit of time it gets SIGUSR1 and ends with 99, with which Grid Engine
# queues it again.
#
#     qsub configs/cluster/grid-engine.sh CONFIG.yaml RUN_DIR
#
# `mpi` is a parallel environment that counts cores and fills nodes; its name is your cluster's: qconf -spl.
#$ -N longrope -cwd -V -r y -S /bin/bash
#$ -pe mpi 256
#$ -l s_rt=23:50:00,h_rt=24:00:00
set -eu
# mpirun gives a node up that has not answered for a minute; its own settings are eight minutes.
export OMPI_MCA_oob_tcp_keepalive_time=30 OMPI_MCA_oob_tcp_keepalive_intvl=10 OMPI_MCA_oob_tcp_keepalive_probes=3
# A rank that is killed as it starts leaves mpirun waiting for a lock of PMIx's shared memory; hash has none.
export PMIX_MCA_gds=hash
signalled=
trap 'signalled=yes; kill -USR1 "$search"' USR1
mpirun --map-by ppr:1:node --bind-to none "${LONGROPE:-longrope}" search "$1" -o "$2" --resume &
search=$!
wait "$search" && status=0 || status=$?
while kill -0 "$search" 2>/dev/null; do wait "$search" && status=0 || status=$?; done # the signal ends the wait alone
[ "$status" != 75 ] || [ -z "$signalled" ] || exit 99
exit "$status"
