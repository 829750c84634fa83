#!/bin/sh
# --checkpoint of longrope eval and search: a window that is killed, stopped or left without room on the disk has the results of an
# undisturbed one, bit for bit, and no checkpoint is used that does not fit.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

folder=$work/checkpoints
every=0.01 # seconds between checkpoints

# evaluate METHOD ARGUMENT...
evaluate() {
    method=$1
    shift
    "$LONGROPE" eval --model "$model" --text "$document" --length 3000 --method "$method" --dtype f32 --json "$@"
}
# with_checkpoints METHOD ARGUMENT...
with_checkpoints() { evaluate "$@" --checkpoint "$folder" --checkpoint-every "$every"; }

# All of a result but how long it took, of $work/stdout.
result() { jq 'del(.results[].seconds)' "$work/stdout"; }

# same_as METHOD: the command that ran has the undisturbed result, and leaves no files.
same_as() {
    result >"$work/result"
    cmp -s "$work/result" "$work/$1.result" || fail "$1: the result is not that of an undisturbed evaluation"
    [ -z "$(ls "$folder")" ] || fail "$1: files are left: $(ls "$folder")"
}

# begin METHOD ARGUMENT...: with checkpoints, in the background.
begin() {
    method=$1
    shift
    : >"$work/stderr" # the lines of the command before must not count
    "$LONGROPE" eval --model "$model" --text "$document" --length 3000 --method "$method" --dtype f32 --json \
        --checkpoint "$folder" --checkpoint-every "$every" "$@" >"$work/stdout" 2>"$work/stderr" &
    background=$!
}
running() { kill -0 "$background" 2>/dev/null; }
written() { grep -c 'window [0-9]*: checkpoint at' "$work/stderr" || true; }
told() { grep -qF -e "$1" "$work/stderr" || fail "stderr does not say '$1'"; }

# interrupt SIGNAL CHECKPOINTS: sends the signal when it has written so many; $status is its exit status.
interrupt() {
    while running && [ "$(written)" -lt "$2" ]; do sleep 0.02; done
    kill "-$1" "$background" 2>/dev/null || true
    end_search
}

for method in yarn pi; do
    runs evaluate $method
    result >"$work/$method.result"
done

# ---- undisturbed ----

runs with_checkpoints yarn
told "yarn at 3000 tokens, window 1: checkpoint at layer 1 of 4, "
same_as yarn

# ---- killed ----

kills=0
for threads in 1 2 1 3 1 2; do
    begin yarn --threads $threads
    interrupt KILL $((1 + kills % 2))
    [ "$kills" = 0 ] || told "yarn at 3000 tokens, window 1: continues at "
    [ "$status" != 0 ] || break
    [ "$status" = 137 ] || fail "exit status $status after SIGKILL"
    kills=$((kills + 1))
done
[ "$kills" -ge 3 ] || fail "the evaluation ended after $kills kills; give it a longer window in this test"
[ "$status" = 0 ] || runs with_checkpoints yarn
same_as yarn

# While a checkpoint is being written
kills=0
for _ in 1 2 3 4; do
    begin yarn
    while running && ! [ -e "$(echo "$folder"/*.part)" ]; do :; done
    kill -KILL "$background" 2>/dev/null || true
    end_search
    [ "$status" != 137 ] || kills=$((kills + 1))
    [ "$status" != 0 ] || break
done
[ "$kills" -ge 1 ] || fail "the evaluation was not killed while it wrote"
[ "$status" = 0 ] || runs with_checkpoints yarn
same_as yarn

# ---- stopped by a signal ----

begin yarn
while running && [ "$(written)" -lt 2 ]; do sleep 0.02; done
before=$(now)
kill -TERM "$background"
end_search
[ "$status" = 75 ] || fail "exit status $status after SIGTERM"
[ "$(calculate "$(now) - $before < 2 ? 1 : 0")" = 1.000000 ] || fail "SIGTERM took two seconds or more"
told "stopped by SIGTERM; nothing was printed; the same command continues at the last checkpoint"
checkpoint=$(echo "$folder"/*) # the only file
[ -s "$checkpoint" ] || fail "not the checkpoint alone is left: $(ls "$folder")"

# ---- checkpoints that do not fit ----

cp "$checkpoint" "$work/copy"

# unused WORDS COMMAND...: it says so and has the result of an undisturbed one; the file stays.
unused() {
    words=$1
    shift
    runs "$@"
    told "$checkpoint $words and is not used"
    cmp -s "$checkpoint" "$work/copy" || fail "the file that is not used did not stay"
}
unused "belongs to another RoPE table" with_checkpoints pi
result | cmp -s - "$work/pi.result" || fail "pi: the result is not that of an undisturbed evaluation"
unused "was computed with another arithmetic (kernels, angles or program)" env LONGROPE_KERNELS=baseline "$LONGROPE" eval --model "$model" --text "$document" \
    --length 3000 --method yarn --dtype f32 --json --checkpoint "$folder"
unused "belongs to another window" "$LONGROPE" eval --model "$model" --text "$document" --length 2999 --method yarn \
    --dtype f32 --json --checkpoint "$folder" --scale "$(calculate 3000/256)"

# spoilt WORDS: the file under its own name is not used, but replaced.
spoilt() {
    runs with_checkpoints yarn
    told "$checkpoint $1 and is not used: the window starts at its beginning"
    same_as yarn
}
head -c 100000 "$work/copy" >"$checkpoint"
spoilt "is cut short"
: >"$checkpoint"
spoilt "is cut short"
{ head -c 100000 "$work/copy" && printf x && tail -c +100002 "$work/copy"; } >"$checkpoint"
cmp -s "$checkpoint" "$work/copy" && fail "the copy was not spoilt"
spoilt "is corrupt"
cp "$work/copy" "$checkpoint"
runs with_checkpoints yarn
told "window 1: continues at"
same_as yarn

# ---- several windows and rows ----

several() { "$LONGROPE" eval --model "$model" --text "$document" --length 2000 --method yarn,pi --samples 3 --dtype f32 --json "$@"; }
runs several
result >"$work/several.result"
: >"$work/stderr"
"$LONGROPE" eval --model "$model" --text "$document" --length 2000 --method yarn,pi --samples 3 --dtype f32 --json \
    --checkpoint "$folder" --checkpoint-every 0.01 >"$work/stdout" 2>"$work/stderr" &
background=$!
while running && ! grep -q 'pi at 2000 tokens, window 2: checkpoint at' "$work/stderr"; do sleep 0.02; done
kill -KILL "$background" 2>/dev/null || true
end_search
[ "$status" = 137 ] || fail "exit status $status after SIGKILL"
runs several --checkpoint "$folder" --checkpoint-every 0.01
for window in 1 2 3; do told "yarn at 2000 tokens, window $window: was finished earlier, in "; done
told "pi at 2000 tokens, window 1: was finished earlier, in "
grep -q "pi at 2000 tokens, window [23]: continues at " "$work/stderr" || fail "the window that was killed does not continue"
same_as several

# ---- a search ----

long_search() { tiny_search "$@" --set stages.0.target_length=1500 --set data.samples=1; }
runs long_search "$work/whole"
continued=0
for _ in 1 2 3 4 5 6 7 8; do
    start_search "$work/killed" --set stages.0.target_length=1500 --set data.samples=1 --resume --checkpoint "$folder" --checkpoint-every 0.01
    while running && ! grep -q 'checkpoint at' "$work/background.err"; do sleep 0.02; done
    kill -KILL "$background" 2>/dev/null || true
    end_search
    ! grep -q '^extend-2k: continues at ' "$work/background.err" || continued=$((continued + 1))
    [ "$status" = 137 ] || break
done
[ "$continued" -ge 1 ] || fail "no window of the search continued: $(cat "$work/background.err")"
runs long_search "$work/killed" --resume --checkpoint "$folder" --checkpoint-every 0.01
same_runs "$work/whole" "$work/killed"
[ -z "$(ls "$folder")" ] || fail "the search leaves files: $(ls "$folder")"

# ---- two processes ----

begin yarn --threads 1
while running && [ "$(written)" -lt 1 ]; do sleep 0.02; done
cp "$work/stderr" "$work/first"
kill -STOP "$background"
fails_with 2 "another process computes this window" with_checkpoints yarn
runs with_checkpoints pi --threads 1 # another table
result | cmp -s - "$work/pi.result" || fail "pi: the result is not that of an undisturbed evaluation"
kill -KILL "$background"
end_search
runs with_checkpoints yarn
told "window 1: continues at"
same_as yarn

# ---- the disk ----

fails_with 2 "$work/no/folder: cannot hold checkpoints: No such file or directory" evaluate yarn --checkpoint "$work/no/folder"
fails_with 2 "$document: cannot hold checkpoints: Not a directory" evaluate yarn --checkpoint "$document"
fails_with 2 "--checkpoint-every requires --checkpoint" evaluate yarn --checkpoint-every 5
mkdir "$work/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=8m tmpfs "$work/disk" 2>/dev/null; then
    mounted=$work/disk
    folder=$work/disk/checkpoints
    runs with_checkpoints yarn # there is room for one, but not for two
    told "window 1: checkpoint at layer 1 of 4"
    told ".part: No space left on device; it takes "
    told ", and the one before stays; the window goes on"
    same_as yarn
    mount -o remount,ro "$work/disk"
    fails_with 2 "$folder: cannot hold checkpoints: Read-only file system" with_checkpoints yarn
else
    echo "checkpoint: full and read-only disks are left out: it takes root to mount a small file system"
fi

echo "checkpoint: passed"
