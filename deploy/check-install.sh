#!/usr/bin/env bash
# usage: deploy/check-install.sh make [VARIABLE=VALUE...]     by "make check-install"
# Installs into a folder, uses what is there, and uninstalls: only files that install did not put there remain.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
make=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "check-install: $*" >&2; exit 1; }

root="$work/a root"
under=$root/opt/ppm
mkdir -p "$root/opt/configs" "$under/share/ppm-server/configs/models" "$under/bin"
touch "$under/share/ppm-server/configs/models/mine.json"
cat >"$work/ppm-server.service" <<'UNIT'
[Service]
ExecStartPre=+/usr/bin/mkdir -p /run/ppm-server
ExecStartPre=-ppm-server --version
ExecStart=/usr/bin/ppm-server serve --config /etc/ppm-server/server.json
UNIT
into=("DESTDIR=$root" PREFIX=/opt/ppm "UNITS=$work/ppm-server.service")

"${make[@]}" --silent install "${into[@]}" >/dev/null
[ "$(stat -c %a "$under/bin/ppm-server")" = 755 ] || fail "the program is not executable by all"
find "$under" -type f ! -path '*/bin/*' ! -perm 644 | grep . && fail 'these are not readable by all, and writable by root alone'
for file in share/{ppm-server/configs/server.json,doc/ppm-server/{README.md,LICENSE,docs/operating.md}}; do
    cmp -s "$under/$file" "${file#share/*ppm-server/}" || fail "$file differs from the one here"
done
cmp -s "$under/include/ppm.h" build/ppm.h || fail 'ppm.h differs from the one that was built'
echo "installed: $(find "$under" -type f | wc -l) files"

# The program finds the installed models, even with a folder configs/ where a build would have them.
[ "$("$under/bin/ppm-server" --version)" = "ppm-server $(<VERSION)" ] || fail 'the program is of another version'
(cd "$work" && "$under/bin/ppm-server" serve --check-config 2>"$work/log") || fail "$(<"$work/log")"
echo "the program runs with the models installed with it"
man --local-file "$under/share/man/man1/ppm-server.1" 2>&1 | grep -q 'pyramid pooling' || fail 'man does not show the page'
bash -c '. "$1" && complete -p ppm-server' bash "$under/share/bash-completion/completions/ppm-server" >/dev/null ||
    fail 'the completion is none'
found=$(grep ^Exec "$under/lib/systemd/system/ppm-server.service")
expected='ExecStartPre=+/usr/bin/mkdir -p /run/ppm-server
ExecStartPre=-/opt/ppm/bin/ppm-server --version
ExecStart=/opt/ppm/bin/ppm-server serve --config /etc/ppm-server/server.json'
[ "$found" = "$expected" ] || fail "the unit: found"$'\n'"$found"$'\n'"expected"$'\n'"$expected"
echo "the manual page, the completion and the unit are where their users look"

flags=$(PKG_CONFIG_PATH="$under/lib/pkgconfig" pkg-config --cflags --libs ppm)
[ "$flags" = '-I/opt/ppm/include -L/opt/ppm/lib -lppm ' ] || fail "pkg-config: found \"$flags\""
[ "$(readlink "$under/lib/libppm.so")" = libppm.so.0 ] || fail 'libppm.so is no link to libppm.so.0'
printf '#include <ppm.h>\n#include <stdio.h>\nint main(void) { puts(ppm_version()); }\n' >"$work/version.c"
gcc -o "$work/version" "$work/version.c" "-I$under/include" "-L$under/lib" -lppm
found=$(LD_LIBRARY_PATH="$under/lib" "$work/version")
[ "$found" = "$(<VERSION)" ] || fail "the library is of version $found"
echo "a program is built with the library, and runs"

before=$(stat -c %s "$under/bin/ppm-server")
"${make[@]}" --silent install-strip "${into[@]}" >/dev/null
after=$(stat -c %s "$under/bin/ppm-server")
[ "$after" -lt "$before" ] || fail "install-strip: the program has $after bytes, as many as before"
for file in bin/ppm-server lib/libppm.so.0; do
    readelf -S "$under/$file" | grep -qE '\.(symtab|debug_)' && fail "install-strip: there are symbols left in $file"
done
"$under/bin/ppm-server" --version >/dev/null
[ "$(LD_LIBRARY_PATH="$under/lib" "$work/version")" = "$(<VERSION)" ] || fail 'the stripped library does not work'
echo "stripped: $before bytes are now $after"

"${make[@]}" --silent uninstall "${into[@]}" >/dev/null
found=$(find "$root" -type f)
[ "$found" = "$under/share/ppm-server/configs/models/mine.json" ] ||
    fail "uninstall: expected only a user's file to remain, found"$'\n'"$found"
rm "$found"
"${make[@]}" --silent uninstall "${into[@]}" >/dev/null
found=$(find "$root" -name 'ppm*' ! -name ppm -o -name 'libppm*' -o -path "$under/share/ppm-server*")
[ -z "$found" ] || fail "uninstall: these remain:"$'\n'"$found"
echo "uninstalled: only a file that a user put there remains"
