#!/bin/sh
# `longrope init`: what it writes is a configuration that is right as it stands, for any names of files, and searches.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work"
# config KEY: its value in my.yaml, as the search reads it.
config() { "$LONGROPE" search my.yaml --print-config --json | jq -c ".[] | select(.key == \"$1\" and .stage == ${2-null}) | .value"; }
refused() { fails_with 2 "$@"; }

# ---- what it writes ----

# The rate is given, so that the budget is the same everywhere.
runs "$LONGROPE" init "$model" --text "$corpus"/*.txt --rate 100 --time 10m -o my.yaml --threads 32
grep -q '^extend  *extend  *1024  *4  *256  *65  *325 ' stdout || fail "does not print what the configuration costs"
grep -q '^recover  *recover  *256  *1  *256  *9  *216 ' stdout || fail "does not print what the recovery costs"
says "  longrope search my.yaml"
[ "$(config name)" = '"my"' ] || fail "the run is not called after the file"
[ ! -s stderr ] || fail "says something though nothing is wrong"
[ "$(config target_length '"extend"')" = 1024 ] || fail "the target is not four times the window"
[ "$(config target_length '"recover"') $(config kind '"recover"')" = '256 "recover"' ] || fail "the old window is lost"
[ "$(config model)" = "\"$(realpath "$model")\"" ] || fail "the model is another one"
[ "$(config data.samples '"extend"') $(config search.evaluations '"extend"')" = "5 60" ] || fail "wastes the time"
sed 's/^\(hours\|.*hours \).*//' stdout >before
runs "$LONGROPE" search my.yaml --dry-run --rate 100 --threads 32
grep -E '^(extend|recover|all stages) ' stdout >again
grep -E '^(extend|recover|all stages) ' before | diff - again >&2 || fail "a dry run prints other costs"

# Less time is a smaller budget; what is too little is said.
runs "$LONGROPE" init "$model" --text "$corpus"/*.txt --rate 100 --time 6s -o my.yaml --force
[ "$(config data.samples '"extend"')" -lt 5 ] || fail "less time has as many windows"
if grep -q 'takes longer than --time' stdout; then fail "says that the time is too short though it is not"; fi
runs "$LONGROPE" init "$model" --text "$document" --rate 1 --time 1s --target 300 -o my.yaml --force
says "takes longer than --time"
says "or fewer 'samples' of stage recover, which takes "
[ "$(config data.samples '"extend"') $(config search.evaluations '"extend"')" = "1 6" ] || fail "not the least budget"
[ "$(config attention_factor '"extend"')" = '"none"' ] || fail "less than twice the window has an attention factor"

# It searches, and both windows have their tables.
runs "$LONGROPE" search my.yaml -o run
runs "$LONGROPE" show run --json
holds '.state == "done" and [.stages[].target_length] == [300, 256] and .short_window.recovered'

# The longest text decides where no target is given.
head -c 700 "$document" >short.txt
runs "$LONGROPE" init "$model" --text short.txt --rate 1 -o - 2>table
grep -q '^    target_length: 512 ' stdout || fail "the target is not what the text allows"
head -n 1 stdout | grep -q '^# ' || fail "-o - does not begin with the configuration"
[ "$(ls -d -- - 2>/dev/null)" = "" ] || fail "-o - makes a file"
# A search reads a file once, however often it is named, and in whatever way.
ln -s short.txt same.txt
cp stdout once.yaml
runs "$LONGROPE" init "$model" --text short.txt ./short.txt same.txt --rate 1 -o - 2>table
cmp -s stdout once.yaml || fail "text that is named three times counts three times: $(diff once.yaml stdout)"

# Names of any characters, tokens, a tokenizer; the machine is measured; the output has the model's name.
mkdir 'a "model" [1]*'
ln -s "$model"/* 'a "model" [1]*'/
cp short.txt "it's * [a] \\text: #1.txt"
runs "$LONGROPE" init 'a "model" [1]*' --text "it's * [a] \\text: #1.txt" --tokenizer bytes --time 0.5m
[ -e a--model---1--.yaml ] || fail "the output has another name: $(ls ./*.yaml)"
says "measured now"
runs "$LONGROPE" search a--model---1--.yaml --dry-run --rate 1
# shellcheck disable=SC2046 # one number per word
write_npy tokens.npy $(seq 1 200) $(seq 1 200)
runs "$LONGROPE" init "$model" --tokens tokens.npy --rate 1 -o tokens.yaml
runs "$LONGROPE" search tokens.yaml --dry-run --rate 1 --json
holds '[.stages[].target_length] == [400, 256]'

# What is printed can be run: a name that begins with "-" is no option.
runs "$LONGROPE" init "$model" --text short.txt --rate 100 -o -x.yaml
says "  longrope search ./-x.yaml"
runs "$LONGROPE" search ./-x.yaml --dry-run --rate 1

# ---- what is refused ----

refused "my.yaml: already exists; choose another path, or replace it with --force" \
    "$LONGROPE" init "$model" --text "$document" -o my.yaml
refused "is read by this command and is not replaced" "$LONGROPE" init "$model" --text short.txt -o short.txt --force
head -c 200 "$document" >tiny.txt
refused "the longest text has 200 tokens, and the model's window is 256" "$LONGROPE" init "$model" --text tiny.txt -o x.yaml
refused "a search for 1000 tokens requires a text of so many" \
    "$LONGROPE" init "$model" --text short.txt --target 1000 -o x.yaml
refused "--target 256: the model's window is 256 tokens" "$LONGROPE" init "$model" --text short.txt --target 256 -o x.yaml
refused "--time: '2' is not a number above 0 followed by s, m, h or d" "$LONGROPE" init "$model" --text short.txt --time 2
refused "missing" "$LONGROPE" init "$model"
refused "none" "$LONGROPE" init none --text short.txt
[ ! -e x.yaml ] || fail "what is refused writes a file"
