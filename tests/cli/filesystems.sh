#!/bin/sh
# File systems that lack what others have, folders for temporary files, and long paths.
#   UNSUPPORTED_LIBRARY  is preloaded to take locks or shared memory away from a folder (unsupported.c); empty: left out
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

short_search() {
    folder=$1
    shift
    tiny_search "$folder" --set search.population=3 --set search.parents=2 --set search.mutations=1 \
        --set search.crossovers=1 --set search.iterations=1 --set data.samples=1 "$@"
}
runs short_search "$work/run"

# ---- no locks, no shared memory ----

if [ -n "${UNSUPPORTED_LIBRARY-}" ]; then
    UNSUPPORTED_FOLDER=$(cd "$work" && pwd -P)/remote
    export UNSUPPORTED_FOLDER
    mkdir "$UNSUPPORTED_FOLDER"
    cp -r "$work/run" "$UNSUPPORTED_FOLDER/run"
    lacking() {
        what=$1
        shift
        fails_with 1 "$UNSUPPORTED_FOLDER" env UNSUPPORTED="$what" LD_PRELOAD="$UNSUPPORTED_LIBRARY" "$@"
        case $what in
        locks) one_line_with "this file system has no file locks" ;;
        memory) one_line_with "this file system has no memory that processes share" ;;
        esac
        one_line_with "use a local disk"
    }
    began=$(now)
    for what in locks memory; do
        # opening a run to read, to record, to resume, to create, and a cache
        lacking "$what" "$LONGROPE" show "$UNSUPPORTED_FOLDER/run"
        lacking "$what" "$LONGROPE" report "$UNSUPPORTED_FOLDER/run" -o -
        lacking "$what" "$LONGROPE" export "$UNSUPPORTED_FOLDER/run" --format csv --out -
        lacking "$what" "$LONGROPE" eval --model "$model" --text "$document" --length 8 --method none \
            --into "$UNSUPPORTED_FOLDER/run"
        lacking "$what" "$LONGROPE" search "$demo/demo.yaml" -o "$UNSUPPORTED_FOLDER/run" --resume
        lacking "$what" "$LONGROPE" search "$demo/demo.yaml" -o "$UNSUPPORTED_FOLDER/new"
        lacking "$what" "$LONGROPE" search "$demo/demo.yaml" -o "$work/new" --cache "$UNSUPPORTED_FOLDER/scores.db"
        rm -rf "$work/new"
    done
    [ "$(calculate "$(now) - $began < 60")" = 1.000000 ] || fail "it waits for locks that nobody holds"

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
fails_with 2 "No such file or directory; check the path" "$LONGROPE" eval --model "$model" --text "$deep/text" --length 8 \
    --method none

echo "filesystems: passed"
