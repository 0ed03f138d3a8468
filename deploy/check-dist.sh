#!/usr/bin/env bash
# usage: deploy/check-dist.sh build/ppm-server-VERSION.tar.xz make     by "make check-dist"
# The tarball can be reproduced byte for byte. Unpacked outside of git it builds, installs, and the
# installed program serves; a tarball made there has the same files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tarball=$PWD/$1 make=$2
name=ppm-server-$(<VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "check-dist: $*" >&2; exit 1; }

[ "${tarball##*/}" = "$name.tar.xz" ] || fail "found ${tarball##*/}, expected $name.tar.xz"
deploy/dist.sh >"$work/again" 2>/dev/null
cmp "$tarball" "$work/again" || fail 'made again, the tarball has other bytes'
echo "$1: $(stat -c %s "$tarball") bytes, the same twice"

tar --extract --file="$tarball" --directory="$work"
[ "$(ls "$work")" = "again"$'\n'"$name" ] || fail "found $(ls "$work"), expected one folder $name"
cd "$work/$name"
if git rev-parse --git-dir >/dev/null 2>&1; then fail "$PWD is below a git repository"; fi
deploy/dist.sh >"$work/again"
mkdir "$work/second"
tar --extract --file="$work/again" --directory="$work/second"
diff -r "$work/second/$name" . || fail 'a tarball that is made without git has other files'
echo "unpacked, it makes the same tarball without git: $(find . -type f | wc -l) files"

"$make" --silent install DESTDIR="$work/root" PREFIX=/usr >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail 'it does not build'; }
server=$work/root/usr/bin/ppm-server
[ "$("$server" --version)" = "ppm-server $(<VERSION)" ] || fail "found $("$server" --version)"
echo "built and installed: $("$server" --version)"
PPM_SERVER=$server tools/demo.sh >"$work/log" || { cat "$work/log" >&2; exit 1; }
tail -n 1 "$work/log"
LIBPPM=$work/root/usr/lib/libppm.so.0 PYTHONPATH=clients/python /usr/bin/python3 -B -c '
import numpy, ppm
print("the installed library:", ppm.__version__, ppm.Model("configs/models/street.json").run(numpy.zeros((3, 64, 64))).shape)'
for test in completion versions readme; do
    PPM_SERVER=$server "tests/$test.sh"
done
