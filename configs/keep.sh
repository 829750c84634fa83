# Sourced by the scripts that measure for hours and are started again after a kill.
# shellcheck shell=sh

# sums WORD...: the words; of those that are files, or folders of a model, what they hold. Of 10 MB the beginning is enough.
sums() {
    for word; do
        if [ -f "$word/config.json" ]; then
            cat "$word"/*.json "$word"/*.safetensors 2>/dev/null | head -c 10000000 | cksum
        elif [ -f "$word" ]; then
            head -c 10000000 "$word" | cksum
        else
            echo "$word"
        fi
    done
}

# keep FILE PROGRAM ARGUMENT...: what the program or function prints is kept in FILE, which is complete or does not exist. A
# FILE of the same arguments is left as it is, also where the program has changed: FILE.of says what it is of.
keep() {
    file=$1 program=$2
    shift 2
    sums "$@" >"$file.of.part"
    if [ -s "$file" ] && cmp -s "$file.of.part" "$file.of"; then
        rm "$file.of.part"
        return
    fi
    rm -f "$file"
    mv "$file.of.part" "$file.of"
    "$program" "$@" >"$file.part"
    [ -s "$file.part" ] || exit 1 # the end of a pipe does not tell that its beginning failed; that printed the error
    mv "$file.part" "$file"
}
