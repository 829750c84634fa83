#!/bin/sh
# man_page.sh PROGRAM OUT [COMMAND]: the manual page of longrope, or of one of its commands, from what --help prints.
# The build calls it where help2man is installed; all of the text is the program's own.
set -eu
program=$1 out=$2 command=${3-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # without a command there is no word
"$program" $command --help >"$work/help"
summary=$(sed -n '1s/^[^:]*: //p' "$work/help")
version=$("$program" --version)
[ -n "$summary" ] || { echo "$program $command --help does not begin with 'longrope${command:+ $command}: SUMMARY'" >&2; exit 1; }

# help2man runs a program for its help. It gets the help without the summary, and with "or:" before each further usage.
sed '1,2d; /^Usage:/,/^$/s/^       longrope/   or: longrope/' "$work/help" >"$work/longrope.help"
# shellcheck disable=SC2016 # $0 is that of the program that is written
printf '#!/bin/sh\ncat "$0.help"\n' >"$work/longrope"
chmod +x "$work/longrope"
help2man --no-info --name="$summary" --version-string="longrope${command:+-$command}${version#longrope}" \
    "$work/longrope" >"$work/page"

# What help2man does not do: the headings of a manual, options in groups, and examples as lines to copy.
awk '
    /^\.SS "(Exit status|Environment):"$/ { gsub(/^\.SS "|:"$/, ""); $0 = ".SH \"" toupper($0) "\"" }
    /^\.SH OPTIONS$/ && grouped { $0 = ".SS Options" }
    /^\.SS ".*:"$/ {
        if (!/"(Arguments|Commands):"$/ && !grouped++) print ".SH OPTIONS"
        sub(/:"$/, "\"")
    }
    examples && /^\.SH/ { print ".fi"; examples = 0 }
    examples && /^\.IP$/ { next }
    { print }
    /^\.SH EXAMPLES$/ { print ".IP\n.nf"; examples = 1 }
    END { if (examples) print ".fi" }
' "$work/page" >"$out"
