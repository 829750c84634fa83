#!/bin/sh
# `longrope show`: what each view says of a run is what its database holds, also of a run that goes on, has
# just begun, or was changed by hand to hold what is rare.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# query RUN SQL
query() { sqlite3 "$work/$1/run.db" "$2"; }

show() {
    folder=$1
    shift
    runs "$LONGROPE" show "$work/$folder" "$@"
}

# same WHAT EXPECTED FILE: the file holds exactly these lines.
same() {
    printf '%s\n' "$2" >"$work/expected"
    diff "$work/expected" "$3" >&2 || fail "$1 is not as the database has it"
}

runs tiny_search "$work/run"

runs two_stages "$work/two"

# Racing cut short the last individual, and all of generation 1; the cache knew some windows.
copy_run run cut "DELETE FROM sample_nats WHERE sample = 1 AND individual IN (6, 7, 8, 9, 13);
    UPDATE individuals SET stopped = 1, nats_per_token = NULL, computed = 1 WHERE id IN (6, 7, 8, 9, 13);
    UPDATE individuals SET computed = 0 WHERE id IN (1, 13); UPDATE individuals SET computed = 1 WHERE id = 2"

# Racing cut short the first individual, and one of the last is as good as the best.
copy_run run tied "UPDATE individuals SET stopped = 1, nats_per_token = NULL WHERE id = 0;
    UPDATE individuals SET nats_per_token = (SELECT min(nats_per_token) FROM individuals)
        WHERE id = (SELECT max(id) FROM individuals WHERE NOT stopped
            AND nats_per_token > (SELECT min(nats_per_token) FROM individuals))"

# One window came from the cache.
copy_run run once "UPDATE individuals SET computed = computed - 1 WHERE id = 1"

# The individuals were known in reverse order; an older longrope did not say when they were.
copy_run run reversed "UPDATE individuals SET work = 30 - work"
copy_run run untimed "UPDATE individuals SET work = NULL"

# Everything came from the cache.
copy_run run cached "UPDATE individuals SET computed = 0; UPDATE baselines SET computed = 0"

# The best, the first and all of generation 1 are scored on the second window only.
copy_run run partial "DELETE FROM sample_nats WHERE sample = 0 AND individual IN (SELECT id FROM individuals
        WHERE id = 0 OR generation = 1 OR nats_per_token = (SELECT min(nats_per_token) FROM individuals));
    UPDATE individuals SET first_window = 1, nats_per_token = NULL, computed = 1
        WHERE id NOT IN (SELECT individual FROM sample_nats WHERE sample = 0)"

# In their baselines; before these; before the first stage.
copy_run run baselines "DELETE FROM sample_nats; DELETE FROM individuals; UPDATE stages SET state = 'running'"
copy_run baselines begun "DELETE FROM baseline_nats; DELETE FROM baselines; UPDATE stages SET state = 'pending'"
copy_run begun empty "DELETE FROM samples; DELETE FROM settings; DELETE FROM stages"

# ---- what the evaluations cost ----

# cost RUN: of 14 individuals and 2 windows each.
cost() {
    IFS='|' read -r stopped windows computed seconds <<SUMS
$(query "$1" "SELECT sum(stopped), (SELECT count(*) FROM sample_nats), sum(computed), sum(seconds) FROM individuals")
SUMS
    show "$1" --json
    complete=$(query "$1" "SELECT count(*) FROM (SELECT count(*) AS c FROM sample_nats GROUP BY individual) WHERE c = 2")
    holds ".stages[0].cost | .complete == $complete and .whole_evaluations == $windows / 2"
    holds ".stages[0].cost | .stopped == $stopped and .windows == $windows and .windows_saved == 28 - $windows and
        .windows_cached == $windows - $computed and (.seconds / $seconds - 1 | fabs < 1e-12)"
    if [ "$computed" = 0 ]; then
        holds '.stages[0].cost.tokens_per_second == null'
        rate=n/a
    else
        holds ".stages[0].cost.tokens_per_second / ($computed * 511 / $seconds) - 1 | fabs < 1e-12"
        rate=$(awk "BEGIN { printf \"%.0f\", $computed * 511 / $seconds }")
    fi
    saved=$(awk "BEGIN { printf \"%.1f\", 100 * (28 - $windows) / 28 }")
    spent=$(awk "BEGIN { printf \"%.1f\", $seconds }")
    cached=$((windows - computed))
    plural=s
    [ "$cached" != 1 ] || plural=
    show "$1"
    says "  iteration 2 of 2, 14 tables scored on $windows windows: the work of $(awk "BEGIN { printf \"%.1f\", $windows / 2 }") evaluations"
    says "  $stopped cut short by racing, saving $saved % of windows; $spent s, $rate tokens/s; $(
    )$cached window$plural from the cache"
}
cost run
cost cut
if [ "$stopped" -lt 5 ] || [ "$windows" -gt 23 ] || [ "$computed" -gt 19 ]; then fail "the copy is not cut short"; fi
cost once
[ "$cached" = 1 ] || fail "the copy has $cached windows from the cache, not one"
cost cached

# ---- generations ----

generations="SELECT g.generation, count(*), sum(g.stopped),
        (SELECT count(*) FROM individuals AS i WHERE i.generation <= g.generation),
        (SELECT count(*) FROM sample_nats AS s JOIN individuals AS i ON i.id = s.individual
            WHERE i.generation <= g.generation), best.id, best.n_hat, best.origin
    FROM individuals AS g JOIN individuals AS best ON best.id = (SELECT id FROM individuals AS i
        WHERE i.generation <= g.generation AND nats_per_token NOTNULL ORDER BY nats_per_token, id LIMIT 1)
    GROUP BY g.generation ORDER BY g.generation"
# When they were known, in evaluations on both windows: those of each generation and all before it, and those that were
# better than all before.
known="SELECT ifnull(max(i.work) / 2.0, 'null') FROM individuals AS g JOIN individuals AS i ON i.generation <= g.generation
    AND i.nats_per_token NOTNULL GROUP BY g.generation ORDER BY g.generation"
improvements="SELECT id, generation, origin, ifnull(work / 2.0, 'null') FROM individuals AS i WHERE nats_per_token NOTNULL
    AND NOT EXISTS (SELECT 1 FROM individuals AS j WHERE j.nats_per_token <= i.nats_per_token
        AND (ifnull(j.work, 0), j.id) < (ifnull(i.work, 0), i.id)) ORDER BY work, id"
for run in run cut tied reversed untimed; do
    show "$run" --json
    holds ".stages[0].best.work == $(query "$run" "SELECT ifnull(work / 2.0, 'null') FROM individuals
        WHERE nats_per_token NOTNULL ORDER BY nats_per_token, id LIMIT 1")"
    show "$run" --generations --json
    cp "$work/stdout" "$work/generations.json"
    jq -r '.stages[0].generations[].work | if . == null or . != floor then . else "\(.).0" end' "$work/stdout" >"$work/rows"
    same "$run: the work of generations" "$(query "$run" "$known")" "$work/rows"
    jq -r '.stages[0].improvements[] | [.id, .generation, .origin,
        (.work | if . == null or . != floor then . else "\(.).0" end)] | map(tostring) | join("|")' "$work/stdout" >"$work/rows"
    same "$run: improvements" "$(query "$run" "$improvements")" "$work/rows"
    holds '.stages[0] | [.improvements[].perplexity] == ([.improvements[].perplexity] | sort | reverse) and
        .improvements[-1].perplexity == .generations[-1].best.perplexity'
    cp "$work/generations.json" "$work/stdout"
    jq -r '.stages[0].generations[] | [.generation, .individuals, .stopped, .evaluations, .windows, .best.id,
        .best.start_tokens, .best.origin] | map(tostring) | join("|")' "$work/stdout" >"$work/rows"
    same "$run --generations --json" "$(query "$run" "$generations")" "$work/rows"
    for generation in 0 1 2; do
        nats=$(query "$run" "SELECT ifnull(min(nats_per_token), 'null') FROM individuals WHERE generation = $generation")
        best=$(query "$run" "SELECT min(nats_per_token) FROM individuals WHERE generation <= $generation")
        holds ".stages[0].generations[$generation].perplexity |
            if $nats == null then . == null else log - $nats | fabs < 1e-12 end"
        holds ".stages[0].generations[$generation].best.perplexity | log - $best | fabs < 1e-12"
    done
    holds '.stages[0].generations[-1].best.attention_factor - 1.0606601717798212 | fabs < 1e-15'
    jq -r '.stages[0].generations[] | [.generation, .individuals, .evaluations, .stopped, .perplexity // "n/a",
        .best.perplexity, .best.start_tokens, .best.attention_factor, .best.origin] | join(" ")' "$work/stdout" |
        awk '{ printf "%d %d %d %d %s %.4f %d %.4f %s\n", $1, $2, $3, $4, $5 == "n/a" ? $5 : sprintf("%.4f", $5),
            $6, $7, $8, $9 }' >"$work/rows"
    show "$run" --generations
    says "run demo: done"
    says "stage extend-2k: done; 512 tokens, 2 times the window of 256"
    same "$run --generations" "$(sed -n '4,$p' "$work/stdout" | awk '{ $1 = $1; print }')" "$work/rows"
done

# How many windows and evaluations it took to reach a perplexity, as the output reference asks the database.
show run --generations --json
goal=$(jq '.stages[0].generations[1].best.perplexity + 1e-9' "$work/stdout")
first=$(jq '.stages[0].generations[1].best.id + 1' "$work/stdout")
sed -n '/^    sqlite3 RUN_DIR\/run.db "/,/"$/p' "$SOURCE/search/report/README.md" |
    sed -e "s|RUN_DIR|$work/run|" -e "s/<= 3\.9/<= $goal/" >"$work/asked.sh"
runs sh "$work/asked.sh"
windows=$(query run "SELECT count(*) FROM sample_nats WHERE individual < $first")
[ "$(cat "$work/stdout")" = "$windows|$first.0" ] || fail "the reference's query finds another number of evaluations"

# ---- genealogy ----

best_id="SELECT id FROM individuals WHERE NOT stopped ORDER BY nats_per_token, id LIMIT 1"

# kin ID: its ancestors and itself, by SQL.
kin() {
    query run "WITH RECURSIVE links(child, parent) AS (SELECT id, parent_a FROM individuals WHERE parent_a NOTNULL
            UNION SELECT id, parent_b FROM individuals WHERE parent_b NOTNULL),
        kin(id) AS (VALUES ($1) UNION SELECT parent FROM links JOIN kin ON child = kin.id)
        SELECT id || ' ' || generation || ' ' || origin || ' ' || n_hat || ' ' || ifnull(parent_a, '-') || ' ' ||
            ifnull(parent_b, '-') || iif(stopped, ' true', ' false') FROM individuals JOIN kin USING (id) ORDER BY id"
}
compared=0
for id in best 0 1 2 3 4 5 6 7 8 9 10 11 12 13; do
    if [ "$id" = best ]; then
        show run --genealogy --json
        id=$(query run "$best_id")
    else
        show run --genealogy "$id" --json
    fi
    holds ".stages[0] | .individual == $id and .genes == 33 and .genealogy[-1].id == $id"
    holds '.stages[0].genealogy | ([.[].parents[].id] - [.[].id]) == []'
    jq -r '.stages[0].genealogy[] | "\(.id) \(.generation) \(.origin) \(.start_tokens) \(.parents[0].id // "-") " +
        "\(.parents[1].id // "-") \(.stopped)"' "$work/stdout" >"$work/rows"
    same "--genealogy $id" "$(kin "$id")" "$work/rows"
    jq -r '.stages[0].genealogy[] | "\(.id) \(.perplexity) \(.parents[] | "\(.id) \(.genes_differing)")"' \
        "$work/stdout" >"$work/links"
    while read -r child perplexity parent differing; do
        expected=$(query run "SELECT ifnull(abs(exp(c.nats_per_token) / $perplexity - 1) < 1e-12, c.stopped),
            (c.n_hat <> p.n_hat) + (SELECT count(*) FROM json_each(c.genes) AS x JOIN json_each(p.genes) AS y
                ON x.key = y.key WHERE x.value <> y.value)
            FROM individuals AS c JOIN individuals AS p WHERE c.id = $child AND p.id = $parent")
        [ "$expected" = "1|$differing" ] || fail "$child and its parent $parent: $expected, not 1|$differing"
        compared=$((compared + 1))
    done <"$work/links"
done
[ "$compared" -ge 8 ] || fail "hardly an individual has parents"

# The table says the same.
crossover=$(query run "SELECT max(id) FROM individuals WHERE origin = 'crossover'")
show run --genealogy "$crossover" --json
jq -r '.stages[0].genealogy[] | "\(.id) \(.generation) \(.origin) \(.start_tokens) \(.attention_factor) \(.perplexity // "cut") \(.windows)" +
    ([.parents[] | " \(.id) (\(.genes_differing))"] | join(" and"))' "$work/stdout" |
    awk '{ $5 = sprintf("%.4f", $5); $6 = $6 == "cut" ? "cut short" : sprintf("%.4f", $6); print }' >"$work/rows"
show run --genealogy="$crossover"
same "--genealogy=$crossover" "$(sed -n '5,$p' "$work/stdout" | awk '{ $1 = $1; print }')" "$work/rows"
grep -q 'and [0-9]* ([0-9]*)$' "$work/stdout" || fail "a crossover has no two parents"
awk 'length > 100 { exit 1 }' "$work/stdout" || fail "the genealogy is wider than 100 columns"

# The id is the word behind the option, if that is a number, wherever the run's folder stands.
runs "$LONGROPE" show --genealogy 5 "$work/run" --json
holds '.stages[0].individual == 5'
runs "$LONGROPE" show --genealogy "$work/run" --json
holds ".stages[0].individual == $(query run "$best_id")"

# ---- individuals that are scored on some windows ----

# Only an individual that is scored on all windows is the best, and racing saved nothing.
some=$(query partial "SELECT count(*) FROM individuals WHERE nats_per_token IS NULL AND NOT stopped")
[ "$some" -ge 3 ] || fail "the copy has no individuals that are scored on some windows"
least=$(query partial "SELECT min(nats_per_token) FROM individuals")
[ "$least" != "$(query run "SELECT min(nats_per_token) FROM individuals")" ] || fail "the best one is scored whole"
show partial --json
holds ".stages[0] | (.best.perplexity | log - $least | fabs < 1e-12) and .cost.stopped == 0 and
    .cost.windows == 28 - $some and .cost.windows_saved == 0"
show partial
says "  0 cut short by racing, saving 0.0 % of windows; "
show partial --generations --json
holds '.stages[0].generations[1] | .perplexity == null and .quartiles == [null, null, null] and .stopped == 0'
holds ".stages[0].generations[2].best.perplexity | log - $least | fabs < 1e-12"
show partial --scores
awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 && $at["windows"] == 1 { count++
    if ($at["stopped"] != 0 || $at["nats_per_token"] != "" || $at["nats_0"] != "" || $at["nats_1"] == "") exit 1 }
    END { print count }' "$work/stdout" >"$work/rows" || fail "--scores does not have the second window alone"
same "--scores" "$some" "$work/rows"
show partial --genealogy 0
grep -q '^ *0  *0 .* n/a  *1$' "$work/stdout" || fail "the genealogy does not say that one window is scored"
show partial --convergence
says 'the best so far'
! grep -q median "$work/stdout" || fail "the picture has quartiles of tables that were chosen"
runs "$LONGROPE" export "$work/partial" --format csv --out "$work/partial.csv"

# The attention factor is a gene where it is searched.
copy_run run attention "UPDATE stages SET attention_unit = 100, attention_low = 90, attention_high = 130;
    UPDATE individuals SET attention = 100 + id"
link=$(query run "SELECT id || ' ' || parent_a FROM individuals WHERE parent_a NOTNULL ORDER BY id LIMIT 1")
show run --genealogy "${link% *}" --json
plain=$(jq '.stages[0].genealogy[-1].parents[0].genes_differing' "$work/stdout")
show attention --genealogy "${link% *}" --json
holds ".stages[0] | .genes == 34 and .genealogy[-1].parents[0].genes_differing == $plain + 1"

show untimed --convergence
grep -q '^ *tables$' "$work/stdout" || fail "the picture of a run whose work is unknown does not count tables"
show run --convergence
grep -q '^ *evaluations$' "$work/stdout" || fail "the picture does not count evaluations"

show cut --genealogy 13 --json
holds '.stages[0].genealogy[-1] | .id == 13 and .stopped and .perplexity == null'
show cut --genealogy 13
grep -q '^ *13 .* cut short ' "$work/stdout" || fail "nothing says that individual 13 was cut short"

# ---- scores ----

show run --scores
cp "$work/stdout" "$work/scores.csv"
[ "$(head -n 1 "$work/scores.csv")" = "stage,kind,id,generation,origin,parent_a,parent_b,start_tokens,attention_factor,$(
)windows,stopped,failed,nats_per_token,perplexity,work,seconds,nats_0,nats_1,$(seq -f 'lambda_%.0f' -s , 0 31)" ] ||
    fail "--scores has other columns"
[ "$(wc -l <"$work/scores.csv")" = 20 ] || fail "--scores has not 5 baselines and 14 individuals"

# compare RUN: what --scores says of it, imported, is what its database holds.
compare() {
    show "$1" --scores
    cp "$work/stdout" "$work/$1.csv"
    rm -f "$work/imported.db"
    sqlite3 "$work/imported.db" ".import --csv $work/$1.csv scores" || fail "$1: --scores cannot be imported"
    sqlite3 "$work/imported.db" "SELECT stage, kind, id, generation, origin, parent_a, parent_b, start_tokens, windows,
        stopped FROM scores ORDER BY rowid" >"$work/rows"
    same "$1 --scores" "$(query "$1" "SELECT name, kind, id, generation, origin, a, b, n_hat, windows, stopped FROM (
            SELECT stage, 0 AS k, 'baseline' AS kind, position AS p, '' AS id, '' AS generation, method AS origin,
                '' AS a, '' AS b, start_tokens AS n_hat, 0 AS stopped, (SELECT count(*) FROM baseline_nats AS n
                    WHERE n.stage = i.stage AND n.method = i.method) AS windows FROM baselines AS i
            UNION ALL SELECT stage, 1, 'individual', id, id, generation, origin, ifnull(parent_a, ''),
                ifnull(parent_b, ''), n_hat, stopped, (SELECT count(*) FROM sample_nats AS n
                    WHERE n.stage = i.stage AND n.individual = i.id) FROM individuals AS i
        ) JOIN (SELECT id AS number, name FROM stages) ON number = stage ORDER BY stage, k, p")" "$work/rows"
}
compare run
compare cut
compare two

# The numbers are the database's, to the last bit: there as mantissa and exponent. Factors are genes / 100.
exact() {
    awk -F '|' -v rows="$2" '
        !($2 == "" ? $1 == "" : $1 != "" && $1 + 0 == $2 * 2 ^ $3) { print "row " NR ": " $0; wrong = 1 }
        END { exit wrong || NR != rows }' "$work/pairs" >&2 || fail "$1 does not read back to the same numbers"
}
# pairs COLUMN NUMBERS JOIN: a column of the imported table beside the `number` of a query on the run.
pairs() {
    sqlite3 "$work/imported.db" "ATTACH '$work/cut/run.db' AS run" "SELECT scores.$1,
        iif(number ISNULL, '', ieee754_mantissa(number)), ieee754_exponent(number)
        FROM scores JOIN ($2) AS n ON $3" >"$work/pairs"
}
compare cut
individuals="kind = 'individual' AND scores.id = n.id"
baselines="kind = 'baseline' AND scores.origin = n.method"
for column in nats_per_token seconds; do
    pairs "$column" "SELECT id, $column AS number FROM run.individuals" "$individuals"
    exact "$column of individuals" 14
    pairs "$column" "SELECT method, $column AS number FROM run.baselines" "$baselines"
    exact "$column of baselines" 5
done
for sample in 0 1; do
    pairs "nats_$sample" "SELECT i.id, s.nats AS number FROM run.individuals AS i LEFT JOIN run.sample_nats AS s
        ON s.individual = i.id AND s.sample = $sample" "$individuals"
    exact "nats_$sample of individuals" 14
    pairs "nats_$sample" "SELECT method, nats AS number FROM run.baseline_nats WHERE sample = $sample" "$baselines"
    exact "nats_$sample of baselines" 5
done
pairs attention_factor "SELECT method, attention_factor AS number FROM run.baselines" "$baselines"
exact "attention_factor of baselines" 5
pairs attention_factor "SELECT individuals.id, attention_factor AS number FROM run.individuals JOIN run.stages" "$individuals"
exact "attention_factor of individuals" 14
pairs work "SELECT id, iif(stopped, NULL, work / 2.0) AS number FROM run.individuals" "$individuals"
exact "work of individuals" 14
pairs work "SELECT method, NULL AS number FROM run.baselines" "$baselines"
exact "work of baselines" 5
for pair in 0 1 7 15 31; do
    pairs "lambda_$pair" "SELECT method, value AS number FROM run.baselines, json_each(factors) WHERE key = $pair" "$baselines"
    exact "lambda_$pair of baselines" 5
    sqlite3 "$work/imported.db" "ATTACH '$work/cut/run.db' AS run" "SELECT lambda_$pair, value
        FROM scores JOIN run.individuals AS n ON $individuals, json_each(n.genes) WHERE key = $pair" |
        awk -F '|' '$1 != $2 / 100 { exit 1 } END { if (NR != 14) exit 1 }' || fail "lambda_$pair is not gene / 100"
done
sqlite3 "$work/imported.db" "SELECT perplexity, nats_per_token FROM scores" |
    awk -F '|' '$2 == "" ? $1 != "" : ($1 / exp($2) - 1) ^ 2 > 1e-28 { exit 1 } END { if (NR != 19) exit 1 }' ||
    fail "a perplexity is not that of its nats"

# Stages with fewer windows leave the other columns empty.
[ "$(head -n 1 "$work/two.csv" | tr , '\n' | grep -c '^nats_[0-9]')" = 2 ] || fail "not as many nats as the largest stage has"
rm "$work/imported.db"
sqlite3 "$work/imported.db" ".import --csv $work/two.csv scores"
[ "$(sqlite3 "$work/imported.db" "SELECT stage, count(*), sum(nats_0 <> ''), sum(nats_1 <> '') FROM scores
    GROUP BY stage ORDER BY stage")" = "first|19|19|0
second|19|19|$(query two "SELECT (SELECT count(*) FROM sample_nats WHERE stage = 1 AND sample = 1) +
    (SELECT count(*) FROM baseline_nats WHERE stage = 1 AND sample = 1)")" ] || fail "the windows of one stage stand in the columns of another"

# Names with commas and quotes are quoted; control characters, which a terminal would obey, are damage.
copy_run run named "UPDATE stages SET name = 'the \"first\", only'"
compare named
grep -q '^"the ""first"", only",' "$work/named.csv" || fail "a name is not quoted as RFC 4180 has it"
copy_run run escape "UPDATE stages SET name = name || char(27) || '[2J'"
fails_with 1 "is damaged" "$LONGROPE" show "$work/escape"

# ---- one stage ----

for view in "" --generations --genealogy; do
    # shellcheck disable=SC2086 # no word, or one
    show two $view --json
    holds '.name == "own" and .state == "done" and [.stages[].name] == ["first", "second"]'
    jq '.stages[1]' "$work/stdout" >"$work/second.json"
    # shellcheck disable=SC2086
    show two $view --json --stage second
    holds '.name == "own" and .state == "done" and [.stages[].name] == ["second"]'
    jq '.stages[0]' "$work/stdout" | cmp -s - "$work/second.json" || fail "$view --stage says something else"
    # shellcheck disable=SC2086
    show two $view --stage first
    says "stage first: done; 300 tokens"
    if grep -q "second" "$work/stdout"; then fail "$view --stage first speaks of the second"; fi
done
show two --stage first --scores
grep -q '^first,individual,13,' "$work/stdout" || fail "--stage first --scores lacks the stage's scores"
if grep -q '^second\|nats_1' "$work/stdout"; then fail "--stage first --scores speaks of the second"; fi
show two --genealogy 5 --stage second --json
holds '[.stages[] | [.name, .individual]] == [["second", 5]]'

fails_with 2 "--stage: unknown stage 'fist' (did you mean 'first'?); choose first or second" \
    "$LONGROPE" show "$work/two" --stage fist
for view in --json --generations --genealogy --scores; do
    fails_with 2 "unknown stage 'third-of-all'; choose first or second" "$LONGROPE" show "$work/two" "$view" --stage third-of-all
done
fails_with 2 "has begun no stage yet" "$LONGROPE" show "$work/empty" --stage first

# ---- runs that are not over ----

for run in baselines begun empty; do
    for view in "" --generations --genealogy --scores; do
        # shellcheck disable=SC2086
        show "$run" $view
        [ "$view" = --scores ] && continue
        # shellcheck disable=SC2086
        show "$run" $view --json
        holds '.name == "demo" and .state != "done"'
    done
done
show baselines
says "iteration 0 of 2, 0 tables scored"
grep -q '^  yarn  *[0-9.]* ' "$work/stdout" || fail "the baselines are not shown before the search"
copy_run baselines endless "UPDATE stages SET iterations = 0" # as those of algorithms that know no last one
show endless
says "iteration 0, 0 tables scored"
show baselines --generations
says "no evaluation yet"
show baselines --generations --json
holds '.stages[0].generations == []'
show baselines --genealogy --json
holds '.stages[0] | .individual == null and .genealogy == []'
show baselines --scores
[ "$(grep -c '^extend-2k,baseline,' "$work/stdout")" = 5 ] || fail "--scores lacks the baselines of a run without search"
show empty --scores
[ "$(wc -l <"$work/stdout")" = 1 ] || fail "--scores of a run without stages is not a line of names"
show empty --json
holds '.state == "pending" and .stages == []'

start_search "$work/busy" --set search.iterations=1000
wait_for_evaluations "$work/busy" 1
for view in "" --generations --genealogy; do
    # shellcheck disable=SC2086
    show busy $view --json
    holds '.state == "running" and .stages[0].state == "running"'
done
show busy --scores
grep -q '^extend-2k,individual,0,0,pi,' "$work/stdout" || fail "--scores lacks the first individual of a run that goes on"
kill -KILL "$background"
end_search
show busy --json
holds '.state == "stopped" and .stages[0].state == "stopped"'
show busy
says 'demo: stopped; longrope search --resume continues it'
says 'stage extend-2k: stopped;'
show run --json
holds '.state == "done" and .stages[0].state == "done"'

# ---- what is refused ----

fails_with 2 "--generations and --scores exclude each other" "$LONGROPE" show "$work/run" --generations --scores
fails_with 2 "--genealogy and --scores exclude each other" "$LONGROPE" show "$work/run" --scores --genealogy 3
fails_with 2 "--generations and --genealogy exclude each other" "$LONGROPE" show "$work/run" --genealogy --generations
fails_with 2 "--scores and --json exclude each other" "$LONGROPE" show "$work/run" --json --scores
fails_with 2 "--genealogy: 'x' is not an integer" "$LONGROPE" show "$work/run" --genealogy=x
fails_with 2 "--genealogy: -1 is not within" "$LONGROPE" show "$work/run" --genealogy -1
fails_with 2 "stage 'extend-2k' has no individual 14" "$LONGROPE" show "$work/run" --genealogy 14
fails_with 2 "stage 'extend-2k' has no individual 0" "$LONGROPE" show "$work/baselines" --genealogy 0 --json
fails_with 2 "choose one, for example --stage first" "$LONGROPE" show "$work/two" --genealogy 3
fails_with 2 "missing value: --stage NAME" "$LONGROPE" show "$work/run" --stage
fails_with 2 "unknown option '--genealgy' (did you mean '--genealogy'?)" "$LONGROPE" show "$work/run" --genealgy
fails_with 2 "unexpected argument 'x'" "$LONGROPE" show "$work/run" --genealogy x

# A parent that is gone is an error and not a shorter genealogy.
copy_run run orphan "DELETE FROM individuals WHERE id = ${link#* }"
fails_with 1 "lacks individual ${link#* }, a parent of ${link% *}" "$LONGROPE" show "$work/orphan" --genealogy "${link% *}"

# ---- curves ----

# Their numbers are those of the other views.
for folder in run two cut tied baselines; do
    show "$folder" --generations --json
    jq -c '[.stages[] | .improvements, (.generations[] | [.generation, .evaluations, .work, .best.perplexity, .quartiles])]' \
        "$work/stdout" >"$work/rows"
    show "$folder" --convergence --json
    jq -c '[.stages[] | .improvements, (.convergence[] | [.generation, .evaluations, .work, .perplexity, .quartiles])]' \
        "$work/stdout" |
        diff "$work/rows" - >&2 || fail "$folder: --convergence has other numbers than --generations"
    show "$folder" --json
    jq -c '[.stages[] | [.name, .window_pair, .best.factors, [.baselines[] | [.method, .factors]]]]' "$work/stdout" >"$work/rows"
    show "$folder" --lambda --json
    jq -c '[.stages[] | [.name, .window_pair, .factors, [.baselines[] | [.method, .factors]]]]' "$work/stdout" |
        diff "$work/rows" - >&2 || fail "$folder: --lambda has other numbers than the overview"
done

# Plain ASCII, as wide as COLUMNS says within limits, and no blanks at a line's end; nothing for a terminal alone.
for columns in 10 60 1000; do
    for view in convergence lambda; do
        COLUMNS=$columns show run "--$view"
        [ "$(LC_ALL=C tr -d '\n -~' <"$work/stdout" | wc -c)" = 0 ] || fail "--$view is not ASCII in the C locale"
        width=$(sed -n 's/^ *+[-+]*$/&/p' "$work/stdout" | awk '{ print length; exit }')
        [ "$width" = "$((columns < 40 ? 40 : columns > 120 ? 120 : columns))" ] || fail "--$view is $width columns wide"
        ! grep -q ' $' "$work/stdout" || fail "--$view has blanks at the end of a line"
    done
done
if [ "$(LC_ALL=C.UTF-8 locale charmap 2>/dev/null)" = UTF-8 ]; then
    for view in convergence lambda; do
        COLUMNS=60 show run "--$view"
        cp "$work/stdout" "$work/ascii"
        runs env LC_ALL=C.UTF-8 COLUMNS=60 "$LONGROPE" show "$work/run" "--$view"
        says '▀'
        sed "s/▄/./g; s/▀/'/g; s/█/#/g; s/░/:/g; s/│/|/g; s/┊/|/g; s/┤/+/g; s/└/+/g; s/┴/+/g; s/─/-/g" "$work/stdout" |
            diff "$work/ascii" - >&2 || fail "--$view is another picture in Unicode"
    done
else
    echo "show: no C.UTF-8 locale here; pictures in Unicode were not looked at"
fi

# Before the first evaluation, with one alone, and where racing has cut short all of them.
show baselines --convergence
says '  no evaluation yet'
show baselines --lambda
says 'p pi'
copy_run run one "DELETE FROM sample_nats WHERE individual > 0; DELETE FROM individuals WHERE id > 0;
    UPDATE stages SET state = 'running'"
show one --convergence
says 'the best so far'
show one --lambda
says 'longrope'
copy_run run all-cut "UPDATE individuals SET stopped = 1, nats_per_token = NULL"
show all-cut --convergence
says '  every evaluation was cut short by racing'
show all-cut --convergence --json
holds 'all(.stages[0].convergence[]; .perplexity == null)'
show all-cut --lambda
fails_with 2 "--convergence and --lambda exclude each other" "$LONGROPE" show "$work/run" --convergence --lambda

# ---- what was measured beside the search ----

show run --json
[ "$(jq -c '[.lengths, .pass_keys, .choices]' "$work/stdout")" = '[[],[],[]]' ] || fail "something was measured that was not"
show run
! grep -q 'by length\|pass keys' "$work/stdout" || fail "there are tables of nothing"

measured="'m/odel', 2.5, '[1.5,2.5]', 4, 1.25, 'f32', 'avx2', 'f64', 0.5"
copy_run run measured "INSERT INTO lengths (label, length, model, scale, factors, start_tokens, attention_factor,
        dtype, kernels, angles, seconds, samples, tokens, stride, nats_per_token, measured_at) VALUES
    ('yarn', 512, $measured, 3, 1533, NULL, 1.5, ''), ('naïve', 256, $measured, 3, 765, 64, 0.25, ''),
    ('yarn', 256, $measured, 3, 765, NULL, NULL, '');
    INSERT INTO pass_keys (label, length, model, scale, factors, start_tokens, attention_factor,
        dtype, kernels, angles, seconds, depth, digits, trials, correct, seed, measured_at) VALUES
    ('yarn', 512, $measured, 1, 5, 10, 0, 7, ''), ('yarn', 512, $measured, 0.125, 5, 10, 10, 7, ''),
    ('yarn', 256, $measured, 1, 5, 4, 3, 7, '');
    INSERT INTO choices (label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles,
        seconds, task, items, chance, correct, correct_norm, correct_bytes, measured_at) VALUES
    ('yarn', 512, $measured, 'arc', 4, 0.25, 1, 2, 3, ''), ('yarn', 512, $measured, 'one', 1, 0.5, 1, 1, 0, '')"
show measured --json
same "lengths" '["yarn",256,null,null,null]
["yarn",512,null,1.5,4.4816890703380645]
["naïve",256,64,0.25,1.2840254166877414]' "$(
    jq -c '.lengths[] | [.label, .length, .stride, .nll, .perplexity]' "$work/stdout" >"$work/rows"; echo "$work/rows")"
same "pass_keys" '["yarn",256,8,5,4,3,7]
["yarn",512,1,5,10,10,7]
["yarn",512,8,5,10,0,7]' "$(
    jq -c '.pass_keys[] | [.label, .length, .depth * 8, .digits, .trials, .correct, .seed]' "$work/stdout" >"$work/rows"
    echo "$work/rows")"
same "choices" '["yarn",512,"arc",4,2500,2500,5000,7500,2500,2887,2500]
["yarn",512,"one",1,5000,10000,10000,0,null,null,null]' "$(
    jq -c '.choices[] | [.label, .length, .task, .items] + [.chance, .accuracy, .accuracy_norm, .accuracy_bytes,
        .standard_error, .standard_error_norm, .standard_error_bytes | if . then . * 10000 | round else . end]' "$work/stdout" >"$work/rows"; echo "$work/rows")"
for list in lengths pass_keys choices; do
    [ "$(jq -c ".${list}[0] | [.model, .scale, .factors, .start_tokens, .attention_factor, .dtype, .kernels, .angles,
        .seconds]" "$work/stdout")" = '["m/odel",2.5,[1.5,2.5],4,1.25,"f32","avx2","f64",0.5]' ] ||
        fail "a row of $list is not as it was measured"
done
show measured
sed -n '/^perplexity by length/,$p' "$work/stdout" >"$work/tables"
same "the tables of what was measured" 'perplexity by length in tokens
  label                         256        512
  yarn                          n/a     4.4817
  naïve                      1.2840
pass keys found, by depth in the prompt
  label                      length    12.5 %     100 %
  yarn                          256                 3/4
  yarn                          512     10/10      0/10
accuracy in multiple choice, in %: acc, acc_norm and acc_bytes
  yarn                          512  arc      4 items  25.00 +- 25.00  50.00 +- 28.87  75.00 +- 25.00  chance 25.00
  yarn                          512  one      1 items 100.00          100.00            0.00           chance 50.00' "$work/tables"
copy_run measured long "DELETE FROM choices; UPDATE lengths SET label = 'twenty-four-letters-long' WHERE label = 'yarn';
    UPDATE pass_keys SET label = 'labels-in-éxactly-28-letters' WHERE length = 512"
show long
sed -n '/^perplexity by length/,$p' "$work/stdout" >"$work/tables"
same "the tables of long labels" 'perplexity by length in tokens
  label                           256        512
  twenty-four-letters-long        n/a     4.4817
  naïve                        1.2840
pass keys found, by depth in the prompt
  label                            length    12.5 %     100 %
  labels-in-éxactly-28-letters        512     10/10      0/10
  yarn                                256                 3/4' "$work/tables"

# ---- help ----

runs "$LONGROPE" show --help
for option in --generations --convergence --lambda '--genealogy \[ID\]' --scores '--stage NAME' --json; do
    grep -q -e "^  $option  " "$work/stdout" || fail "--help does not explain $option"
done
awk 'length > 100 { exit 1 }' "$work/stdout" || fail "--help is wider than 100 columns"
sed -n '/sqlite3 :memory:/,/BY origin"$/p' "$work/stdout" |
    sed -e "s|longrope show|\"$LONGROPE\" show|" -e "s|results/demo|$work/run|" >"$work/example.sh"
runs sh "$work/example.sh"
grep -q '^crossover|[0-9]*|[0-9.]*$' "$work/stdout" || fail "the example of --help tells nothing of crossovers"
sed "s|$work/run|$work/cut|" "$work/example.sh" >"$work/example-cut.sh"
runs sh "$work/example-cut.sh"
[ -s "$work/stdout" ] || fail "the example of --help prints nothing of a run with stopped individuals"
! grep -q '|0\(\.0\)\{0,1\}$' "$work/stdout" || fail "the example of --help takes stopped individuals for perplexity 0"

echo "show: passed"
