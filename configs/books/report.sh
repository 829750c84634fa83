#!/bin/sh
# report.sh LONGROPE RUN...: prints Markdown tables of runs of books.yaml, one run per seed, for the stages that are
# done: perplexity on the windows of the search and on five windows that no search saw; evaluations; what racing saved.
set -eu
longrope=$1
shift
here=$(dirname "$0")
model=$here/../demo/model
valid=${BOOKS:-$here/../../../shared/books}/valid
LC_ALL=C
export LC_ALL

# unseen ARGUMENT...: perplexity on the beginnings of five books that no search saw.
unseen() {
    "$longrope" eval --model "$model" --length 2048 --json "$@" --text "$valid/on-the-origin-of-species-darwin.txt" \
        "$valid/the-count-of-monte-cristo-dumas.txt" "$valid/the-moonstone-collins.txt" \
        "$valid/travels-in-west-africa-kingsley.txt" "$valid/war-and-peace-tolstoy.txt" | jq '.results[0].perplexity'
}

# found RUN STAGE FIELD: perplexity of a stage's table on these books; FIELD is best or best_exportable.
found() {
    "$longrope" show "$1" --json >"$work/run.json"
    of=".stages[] | select(.name == \"$2\") | .$3"
    unseen --factors "$(jq -r "$of.factors | map(tostring) | join(\",\")" "$work/run.json")" \
        --start-tokens "$(jq "$of.start_tokens" "$work/run.json")" \
        --attention-factor "$(jq "$of.attention_factor" "$work/run.json")"
}

# done_runs STAGE RUN...: prints "seed run", one line per run in which the stage is done.
done_runs() {
    wanted=$1
    shift
    seed=0
    for run in "$@"; do
        seed=$((seed + 1))
        [ "$(query "$run" "SELECT state FROM stages WHERE name = '$wanted'")" != "done" ] || echo "$seed $run"
    done
}

query() { sqlite3 -separator ' | ' "$1/run.db" "$2"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
first=$1
stages=$(query "$first" "SELECT name FROM stages ORDER BY id")
for stage in $stages; do
    done_runs "$stage" "$@" | sed "s/^/$stage /"
done >"$work/done"

echo "| method | searched on | unseen |"
echo "| --- | --- | --- |"
for method in none pi ntk dynamic-ntk yarn; do
    seen=$(query "$first" "SELECT printf('%.4f', exp(nats_per_token)) FROM baselines WHERE stage = 0 AND method = '$method'")
    unseen=$(unseen --method "$method")
    printf '| %s | %s | %.4f |\n' "$method" "$seen" "$unseen"
done

echo
echo "| search | seed | searched on | unseen | n_hat = 0: searched on | unseen | n_hat | attention factor |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
while read -r stage seed run; do
    any=$(found "$run" "$stage" best)
    exportable=$(found "$run" "$stage" best_exportable)
    jq -r ".stages[] | select(.name == \"$stage\") |
        [.best.perplexity, $any, .best_exportable.perplexity, $exportable, .best.start_tokens,
         .best.attention_factor] | @tsv" "$work/run.json" |
        awk -v stage="$stage" -v seed="$seed" \
            '{ printf "| %s | %d | %.4f | %.4f | %.4f | %.4f | %d | %.4f |\n", stage, seed, $1, $2, $3, $4, $5, $6 }'
done <"$work/done"

echo
echo "| search | seed | evaluations | to reach the paper's end | cut short | windows scored |"
echo "| --- | --- | --- | --- | --- | --- |"
while read -r stage seed run; do
    query "$run" "
        WITH this AS (SELECT id FROM stages WHERE name = '$stage'),
             mine AS (SELECT * FROM individuals WHERE stage = (SELECT id FROM this)),
             target AS (SELECT min(nats_per_token) AS nats FROM individuals
                        WHERE stage = (SELECT id FROM stages WHERE name = 'paper'))
        SELECT '| $stage', $seed, count(*),
            coalesce((SELECT min(id) + 1 FROM mine, target WHERE nats_per_token <= target.nats), 'not reached'),
            printf('%.1f %%', 100.0 * sum(stopped) / count(*)),
            printf('%.1f %% |', 100.0 / count(*) / (SELECT count(*) FROM samples WHERE stage = (SELECT id FROM this)) *
                (SELECT count(*) FROM sample_nats WHERE stage = (SELECT id FROM this)))
        FROM mine"
done <"$work/done"
