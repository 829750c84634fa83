#!/bin/sh
# What `cmake --install` copies: the program, which runs from its new place, and its manual pages. BUILD is the build.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
: "${BUILD:?the build folder}"

prefix=$work/prefix
runs cmake --install "$BUILD" --prefix "$prefix"
[ "$(find "$prefix" -type f -path '*/bin/*')" = "$prefix/bin/longrope" ] || fail "bin holds $(ls "$prefix/bin")"
runs "$prefix/bin/longrope" --version
cp "$work/stdout" "$work/version"
runs "$LONGROPE" --version
cmp -s "$work/stdout" "$work/version" || fail "the installed program has another version"
runs "$prefix/bin/longrope" eval --model "$model" --text "$document" --length 64 --method none --json

# Where packages are missing and nobody can install them, the scripts of newcomers say what to ask for.
mkdir "$work/bare"
printf '#!/bin/sh\n' >"$work/bare/dpkg-query"
printf '#!/bin/sh\n' >"$work/bare/apt-get"
printf '#!/bin/sh\necho 1000\n' >"$work/bare/id"
chmod +x "$work/bare"/*
try env PATH="$work/bare" /bin/sh -c ". '$SOURCE/tests/packages.sh'; install_missing libgsl-dev libyaml-dev"
[ "$status" = 1 ] || fail "without root and sudo, missing packages end with status $status"
for words in 'There is no sudo: ask the administrator for' ' libgsl-dev libyaml-dev'; do
    grep -qF -e "$words" "$work/stderr" || fail "does not say which packages to ask for"
done

if ! command -v help2man >/dev/null; then
    echo "install: passed, without manual pages: help2man is not installed"
    exit 0
fi
pages=$prefix/share/man/man1
for name in longrope longrope-init longrope-search longrope-show longrope-report longrope-eval longrope-passkey longrope-choice longrope-tokenize longrope-export \
    longrope-bench; do
    page=$pages/$name.1
    [ -s "$page" ] || fail "$name.1 is not installed"
    for section in NAME SYNOPSIS OPTIONS EXAMPLES '"EXIT STATUS"'; do
        grep -qxF ".SH $section" "$page" || fail "$name.1 has no section $section"
    done
    grep -q "^$name .- [a-zA-Z]" "$page" || fail "$name.1 has no summary: $(sed -n '/^.SH NAME/,/^.SH S/p' "$page")"
    grep -q '^Usage:\|^usage:' "$page" && fail "$name.1 has a usage outside of its synopsis"
    runs groff -man -Tutf8 -ww "$page"
    [ ! -s "$work/stderr" ] || fail "groff warns of $name.1"
done
[ "$(find "$pages" -type f | wc -l)" = 11 ] || fail "the manual pages are $(ls "$pages")"
grep -qF -e '--dry\-run' -e '\-\-dry\-run' "$pages/longrope-search.1" || fail "longrope-search.1 lacks an option"

echo "install: passed"
