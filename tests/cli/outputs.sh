#!/bin/sh
# Files that commands write, in one convention for all: nothing is replaced without --force, what is read never, and
# what is no regular file is written into.
# shellcheck source=tests/cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"

refused() { fails_with 2 "$@"; }

# The writers: each writes the same bytes each time, but for the report's date and the name that a configuration has
# from its file.
runs short_search "$work/run"
# to_file PATH COMMAND...: what a command prints beside its file is not what is tested.
to_file() {
    beside=$1
    shift
    case $beside in
    - | /dev/*) "$@" ;;
    *) "$@" >/dev/null ;;
    esac
}
put() {
    writer=$1
    shift
    case $writer in
    csv | json) "$LONGROPE" export "$work/run/factors.json" --format "$writer" --out "$@" ;;
    report) "$LONGROPE" report "$work/run" -o "$@" ;;
    nats) to_file "$1" "$LONGROPE" eval --model "$model" --text "$document" --length 200 --method none --nats "$@" ;;
    document) "$LONGROPE" tokenize --tokenizer bytes --text "$second_document" --out "$@" ;;
    yaml) to_file "$1" "$LONGROPE" init "$model" --text "$document" --rate 100 --time 5s -o "$@" ;;
    tokens) "$LONGROPE" passkey --model "$model" --prompt demo --length 202 --trials 1 --depths 0 --method none --save-tokens "$@" ;;
    esac
}

# device PATH MINOR: makes one of the memory devices, never to try this on one that others use; false where that is not
# permitted.
device() {
    mknod "$1" c 1 "$2" 2>/dev/null && { : >"$1"; } 2>/dev/null
}

# same WRITER A B: the same bytes, but for the time of a report and the name of a configuration
same() {
    if [ "$1" = report ] || [ "$1" = yaml ]; then
        sed '/^<p>This run is done. Written at /d; /^name: /d' "$2" >"$work/a"
        sed '/^<p>This run is done. Written at /d; /^name: /d' "$3" >"$work/b"
        cmp -s "$work/a" "$work/b"
    else
        cmp -s "$2" "$3"
    fi
}

for writer in csv json report nats tokens document yaml; do
    mkdir "$work/$writer"
    cd "$work/$writer"
    runs put "$writer" file
    [ -s file ] || fail "$writer writes nothing"

    # nothing is replaced without --force; an earlier report is none of another's
    echo mine >mine
    refused "mine: already exists; choose another path, or replace it with --force" put "$writer" mine
    [ "$(cat mine)" = mine ] || fail "$writer replaces what is there"
    [ "$writer" = report ] || refused "file: already exists" put "$writer" file
    runs put "$writer" mine --force
    same "$writer" file mine || fail "$writer --force writes something else"
    mkdir folder
    refused "folder: is a folder; name a file" put "$writer" folder --force
    refused "none/file: its folder does not exist" put "$writer" none/file
    refused "file/x: Not a directory" put "$writer" file/x

    # a link stays, and its target is written
    ln -s target link
    runs put "$writer" link
    runs put "$writer" link --force
    [ -L link ] || fail "$writer replaces a link"
    same "$writer" file target || fail "$writer does not write the target of a link"

    ln -s nowhere/target lost
    refused "lost: is a link to nowhere/target: its folder does not exist" put "$writer" lost --force

    # what is no regular file is written into, and stays what it is
    mkfifo pipe
    cat pipe >"read" &
    runs put "$writer" pipe
    wait $!
    [ -p pipe ] || fail "$writer renames a file over a pipe"
    same "$writer" file "read" || fail "$writer writes something else to a pipe"
    if device node 3; then # as /dev/null
        runs put "$writer" node --force
        [ -c node ] || fail "$writer renames a file over a device"
        device full 7 # as /dev/full
        fails_with 1 "full: could not be written: No space left on device; free space" put "$writer" full --force
        [ -c full ] || fail "$writer renames a file over a device"
    fi

    # standard output gets the file and nothing else
    paths="- /dev/stdout /dev/fd/1"
    [ "$writer" != report ] || paths=- # drawing takes a while
    for path in $paths; do
        put "$writer" "$path" >output 2>"$work/stderr" || fail "$writer cannot write to $path"
        same "$writer" file output || fail "$writer writes something else to $path"
        put "$writer" "$path" 2>"$work/stderr" | cat >output
        same "$writer" file output || fail "$writer writes something else to a pipe by $path"
    done
    [ ! -e ./- ] || fail "$writer makes a file of the name -"
    runs put "$writer" ./-
    [ -f ./- ] || fail "$writer makes no file of the name -"
    rm ./-

    # no room: the old file stays, and so it does without a word about SIGXFSZ
    echo mine >mine
    if [ "$writer" = csv ]; then
        rm file # too small for this
    else
        limit=1 # of 512 bytes
        [ "$writer" != report ] || limit=72 # SQLite needs 64
        no_room() { (ulimit -f "$limit" && put "$writer" mine --force); }
        fails_with 1 "mine: could not be written: File too large; raise the limit on the size of files" no_room
        [ "$(cat mine)" = mine ] || fail "$writer does not leave the old file where there is no room"
    fi
    for left in *.part; do [ ! -e "$left" ] || fail "$writer leaves $left"; done
    cd "$work"
done

# ---- what a command reads ----

cp "$work/run/factors.json" "$work/f.json"
write_npy "$work/t.npy" 1 2 3 4 5 6 7 8
cp -r "$model" "$work/model"
evaluate() { "$LONGROPE" eval --model "$work/model" --length 8 --method none "$@"; }
refused "t.npy: is read by this command and is not replaced" evaluate --tokens "$work/t.npy" --nats "$work/t.npy" --force
cp "$document" "$work/text"
refused "text: is read by this command" evaluate --text "$work/text" --nats "$work/text" --force
refused "lies in $work/model, which this command reads" evaluate --tokens "$work/t.npy" \
    --nats "$work/model/model.safetensors" --force
refused "text: is read by this command" "$LONGROPE" tokenize --tokenizer bytes --text "$work/text" --out "$work/text" --force
refused "which this command reads" "$LONGROPE" tokenize --model "$work/model" --text "$work/text" \
    --out "$work/model/config.json" --force
refused "run.db: is read by this command" evaluate --tokens "$work/t.npy" --into "$work/run" --nats "$work/run/run.db" --force
refused "f.json: is read by this command" "$LONGROPE" eval --model "$model" --tokens "$work/t.npy" --length 8 \
    --factors "$work/f.json" --nats "$work/f.json" --force
refused "lies in $work/model, which this command reads" "$LONGROPE" passkey --model "$work/model" --length 202 \
    --method none --save-tokens "$work/model/config.json" --force
for file in run.db scores.db factors.json; do
    refused "$file: is read by this command" "$LONGROPE" report "$work/run" -o "$work/run/$file" --force
    refused "$file: is read by this command" "$LONGROPE" export "$work/run" --format json --out "$work/run/$file" --force
done
refused "f.json: is read by this command" "$LONGROPE" export "$work/f.json" --format csv --out "$work/f.json" --force
refused "f.json: is read by this command" "$LONGROPE" export 512="$work/f.json" --format csv --out "$work/f.json" --force
refused "which this command reads" "$LONGROPE" export "$work/f.json" --format csv --model "$work/model" \
    --out "$work/model/config.json" --force
runs "$LONGROPE" export "$work/f.json" --format hf --model "$model" --out "$work/hf"
refused "hf: is read by this command" "$LONGROPE" export "$work/hf" --format hf --model "$model" --out "$work/hf" --force
refused "it contains $work/hf/config.json" "$LONGROPE" export "$work/hf/config.json" --format hf --model "$model" \
    --out "$work/hf" --force
[ "$("$LONGROPE" show "$work/run" --json | jq -r .state)" = "done" ] || fail "the run is not as it was"

# ---- closed streams ----

# What is printed on a stream that is closed must not end in a file that is open.
(exec 2>&- && short_search "$work/closed") >/dev/null || true
[ "$(wc -l <"$work/closed/run.lock")" = 1 ] || fail "what is printed on closed streams is in run.lock"
status=0
put csv - >&- 2>"$work/stderr" || status=$?
: >"$work/stdout"
[ "$status" = 1 ] || fail "exit status $status where standard output is closed"
one_line_with "standard output: could not be written" put csv -

# ---- folders ----

refused "a folder cannot be written to standard output" "$LONGROPE" export "$work/f.json" --format hf \
    --model "$model" --out -
refused "a run and its cache cannot be written to standard output" tiny_search -
refused "a run and its cache cannot be written to standard output" tiny_search "$work/none" --cache -
refused "-: checkpoints cannot be written to standard output" tiny_search "$work/none" --checkpoint -
refused "-: checkpoints cannot be written to standard output" evaluate --tokens "$work/t.npy" --checkpoint -
mkfifo "$work/pipe"
refused "$work/pipe: is not a folder" "$LONGROPE" export "$work/f.json" --format hf --model "$model" --out "$work/pipe" \
    --force
[ -p "$work/pipe" ] || fail "a folder was renamed over a pipe"

refused "$work/pipe: is not a folder, which several texts require" "$LONGROPE" tokenize --tokenizer bytes \
    --text "$document" "$second_document" --out "$work/pipe"

# Of a run: what is no file is neither replaced nor taken for one, and what is not this program's is kept.
resume() { short_search "$@" --set search.iterations=2 --resume; }
for file in run.db run.lock scores.db factors.json; do
    for kind in pipe folder lost; do
        cp -r "$work/run" "$work/odd"
        rm "$work/odd/$file"
        case $kind in
        pipe) mkfifo "$work/odd/$file" ;;
        folder) mkdir "$work/odd/$file" ;;
        lost) ln -s "$work/nowhere/$file" "$work/odd/$file" ;;
        esac
        for dry in '' '--dry-run --rate 1'; do
            # shellcheck disable=SC2086 # words
            try resume "$work/odd" $dry
            [ "$status" = 2 ] || fail "exit status $status where $file is a $kind"
            tail -n 1 "$work/stderr" | grep -qE "^longrope: $work/odd/$file: is (not a file|a link to a file that does not exist)" ||
                fail "it does not say that $file is a $kind"
            grep -q 'baseline' "$work/stderr" && fail "it searches before it says that $file is a $kind"
            [ -n "$dry" ] || cp "$work/stderr" "$work/searching"
        done
        tail -n 1 "$work/searching" | cmp -s - "$work/stderr" || fail "a dry run says of $file, a $kind, what a search does not"
        rm -r "$work/odd"
    done
done
mkdir "$work/mine"
echo mine >"$work/mine/factors.json"
refused "mine/factors.json: is not a file of this program" short_search "$work/mine"
refused "mine/factors.json: is not a file of this program" short_search "$work/mine" --dry-run --rate 1
[ "$(cat "$work/mine/factors.json")" = mine ] || fail "a search replaces a file that is not of this program"
cp "$work/f.json" "$work/mine/factors.json" # as in a clone of this repository
runs short_search "$work/mine"
ln -s "$work/nowhere" "$work/lost"
for folder in lost lost/run; do
    refused "$folder: is, or lies behind, a link to a folder that does not exist" short_search "$work/$folder"
    refused "$folder: is, or lies behind, a link to a folder that does not exist" short_search "$work/$folder" \
        --dry-run --rate 1
done
# In /proc root has all permissions, and nothing can be made; every command says so before it computes.
refuses_proc() {
    refused "$odd: no folder can be made there; choose another one with -o" short_search $odd "$@"
    refused "$odd/in/it: no folder can be made there" short_search $odd/in/it "$@"
    fails_with 1 "$odd: cannot be written (Operation not permitted)" short_search "$work/none" --cache $odd "$@"
    refused "$odd: cannot hold checkpoints: " short_search "$work/none" --checkpoint $odd "$@"
    [ ! -e "$work/none" ] || fail "a search that can write only a part of its files begins"
}
odd=/proc/longrope-test
if [ "$(id -u)" = 0 ]; then
    refuses_proc
    refuses_proc --dry-run --rate 1
    refused "$odd: its folder cannot be written: " evaluate --tokens "$work/t.npy" --nats $odd
    refused "$odd: its folder cannot be written: " "$LONGROPE" export "$work/f.json" --format hf --model "$model" --out $odd
    refused "$odd: its folder cannot be written: " "$LONGROPE" tokenize --tokenizer bytes --text "$document" \
        "$second_document" --out $odd
fi
deleted() (
    mkdir "$work/deleted"
    cd "$work/deleted"
    rmdir "$work/deleted"
    short_search run "$@"
)
refused "run: no folder can be made there" deleted
refused "run: no folder can be made there" deleted --dry-run --rate 1
ln -s "$work/nowhere/scores.db" "$work/gone"
refused "gone: is a link to a file that does not exist" short_search "$work/none" --cache "$work/gone"
refused "gone: is a link to a file that does not exist" short_search "$work/fresh" --cache "$work/gone" --dry-run --rate 1
refused "fresh/in/scores.db: its folder does not exist" short_search "$work/fresh" --cache "$work/fresh/in/scores.db" \
    --dry-run --rate 1
refused "pipe: cannot hold checkpoints: Not a directory" short_search "$work/fresh" --checkpoint "$work/pipe" --dry-run
runs short_search "$work/new/run" --checkpoint "$work/checkpoints" --dry-run --rate 1
for path in fresh new checkpoints; do [ ! -e "$work/$path" ] || fail "a dry run makes $path"; done

# A command that fails before it writes leaves no folder. A search whose model does not open leaves the run that it began.
several() { "$LONGROPE" tokenize --tokenizer bytes --out "$work/fresh/" --text "$@"; }
refused "none.txt: No such file" several "$work/none.txt" "$document"
refused "none.txt: No such file" "$LONGROPE" eval --model "$model" --text "$work/none.txt" --length 8 --method none \
    --checkpoint "$work/fresh"
refused "no document has the 10000000 tokens" "$LONGROPE" eval --model "$model" --text "$document" --length 10000000 \
    --method none --checkpoint "$work/fresh"
refused "none/x.db: its folder does not exist" short_search "$work/fresh" --cache "$work/none/x.db" \
    --checkpoint "$work/fresh-checkpoints"
refused "none: does not exist" short_search "$work/begun" --set model="$work/none" --checkpoint "$work/fresh"
refused "none: does not exist" "$LONGROPE" export "$work/f.json" --format hf --model "$work/none" --out "$work/fresh"
for path in fresh fresh-checkpoints fresh.part; do [ ! -e "$work/$path" ] || fail "a command that fails leaves $path"; done
# What is complete stays.
status=0
several "$document" "$work/none.txt" >"$work/stdout" 2>"$work/stderr" || status=$?
[ "$status" = 2 ] || fail "exit status $status where the second text does not exist"
[ "$(ls "$work/fresh")" = "$(basename "$document" .txt).npy" ] || fail "tokenize does not keep what is complete"

for command in init export report eval passkey tokenize; do
    runs "$LONGROPE" "$command" --help
    says "- is standard output"
    grep -q -e "--force" "$work/stdout" || fail "$command --help does not explain --force"
done

echo "outputs: passed"
