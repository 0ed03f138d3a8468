#!/usr/bin/env bash
# usage: deploy/check-man.sh build/ppm-server build/ppm-server.1     by "make check-man"
# man and mandoc accept the manual page without a warning, and it has every command, flag, key and
# variable of the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
server=$1 page=$2
export LC_ALL=C.UTF-8 MANWIDTH=100 MAN_KEEP_FORMATTING=

fail() { echo "check-man: $*" >&2; exit 1; }

found=$(mandoc -T lint "$page") || true
[ -z "$found" ] || fail "mandoc reports:"$'\n'"$found"
echo "mandoc -T lint: no findings"
found=$(man --warnings --local-file "$page" 2>&1 >/dev/null)
[ -z "$found" ] || fail "man reports:"$'\n'"$found"
echo "man --warnings: no findings"

text=$(man --local-file "$page" | tr -s '[:space:]' ' ')
count=0

# has WHAT TEXT: the formatted page contains the text.
has() {
    count=$((count + 1))
    [[ $text = *"$2"* ]] || fail "found no $1 \"$2\" in $page"
}
commands=$("$server" --help | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p')
for command in $commands; do
    summary=$("$server" "$command" --help | sed -n 3p)
    has command " $command ${summary^}."
    while read -r flag; do
        has "flag of $command" " $flag "
    done < <("$server" "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
done
while read -r key; do
    has setting " Key $key, variable PPM_${key^^}."
done < <("$server" serve --print-config | sed -n 's/^  "\([a-z_]*\)":.*/\1/p')
[ "$count" -gt 60 ] || fail "found $count things to look for, expected more than 60"
has version "ppm-server $(<VERSION) "
echo "$page: has all $count commands, flags and settings of $server"
