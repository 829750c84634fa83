# Sourced by the scripts that newcomers and CI run. install_missing PACKAGE... installs the packages that are missing.
# Debian and Ubuntu; as root, or through sudo.
# shellcheck shell=sh disable=SC2034 # the lists are for the scripts that source this

install_missing() {
    missing=
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "These packages are missing, and there is no apt-get to install them with:$missing" >&2
        return 1
    fi
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
        echo "These packages are missing, and only root can install them. There is no sudo: ask the administrator for" >&2
        echo "$missing" >&2
        echo "(README.md, \"Requirements\", says how to build without root.)" >&2
        return 1
    fi
    echo "Installing:$missing"
    $as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

BUILD_PACKAGES="gcc g++ libc6-dev cmake make ninja-build pkg-config libgsl-dev libyaml-dev
    libsqlite3-dev libjansson-dev libxxhash-dev libsentencepiece-dev
    libpcre2-dev libutf8proc-dev"
REPORT_PACKAGES="gnuplot-nox"
TEST_PACKAGES="libcmocka-dev help2man groff-base jq sqlite3 $REPORT_PACKAGES"
BROWSER_PACKAGES="chromium chromium-driver python3-selenium poppler-utils"
