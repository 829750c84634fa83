#!/bin/sh
# configs/books/run.sh and report.sh in short: all stages with a few evaluations on short windows.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

run_books() { OUT=$work/books SEEDS="1 2" sh "$SOURCE/configs/books/run.sh" "$@"; }

try env BOOKS="$work/nowhere" sh "$SOURCE/configs/books/run.sh"
[ "$status" = 77 ] || fail "exit status $status without books"
grep -qF "skipped, since $work/nowhere/valid does not exist" "$work/stderr" || fail "it does not say that there are no books"
[ -d "$SOURCE/../shared/books/valid" ] || { echo "books: ../shared/books is absent; only that was tested" && exit 77; }

runs "$LONGROPE" search "$SOURCE/configs/books/books.yaml" --dry-run --rate 1000 --json
stages=$(jq -r '.stages[].name' "$work/stdout")
short=$(jq -r '.stages | keys[] | "--set stages.\(.).target_length=300 --set stages.\(.).search.evaluations=4"' "$work/stdout")
runs run_books --dry-run --rate 1000
[ ! -s "$work/stdout" ] || fail "a dry run prints tables"
# shellcheck disable=SC2086 # a list of words
runs run_books $short --set data.samples=2
cp "$work/stdout" "$work/tables"

# row TABLE STAGE: of that table of the stage, for seed 1 or both seeds, without blanks.
row() {
    awk -v RS= -v table="$1" 'NR == table' "$work/tables" | grep "^| $2 " | head -n 1 | tr -d ' '
}
[ "$(awk -v RS= 'END { print NR }' "$work/tables")" = 5 ] || fail "not five tables"
for stage in $stages; do
    best=$(sqlite3 "$work/books/seed-1/run.db" "SELECT printf('%.4f', exp(min(nats_per_token))) FROM individuals
        WHERE stage = (SELECT id FROM stages WHERE name = '$stage')")
    case $(row 2 "$stage") in "|$stage|1|end|$best|"[1-9]*"|"[1-9]*"|"[1-9]*) ;; *) fail "$stage: another table is its best" ;; esac
    case $(row 3 "$stage") in "|$stage|1|"*%"|") ;; *) fail "$stage: its work is not there" ;; esac
    case $(row 4 "$stage") in "|$stage|2|end|"[1-9]*"("[1-9]*) ;; *) fail "$stage: it has no median" ;; esac
    case $(row 5 "$stage") in "|$stage|2|"*) ;; *) fail "$stage: the median of its work is not there" ;; esac
done

# The paper's end is that of the better seed, or the one that is given; what was known before it counts.
ends="SELECT printf('%.9f|%.1f', exp(nats_per_token), work / 2.0) FROM individuals WHERE stage = (SELECT id FROM stages
    WHERE name = 'paper') AND nats_per_token NOTNULL ORDER BY nats_per_token, id LIMIT 1"
better=$(for seed in 1 2; do sqlite3 "$work/books/seed-$seed/run.db" "$ends"; done | sort -n | head -n 1)
grep -qE "^\| paper +\| [12] +\| [0-9]+ +\| [0-9.]+ +\| ${better#*|} " "$work/tables" || fail "the paper's end is not reached at ${better#*|}"
runs env PAPER_END=1 sh "$SOURCE/configs/books/report.sh" "$LONGROPE" "$work/books/seed-2"
! grep '^| .* %' "$work/stdout" | grep -qv '| - ' || fail "a search reached a perplexity of 1"
cp "$work/stdout" "$work/tables"
case $(row 5 paper) in "|paper|1|-(-)|-(-)|") ;; *) fail "the median is not that of a search that has not reached it" ;; esac

# What racing cut short is what the run says, and the search without racing has nothing of that.
if command -v python3 >/dev/null; then
    for stage in paper-blocks paper-no-racing; do
        runs python3 "$SOURCE/configs/books/racing.py" --longrope "$LONGROPE" --stage "$stage" "$work/books/seed-1"
        said=$(tail -n 1 "$work/stdout" | tr -d ' ')
        known=$("$LONGROPE" show "$work/books/seed-1" --json |
            jq -r --arg stage "$stage" '.stages[] | select(.name == $stage) | .cost.stopped')
        case $said in "|seed-1|"[1-9]*"%|$known|"*) ;; *) fail "$stage: $said, but $known were cut short" ;; esac
    done
fi

# All tokens rank tables as all tokens do; fewer need not.
if command -v python3 >/dev/null; then
    runs python3 "$SOURCE/configs/books/tokens.py" --stage paper "$work/books/seed-1" "$work/books/seed-2"
    [ "$(tail -n 1 "$work/stdout")" = '| 2 | 384 | 100% | 1.00 | 0.00% |' ] || fail "all tokens are not enough"
    [ "$(wc -l <"$work/stdout")" = 6 ] || fail "not four parts of the tokens"
fi

echo "books: passed"
