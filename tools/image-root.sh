#!/usr/bin/env bash
# usage: tools/image-root.sh ROOT     by the Dockerfile, in its build stage
# Adds to what "make install-program DESTDIR=ROOT PREFIX=/usr/local" installed all that an image needs: the
# program's shared libraries, a user, and the list of Debian packages that the files come from.
# shellcheck disable=SC2016 # the $ in single quotes belong to dpkg-query
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$1
program=$root/usr/local/bin/ppm-server
share=$root/usr/local/share

# Paths where the loader looks: /lib/MACHINE/NAME, and the loader itself, where the kernel looks.
libraries() { ldd "$program" | awk '/=> \// { print $3 } $1 ~ /^\// { print $1 }'; }

# The Debian packages of these files. dpkg knows some below /lib, others below /usr/lib.
owners() {
    local file owner
    for file; do
        owner=$(dpkg-query -S "$file" "/usr$file" "${file#/usr}" 2>/dev/null | sort -u | sed -n 1p) || true
        [ -n "$owner" ] ||
            { echo "image-root.sh: $file: found no Debian package with it" >&2; return 1; }
        echo "${owner%%:*}"
    done | sort -u
}

strip "$program"
mapfile -t files < <(libraries)
[ "${#files[@]}" -gt 2 ] || { echo "image-root.sh: $program: no shared libraries found by ldd" >&2; exit 1; }
for file in "${files[@]}"; do install -D -m 755 "$file" "$root$file"; done

# libstdc++ is linked into the program.
list=$(owners "${files[@]}" "$(realpath "$(g++ -print-file-name=libstdc++.a)")")
mapfile -t packages <<<"$list"
versions='${Package}=${Version}\n'
{
    echo '# Debian packages whose files are in this image'
    echo '[image]'
    dpkg-query -W -f "$versions" "${packages[@]}"
    echo
    echo '# and all packages of the build stage'
    echo '[build]'
    dpkg-query -W -f "$versions"
} >"$share/ppm-server/packages.txt"

# The package records where vulnerability scanners look, and the licenses, with those they refer to.
mkdir -p "$root/var/lib/dpkg/status.d" "$root/usr/share/common-licenses"
install -D -m 644 /etc/os-release "$root/etc/os-release"
for package in "${packages[@]}"; do
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
    install -D -m 644 "/usr/share/doc/$package/copyright" -t "$root/usr/share/doc/$package"
done
grep -rhoE '/usr/share/common-licenses/[A-Za-z]+(-[0-9.]*[0-9])?' "$root/usr/share/doc" | sort -u |
    while read -r license; do install -m 644 "$license" "$root$license"; done
install -D -m 644 LICENSE "$share/doc/ppm-server/LICENSE"

echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'ppm-server:x:10001:' >"$root/etc/group"
echo 'ppm-server:x:10001:10001::/models:/nonexistent' >"$root/etc/passwd"

# The same files make the same image.
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
