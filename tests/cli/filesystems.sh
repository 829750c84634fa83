#!/bin/sh
# File systems that lack what others have: run.db has a rollback journal there, and loses nothing. Folders for temporary files, and long paths.
#   UNSUPPORTED_LIBRARY  is preloaded to take locks or shared memory away from a folder (unsupported.c); empty: left out
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

runs short_search "$work/run"

# ---- no locks, no shared memory ----

if [ -n "${UNSUPPORTED_LIBRARY-}" ]; then
    UNSUPPORTED_FOLDER=$(cd "$work" && pwd -P)/remote
    export UNSUPPORTED_FOLDER
    mkdir "$UNSUPPORTED_FOLDER"
    cp -r "$work/run" "$UNSUPPORTED_FOLDER/run"
    remote() {
        env UNSUPPORTED="$what" LD_PRELOAD="$UNSUPPORTED_LIBRARY" "$@"
    }
    remote_search() {
        launch="env UNSUPPORTED=$what LD_PRELOAD=$UNSUPPORTED_LIBRARY"
        short_search "$@"
    }
    rows() { remote "$LONGROPE" show "$1" --json 2>/dev/null | jq '.stages[0].evaluations // 0'; }
    # Without locks: rows of a transaction that is going on count, too.
    stored() { sqlite3 "file:$1/run.db?immutable=1" 'SELECT count(*) FROM individuals' 2>/dev/null || echo 0; }
    has_individuals() { [ "$(stored "$1")" -gt 1 ]; }

    # SQLite leaves the journal of a transaction that was completed, and clears its header.
    is_hot() { [ "$(head -c 8 "$1" 2>/dev/null | tr -d '\0' | wc -c)" -gt 0 ]; }

    # A longer search, to be killed.
    long="--set stages.0.target_length=1024 --set search.iterations=4"
    # shellcheck disable=SC2086 # words
    runs short_search "$work/long" $long
    for what in locks memory; do
        case $what in
        locks) notice="the file system has no file locks" ;;
        memory) notice="the file system has no memory that processes share" ;;
        esac
        notice="$notice; this process has run.db to itself, with a rollback journal, and others read run.snapshot.db"
        new=$UNSUPPORTED_FOLDER/$what

        # A search says so once, is that of any file system, and leaves nothing but its files.
        runs remote_search "$new"
        [ "$(grep -c '^longrope: ' "$work/stderr")" = 1 ] || fail "$what: it says more than that"
        grep -qF "longrope: $new: $notice" "$work/stderr" || fail "$what: it does not say what is missing"
        same_runs "$work/run" "$new"
        [ "$(ls "$new")" = "$(printf 'factors.json\nrun.db\nrun.lock\nscores.db')" ] || fail "$what: leaves $(ls "$new")"
        try remote_search "$new"
        [ "$status" = 2 ] || fail "$what: a search in a folder with a run ends with status $status"
        tail -n 1 "$work/stderr" | grep -qF "$new: already holds a run; continue with --resume" ||
            fail "$what: it does not say that the folder holds a run"

        # A run that was copied to it, with the log of another file system.
        cp -r "$work/run" "$new.copy"
        runs remote "$LONGROPE" show "$new.copy"
        says "run demo: done"
        runs remote "$LONGROPE" report "$new.copy" -o -
        runs remote "$LONGROPE" export "$new.copy" --format csv --out -
        runs remote "$LONGROPE" eval --model "$model" --text "$document" --length 8 --method none --into "$new.copy"
        runs remote_search "$new.copy" --resume
        cmp -s "$work/run/factors.json" "$new.copy/factors.json" || fail "$what: a copy has another table"
        # A cache that several runs share needs what is missing.
        try remote_search "$work/other" --cache "$new.scores.db"
        [ "$status" = 1 ] || fail "$what: a cache that several runs share ends with status $status"
        tail -n 1 "$work/stderr" | grep -qF "which a score cache requires; use a local disk" ||
            fail "$what: it does not say what the cache requires"
        rm -rf "$work/other"

        # While it is searched: others read a copy, and neither search nor measure. After kill -9 nothing is lost.
        # shellcheck disable=SC2086 # words
        (launch="exec env UNSUPPORTED=$what LD_PRELOAD=$UNSUPPORTED_LIBRARY" && short_search "$new.killed" $long) \
            >"$work/background.out" 2>"$work/background.err" &
        background=$!
        wait_until "$what: two individuals" has_individuals "$new.killed"
        runs remote "$LONGROPE" show "$new.killed"
        holder="in use by process $background on host $(uname -n)"
        fails_with 2 "$holder" remote_search "$new.killed" --resume
        fails_with 2 "$holder" remote "$LONGROPE" eval --model "$model" --text "$document" --length 8 --method none \
            --into "$new.killed"
        kill -KILL "$background"
        end_search
        [ "$status" = 137 ] || fail "$what: the search ended with $status before it was killed"
        [ -e "$new.killed/run.snapshot.db" ] || fail "$what: there was no copy for readers"
        # A kill within a transaction leaves a journal, and readers show the copy until the search is resumed.
        kept=0
        is_hot "$new.killed/run.db-journal" || kept=$(stored "$new.killed")
        [ "$(rows "$new.killed")" -ge "$kept" ] || fail "$what: what was stored cannot be read"
        # Where run.db is damaged, too, the copy is all that there is: a resume that fails leaves it.
        cp -r "$new.killed" "$new.damaged"
        rm -f "$new.damaged/run.db-journal"
        printf 'damaged' | dd of="$new.damaged/run.db" conv=notrunc 2>/dev/null
        try remote_search "$new.damaged" --resume
        [ "$status" = 2 ] || fail "$what: a damaged run is resumed with status $status"
        runs remote "$LONGROPE" show "$new.damaged"
        runs "$LONGROPE" show "$new.damaged"
        runs "$LONGROPE" show "/$new.damaged" # two slashes: no host, as in URIs
        cp -r "$new.damaged" "$work/$what.damaged"
        fails_with 2 "run.db: is not a database, or its header is damaged" short_search "$work/$what.damaged" --resume
        runs "$LONGROPE" show "$work/$what.damaged"
        # shellcheck disable=SC2086 # words
        runs remote_search "$new.killed" $long --resume
        same_runs "$work/long" "$new.killed"
        [ ! -e "$new.killed/run.snapshot.db" ] || fail "$what: the copy is left"
    done
    # A disk that is found to be full when the file is synced, as network file systems may do, and forbidden locks.
    what=sync
    try remote_search "$UNSUPPORTED_FOLDER/full"
    [ "$status" = 1 ] || fail "exit status $status where nothing can be synced"
    one_line_with "full/run.db: could not be written (disk I/O error); check the disk and its free space, then try again"
    fails_with 1 "csv.sync: could not be written: No space left on device; free space" remote "$LONGROPE" export \
        "$work/run/factors.json" --format csv --out "$UNSUPPORTED_FOLDER/csv.sync"
    what=permission
    fails_with 1 "run: cannot be written (access permission denied)" remote "$LONGROPE" show "$UNSUPPORTED_FOLDER/run"
    launch=

    # Files need no locks.
    for format in csv json hf; do
        runs env UNSUPPORTED=locks LD_PRELOAD="$UNSUPPORTED_LIBRARY" "$LONGROPE" export "$work/run/factors.json" \
            --format $format --model "$model" --out "$UNSUPPORTED_FOLDER/$format"
    done
else
    echo "filesystems: those without locks or shared memory are left out"
fi

# ---- temporary files ----

# Where /tmp, /var/tmp and /dev/shm cannot be written, TMPDIR is not asked either: there are none.
cat >"$work/protected.sh" <<'SH'
set -eu
mount --bind . /mnt # the test's folder, from where its path does not lead through /tmp
cd /mnt
for folder in /tmp /var/tmp /dev/shm; do
    [ ! -d "$folder" ] || mount -t tmpfs -o ro tmpfs "$folder"
done
exec /proc/self/fd/3 report run -o run.html
SH
if [ -d /mnt ] && unshare -m true 2>/dev/null; then
    protected() { (cd "$work" && TMPDIR=/tmp unshare -m sh protected.sh 3<"$LONGROPE"); }
    runs protected
    [ -s "$work/run.html" ] || fail "no report where no temporary file can be written"
else
    echo "filesystems: a protected /tmp is left out: it takes root to mount one"
fi

# ---- names that SQLite reads otherwise ----

for name in file:run :memory: 'file:run?mode=memory'; do
    (cd "$work" && runs short_search "$name" --cache "$name.cache" && runs "$LONGROPE" show "$name") || exit 1
    same_runs "$work/run" "$work/$name"
    [ -s "$work/$name.cache" ] || fail "$name.cache is not the cache"
done
if [ -n "${UNSUPPORTED_LIBRARY-}" ]; then
    what=memory
    (cd "$UNSUPPORTED_FOLDER" && runs remote_search file:run && runs "$LONGROPE" show file:run) || exit 1
    same_runs "$work/run" "$UNSUPPORTED_FOLDER/file:run"
fi

# ---- long paths ----

# A run, whose database has a limit, says which.
long=$(printf 'e%.0s' $(seq 200))
deep=$work/$long/$long/$long
mkdir -p "$deep"
too_long="SQLite supports at most 500; use a folder with a shorter path"
fails_with 2 "$too_long" short_search "$deep/run"
cp -r "$work/run" "$deep/copy"
fails_with 2 "$too_long" short_search "$deep/copy" --resume
fails_with 2 "$too_long" "$LONGROPE" show "$deep/copy"
fails_with 2 "$too_long" short_search "$work/other" --cache "$deep/scores.db"
fails_with 2 "$too_long" "$LONGROPE" search "$one_stage" -o "$deep/new/run" --dry-run --rate 1
[ ! -e "$deep/new" ] || fail "a dry run makes a folder"
fails_with 2 "is not a folder" "$LONGROPE" search "$one_stage" -o "$document" --dry-run --rate 1
fails_with 2 "the name is too long: it has 248 bytes, and SQLite" short_search "$work/other" \
    --cache "$work/$(printf 'c%.0s' $(seq 248))"
(cd "$deep" && fails_with 2 "$too_long" "$LONGROPE" show copy) || exit 1
fails_with 2 "a name has at most 255 bytes" short_search "$work/$long$long"

# Other files have none but the system's, and errors say what is wrong behind the longest path.
cp -r "$model" "$deep/model"
cp "$document" "$deep/text"
for output in json hf; do
    runs "$LONGROPE" export "$deep/copy/factors.json" --format $output --model "$deep/model" --out "$deep/$output"
done
runs "$LONGROPE" eval --model "$deep/hf" --text "$deep/text" --length 8 --method none --nats "$deep/nats.npy"
for _ in 1 2; do deep=$deep/$long/$long; done
fails_with 2 "model: does not exist; name the folder of a model" "$LONGROPE" eval --model "$deep/model" --text "$document" \
    --length 8 --method none
while [ ${#deep} -lt 4096 ]; do deep=$deep/$long; done
fails_with 2 "File name too long; choose a shorter path: a name has at most 255 bytes, a path 4095" "$LONGROPE" show "$deep"
deep=${deep%"/$long"}
fails_with 2 "No such file or directory; check the path" "$LONGROPE" eval --model "$model" --text "$deep/text" --length 8 \
    --method none

echo "filesystems: passed"
