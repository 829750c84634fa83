#!/bin/sh
# --help of every command: its parts, its width, and that the parser accepts what it explains. That the help explains
# all that the parser accepts is tested by unit.options, which sees the tables of options.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# has REGEX PART: a line of the help on stdout.
has() { grep -q -e "$1" "$work/help" || fail "$command --help has no $2"; }

# Lines of the examples, which end at an empty line.
examples() { sed -n '/^Examples:$/,/^$/p' "$work/help" | sed -e 1d -e '/^$/d'; }

for command in init search show report eval passkey choice tokenize export bench; do
    runs "$LONGROPE" "$command" --help
    says_nothing
    cp "$work/stdout" "$work/help"
    head -n 1 "$work/help" | grep -q "^longrope $command: ." || fail "$command --help does not begin with what it does"
    has "^Usage: longrope $command ." "usage"
    has '^Examples:$' "examples"
    has '^Exit status:$' "exit status"
    for status in 0 1 2; do has "^  $status   ." "exit status $status"; done
    awk 'length > 100 { exit 1 }' "$work/help" || fail "$command --help is wider than 100 columns"
    if grep -q ' $' "$work/help"; then fail "$command --help has blanks at the end of a line"; fi

    # each option stands below a heading, and is accepted
    sed -n '/^Examples:$/q; s/^  \(-., \)\{0,1\}--\([a-z-]*\)\( .*\)\{0,1\}$/\2/p' "$work/help" >"$work/options"
    [ "$(head -n 1 "$work/options")" != help ] || fail "$command --help explains no options"
    grep -qx help "$work/options" || fail "$command --help does not explain --help"
    awk '/^Examples:/ { exit } /^[A-Z].*:$/ { heading = 1 } /^  -/ && !heading { exit 1 }' "$work/help" ||
        fail "$command --help has options without a heading"
    while read -r option; do
        # what follows is its value, or an option that ends the command before it begins
        try "$LONGROPE" "$command" "--$option" --no-such-option
        if grep -qE "unknown option '--$option'|not unique" "$work/stderr"; then
            fail "$command does not accept --$option"
        fi
    done <"$work/options"

    # examples are commands of this program, with options that the help of that command explains
    [ "$(examples | grep -c '^  [^ ]')" -ge 2 ] || fail "$command --help has fewer than two examples"
    if examples | grep '^  [^ ]' | grep -qv '^  longrope '; then fail "an example does not begin with longrope"; fi
    examples | sed 's/|.*//' | grep "^  longrope $command " | grep -o ' --[a-z-]*' | sort -u >"$work/used" || true
    while read -r option; do
        grep -qx -e "${option#--}" "$work/options" || fail "$command: the help does not explain $option of an example"
    done <"$work/used"

    cp "$work/help" "$work/whole"
    runs "$LONGROPE" "$command" -h
    cmp -s "$work/stdout" "$work/whole" || fail "$command -h prints another text than --help"
done

# ---- the program ----

for argument in --help -h help; do
    runs "$LONGROPE" "$argument"
    says_nothing
    for command in init search show report eval passkey choice tokenize export bench; do
        grep -q "^  $command  *[a-z]" "$work/stdout" || fail "longrope $argument does not list $command"
    done
    for word in 'Usage: longrope COMMAND' 'Commands:' 'Options:' 'Examples:' 'Exit status:' 'Environment:' \
        LONGROPE_KERNELS LONGROPE_TRACE; do
        says "$word"
    done
    awk 'length > 100 { exit 1 }' "$work/stdout" || fail "longrope $argument is wider than 100 columns"
done

echo "help: passed"
