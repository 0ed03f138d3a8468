#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/versions.sh
# The program, what it serves and its manual page have the version in VERSION, and CHANGELOG.md begins with
# it. make check-deb checks the Debian package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
url='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

server=${PPM_SERVER:-build/ppm-server}
version=$(<VERSION)

# is WHERE FOUND EXPECTED
is() { [ "$2" = "$3" ] || { echo "versions: $1: found \"$2\", expected \"$3\""; exit 1; }; }

is 'ppm-server --version' "$("$server" --version)" "ppm-server $version"

# Entries, newest first: "## [1.2.3] - 2026-01-31"; before them perhaps "## [Unreleased]".
mapfile -t entries < <(sed -n '/^## \[Unreleased]$/d; s/^## //p' CHANGELOG.md)
for entry in "${entries[@]}"; do
    [[ $entry =~ ^\[([0-9]+\.[0-9]+\.[0-9]+)]\ -\ (20[0-9]{2}-[01][0-9]-[0-3][0-9])$ ]] ||
        { echo "versions: CHANGELOG.md: found \"## $entry\", expected \"## [1.2.3] - 2026-01-31\""; exit 1; }
    date --date="${BASH_REMATCH[2]}" >/dev/null
done
newest=${entries[0]-none}
is 'the newest entry of CHANGELOG.md' "${newest%% - *}" "[$version]"
is 'CHANGELOG.md, newest first' "$(printf '%s\n' "${entries[@]}" | sort -rVu)" "$(printf '%s\n' "${entries[@]}")"

is 'the manual page' "$(deploy/manual.sh "$server" | sed -n 's/^\.TH .*"ppm\\-server \(.*\)" .*/\1/p')" "$version"

start_server
is /openapi.json "$(curl -sS --max-time 20 "$url/openapi.json" | sed -n 's/^ *"version": "\(.*\)",$/\1/p')" "$version"
echo "versions: CHANGELOG.md, the program, /openapi.json and the manual page have version $version"
