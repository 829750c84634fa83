#!/bin/sh
# report.sh LONGROPE RUN...: prints Markdown tables of runs of books.yaml, one run per seed, for the stages that are
# done: perplexity on the windows of the search, and on five windows that no search saw, of the best table and of the
# best one without start tokens, after the work of 100 and of 300 evaluations and at the end; the work to the end of the
# paper's search; and the median and the worst of all seeds. Work is counted in evaluations: windows scored, divided by
# the windows of the stage. In the environment:
#   PAPER_END  perplexity that stands for the paper's end; without it the lowest end of stage `paper` in these runs
#   BOOKS      folder of the books
set -eu
longrope=$1
shift
here=$(dirname "$0")
valid=${BOOKS:-$here/../../../shared/books}/valid
LC_ALL=C
export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

query() { sqlite3 "$work/all.db" "$1"; }
table() { echo && sqlite3 -markdown -nullvalue - "$work/all.db" "$1"; }
# SQL: a number with so many decimals, or NULL.
fixed() { echo "iif($1 NOTNULL, printf('%.$2f', $1), NULL)"; }

# ---- what the runs hold ----

query "CREATE TABLE stages (seed INTEGER, number INTEGER, stage TEXT, length INTEGER, windows INTEGER, work REAL);
    CREATE TABLE scores (seed INTEGER, stage TEXT, kind TEXT, id INTEGER, generation INTEGER, origin TEXT,
        start_tokens INTEGER, attention_factor REAL, windows INTEGER, stopped INTEGER, nats REAL, work REAL, factors TEXT);
    CREATE VIEW individuals AS SELECT * FROM scores WHERE kind = 'individual';
    CREATE TABLE found (seed INTEGER, stage TEXT, after TEXT, seen REAL, unseen REAL, seen_0 REAL, unseen_0 REAL)"
for run in "$@"; do
    "$longrope" show "$run" --scores >"$work/scores.csv"
    "$longrope" show "$run" --json >"$work/run.json"
    seed=$(jq -r '.stages[0].settings["search.seed"]' "$work/run.json")
    [ -z "$(query "SELECT seed FROM stages WHERE seed = $seed")" ] ||
        { echo "report.sh: $run: another run has the seed $seed, too" >&2 && exit 2; }
    jq -r --arg seed "$seed" '.stages | to_entries[] | .key as $number | .value | select(.state == "done") |
        [$seed, $number, .name, .target_length, (.samples | length), .cost.whole_evaluations] | @csv' \
        "$work/run.json" >"$work/stages.csv"
    factors=$(head -n 1 "$work/scores.csv" | tr , '\n' | grep '^lambda_' | paste -s -d , | sed "s/,/ || ',' || /g")
    sqlite3 "$work/all.db" ".import --csv $work/stages.csv stages" ".import --csv $work/scores.csv new" "
        INSERT INTO scores SELECT $seed, stage, kind, nullif(id, ''), nullif(generation, ''), origin, start_tokens,
            attention_factor, windows, stopped, nullif(nats_per_token, ''), nullif(work, ''), $factors FROM new
            WHERE stage IN (SELECT stage FROM stages WHERE seed = $seed);
        DROP TABLE new"
done

# ---- unseen books ----

# unseen LENGTH ARGUMENT...: perplexity on the beginnings of five books; measured once for each table.
unseen() {
    kept=$work/unseen-$(echo "$@" | cksum | cut -d ' ' -f 1)
    length=$1
    shift
    [ -s "$kept" ] || "$longrope" eval --model "$here/../demo/model" --dtype f32 --length "$length" --json "$@" \
        --text "$valid/on-the-origin-of-species-darwin.txt" "$valid/the-count-of-monte-cristo-dumas.txt" \
        "$valid/the-moonstone-collins.txt" "$valid/travels-in-west-africa-kingsley.txt" \
        "$valid/war-and-peace-tolstoy.txt" | jq '.results[0].perplexity' >"$kept"
    cat "$kept"
}

# best SEED STAGE LENGTH WORK STARTS: perplexity of the best table that was known after this work, of those whose
# start_tokens are in the list, on the windows of the search and on unseen ones; NULL, NULL if there is none.
best() {
    query "SELECT exp(nats), factors, start_tokens, attention_factor FROM individuals WHERE seed = $1 AND stage = '$2'
        AND work <= $4 AND start_tokens $5 ORDER BY nats, id LIMIT 1" >"$work/best"
    IFS='|' read -r seen factors start attention <"$work/best" || { echo "NULL, NULL" && return; }
    echo "$seen, $(unseen "$3" --factors "$factors" --start-tokens "$start" --attention-factor "$attention")"
}

query "SELECT DISTINCT origin, length, $(fixed 'exp(nats)' 4) FROM scores JOIN stages USING (seed, stage)
    WHERE kind = 'baseline' ORDER BY nats DESC" >"$work/baselines"
query "CREATE TABLE baselines (method TEXT, seen REAL, unseen REAL)"
while IFS='|' read -r method length seen; do
    query "INSERT INTO baselines VALUES ('$method', $seen, $(unseen "$length" --method "$method"))"
done <"$work/baselines"
# A search that has the work of 300 evaluations ends a few windows before or behind it.
query "WITH points (after, least) AS (VALUES (100, 99), (300, 299))
    SELECT seed, stage, length, after, after FROM stages, points WHERE work >= least
    UNION ALL SELECT seed, stage, length, 'end', work FROM stages WHERE work NOT BETWEEN 299 AND 301" >"$work/points"
while IFS='|' read -r seed stage length after limit; do
    any=$(best "$seed" "$stage" "$length" "$limit" ">= 0")
    none=$(best "$seed" "$stage" "$length" "$limit" "= 0")
    query "INSERT INTO found VALUES ($seed, '$stage', '$after', $any, $none)"
done <"$work/points"

# ---- tables ----

order="(SELECT min(number) FROM stages AS o WHERE o.stage = this.stage)" # as in the configuration
table "SELECT method, $(fixed seen 4) AS 'searched on', $(fixed unseen 4) AS unseen FROM baselines"
table "SELECT stage AS search, seed, after, $(fixed seen 4) AS 'searched on', $(fixed unseen 4) AS unseen,
        $(fixed seen_0 4) AS 'n_hat = 0: searched on', $(fixed unseen_0 4) AS unseen
    FROM found AS this ORDER BY $order, seed, after = 'end', after"

# The first table at least as good as the paper's end. `rounds` are the generations that the search had made when it was
# known. The Bayesian search scores most individuals on one window, and completes a few of them later, each in a further
# round: the windows that are in no completion are each the first of an individual. (A run that was continued with a
# larger budget has completions that its later work does not count: its rounds are a few too low.)
goal="(SELECT min(nats) FROM individuals WHERE stage = 'paper')"
[ -z "${PAPER_END-}" ] || goal="ln($PAPER_END)"
[ -n "$(query "SELECT $goal")" ] ||
    echo "report.sh: stage paper is not done: give PAPER_END, and the work to the paper's end will be known" >&2
query "CREATE TABLE reached AS SELECT seed, stage, id, min(work) AS work, EXISTS (SELECT 1 FROM individuals AS i
            WHERE i.seed = this.seed AND i.stage = this.stage AND nats ISNULL AND NOT stopped) AS partial,
            (SELECT count(*) FROM individuals AS i WHERE i.seed = this.seed AND i.stage = this.stage AND
                i.work <= min(this.work)) AS complete
        FROM individuals AS this WHERE nats <= $goal GROUP BY seed, stage;
    CREATE VIEW last AS SELECT seed, stage, r.work, iif(partial, complete, NULL) AS completions,
            iif(partial, round(r.work * windows) - 1 - complete * (windows - 1), id) AS id
        FROM reached AS r JOIN stages USING (seed, stage);
    CREATE TABLE spent AS SELECT seed, stage, this.work AS work, last.work AS reached, last.work * this.windows AS windows,
            (SELECT count(DISTINCT generation) FROM individuals AS i WHERE i.seed = last.seed AND i.stage = last.stage
                AND i.id <= last.id) AS rounds, completions, count(*) AS tables,
            sum(stopped * (this.windows - i.windows)) AS saved, sum(i.windows) AS scored
        FROM stages AS this JOIN individuals AS i USING (seed, stage) LEFT JOIN last USING (seed, stage)
        GROUP BY seed, stage"
table "SELECT stage AS search, seed, tables, $(fixed work 1) AS work, $(fixed reached 1) AS 'to the paper''s end',
        $(fixed windows 0) AS windows, iif(reached NOTNULL, rounds, NULL) AS rounds, completions,
        printf('%.1f %%', 100.0 * saved / (scored + saved)) AS 'saved by racing'
    FROM spent AS this ORDER BY $order, seed"

# ---- the median and the worst of all seeds ----

# A search that does not reach the paper's end is worse than all that do.
query "CREATE VIEW numbers AS SELECT stage, after, 'seen' AS name, seen AS value FROM found
        UNION ALL SELECT stage, after, 'unseen', unseen FROM found
        UNION ALL SELECT stage, after, 'seen_0', ifnull(seen_0, 9e999) FROM found
        UNION ALL SELECT stage, after, 'unseen_0', ifnull(unseen_0, 9e999) FROM found
        UNION ALL SELECT stage, '', 'work', ifnull(reached, 9e999) FROM spent
        UNION ALL SELECT stage, '', 'rounds', iif(reached NOTNULL, rounds, 9e999) FROM spent;
    CREATE VIEW ranked AS SELECT *, row_number() OVER each AS rank, count(*) OVER (PARTITION BY stage, after, name) AS count
        FROM numbers WINDOW each AS (PARTITION BY stage, after, name ORDER BY value);
    CREATE TABLE summary AS SELECT stage, after, name, max(count) AS seeds, max(value) AS worst,
            avg(value) FILTER (WHERE rank IN ((count + 1) / 2, (count + 2) / 2)) AS median
        FROM ranked GROUP BY stage, after, name"
# SQL: median (worst) of a number, with so many decimals.
both() {
    echo "(SELECT iif(median < 9e99, printf('%.$2f', median), '-') || ' (' || iif(worst < 9e99, printf('%.$2f', worst), '-')
        || ')' FROM summary AS s WHERE s.stage = this.stage AND s.after = this.after AND name = '$1')"
}
table "SELECT stage AS search, seeds, after, $(both seen 4) AS 'searched on', $(both unseen 4) AS unseen,
        $(both seen_0 4) AS 'n_hat = 0: searched on', $(both unseen_0 4) AS unseen
    FROM summary AS this WHERE name = 'seen' ORDER BY $order, after = 'end', after"
table "SELECT stage AS search, seeds, $(both work 1) AS 'to the paper''s end', $(both rounds 0) AS rounds
    FROM summary AS this WHERE name = 'work' ORDER BY $order"
