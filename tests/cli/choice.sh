#!/bin/sh
# `longrope choice`: its table, its JSON, what each option does, what it keeps in a run, and hostile files.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

choose() { runs "$LONGROPE" choice --model "$model" "$@"; }

cat >"$work/first.jsonl" <<'END'
{"context": "The clock on the wall had stopped at", "choices": [" noon, and nobody", " xqzjv kwrtp", " zzzzzzzzz"], "answer": 0}
{"context": "She opened the ", "choices": ["qqqq", "door and"], "answer": 1, "task": "doors"}
{"context": "She opened the", "choices": ["qqqq", "door and"], "answer": 0, "task": "doors", "delimiter": " "}

{"context": "The clock on the wall had stopped at", "choices": [" xqzjv", " noon", " noon"], "answer": 2}
END
printf '{"context": "He said", "choices": [" that", " thqz"], "answer": 0}\r\n' >"$work/second.jsonl"

# ---- the table ----

choose --tasks "$work/first.jsonl" "$work/second.jsonl" --method none,yarn --length 256,2048 --dtype f32
says_nothing
head -n 1 "$work/stdout" | grep -qE '^f32 arithmetic, [a-z0-9]+ kernels, f64 angles; accuracies and their standard' ||
    fail "the first line does not say what was computed with"
for word in length method scale task items chance acc acc_norm acc_bytes seconds; do
    sed -n 2p "$work/stdout" | grep -qF " $word" || fail "the heading has no '$word'"
done
rows=$(awk 'NR > 2 && $1 != "computed" { print $1, $2, $3, $4, $5 }' "$work/stdout" | tr '\n' ';')
[ "$rows" = "256 none 1 first 2;256 none 1 doors 2;256 none 1 second 1;256 yarn 1 first 2;256 yarn 1 doors 2;256 yarn 1 second 1;2048 none 8 first 2;2048 none 8 doors 2;2048 none 8 second 1;2048 yarn 8 first 2;2048 yarn 8 doors 2;2048 yarn 8 second 1;" ] ||
    fail "the rows are $rows"
grep -qE '^ +256 +none +1 +first +2 +33\.33 +50\.00 +\+- 50\.00 ' "$work/stdout" || fail "not the accuracy of one of two"
grep -qE '^ +256 +none +1 +second +1 +50\.00 +100\.00 +100\.00 +100\.00 +[0-9.]+$' "$work/stdout" ||
    fail "a single item has a standard error"

# ---- JSON ----

choose --tasks "$work/first.jsonl" "$work/second.jsonl" --method none,yarn --dtype f32 --json --answers
holds '[.results[] | [.method, .task, .length]] == [["none", "first", 256], ["none", "doors", 256], ["none", "second", 256],
    ["yarn", "first", 256], ["yarn", "doors", 256], ["yarn", "second", 256]]'
holds 'all(.results[]; keys == (["task", "method", "length", "scale", "attention_factor", "start_tokens", "factors", "items",
    "chance", "accuracy", "accuracy_norm", "accuracy_bytes", "standard_error", "standard_error_norm",
    "standard_error_bytes", "cut", "seconds", "dtype", "kernels", "angles", "answers"] | sort))'
holds '.results[0] | .items == 2 and .accuracy == 0.5 and .standard_error == 0.5 and .cut == 0'
holds '.results[2] | .items == 1 and .accuracy == 1 and .standard_error == null'
holds 'all(.results[]; .items == (.answers | length))'
holds 'all(.results[]; .accuracy == ([.answers[] | select(.choice == .answer)] | length) / .items)'
holds 'all(.results[]; .accuracy_norm == ([.answers[] | select(.choice_norm == .answer)] | length) / .items)'
holds 'all(.results[].answers[]; (.log_likelihoods | max) == .log_likelihoods[.choice])'
holds '.results[0].answers | map(.line) == [1, 5] and .[1].choice == 1 and .[1].answer == 2' # the first of equal ones
holds '.results[0].answers[1].log_likelihoods | .[1] == .[2]'
# a blank at the end of the context is one of the continuation, and so is the delimiter
holds '.results[1].answers | .[0].log_likelihoods == .[1].log_likelihoods and map(.choice == .answer) == [true, false]'
jq 'del(.results[].seconds)' "$work/stdout" >"$work/all"
choose --tasks "$work/first.jsonl" "$work/second.jsonl" --method none,yarn --dtype f32 --json --answers --threads 1
jq 'del(.results[].seconds)' "$work/stdout" | cmp -s - "$work/all" || fail "another number of threads makes a difference"
choose --tasks "$work/second.jsonl" --method none --json
holds '.results[0] | has("answers") | not'

# The log-likelihood of a continuation is that of `eval --nats`.
printf 'He said that' >"$work/text.txt"
runs "$LONGROPE" eval --model "$model" --text "$work/text.txt" --length 12 --method none --scale 1 --dtype f32 --nats "$work/nats.npy"
tail -c 40 "$work/nats.npy" | od -An -v -t f8 -w8 | jq -s 'add' >"$work/sum"
jq -n --slurpfile all "$work/all" --slurpfile sum "$work/sum" \
    -e '($all[0].results[2].answers[0].log_likelihoods[0] + $sum[0] | fabs) < 1e-9' >/dev/null ||
    fail "the log-likelihood is not the sum of the tokens' nats"

# ---- names ----

mkdir "$work/a" "$work/b"
cp "$work/second.jsonl" "$work/a/test.jsonl"
cp "$work/second.jsonl" "$work/b/test.jsonl"
fails_with 2 "b/test.jsonl:1: has no 'task', and the file's name, 'test', which would stand for it, is also that of" \
    "$LONGROPE" choice --model "$model" --method none --tasks "$work/a/test.jsonl" "$work/b/test.jsonl"

# ---- inputs that begin alike ----

# computed A B: the last line says that A of B tokens were computed.
computed() {
    tail -n 1 "$work/stdout" | grep -q "^computed $1 of $2 input tokens (" || fail "not $1 of $2 tokens"
}
# Two inputs of 11 bytes, of which the first 6 predict nothing. Another table shares nothing, an equal one does.
choose --tasks "$work/second.jsonl" --method none
computed 16 22
choose --tasks "$work/second.jsonl" --method none,pi --length 512
computed 32 44
choose --tasks "$work/second.jsonl" --method none,pi --length 256
computed 26 44

# Examples that are longer than blocks of rows, choices of one token and of many, a context of one token. `apart.jsonl`
# has each choice as an item of its own, between items that begin otherwise.
awk 'BEGIN { for (i = 0; i < 10; i++) printf "Question: %d and %d? Answer: %d. ", i, i * 7, i * 8; }' >"$work/examples"
cat >"$work/contexts.jsonl" <<'END'
{"context": "The clock on the wall had stopped at", "choices": [" noon", "!", " noon, and nobody knew why."], "answer": 0}
{"context": "She opened the", "choices": [" door", " d", "q"], "answer": 1}
END
{
    jq -c --rawfile examples "$work/examples" '.context |= $examples + .' "$work/contexts.jsonl"
    cat "$work/contexts.jsonl"
    echo '{"context": "S", "choices": ["h", "he opened"], "answer": 0}'
} >"$work/alike.jsonl"
jq -c '. as $item | .choices[] | {context: $item.context, choices: [.], answer: 0}, {context: "#", choices: ["#"], answer: 0}' \
    "$work/alike.jsonl" >"$work/apart.jsonl"
for type in f32 bf16; do
    for LONGROPE_KERNELS in '' baseline; do
        export LONGROPE_KERNELS
        choose --tasks "$work/apart.jsonl" --method dynamic-ntk --length 256,512 --dtype $type --json --answers --threads 2
        jq -c '[.results[].answers | to_entries[] | select(.key % 2 == 0) | .value.log_likelihoods[0]]' "$work/stdout" >"$work/each"
        for threads in 1 2; do
            choose --tasks "$work/alike.jsonl" --method dynamic-ntk --length 256,512 --dtype $type --json --answers --threads $threads
            jq -c '[.results[].answers[].log_likelihoods[]]' "$work/stdout" | cmp -s - "$work/each" ||
                fail "what was shared changes a bit: $type, kernels '$LONGROPE_KERNELS', $threads threads"
        done
    done
done
unset LONGROPE_KERNELS
choose --tasks "$work/apart.jsonl" --method none --length 2048
tokens=$(jq '(.context | length) + (.choices[0] | length) - 1' "$work/apart.jsonl" | jq -s add)
computed "$tokens" "$tokens"
choose --tasks "$work/alike.jsonl" --method none --length 2048
tokens=$(jq '(.context | length) as $context | .choices[] | $context + length - 1' "$work/alike.jsonl" | jq -s add)
computed '[0-9]*' "$tokens"
awk '/^computed/ { exit !($2 * 4 < $4) }' "$work/stdout" || fail "less than three quarters were shared: $(tail -n 1 "$work/stdout")"

# ---- long inputs lose their beginning ----

awk 'BEGIN { for (i = 0; i < 100; i++) printf "word "; }' >"$work/filler"
printf '{"context": "%sShe opened the", "choices": [" door", " qqqq"], "answer": 0}\n' "$(cat "$work/filler")" >"$work/long.jsonl"
choose --tasks "$work/long.jsonl" --method none --length 20,600 --dtype f32 --json --answers
grep -qF "long: 1 of 1 items have more than 20 tokens and lose the beginning of their context" "$work/stderr" ||
    fail "it does not say that inputs are cut"
holds '[.results[].cut] == [1, 0]'
jq '.results[0].answers[0].log_likelihoods[0]' "$work/stdout" >"$work/cut"
printf '{"context": "d She opened the", "choices": [" door", " qqqq"], "answer": 0}\n' >"$work/cut.jsonl"
choose --tasks "$work/cut.jsonl" --method none --length 20 --dtype f32 --json --answers
jq '.results[0].answers[0].log_likelihoods[0]' "$work/stdout" | cmp -s - "$work/cut" || fail "not the last 20 tokens"

# ---- tables, and a run ----

runs tiny_search "$work/run"
choose --tasks "$work/first.jsonl" --factors "$work/run/factors.json" --length 512 --json
holds '.results[0] | .method == "factors" and .table == "extend-2k" and .scale == 2'
choose --tasks "$work/first.jsonl" "$work/second.jsonl" --method none,yarn --dtype f32 --into "$work/run"
choose --tasks "$work/first.jsonl" --factors "$work/run/factors.json" --length 512 --into "$work/run" --label best
runs "$LONGROPE" show "$work/run" --json
holds '.choices | map([.label, .length, .task]) == [["none", 256, "first"], ["none", 256, "doors"], ["none", 256, "second"],
    ["yarn", 256, "first"], ["yarn", 256, "doors"], ["yarn", 256, "second"], ["best", 512, "first"], ["best", 512, "doors"]]'
jq -c '[.choices[0:6][] | [.task, .items, .chance, .accuracy, .accuracy_norm, .accuracy_bytes, .standard_error]]' \
    "$work/stdout" >"$work/recorded"
jq -c '[.results[] | [.task, .items, .chance, .accuracy, .accuracy_norm, .accuracy_bytes, .standard_error]]' "$work/all" |
    cmp -s - "$work/recorded" || fail "others are recorded than were measured"
runs "$LONGROPE" show "$work/run"
says "accuracy in multiple choice, in %: acc, acc_norm and acc_bytes"

# ---- what is wrong ----

refuses() {
    words=$1
    shift
    fails_with 2 "$words" "$LONGROPE" choice "$@"
}
refuses "missing --model DIR" --tasks "$work/first.jsonl" --method none
refuses "missing --tasks FILE.jsonl..." --model "$model" --method none
refuses "missing --method NAME[,NAME...] or --factors FILE" --model "$model" --tasks "$work/first.jsonl"
refuses "$work/nothing.jsonl" --model "$model" --tasks "$work/nothing.jsonl" --method none
refuses "--answers requires --json" --model "$model" --tasks "$work/first.jsonl" --method none --answers
refuses "--label requires --into" --model "$model" --tasks "$work/first.jsonl" --method none --label x
refuses "first.jsonl:1: choice 0 has 17 tokens, more than the 4 of --length; give a larger --length" --model "$model" \
    --tasks "$work/first.jsonl" --method none --length 4
# bad WORDS LINE: the second line of a file is wrong.
bad() {
    { head -n 1 "$work/first.jsonl" && printf '%b\n' "$2"; } >"$work/bad.jsonl"
    refuses "$work/bad.jsonl:2: $1" --model "$model" --tasks "$work/bad.jsonl" --method none
}
bad "is not valid JSON" '{"context": "A'
bad "has no 'answer'" '{"context": "A", "choices": ["a"]}'
bad "'choices' is empty" '{"context": "A", "choices": [], "answer": 0}'
bad "answer 1 is not an index of the 1 choices" '{"context": "A", "choices": ["a"], "answer": 1}'
bad "byte 14 is not UTF-8 (0xff); convert the text" '{"context": "A\0377", "choices": ["a"], "answer": 0}'
bad "no token precedes the continuation" '{"context": "", "choices": ["a"], "answer": 0}'
{ printf '\357\273\277' && cat "$work/first.jsonl"; } >"$work/bad.jsonl"
refuses "bad.jsonl: begins with a byte order mark; save it as UTF-8 without one" --model "$model" --tasks "$work/bad.jsonl" --method none
: >"$work/bad.jsonl"
refuses "bad.jsonl" --model "$model" --tasks "$work/bad.jsonl" --method none

# ---- signals ----

# Two items by turns, which begin otherwise: neighbours share nothing.
sed 's/"context": "/&X/' "$work/long.jsonl" | cat "$work/long.jsonl" - >"$work/two.jsonl"
awk '{ lines[NR] = $0 } END { for (i = 0; i < 10000; i++) { print lines[1]; print lines[2] } }' "$work/two.jsonl" >"$work/many.jsonl"
: >"$work/background.err"
"$LONGROPE" choice --model "$model" --tasks "$work/many.jsonl" --method pi --length 600 >"$work/background.out" 2>"$work/background.err" &
background=$!
wait_until "a line of progress" grep -q '^many, pi at 600 tokens: .* items.* left$' "$work/background.err"
kill -USR2 "$background"
end_search
[ "$status" = 75 ] || fail "choice that is sent SIGUSR2 ends with status $status, not 75"
tail -n 1 "$work/background.err" | grep -q '^longrope: stopped by SIGUSR2; ' || fail "it does not say why it ended"

echo "choice: passed"
