#!/bin/sh
# `longrope report`: `longrope show` prints every number of the page and every point of its charts; names cannot become
# markup or commands; and a failure leaves no file behind.
# shellcheck source=tests/cli/lib.sh disable=SC2016 # jq's variables and commands of other shells
. "$(dirname "$0")/lib.sh"
command -v gnuplot >/dev/null || { echo "gnuplot is not installed: tests/packages.sh names what is"; exit 77; }

query() { sqlite3 "$work/$1/run.db" "$2"; }

runs tiny_search "$work/run"

runs two_stages "$work/two"

# Measured with two labels at three lengths, and at two lengths and three depths.
copy_run two measured "
    WITH labels (label, n) AS (VALUES ('yarn', 1), ('found', 2)), lengths (length) AS (VALUES (256), (512), (1024))
    INSERT INTO lengths (label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles,
            seconds, samples, tokens, nats_per_token, measured_at)
        SELECT label, length, 'model', 2.5, '[1.0,2.0]', n, 1.125, 'f32', 'avx2', 'f64', 1.5, 3, 3 * (length - 1),
            1.3 + n / 7.0 + length / 3e3, '' FROM labels, lengths ORDER BY n, length;
    WITH labels (label, n) AS (VALUES ('yarn', 1), ('found', 2)), lengths (length) AS (VALUES (512), (1024)),
        depths (depth) AS (VALUES (0.0), (0.5), (1.0))
    INSERT INTO pass_keys (label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles,
            seconds, depth, digits, trials, correct, seed, wording, measured_at)
        SELECT label, length, 'model', 2.5, '[1.0,2.0]', n, 1.125, 'f32', 'avx2', 'f64', 1.5, depth, 5, 7,
            n + CAST(4 * depth AS INTEGER), 1, iif(n = 1, 'demo', NULL), '' FROM labels, lengths, depths ORDER BY n, length, depth;
    WITH labels (label, n) AS (VALUES ('yarn', 1), ('found', 2)), tasks (task, items) AS (VALUES ('arc', 7), ('one', 1))
    INSERT INTO choices (label, length, model, scale, factors, start_tokens, attention_factor, dtype, kernels, angles,
            seconds, task, items, chance, correct, correct_norm, correct_bytes, measured_at)
        SELECT label, 512, 'model', 2.5, '[1.0,2.0]', n, 1.125, 'f32', 'avx2', 'f64', 1.5, task, items, 1 / 3.0,
            items / n, 0, items, '' FROM labels, tasks ORDER BY n, task"

# Racing cut short the last individual, and all of generation 1.
copy_run run cut "DELETE FROM sample_nats WHERE sample = 1 AND individual IN (6, 7, 8, 9, 13);
    UPDATE individuals SET stopped = 1, nats_per_token = NULL, computed = 1 WHERE id IN (6, 7, 8, 9, 13)"
# An older longrope did not say when they were known.
copy_run run untimed "UPDATE individuals SET work = NULL"
# And all of them.
copy_run run nothing "DELETE FROM sample_nats; UPDATE individuals SET stopped = 1, nats_per_token = NULL"

# Runs that stopped in their first population, in their baselines, before these, and before the first stage.
copy_run run early "DELETE FROM sample_nats WHERE individual > 3; DELETE FROM individuals WHERE id > 3;
    UPDATE stages SET state = 'running'"
copy_run run baselines "DELETE FROM sample_nats; DELETE FROM individuals; UPDATE stages SET state = 'running'"
copy_run baselines begun "DELETE FROM baseline_nats; DELETE FROM baselines; UPDATE stages SET state = 'pending'"
copy_run begun empty "DELETE FROM samples; DELETE FROM settings; DELETE FROM stage_models; DELETE FROM stages;
    DELETE FROM configuration"

# A model that was fine-tuned with a table, which what is searched multiplies.
copy_run run based "UPDATE stage_models SET base = 'earlier', base_attention_factor = 1.25,
    base_factors = (SELECT json_group_array(1.0 + value / 8.0) FROM
        (WITH RECURSIVE i (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM i WHERE value < 31) SELECT value FROM i))"

# ---- a gnuplot that keeps the scripts it is given ----

mkdir "$work/keeping" "$work/scripts"
real=$(command -v gnuplot)
cat >"$work/keeping/gnuplot" <<SCRIPT
#!/bin/sh
script=$work/scripts/\$(ls "$work/scripts" | wc -l)
cat >"\$script"
exec "$real" "\$@" <"\$script"
SCRIPT
chmod +x "$work/keeping/gnuplot"

# report RUN: writes $work/RUN.html, and the views of show to $work/documents.
report() {
    rm -f "$work/scripts/"*
    runs env PATH="$work/keeping:$PATH" "$LONGROPE" report "$work/$1" -o "$work/$1.html"
    if [ -s "$work/stdout" ] || [ -s "$work/stderr" ]; then fail "the report of $1 says something"; fi
    page=$work/$1.html
    for view in overview generations genealogy; do
        option=--$view
        [ "$view" != overview ] || option=
        # shellcheck disable=SC2086 # no word, or one
        "$LONGROPE" show "$work/$1" $option --json >"$work/$view.json"
    done
    jq -n --slurpfile a "$work/overview.json" --slurpfile b "$work/generations.json" --slurpfile c "$work/genealogy.json" \
        '{overview: $a[0], generations: $b[0], genealogy: $c[0]}' >"$work/documents"
}

# ---- every number is one that show prints ----

# The page's numbers: value, source, text.
numbers() {
    grep -o '<data [^>]*>[^<]*</data>' "$page" |
        sed 's|<data value="\([^"]*\)" data-from="\([^"]*\)">\([^<]*\)</data>|\1\t\2\t\3|'
}

# The values that show has at the source of each number.
looked_up() {
    awk -F '\t' 'BEGIN { print "[" }
        { view = "overview"; from = $2
          if (from ~ /^--/) { view = substr(from, 3); sub(/ .*/, "", view); sub(/^[^ ]* /, "", from) }
          printf "%s(.%s | (%s))\n", (NR > 1 ? "," : ""), view, from }
        END { print "] | .[]" }' >"$work/look_up.jq"
    jq -f "$work/look_up.jq" "$work/documents"
}

# Paths that must be among the sources of the page's numbers.
required() {
    jq -r '(.overview | paths(numbers) as $path | $path | select(
            (.[0] == "stages" and (.[2] | IN("target_length", "original_length", "scale", "planned", "pairs",
                "evaluations", "iteration", "iterations"))) or
            (.[2] == "baselines" and (.[4] | IN("perplexity", "factors", "attention_factor"))) or
            (.[2] == "best" and (.[3] | IN("perplexity", "factors", "start_tokens", "attention_factor"))) or
            (.[2] == "samples") or
            (.[0] == "short_window" and (.[1] | IN("length", "own_perplexity", "perplexity", "cost", "samples"))) or
            (.[0] == "lengths" and (.[2] | IN("length", "perplexity", "samples", "tokens"))) or
            (.[0] == "pass_keys" and (.[2] | IN("length", "depth", "trials", "correct"))) or
            (.[0] == "choices" and (.[2] | IN("length", "items", "chance", "accuracy", "accuracy_norm", "accuracy_bytes",
                "standard_error", "standard_error_norm", "standard_error_bytes"))))),
        (.generations | paths(numbers) as $path | $path | select(.[-1] != "windows" and .[-1] != "start_tokens" and
            .[-1] != "attention_factor") | ["--generations"] + .),
        (.genealogy | paths(numbers) as $path | $path | select(.[-1] != "genes") | ["--genealogy"] + .) |
        reduce .[] as $key (""; . + if $key | type == "number" then "[\($key)]" elif $key | startswith("--") then
            "\($key) " else ".\($key)" end)' "$work/documents"
}

# The page without the run's numbers and quotations: the rest has no digits.
own_words() {
    sed -e '/<style>/,/<\/style>/d' -e '/<svg class="chart"/,/<\/svg>/d' -e '/<pre[ >]/,/<\/pre>/d' "$page" |
        sed -e 's|<data [^>]*>[^<]*</data>||g' -e 's|<code>[^<]*</code>||g' -e 's|<time [^>]*>[^<]*</time>||g' \
            -e 's|<th scope="row">[0-9]*</th>||g' -e 's|<span class="name">[^<]*</span>||g' \
            -e 's|<title>.*</title>||' -e 's|<[^>]*>||g'
}

# check_numbers LEAST: the page has at least so many numbers, each is right, and none is missing.
check_numbers() {
    numbers >"$work/numbers"
    looked_up <"$work/numbers" >"$work/values" || fail "$page: a number says that it is from where jq cannot look"
    [ "$(wc -l <"$work/values")" = "$(wc -l <"$work/numbers")" ] || fail "$page: not one value a number"
    [ "$(wc -l <"$work/numbers")" -ge "$1" ] || fail "$page: only $(wc -l <"$work/numbers") numbers"
    [ "$(wc -l <"$work/numbers")" = "$(grep -o '<data' "$page" | wc -l)" ] || fail "$page: a number is not said whole"
    paste "$work/values" "$work/numbers" | awk -F '\t' '
        { point = index($4, "."); decimals = point ? length($4) - point : 0
          computed = $3 !~ /^(--[a-z]* )?[][a-z0-9_.]*$/
          if (!($1 == $2 || (computed && ($1 / $2 - 1) ^ 2 < 1e-26))) { print "is not " $1 ": " $0; bad = 1 }
          hours = split($4, time, ":") == 2 # hours and minutes
          if (hours ? 60 * time[1] + time[2] != int($2 / 60 + 0.5) : sprintf("%.*f", decimals, $2) != $4) {
              print "is no rounding: " $0; bad = 1 } }
        END { exit bad }' >&2 || fail "$page: a number is not what show prints"
    cut -f 2 "$work/numbers" | sort -u >"$work/from"
    required | sort -u >"$work/required"
    comm -23 "$work/required" "$work/from" >"$work/lacking"
    # a depth or a share of correct answers stands in an expression, too
    while read -r path; do
        grep -qF -e "$path" "$work/from" || fail "$page: no number is from $path"
    done <"$work/lacking"
    if own_words | grep '[0-9]' >&2; then fail "$page: has a number that does not say where it is from"; fi
    if own_words | grep '[{}]' >&2; then fail "$page: a template has an unknown name or an unused field"; fi
}

report run
check_numbers 330
[ "$(wc -l <"$work/required")" -ge 250 ] || fail "hardly a number is required"
report measured
check_numbers 800
grep -cE '^\.(lengths|pass_keys|choices)' "$work/required" >"$work/count"
[ "$(cat "$work/count")" = $((6 * 4 + 12 * 4 + 4 * 6 + 2 * 3)) ] || fail "the measurements are not required"
report cut
check_numbers 300
for run in nothing early baselines begun based untimed; do
    report "$run"
    check_numbers 10
done
report empty
check_numbers 0

# The check itself notices another digit, another source, a number without source, and a missing number.
report run
cp "$page" "$work/whole.html"
try_changed() {
    sed "$1" "$work/whole.html" >"$page"
    cmp -s "$page" "$work/whole.html" && fail "the page is not changed by $1"
    if (check_numbers 330) >"$work/stdout" 2>&1; then fail "the check does not see $1"; fi
}
try_changed '0,/stages\[0\].best.perplexity">[0-9]/s//stages[0].best.perplexity">7/'
try_changed '0,/data-from=".stages\[0\].best.perplexity"/s//data-from=".stages[0].baselines[0].perplexity"/'
try_changed '0,/<p>/s//<p>about 4 /'
try_changed 's|<td class="n"><data[^>]*baselines\[1\].factors\[3\]">[^<]*</data>|<td class="n">|'
cp "$work/whole.html" "$page"

# ---- every point of the charts is one that show prints ----

# drawn SCRIPT SERIES: the rows of its data, without gaps.
drawn() { sed -n "/^\\\$data$2 << END\$/,/^END\$/p" "$work/scripts/$1" | sed '/END$/d; /^$/d'; }

# same_points SCRIPT SERIES FILTER: are the rows that the filter of jq gives, as doubles.
same_points() {
    drawn "$1" "$2" >"$work/drawn"
    jq -r "$3 | map(tostring) | join(\" \")" "$work/documents" >"$work/points"
    [ -s "$work/points" ] || fail "there is nothing to draw in chart $1: $3"
    paste -d ' ' "$work/drawn" "$work/points" | awk '
        { if (NF % 2) exit 1
          for (i = 1; i <= NF / 2; i++) if ($i != $(NF / 2 + i)) exit 1 }' ||
        fail "chart $1 draws other points than $3"
}

check_charts() {
    same_points 0 0 '.generations.stages[0].generations[] | [.work, .quartiles[0], .quartiles[2]]'
    same_points 0 1 '.generations.stages[0].generations[] | [.work, .quartiles[1]]'
    same_points 0 3 '(.generations.stages[0].improvements[] | [.work, .perplexity]),
        [.overview.stages[0].cost.whole_evaluations, .overview.stages[0].best.perplexity]'
    same_points 0 4 '.generations.stages[0].improvements[] | [.work, .perplexity]'
    jq '[.overview.stages[0].baselines[].perplexity] | min' "$work/documents" >"$work/points"
    drawn 0 2 | awk -v level="$(cat "$work/points")" '$2 != level { exit 1 } END { if (NR != 2) exit 1 }' ||
        fail "the level of the best baseline is another"
    # the best closed form has a curve of its own, the others are one faint series
    same_points 1 0 '.overview.stages[0].baselines | map(.perplexity) as $all | .[] | select(.perplexity != ($all | min)) |
        .factors | to_entries[] | [.key, .value]'
    same_points 1 1 '.overview.stages[0].baselines | min_by(.perplexity) | .factors | to_entries[] | [.key, .value]'
    last=$(grep -c '^\$data' "$work/scripts/1")
    same_points 1 $((last - 1)) '.overview.stages[0].best.factors | to_entries[] | [.key, .value]'
    mark=$(jq '.overview.stages[0].window_pair' "$work/documents")
    grep -q "^set arrow 1 from $mark, graph 0 to $mark, graph 1 " "$work/scripts/1" || fail "pair $mark is not marked"
    same_points 2 0 '.genealogy.stages[0].genealogy as $all | $all[] | . as $child | .parents[].id as $id |
        ($all[] | select(.id == $id)), $child | [.generation, .perplexity]'
    jq -c '.genealogy.stages[0].genealogy[] | [.generation, .perplexity]' "$work/documents" | sort >"$work/points"
    for series in $(seq 1 $(($(grep -c '^\$data' "$work/scripts/2") - 1))); do drawn 2 "$series"; done |
        awk '{ print "[" $1 "," $2 "]" }' | jq -c . | sort | cmp -s - "$work/points" ||
        fail "the ancestors that are drawn are others"
}

report run
check_charts
report untimed
same_points 0 0 '.generations.stages[0].generations[] | [.evaluations, .quartiles[0], .quartiles[2]]'
same_points 0 3 '(.generations.stages[0].improvements[] | [.id + 1, .perplexity]),
    [.overview.stages[0].evaluations, .overview.stages[0].best.perplexity]'
report based
same_points 1 1 '.overview.stages[0].baselines | min_by(.perplexity) | .factors | to_entries[] | [.key, .value]'
report measured
scripts=$(find "$work/scripts" -type f | wc -l)
[ "$scripts" = "$(grep -c '<svg class="chart"' "$page")" ] || fail "not a script a chart"
[ "$scripts" -ge 5 ] || fail "not two charts a stage and one of lengths"
for label in 0 1; do
    same_points $((scripts - 1)) "$label" ".overview.lengths[$((3 * label)):$((3 * label + 3))][] | [.length, .perplexity]"
done

# The mark is the first pair whose wavelength, computed by the database, reaches the window.
[ "$(query run "WITH RECURSIVE i (pair) AS (SELECT 0 UNION ALL SELECT pair + 1 FROM i WHERE pair < 31)
    SELECT min(pair) FROM i, stages WHERE 2 * pi() * pow(rope_theta, pair / 32.0) >= 256")" = "$mark" ] ||
    fail "pair $mark is not the first whose wavelength is the window"

# ---- names are text ----

evil="<script>alert(1)</script><img src=x onerror=alert(2)>'\"; system \"touch $work/owned\" # \`touch $work/owned\` \$(touch $work/owned)"
quoted=$(printf '%s' "$evil" | sed "s/'/''/g")
copy_run measured evil "UPDATE run SET name = substr('$quoted', 1, 100);
    UPDATE stages SET name = id || substr('$quoted', 1, 100);
    UPDATE stage_models SET model = '$quoted', base = substr('$quoted', 1, 100); UPDATE samples SET document = '$quoted' || char(10, 27);
    UPDATE settings SET value = '$quoted' WHERE key = 'search.algorithm';
    UPDATE settings SET key = '$quoted' WHERE key = 'search.seed';
    INSERT INTO settings SELECT id, '', 'of no name' FROM stages;
    UPDATE lengths SET label = substr('$quoted', 1, 100) || id, model = '$quoted', dtype = '<b>';
    UPDATE pass_keys SET label = substr('$quoted', 1, 100) || id, model = '$quoted';
    UPDATE choices SET label = substr('$quoted', 1, 100) || id, task = substr('$quoted', 1, 100) || id;
    UPDATE configuration SET program = '$quoted', path = '$quoted', content = '$quoted' || char(7) || '$quoted',
        overrides = json_array('$quoted')"
report evil
grep -o '<[!a-zA-Z][^ >]*' "$page" | sort -u >"$work/elements"
printf '<%s\n' '!--' '!DOCTYPE' a body circle code data dd defs desc details div dl dt em feComposite feFlood figcaption \
    figure filter footer g h1 h2 h3 head header html li main meta nav p path polygon pre rect section small span strong \
    style summary svg table tbody td text th thead time title tr ul use | sort -u |
    comm -13 - "$work/elements" >"$work/others"
[ ! -s "$work/others" ] || fail "a name has become an element: $(cat "$work/others")"
if grep -q "<script\|<img\|\" on[a-z]*=" "$page"; then fail "a name has become markup"; fi
[ "$(grep -o '&lt;script&gt;alert(1)&lt;/script&gt;&lt;img' "$page" | wc -l)" -ge 30 ] || fail "the names are not there"
if LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$page"; then fail "a name's control characters are there"; fi
if grep -rqF -e alert -e touch "$work/scripts"; then fail "a name has reached gnuplot"; fi
[ ! -e "$work/owned" ] || fail "a name was run as a command"
check_numbers 330

# The page loads nothing, and its policy forbids it.
grep -q "content=\"default-src 'none'; style-src 'unsafe-inline'\"" "$page" || fail "the page may fetch things"
if grep -o '<[a-zA-Z][^>]*>' "$page" | grep -E 'src=|href=.[^#]|url\([^#]'; then fail "an element refers to something outside"; fi
if sed -n '/<style>/,/<\/style>/p' "$page" | grep 'url(\|@import'; then fail "the style refers to something outside"; fi
tr ' ' '\n' <"$page" | sed -n "s/^id=[\"']\([^\"']*\)[\"'].*/\1/p" | sort | uniq -d >"$work/twice"
[ ! -s "$work/twice" ] || fail "two elements have one id: $(cat "$work/twice")"

# ---- runs that are not over ----

says_on_page() { grep -qF -e "$1" "$page" || fail "$page does not say '$1'"; }

for run in early baselines begun empty; do
    report "$run"
    says_on_page "This run is not finished."
    grep -q '<time datetime="20[0-9-]*T[0-9:]*Z">' "$page" || fail "$page does not say when it was written"
done
says_on_page "No stage has begun yet."
report run
says_on_page "This run is done."
says_on_page "--into $work/run"

start_search "$work/busy" --set search.iterations=1000
wait_for_evaluations "$work/busy" 1
report busy
says_on_page "This run is not finished."
kill -TERM "$background"
end_search
report busy
check_numbers 200

# The machines of all stages are told, each once.
copy_run two machines "UPDATE machines SET host = 'first-host' WHERE stage = 0"
report machines
last=$(query machines "SELECT host FROM machines WHERE stage = 1")
says_on_page ', on <span class="name">first-host</span> with '
says_on_page ", and on <span class=\"name\">$last</span> with "
report two
! grep -qF ", and on" "$page" || fail "$page tells a machine twice"

# ---- how to reproduce it ----

# The command that the page gives makes the same run.
report run
kernels=$(jq -r '.stages[0].settings["dtype (LONGROPE_KERNELS)"]' "$work/overview.json" | sed 's/.*(\(.*\))/\1/')
sed -n "s/^<pre>LONGROPE_KERNELS/LONGROPE_KERNELS/; /^LONGROPE_KERNELS=$kernels longrope search/,/ -o NEW_RUN\$/p" "$page" |
    sed -e "s|longrope search|\"$LONGROPE\" search|" -e "s|NEW_RUN|\"$work/again\"|" >"$work/again.sh"
runs sh "$work/again.sh"
same_runs "$work/run" "$work/again"
jq -j .configuration.content "$work/overview.json" | cmp -s - "$one_stage" || fail "the configuration is another"
[ "$(jq -r .configuration.path "$work/overview.json")" = "$(realpath "$one_stage")" ] || fail "its path is another"

# ---- how to use it ----

report begun
says_on_page "Nothing can be exported yet"

# The factors to copy are what the export writes, and its command works as it stands.
report run
sed -n '/<pre id="rope-scaling">/,/^<\/pre>/p' "$page" | sed 's/<[^>]*>//g' >"$work/scaling"
(cd "$work" && sed -n '/^longrope export .* --format hf/s/^longrope/"$LONGROPE"/p' "$page" >"$work/export.sh" &&
    runs sh "$work/export.sh")
printf '{%s}' "$(cat "$work/scaling")" | jq -S . >"$work/copied" || fail "the factors to copy are not JSON"
jq -S '{max_position_embeddings, rope_scaling}' "$work/NEW_MODEL/config.json" | cmp -s - "$work/copied" ||
    fail "the factors to copy are not those of the export"
# The page begins with what was gained on other text, in one sentence, and says plainly where it was not measured.
[ "$(grep -c 'id="verdict"' "$page")" = 1 ] || fail "the verdict is not one sentence"
says_on_page "on text that the search did not use"
for key in tables lower_on; do
    grep -qF "stages[0].held_out.$key" "$page" || fail "$page does not cite stages[0].held_out.$key"
done
copy_run run unmeasured "DELETE FROM held_out_nats; DELETE FROM held_out_samples; DELETE FROM held_out"
report unmeasured
check_numbers 300
says_on_page "on the text that was searched on"
says_on_page "Other text was not measured"
[ "$(grep -c '<p class="figure"><data [^>]*>[0-9.]*</data>[^<]*% *<small>' "$page")" = 2 ] ||
    fail "$page does not say gain and cost in percent"
copy_run unmeasured no-text "INSERT INTO held_out VALUES (0, NULL)"
report no-text
says_on_page "No text was left to measure on"
report run

# ---- where it is written ----

runs "$LONGROPE" report "$work/run" -o -
grep -v '<time' "$page" >"$work/expected"
grep -v '<time' "$work/stdout" | cmp -s - "$work/expected" || fail "-o - writes another page"

printf 'somebody wrote this\n' >"$work/notes.html"
fails_with 2 "notes.html: already exists; choose another path, or replace it with --force" \
    "$LONGROPE" report "$work/run" -o "$work/notes.html"
grep -q somebody "$work/notes.html" || fail "a file that is no report was replaced"
runs "$LONGROPE" report "$work/run" -o "$work/notes.html" --force
runs "$LONGROPE" report "$work/two" -o "$work/notes.html"
grep -q 'id="stage-1"' "$work/notes.html" || fail "an earlier report was not replaced"
fails_with 2 "nowhere/report.html: its folder does not exist" "$LONGROPE" report "$work/run" -o "$work/nowhere/report.html"
fails_with 2 "is a folder" "$LONGROPE" report "$work/run" -o "$work"
fails_with 2 "missing --out FILE.html" "$LONGROPE" report "$work/run"
fails_with 2 "missing RUN_DIR" "$LONGROPE" report -o "$work/x.html"
fails_with 2 "check the path, or start a run with longrope search" "$LONGROPE" report "$work/nowhere" -o "$work/x.html"
fails_with 2 "unknown option '--forse' (did you mean '--force'?)" "$LONGROPE" report "$work/run" --forse
if "$LONGROPE" report "$work/run" -o - >/dev/full 2>/dev/null; then fail "a full disk was not noticed"; fi

# ---- a gnuplot that fails ----

# broken SCRIPT WORDS: with this for gnuplot the report fails, says so, and leaves nothing.
broken() {
    mkdir -p "$work/broken"
    printf '#!/bin/sh\n%s\n' "$1" >"$work/broken/gnuplot"
    chmod +x "$work/broken/gnuplot"
    fails_with 1 "$2" env PATH="$work/broken:$PATH" "$LONGROPE" report "$work/run" -o "$work/x.html"
    if ls "$work"/x.html* >/dev/null 2>&1; then fail "something was written without charts"; fi
}
broken 'cat >/dev/null; echo "line 3: undefined variable" >&2; exit 3' \
    "gnuplot: failed with status 3; its error output: line 3: undefined variable"
broken 'exit 1' "gnuplot: failed with status 1; its error output: none"
broken 'cat >/dev/null' "gnuplot: drew nothing; its error output: none"
broken 'echo "<svg>"; kill -KILL $$' "gnuplot: was terminated by signal 9"
broken 'echo "Hello"' "is not an SVG of gnuplot 5 or 6"
mkdir "$work/none"
fails_with 1 "gnuplot: is not installed" env PATH="$work/none" "$LONGROPE" report "$work/run" -o "$work/x.html"
one_line_with "apt-get install gnuplot-nox"
cp "$work/run.html" "$work/kept.html"
fails_with 1 "is not installed" env PATH="$work/none" "$LONGROPE" report "$work/run" -o "$work/run.html"
cmp -s "$work/run.html" "$work/kept.html" || fail "an earlier report was touched"

# A signal ends the program and its child at once.
cat >"$work/broken/gnuplot" <<SCRIPT
#!/bin/sh
echo \$\$ >"$work/child"
exec sleep 1000
SCRIPT
(PATH="$work/broken:$PATH" exec "$LONGROPE" report "$work/run" -o "$work/x.html") >"$work/stdout" 2>"$work/stderr" &
background=$!
wait_until "the start of gnuplot" [ -s "$work/child" ]
kill -HUP "$background"
end_search
[ "$status" = 75 ] || fail "exit status $status where 75 is due after a signal"
one_line_with "stopped by SIGHUP; nothing was written"
if kill -0 "$(cat "$work/child")" 2>/dev/null; then fail "gnuplot is still at work"; fi
if ls "$work"/x.html* >/dev/null 2>&1; then fail "something was written after a signal"; fi

# ---- commands ----

# They work as they are printed, also where a configuration names a tokenizer that the model does not have.
write_tokenizer "$work/tokenizer.model"
runs tiny_search "$work/worded" --set "data.tokenizer=$work/tokenizer.model"
grep '^  longrope eval ' "$work/stderr" >"$work/commands"
runs "$LONGROPE" report "$work/worded" -o "$work/worded.html"
# commands PAGE: of eval and passkey, one line each
commands() { sed 's/<[^>]*>//g' "$1" | sed -e ':more' -e '/\\$/{N; s/\\\n//; b more' -e '}' | grep -E '^longrope (eval|passkey) '; }
commands "$work/worded.html" >>"$work/commands"
[ "$(grep -c "longrope eval .* --text .* --tokenizer $work/tokenizer.model " "$work/commands")" = 6 ] ||
    fail "there are other commands than six of eval with a tokenizer: $(cat "$work/commands")"
[ "$(grep -c "longrope passkey .* --tokenizer $work/tokenizer.model " "$work/commands")" = 2 ] ||
    fail "there are other commands than two of passkey with a tokenizer"
sed -n "s|^ *longrope eval |'$LONGROPE' eval |p" "$work/commands" | sed "s|OTHER.txt|$document|; s|TEXT.txt|$document|" \
    >"$work/commands.sh"
while IFS= read -r command; do
    runs sh -c "$command" </dev/null
    grep -q "documents begin with BOS (token 1)$" "$work/stderr" || fail "another tokenizer is used: $command"
done <"$work/commands.sh"
# Of tokens, which this search did not have, nothing can be said, and nothing of a configuration that cannot be read.
copy_run worded unread "UPDATE configuration SET content = 'name: [', overrides = '[]'"
runs "$LONGROPE" report "$work/unread" -o "$work/unread.html"
! commands "$work/unread.html" | grep -q -e --tokenizer || fail "a tokenizer is named that no configuration names"
write_npy "$work/t.npy" 1 2 3
copy_run worded npy "UPDATE configuration SET overrides = '[]',
    content = 'name: x
model: m
data: {tokens: $work/t.npy}
stages: [{name: extend-2k, target_length: 512}]'"
runs "$LONGROPE" report "$work/npy" -o "$work/npy.html"
[ "$(commands "$work/npy.html" | grep -c "^longrope eval .* --tokens TOKENS.npy ")" -ge 2 ] ||
    fail "commands of a search on tokens name text"

# ---- help ----

runs "$LONGROPE" report --help
for option in '-o, --out FILE.html' --force; do
    grep -q -e "^  $option  " "$work/stdout" || fail "--help does not explain $option"
done
awk 'length > 100 { exit 1 }' "$work/stdout" || fail "--help is wider than 100 columns"

echo "report: passed"
