#!/usr/bin/env bash
# usage: ENGINE=docker IMAGE=NAME tools/check-image-files.sh     by tools/check-image.sh
# Checks what is in the image, without running it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0 # from there on 1, when something failed
# shellcheck source=/dev/null
. tools/checks.sh

work=$(mktemp -d)
container=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "$container" ] || "$ENGINE" rm --force "$container" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

container=$("$ENGINE" create --no-healthcheck "$IMAGE")
"$ENGINE" export "$container" >"$work/image.tar"
mkdir "$work/root"
tar -C "$work/root" --no-same-owner -xf "$work/image.tar"
cd "$work/root"
program=usr/local/bin/ppm-server

bytes=$(find . -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
holds "$(awk -v b="$bytes" 'BEGIN { printf "%.1f MB uncompressed, 25 MB at most", b / 1e6 }')" \
    [ "$bytes" -le 25000000 ]

is_elf() { [ "$(head -c 4 "$1" | od -An -c | tr -d ' ')" = '177ELF' ]; }
mapfile -t elf < <(find . -type f | while read -r file; do ! is_elf "$file" || echo "${file#./}"; done | sort)
expect "programs" "$(printf '%s\n' "${elf[@]}" | grep -v '\.so\.[0-9]*$' | paste -sd ' ')" "$program"
shells=$(find . -regex '.*/\(ba\|da\|a\|z\|k\)?sh\|.*/busybox') || true
expect "shells" "${shells:-none}" none
scripts=$(find . -type f -print0 | xargs -0 awk 'FNR == 1 { if (/^#!/) print FILENAME; nextfile }')
expect "scripts" "${scripts:-none}" none
privileged=$(find . -type f -perm /6000)
expect "files that give privileges" "${privileged:-none}" none
writable=$(find . -mindepth 1 -perm /022 -not -type l -not -path './dev*' -not -path './proc*' -not -path './sys*')
expect "files and folders that others may write" "${writable:-none}" none

needed=$({
    readelf --wide -d "${elf[@]}" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
    readelf --wide -l "$program" | sed -n 's|.*program interpreter: .*/\(.*\)\]$|\1|p'
} | sort -u)
there=$(printf '%s\n' "${elf[@]##*/}" | grep -vx ppm-server | sort -u)
if [ "$needed" = "$there" ]; then
    passed "$(wc -l <<<"$there") libraries, each needed, none missing"
else
    failed "libraries that nothing needs (<) or that are missing (>): $(diff <(echo "$there") <(echo "$needed") | grep '^[<>]' | paste -sd ' ')"
fi
hardening=$(readelf --wide -hd "$program" | grep -oE 'DYN|BIND_NOW|\bNOW PIE' | sort -u | paste -sd ' ')
expect "the program's hardening" "$hardening" "BIND_NOW DYN NOW PIE"

# Each Debian package has a line, a record and its license.
listed=$(sed -n '/^\[image\]/,/^$/s/=.*//p' usr/local/share/ppm-server/packages.txt)
expect "packages in packages.txt and in dpkg's records" "$(paste -sd ' ' <<<"$listed")" \
    "$(find var/lib/dpkg/status.d -type f -printf '%f\n' | LC_ALL=C sort | paste -sd ' ')"
unlicensed=$(while read -r name; do [ -s "usr/share/doc/$name/copyright" ] || echo "$name"; done <<<"$listed")
expect "packages without their license" "${unlicensed:-none}" none
grep -q '^libmicrohttpd' <<<"$listed" || failed "packages.txt does not name libmicrohttpd"
cd - >/dev/null

look() { "$ENGINE" image inspect --format "$1" "$IMAGE"; }
label() { look "{{index .Config.Labels \"org.opencontainers.image.$1\"}}"; }
case $(uname -m) in
x86_64) machine='amd64 Advanced Micro Devices X86-64' ;;
aarch64) machine='arm64 AArch64' ;;
*) machine='one of x86_64 and aarch64' ;;
esac
expect "architecture, and that of the program" \
    "$(look '{{.Architecture}}') $(readelf -h "$work/root/$program" | sed -n 's/.*Machine: *//p')" "$machine"
expect "user" "$(look '{{.Config.User}}')" 10001:10001
expect "its name" "$(awk -F: '$3 == 10001 { print $1 }' "$work/root/etc/passwd")" ppm-server
expect "label title" "$(label title)" ppm-server
expect "label licenses" "$(label licenses)" MIT
expect "label version" "$(label version)" "$(cat VERSION)"
expect "label revision" "$(label revision)" "$(git -c safe.directory="$PWD" rev-parse --quiet --verify HEAD || true)"
holds "label description: $(label description)" [ -n "$(label description)" ]
exit "$status"
