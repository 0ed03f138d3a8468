#!/usr/bin/env bash
# usage: deploy/check-deb.sh build/{ppm-server,libppm0,libppm-dev}_VERSION_ARCHITECTURE.deb     by "make check-deb"
# As root or by sudo. Runs lintian on the packages. Then installs the server in a debootstrap root, with this machine's
# apt sources, asks it and removes it: the configuration remains, and after a purge nothing does. Then does the same
# with the library, for which it builds a program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deb=$1 library=$2 development=$3
version=$(<VERSION)

fail() { echo "check-deb: $*" >&2; exit 1; }

# In a mount namespace, so that the mounts end with the script.
if [ -z "${PPM_CHECK_DEB:-}" ]; then
    become=()
    [ "$(id -u)" = 0 ] || become=(sudo)
    command -v "${become[@]}" unshare >/dev/null || fail 'a root of debootstrap takes root, or sudo, and found neither'
    "${become[@]}" unshare --mount true || fail 'a container without CAP_SYS_ADMIN cannot mount /proc for a root of debootstrap'
    exec "${become[@]}" env PPM_CHECK_DEB=1 unshare --mount "$0" "$@"
fi

work=$(mktemp -d)
root=$work/root server=
clean_up() {
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
    for folder in "$root/proc" "$root"; do
        ! mountpoint -q "$folder" || umount "$folder"
    done
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT

# quietly WHAT COMMAND...: shows the command's output only if it fails.
quietly() {
    local what=$1
    shift
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$what"; }
}
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    ${http_proxy:+"http_proxy=$http_proxy"} chroot "$root" "$@"; }

for package in "$@"; do
    found=$(dpkg-deb --field "$package" Version)
    [ "$found" = "$version" ] || fail "$package: found version $found, expected $version"
done
quietly 'lintian finds fault' lintian --allow-root --fail-on=error,warning "$@"
echo "lintian: no error, no warning"

# The distribution's archives, from the mirror that apt uses here.
# shellcheck disable=SC2016 # the $ belongs to apt
archives() {
    local origin
    for origin in Debian Ubuntu; do
        apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
            "Origin: $origin" 'Created-By: Packages' "Architecture: $(dpkg --print-architecture)"
    done | sort -u
}
[ -n "$(archives)" ] || quietly 'apt has no lists' apt-get update
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(archives | awk -v release="$release" '$3 == release { print $2; exit }')
[ -n "$mirror" ] || fail "apt knows no archive of $release"
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
export http_proxy=${http_proxy:-}

mkdir "$root"
mount -t tmpfs -o mode=755 tmpfs "$root" # where nobody waits for a disk
quietly 'debootstrap failed' debootstrap --variant=minbase "$release" "$root" "$mirror"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
archives >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries)\b' >"$root/etc/apt/apt.conf.d/99host" || true
cp /etc/resolv.conf "$root/etc/"
quietly 'apt-get update failed' inside apt-get update
quietly 'its dependencies cannot be installed' \
    inside apt-get satisfy -y --no-install-recommends "$(dpkg-deb --field "$deb" Depends)"
echo "a fresh $release has its dependencies"

# Every file except those of dpkg's and apt's databases.
files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./var/cache -o -path ./var/log \
        -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./run \) -prune -o -print | sort)
}
files >"$work/before"
cp "$deb" "$root/tmp/ppm-server.deb"
quietly 'it cannot be installed' inside apt-get install -y --no-install-recommends /tmp/ppm-server.deb
[ "$(inside ppm-server --version)" = "ppm-server $version" ] || fail "found $(inside ppm-server --version)"
files | comm -13 "$work/before" - >"$work/added"
echo "installed: $(inside ppm-server --version), $(wc -l <"$work/added") files and folders"

# As the service does, except for the port, as a user without write access.
command=$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/ppm-server.service" 2>/dev/null || true)
read -ra command <<<"${command:-/usr/bin/ppm-server serve --config /etc/ppm-server/server.json}"
PPM_PORT=0 chroot --userspec=nobody:nogroup "$root" "${command[@]}" 2>"$work/server.log" &
server=$!
for _ in $(seq 600); do
    url=$(sed -n 's/^.*listening on \(http:[^ ]*\)$/\1/p' "$work/server.log")
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
done
[ -n "$url" ] || { cat "$work/server.log" >&2; fail "${command[*]} does not listen"; }
configs=/usr/share/ppm-server/configs
curl -sS --fail --max-time 20 "$url/ppm" -H 'Content-Type: application/x-npy' \
    --data-binary "@$root$configs/samples/features-4x30x30.npy" -o "$work/answer.npy" || fail 'the server does not answer'
quietly 'ppm-server run fails' inside ppm-server run --model "$configs/models/listing1-pytorch-ppm.json" \
    --input "$configs/samples/features-4x30x30.npy" --output /tmp/expected.npy
cmp "$work/answer.npy" "$root/tmp/expected.npy" || fail 'it is served otherwise than it is computed'
kill -TERM "$server"
wait "$server" || fail "the server's exit status after SIGTERM is $?"
server=
echo "${command[*]}: $(wc -c <"$work/answer.npy") bytes answered, then a drain to exit status 0"

# The values of a float32 .npy, one per line, after 128 bytes of header.
values() { od -A n -v -t f4 -w4 -j 128 "$1"; }
golden=tests/golden/listing1-pytorch-ppm
cp -r "$golden" "$root/tmp/golden"
quietly 'ppm-server run fails' inside ppm-server run --model /tmp/golden/config.json --input /tmp/golden/x.npy --output /tmp/y.npy
paste <(values "$golden/y.npy") <(values "$root/tmp/y.npy") | awk '
    NF != 2 || $1 - $2 > 1e-4 || $2 - $1 > 1e-4 || $2 + 0 != $2 { bad = 1 }
    END { print "ppm-server run: " NR " values, as PyTorch has them"; exit bad || NR == 0 }' ||
    fail "the values are not those of $golden/y.npy"

# left_is LINE...: exactly these files were added.
left_is() {
    local found expected
    found=$(files | comm -3 "$work/before" -)
    expected=$([ $# -eq 0 ] || printf '\t%s\n' "$@")
    [ "$found" = "$expected" ] || fail "after that, found"$'\n'"$found"$'\n'"expected"$'\n'"${expected:-nothing}"
}
quietly 'it cannot be removed' inside apt-get remove -y ppm-server
# The links of the enabled service remain, for a later installation.
links=./var/lib/systemd/deb-systemd-helper-enabled
left_is ./etc/ppm-server ./etc/ppm-server/server.json ./etc/systemd/system/multi-user.target.wants/ppm-server.service \
    $links/multi-user.target.wants/ppm-server.service $links/ppm-server.{service,socket}.dsh-also
echo "removed: its configuration remains, and that it was enabled"
quietly 'it cannot be purged' inside apt-get purge -y ppm-server
left_is
echo "purged: nothing remains"

# ---- the library ----

quietly 'its dependencies cannot be installed' \
    inside apt-get satisfy -y --no-install-recommends "$(dpkg-deb --field "$library" Depends)"
files >"$work/before"
cp "$library" "$root/tmp/libppm0.deb"
cp "$development" "$root/tmp/libppm-dev.deb"
quietly 'the library cannot be installed' \
    inside apt-get install -y --no-install-recommends /tmp/libppm0.deb /tmp/libppm-dev.deb
machine=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
libraries=$root/usr/lib/$machine
[ "$(PKG_CONFIG_LIBDIR=$libraries/pkgconfig pkg-config --modversion ppm)" = "$version" ] || fail 'pkg-config does not find it'
# Built here, with the packages' files, so that the root needs no compiler.
quietly 'no program can be built with it' gcc -Wall -Werror "-I$root/usr/include" examples/label.c -o "$root/tmp/label" \
    "-L$libraries" -lppm "-Wl,-rpath-link,$libraries"
cp configs/models/street.{json,safetensors} "$root/tmp"
{ printf 'P6\n64 64\n255\n'; head -c $((64 * 64 * 3)) /dev/zero; } >"$work/photo.ppm"
inside /tmp/label /tmp/street.json <"$work/photo.ppm" >"$work/shares" || fail 'a program built with it fails'
awk '{ sum += $1 } END { exit !(NR == 9 && sum > 99 && sum < 101) }' "$work/shares" ||
    fail "found these shares of classes:"$'\n'"$(<"$work/shares")"
echo "libppm0, libppm-dev: a program is built, and finds $(awk '$1 > 0' "$work/shares" | wc -l) classes in a black image"
quietly 'the library cannot be removed' inside apt-get purge -y libppm0 libppm-dev
left_is
echo "purged: nothing remains"
