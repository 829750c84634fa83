#!/bin/sh
# `longrope passkey`: its tables, its JSON, what each option does, and what it keeps in a run.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

ask() { runs "$LONGROPE" passkey --model "$model" "$@"; }

# ---- the table ----

ask --prompt demo --length 256,600 --method none,yarn --depths 0,50,100 --trials 4 --dtype f32
head -n 1 "$work/stdout" | grep -qE '^f32 arithmetic, [a-z0-9]+ kernels, f64 angles; keys of 5 digits, 4 prompts at' ||
    fail "the first line does not say what was computed with"
for word in length scale "0 %" "50 %" "100 %" all nats/token seconds; do
    sed -n 4p "$work/stdout" | grep -qF -e "$word" || fail "the heading has no '$word'"
done
rows=$(awk '/^[a-z-]+: pass keys/ { method = $1 } /^ +[0-9]/ { print method, $1, $2 }' "$work/stdout" | tr '\n' ';')
[ "$rows" = "none: 256 1;none: 600 2.344;yarn: 256 1;yarn: 600 2.344;" ] || fail "the rows are $rows"
says_nothing

# Shades in ASCII, or in blocks where the locale has them. The untouched model finds keys within its window and none
# beyond it.
grep -E '^ +256 ' "$work/stdout" | grep -qF '## 100' || fail "no key is found within the window"
grep -E '^ +600 ' "$work/stdout" | head -n 1 | grep -qE '^ +600 +2.344 +0 +0 +0 +0.0 ' || fail "keys are found beyond it"
LC_ALL=C grep -q '[^ -~]' "$work/stdout" && fail "blocks in a locale without them"
runs env LC_ALL=C.UTF-8 "$LONGROPE" passkey --model "$model" --prompt demo --length 256 --method none --trials 1
says '██ 100'

# ---- JSON ----

ask --prompt demo --length 256,600 --method none,yarn --depths 0,50,100 --trials 4 --dtype f32 --json --prompts
holds '[.results[] | [.method, .length]] == [["none", 256], ["none", 600], ["yarn", 256], ["yarn", 600]]'
holds 'all(.results[]; keys == (["length", "method", "scale", "attention_factor", "start_tokens", "factors", "prompt",
    "digits", "trials", "seed", "correct", "accuracy", "nll", "depths", "seconds", "dtype", "kernels", "angles"] | sort))'
holds 'all(.results[]; .prompt == "demo" and .digits == 5 and .trials == 4 and .seed == 1 and .dtype == "f32")'
holds 'all(.results[]; [.depths[].depth] == [0, 0.5, 1] and all(.depths[]; (.prompts | map(.trial)) == [0, 1, 2, 3]))'
holds 'all(.results[].depths[]; .accuracy == .correct / 4 and .correct == ([.prompts[] | select(.correct)] | length))'
holds 'all(.results[]; .correct == ([.depths[].correct] | add) and (.accuracy - .correct / 12 | fabs) < 1e-12)'
holds 'all(.results[].depths[].prompts[]; .correct == (.answer == .arg_max) and .nats > 0)'
holds 'all(.results[].depths[].prompts[]; (.answer | implode) == .key and (.key | test("^[1-9][0-9]{4}$")))'
holds 'all(.results[].depths[]; (.prompts | map(.nats) | add / 20) - .nll | fabs < 1e-12)'
holds 'any(.results[].depths[].prompts[]; .correct) and any(.results[].depths[].prompts[]; .correct | not)'
holds '[.results[] | [.length, [.depths[].prompts[].key]]] | .[0] == .[2] and .[1] == .[3]' # the same prompts for all
cp "$work/stdout" "$work/first"

# The same numbers again, on one thread; others with another seed.
ask --prompt demo --length 256,600 --method none,yarn --depths 0,50,100 --trials 4 --dtype f32 --json --prompts --threads 1
[ "$(jq 'del(.results[].seconds)' "$work/stdout")" = "$(jq 'del(.results[].seconds)' "$work/first")" ] ||
    fail "another number of threads makes a difference"
ask --prompt demo --length 256 --method none --trials 4 --digits 12 --seed 2 --json --prompts
holds '[.results[0].depths[].prompts[].key] | unique | length == 20 and all(.[]; length == 12)'
ask --prompt demo --length 256 --method none --trials 4 --digits 12 --seed 3 --json --prompts
jq -c '[.results[0].depths[].prompts[].key]' "$work/stdout" >"$work/keys"
ask --length 300 --method none --depths 12.5 --trials 1 --json
holds '.results[0] | .prompt == "published" and .digits == 5 and (.depths | length == 1 and .[0].depth == 0.125)'
holds '.results[0].depths[0] | has("prompts") | not'

# ---- the prompts themselves ----

ask --prompt demo --length 256 --method none --trials 4 --digits 12 --seed 3 --save-tokens "$work/prompts.npy"
head -c 128 "$work/prompts.npy" | grep -aqF "'<i4', 'fortran_order': False, 'shape': (20, 256), " || fail "not the shape of the prompts"
tail -c +129 "$work/prompts.npy" | od -An -v -t d4 -w1024 | awk '{ for (i = 1; i <= NF; i++) printf "%c", $i; print "" }' \
    >"$work/prompts.txt"
grep 'What is the pass key' "$work/prompts.txt" | sed 's/.*The pass key is //' | jq -Rnc '[inputs]' | cmp -s - "$work/keys" ||
    fail "the prompts that are saved do not end with the keys that are asked for"

# ---- tables ----

ones=$(jq -nr '[range(32) | "1.0"] | join(",")')
ask --prompt demo --length 300 --method none --trials 2 --json --prompts
jq '.results[0].depths' "$work/stdout" >"$work/none"
ask --prompt demo --length 300 --factors "$ones" --attention-factor 1 --trials 2 --json --prompts
holds '.results[0] | .method == "factors" and (.factors | length) == 32'
jq '.results[0].depths' "$work/stdout" | cmp -s - "$work/none" || fail "factors of 1 are not method none"

# ---- into a run ----

runs tiny_search "$work/run"
ask --prompt demo --length 256,600 --method none,yarn --depths 0,50,100 --trials 4 --dtype f32 --into "$work/run"
runs "$LONGROPE" show "$work/run" --json
holds '.pass_keys | map([.label, .length, .depth]) == [["none", 256, 0], ["none", 256, 0.5], ["none", 256, 1],
    ["none", 600, 0], ["none", 600, 0.5], ["none", 600, 1], ["yarn", 256, 0], ["yarn", 256, 0.5], ["yarn", 256, 1],
    ["yarn", 600, 0], ["yarn", 600, 0.5], ["yarn", 600, 1]]'
jq '[.pass_keys[].correct]' "$work/stdout" >"$work/recorded"
jq '[.results[].depths[].correct]' "$work/first" | cmp -s - "$work/recorded" || fail "others are recorded than were found"
holds 'all(.pass_keys[]; .digits == 5 and .trials == 4 and .seed == 1 and .wording == "demo")'
ask --prompt demo --length 512 --factors "$work/run/factors.json" --depths 50 --trials 2 --into "$work/run" --label best
ask --prompt demo --length 512 --factors "$work/run/factors.json" --depths 50 --trials 3 --into "$work/run" --label best
runs "$LONGROPE" show "$work/run" --json
holds '[.pass_keys[] | select(.label == "best")] | length == 1 and .[0].trials == 3 and .[0].length == 512'
# depths are added to those of the same table, and replace those of another one
for depth in 0 100; do
    ask --prompt demo --length 256 --method yarn --depths $depth --trials 1 --into "$work/run" --label mixed
done
runs "$LONGROPE" show "$work/run" --json
holds '[.pass_keys[] | select(.label == "mixed") | .depth] == [0, 1]'
ask --prompt demo --length 256 --method pi --scale 2 --depths 50 --trials 2 --into "$work/run" --label mixed
runs "$LONGROPE" show "$work/run" --json
holds '[.pass_keys[] | select(.label == "mixed") | .depth] == [0.5]'
# a model's path is any bytes
ln -s "$model" "$work/$(printf 'caf\351')"
runs "$LONGROPE" passkey --model "$work/$(printf 'caf\351')" --prompt demo --length 256 --method none --depths 0 \
    --trials 1 --into "$work/run" --label odd
runs "$LONGROPE" show "$work/run" --json
holds '.pass_keys[] | select(.label == "odd") | .model | endswith("/caf\ufffd")'

# ---- what is wrong ----

refuses() {
    words=$1
    shift
    fails_with 2 "$words" "$LONGROPE" passkey "$@"
}
refuses "missing --model DIR" --length 256 --method none
refuses "missing --length N" --model "$model" --method none
refuses "missing --method NAME[,NAME...] or --factors FILE" --model "$model" --length 256
refuses "--method: unknown method 'nkt' (did you mean 'ntk'?); choose none, pi" --model "$model" --length 256 --method nkt
refuses "--prompt: unknown prompt 'Demo' (did you mean 'demo'?); choose published or demo" --model "$model" --length 256 --method none --prompt Demo
refuses "--depths" --model "$model" --length 256 --method none --depths 0,101
refuses "--trials" --model "$model" --length 256 --method none --trials 0
refuses "--digits" --model "$model" --length 256 --method none --digits 33
refuses "--seed" --model "$model" --length 256 --method none --seed -1
refuses "unexpected argument 'extra'" --model "$model" --length 256 --method none extra
refuses "did you mean '--depths'" --model "$model" --length 256 --method none --dephts 0
refuses "--prompts requires --json" --model "$model" --length 256 --method none --prompts
refuses "--save-tokens requires a single --length" --model "$model" --length 256,300 --method none --save-tokens "$work/none.npy"
refuses "--label requires a single --method" --model "$model" --length 256 --method none,pi --into "$work/run" --label x
refuses "--label requires --into" --model "$model" --length 256 --method none --label x
refuses "$work/nothing" --model "$model" --length 256 --method none --into "$work/nothing"
refuses "take 253 or more" --model "$model" --length 300,252 --method none
refuses "whole sentences" --model "$model" --length 128 --method none --prompt demo
# impossible at the last depth alone, and said before the first prompt is asked
runs "$LONGROPE" passkey --model "$model" --length 100 --method none --prompt demo --depths 0 --trials 1
refuses "whole sentences" --model "$model" --length 100 --method none --prompt demo --depths 0,100
write_tokenizer "$work/tokenizer.model"
refuses "no tokens for the digits" --model "$model" --length 400 --method none --tokenizer "$work/tokenizer.model"
mkdir "$work/wide"
jq '.vocab_size = 90' "$model/config.json" >"$work/wide/config.json"
cp "$model/model.safetensors" "$work/wide"
mkdir "$work/wordy"
jq '.vocab_size = 1000' "$model/config.json" >"$work/wordy/config.json"
refuses "Pass keys are prompts that this command writes itself: they require a tokenizer, --tokenizer FILE" \
    --model "$work/wordy" --length 400 --method none
refuses "not in the model's vocabulary" --model "$work/wide" --length 400 --method none
if [ -w /dev/full ]; then
    fails_with 1 "/dev/full" "$LONGROPE" passkey --model "$model" --length 300 --method none --save-tokens /dev/full
fi
# ---- progress ----

# Of the tokens that are written before anything is asked, and of the prompts that show whether the lengths are possible.
# A terminal shows it at once. Without weights nothing follows.
mkdir "$work/weightless"
cp "$model/config.json" "$work/weightless"
# on_terminal OPTION...
on_terminal() {
    script -qec "'$LONGROPE' passkey --model '$work/weightless' --prompt demo --method none --save-tokens /dev/null $*" \
        /dev/null </dev/null >"$work/terminal" 2>&1 || true
    tr '\r' '\n' <"$work/terminal" >"$work/stdout"
    says "holds no weights"
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then # a root without /dev/pts has no terminals
    on_terminal --length 202 --depths 50 --trials 100000
    grep -qE 'writing tokens: [0-9]+/100000 prompts, [0-9.e+]+/s, [0-9:]+ left$' "$work/stdout" ||
        fail "no progress of the tokens that are written"
    on_terminal --length 5000000 --depths 0,10,20,30,40,50,60,70,80,90,100 --trials 1
    grep -qE 'checking the lengths: [0-9]+/11 prompts, [0-9.e+-]+/s, [0-9:]+ left$' "$work/stdout" ||
        fail "no progress of the lengths that are checked"
fi

# ---- signals ----

: >"$work/background.err"
"$LONGROPE" passkey --model "$model" --length 4096 --method pi --trials 10000 >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_until "a line of progress" grep -q '^pi at 4096 tokens: .* prompts.* left$' "$work/background.err"
kill -USR2 "$background"
end_search
[ "$status" = 75 ] || fail "passkey that is sent SIGUSR2 ends with status $status, not 75"
tail -n 1 "$work/background.err" | grep -q '^longrope: stopped by SIGUSR2; ' || fail "it does not say why it ended"

# ---- help ----

runs "$LONGROPE" passkey --help
for option in model length method factors scale original-length attention-factor start-tokens depths trials digits seed \
    prompt tokenizer dtype angles threads into label json prompts save-tokens; do
    says "--$option"
done

echo "passkey: passed"
