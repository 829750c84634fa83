#!/bin/sh
# The output reference, search/report/README.md: it names every key of every JSON document and every CSV column that the
# program prints, and no others.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

reference=$SOURCE/search/report/README.md

# section HEADING: the lines below the heading, up to the next one.
section() { awk -v heading="## $1" '/^## / { found = $0 == heading } found' "$reference"; }

# The names in the first column of the tables on standard input, one per line.
names() { sed -n 's/^| \(`[^|]*\) |.*/\1/p' | tr -d '`' | sed 's/, /\n/g; s/ \.\.\.//g' | sort -u; }

# The paths of all members in a document on standard input, as the reference writes them. The names of settings are not
# listed: they are keys of the configuration.
paths() {
    jq -r 'paths | select((.[2] == "settings" and length > 3) | not) | select(.[-1] | type == "string") |
        reduce .[] as $key (""; . + if $key | type == "number" then "[]" elif . == "" then $key else ".\($key)" end)' |
        sort -u
}

# documented HEADING FILE...: the members of these documents, taken together, are those that the section lists. A key
# whose row says "absent" need not be in them; objects need no row of their own where their members have one.
documented() {
    heading=$1
    shift
    section "$heading" >"$work/section"
    [ -s "$work/section" ] || fail "the reference has no section '$heading'"
    names <"$work/section" >"$work/named"
    grep -v absent "$work/section" | names >"$work/always"
    for file; do paths <"$file"; done | sort -u >"$work/printed"
    while read -r path; do
        grep -qxF -e "$path" "$work/named" || grep -qF -e "$path." "$work/named" ||
            fail "$heading: the reference does not list '$path'"
    done <"$work/printed"
    comm -23 "$work/always" "$work/printed" >"$work/others"
    [ ! -s "$work/others" ] || fail "$heading: the program does not print '$(cat "$work/others")'"
}

# ---- a run, measured ----

runs tiny_search "$work/run"
"$LONGROPE" eval --model "$model" --text "$document" --length 256 --samples 1 --method yarn --into "$work/run" \
    --json >"$work/eval.json"
head -c 1000 "$document" >"$work/short.txt"
"$LONGROPE" eval --model "$model" --text "$work/short.txt" --length 512 --stride 256 --factors "$work/run/factors.json" \
    --json >"$work/eval-factors.json"
"$LONGROPE" passkey --model "$model" --prompt demo --length 256 --depths 50 --trials 1 --method yarn --into "$work/run" \
    --json >"$work/passkey.json"
"$LONGROPE" passkey --model "$model" --prompt demo --length 256 --depths 50 --trials 1 --prompts --json \
    --factors "$work/run/factors.json" >"$work/passkey-factors.json"
echo '{"context": "It was", "choices": [" so", " qz"], "answer": 0}' >"$work/items.jsonl"
"$LONGROPE" choice --model "$model" --tasks "$work/items.jsonl" --method yarn --into "$work/run" --json >"$work/choice.json"
"$LONGROPE" choice --model "$model" --tasks "$work/items.jsonl" --factors "$work/run/factors.json" --length 512 --answers \
    --json >"$work/choice-factors.json"
# The same with a table that the search multiplied.
copy_run run based "UPDATE stage_models SET base = 'earlier', base_attention_factor = 1.25, base_factors =
    (SELECT json_group_array(1.0) FROM json_each((SELECT genes FROM individuals LIMIT 1)))"
"$LONGROPE" search "$one_stage" -o "$work/critical" --set search.critical_pair=7 --set search.population=1 \
    --set search.parents=1 --set search.iterations=0 --set stages.0.target_length=300 --set data.samples=1 \
    >"$work/stdout" 2>"$work/stderr"
"$LONGROPE" export "$work/based" --format json --out "$work/based.json" >"$work/stdout"

for view in "" --generations --convergence --lambda --genealogy; do
    # shellcheck disable=SC2086 # no word, or one
    for run in run based critical; do "$LONGROPE" show "$work/$run" $view --json >"$work/$run.view.json"; done
    documented "show ${view:+$view }--json" "$work/run.view.json" "$work/based.view.json" \
        "$work/critical.view.json"
done
documented "eval --json" "$work/eval.json" "$work/eval-factors.json"
documented "passkey --json" "$work/passkey.json" "$work/passkey-factors.json"
documented "choice --json" "$work/choice.json" "$work/choice-factors.json"
documented "factors.json" "$work/run/factors.json" "$work/based.json"

# ---- columns ----

runs "$LONGROPE" show "$work/run" --scores
head -n 1 "$work/stdout" | tr , '\n' | grep -v '^\(nats\|lambda\)_[1-9]' | sort -u >"$work/printed"
section "show --scores" | names >"$work/named"
diff "$work/named" "$work/printed" >&2 || fail "show --scores: the reference lists other columns"
"$LONGROPE" show --help >"$work/help"
while read -r column; do
    grep -qw -e "$column" "$work/help" || fail "show --help does not list the column $column of --scores"
done <"$work/named"

# ---- other commands ----

runs "$LONGROPE" export "$work/run" --format hf --model "$model" --weights none --out "$work/hf" --json
cp "$work/stdout" "$work/export-hf.json"
runs "$LONGROPE" export "$work/run" --format csv --out "$work/table.csv" --json
cp "$work/stdout" "$work/export-csv.json"
documented "export --json" "$work/export-hf.json" "$work/export-csv.json"
runs "$LONGROPE" search "$demo/demo.yaml" --dry-run --ranks 2 --json -o "$work/dry" --set "stages.0.finetune.command=sh tune.sh"
documented "search --dry-run --json" "$work/stdout"
runs "$LONGROPE" bench --hidden 64 --heads 4 --layers 2 --vocabulary 300 --length 130 --seconds 0.01 --dtype f32 \
    --kernels baseline --json
documented "bench --json" "$work/stdout"

echo "output_reference: passed"
