#!/bin/sh
# Checks reports in a headless Chromium at the width of a desktop and of a phone, light, dark and printed (look.py).
# Screenshots and a PDF of each report are left in build/browser. LONGROPE names the program (default: the release
# build).
set -eu
cd "$(dirname "$0")/../.."
. tests/packages.sh
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $REPORT_PACKAGES $BROWSER_PACKAGES sqlite3

if [ -z "${LONGROPE-}" ]; then
    cmake --preset release >/dev/null
    cmake --build --preset release
    LONGROPE=$PWD/build/release/longrope
fi

demo=configs/demo
out=build/browser
rm -rf "$out"
mkdir -p "$out"

# Two stages, the second of CMA-ES; perplexities at five lengths and pass keys at three.
cat >"$out/two.yaml" <<YAML
name: two-stages
model: $PWD/$demo/model
data: {text: ['$PWD/$demo/corpus/*.txt'], tokenizer: bytes, samples: 2}
stages:
  - {name: extend-512, target_length: 512,
     search: {population: 24, mutations: 8, crossovers: 8, parents: 12, iterations: 8}}
  - {name: extend-1k, target_length: 1024,
     search: {algorithm: cma-es, population: 8, parents: 4, iterations: 4, start_tokens: [0]}}
YAML
"$LONGROPE" search "$out/two.yaml" -o "$out/run" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
python3 configs/choice/continuations.py --items 3 --context 120 --most 80 $demo/corpus/*.txt >"$out/items.jsonl"
for table in "--method none,pi,yarn" "--factors $out/run/factors.json"; do
    # shellcheck disable=SC2086 # an option and its value
    "$LONGROPE" eval --model $demo/model --text $demo/corpus/*.txt --length 256,512,1024,2048,4096 $table \
        --into "$out/run" >"$out/log"
    # shellcheck disable=SC2086
    "$LONGROPE" passkey --model $demo/model --prompt demo --length 256,512,1024 --depths 0,10,20,30,40,50,60,70,80,90,100 \
        --trials 3 $table --into "$out/run" >"$out/log"
    # shellcheck disable=SC2086
    "$LONGROPE" choice --model $demo/model --tasks "$out/items.jsonl" $table --into "$out/run" >"$out/log"
done

# A run that is still in its first stage, and one with long and hostile names.
cp -r "$out/run" "$out/running"
sqlite3 "$out/running/run.db" "DELETE FROM sample_nats WHERE stage = 1 OR individual > 30;
    DELETE FROM individuals WHERE stage = 1 OR id > 30; DELETE FROM baseline_nats WHERE stage = 1;
    DELETE FROM baselines WHERE stage = 1; DELETE FROM samples WHERE stage = 1; DELETE FROM settings WHERE stage = 1;
    DELETE FROM stage_models WHERE stage = 1; DELETE FROM stages WHERE id = 1; UPDATE stages SET state = 'running';
    DELETE FROM lengths; DELETE FROM pass_keys; DELETE FROM choices"
cp -r "$out/run" "$out/hostile"
sqlite3 "$out/hostile/run.db" "UPDATE run SET name = '<script>document.title = 1</script>' || hex(zeroblob(30));
    UPDATE stages SET name = id || '<img src=http://localhost/x onerror=\"document.title = 2\">' || hex(zeroblob(20));
    UPDATE stage_models SET model = '/' || hex(zeroblob(200)); UPDATE samples SET document = hex(zeroblob(100));
    UPDATE lengths SET label = substr('\"><svg onload=\"document.title = 3\">' || label || hex(zeroblob(30)), 1, 80);
    UPDATE pass_keys SET label = substr('</h3><style>*{display:none}</style>' || label, 1, 80)"

for run in run running hostile; do "$LONGROPE" report "$out/$run" -o "$out/$run.html"; done
exec /usr/bin/python3 tests/browser/look.py "$out" run running hostile
