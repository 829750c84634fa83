#!/bin/sh
# One search on two hosts: network and UTS namespaces with a cable between them, which mpirun's agent enters as it would
# log in by ssh. The run is that of one process; a host that differs is named; one that dies or whose cable is cut ends the
# job, on both sides, and nothing that was scored is lost. Requires root.
#   LONGROPE  the program (build/release/longrope)
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
LONGROPE=${LONGROPE:-$SOURCE/build/release/longrope}
export SOURCE LONGROPE
skip() {
    echo "hosts: skipped: $*"
    exit 77
}
PATH=$PATH:/usr/sbin:/sbin
command -v ip >/dev/null || skip "ip is not installed (Debian package iproute2)"
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
use_mpirun || skip "Open MPI's mpirun is not installed (Debian package openmpi-bin)"

near=a$$ far=b$$
remove_hosts() {
    for host in "$near" "$far"; do
        for process in $(ip netns pids "$host" 2>/dev/null); do kill -KILL "$process" 2>/dev/null || true; done
        ip netns del "$host" 2>/dev/null || true
    done
}
trap 'remove_hosts; clean_up' EXIT
ip netns add "$near" 2>"$work/stderr" || skip "no network namespaces here: $(cat "$work/stderr")"
ip netns add "$far"
ip link add "$near" netns "$near" type veth peer name "$far" netns "$far"
address=1
for host in "$near" "$far"; do
    ip -n "$host" addr add "10.213.7.$address/24" dev "$host"
    ip -n "$host" link set "$host" up
    ip -n "$host" link set lo up
    address=2
done

# enter HOST COMMAND...: as ssh HOST does, which joins the words for a shell.
cat >"$work/enter" <<'SH2'
#!/bin/sh
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c 'hostname "$1"; shift; exec sh -c "$*"' sh "$host" "$@"
SH2
chmod +x "$work/enter"
export OMPI_MCA_plm_rsh_agent="$work/enter" OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=10.213.7.0/24

# on_hosts RANKS_EACH COMMAND...: by mpirun, on the near host.
on_hosts() {
    each=$1
    shift
    "$work/enter" "$near" mpirun --host "$near:$each,$far:$each" "$@"
}

write_ranks_search hosts 2 640
search="$LONGROPE search $work/search.yaml --threads 1 --resume -o"
# shellcheck disable=SC2086 # words
runs $search "$work/whole"

# shellcheck disable=SC2086 # words
runs on_hosts 1 -n 2 $search "$work/two"
grep -q "one search on 2 ranks" "$work/stderr" || fail "it is not one search"
same_runs "$work/whole" "$work/two"
# shellcheck disable=SC2086 # words
runs env LONGROPE_TRACE=ranks "$work/enter" "$near" mpirun --host "$near:2,$far:2" -x LONGROPE_TRACE -n 4 $search "$work/four"
grep -q "rank 3 of 4 on host $far" "$work/stderr" || fail "no rank is on the other host"
same_runs "$work/whole" "$work/four"

# shellcheck disable=SC2086 # words
try on_hosts 1 -n 1 $search "$work/refused" : -n 1 env LONGROPE_KERNELS=reference $search "$work/refused"
[ "$status" = 2 ] || fail "hosts with other kernels: exit status $status"
grep -q "^longrope: rank 1 on host $far would compute with kernels reference" "$work/stderr" || fail "the host is not named"

# ---- a host that is lost ----

scores() { rows "$work/$run/scores.db" scores; }

# begin_run NAME: on both hosts, in the background, until some windows are scored.
begin_run() {
    run=$1
    # shellcheck disable=SC2086 # words
    "$work/enter" "$near" mpirun --host "$near:1,$far:1" -n 2 $search "$work/$run" >"$work/stdout" 2>"$work/stderr" &
    background=$!
    wait_for_rows "$work/$run/scores.db" scores 4
    kept=$(scores)
    began=$(now)
}

# ends_within SECONDS WHAT: the job, and all processes of both hosts; nothing that was scored is lost.
ends_within() {
    while [ -n "$(ip netns pids "$near")$(ip netns pids "$far")" ]; do
        [ "$(calculate "$(now) - $began < $1")" = 1.000000 ] || fail "$2, and $1 seconds later processes are left"
        sleep 0.1
    done
    end_search
    [ "$status" != 0 ] || fail "$2, and the job ends with 0"
    [ "$(scores)" -ge "$kept" ] || fail "$2, and windows are lost"
}

goes_on() {
    # shellcheck disable=SC2086 # words
    runs $search "$work/$run"
    same_runs "$work/whole" "$work/$run"
}

# All processes of the far host are killed, mpirun's daemon among them.
begin_run killed
for process in $(ip netns pids "$far"); do kill -KILL "$process" 2>/dev/null || true; done
ends_within 20 "a host dies"
goes_on

# The cable is cut, and no connection is closed. mpirun and its daemon on the other host give each other up after so many
# seconds without an answer: 4, and 3 times 2. configs/cluster/README.md has longer ones.
export OMPI_MCA_oob_tcp_keepalive_time=4 OMPI_MCA_oob_tcp_keepalive_intvl=2 OMPI_MCA_oob_tcp_keepalive_probes=3
begin_run cut
ip -n "$far" link set "$far" down
ends_within 30 "a cable is cut"
grep -q "lost communication with a remote daemon" "$work/stderr" || fail "it does not say what is lost"
grep -q "Remote daemon: .* on node $far" "$work/stderr" || fail "the lost host is not named"
goes_on
echo "hosts: passed"
