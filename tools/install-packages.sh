#!/usr/bin/env bash
# usage: tools/install-packages.sh [--list] GROUP...
# Installs the missing Debian packages of these groups of tools/packages.txt, or lists all of them.
# Prints nothing if none is missing; shows apt's output on a terminal, elsewhere only if apt fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted() {
    local group
    for group; do
        awk -v group="[$group]" '
            { sub(/#.*/, "") }
            /^\[/ { inside = $1 == group; seen = seen || inside; next }
            inside && NF { print $1 }
            END { exit !seen }' tools/packages.txt ||
            { echo "install-packages.sh: no group [$group] in tools/packages.txt" >&2; return 2; }
    done
}

# Prints those packages named on stdin that are not installed.
missing() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^.i *//p')
    grep -vxF -f <(printf '%s\n' "$installed") || true
}

give_up() {
    {
        echo "ppm-server needs packages that are not installed. Install them with"
        echo
        echo "    sudo apt-get install --no-install-recommends ${packages[*]}"
        echo
        echo "or, if they are installed under other names, run make with NO_SETUP=1."
    } >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install() {
    compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt update "${quiet[@]}" || return
    # Tries again with new lists: old ones may name versions that the mirrors no longer have.
    apt install -y --no-install-recommends "${quiet[@]}" "${packages[@]}" ||
        { apt update "${quiet[@]}" && apt install -y --no-install-recommends "${quiet[@]}" "${packages[@]}"; }
}

[ "${1:-}" != --list ] || { shift; wanted "$@"; exit; }
[ $# -gt 0 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
list=$(wanted "$@")

# make -j requests several groups at once; install one after another.
exec 9<"${BASH_SOURCE[0]}"
flock 9

if ! command -v dpkg-query >/dev/null; then
    mapfile -t packages <<<"$list"
    give_up
fi
list=$(missing <<<"$list" | sort -u)
[ -n "$list" ] || exit 0
mapfile -t packages <<<"$list"
command -v apt-get >/dev/null || give_up
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || give_up

echo "installing ${packages[*]}" >&2
quiet=()
if [ -t 1 ]; then
    install || give_up
else
    quiet=(-qq)
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    install >"$log" 2>&1 || { cat "$log" >&2; give_up; }
fi
