#!/usr/bin/env bash
# usage: tools/image-base.sh IMAGE     by tools/check-image.sh, as root
# Makes IMAGE, a Debian 12 base for podman and buildah on machines that cannot pull images, from this
# machine's package sources. For checks only; do not publish images built on it.
# shellcheck disable=SC2016 # the $ in single quotes belong to apt-get
set -euo pipefail

image=$1
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT

# This machine's Debian 12 sources, one per line: suite, address.
mapfile -t sources < <(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(IDENTIFIER) $(REPO_URI)' |
    awk '$1 ~ /^bookworm/ && $2 == "main" && $3 == "Packages" { print $1, $4 }')
[ "${#sources[@]}" -gt 0 ] || sources=('bookworm http://deb.debian.org/debian'
    'bookworm-security http://deb.debian.org/debian-security')
mirror=$(printf '%s\n' "${sources[@]}" | awk '$1 == "bookworm" { print $2; exit }')

log=$(mktemp)
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$log" 2>&1 ||
    { cat "$log" >&2; rm -f "$log"; exit 1; }
rm -f "$log" "$root/etc/apt/sources.list"

for source in "${sources[@]}"; do
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
        "${source#* }" "${source% *}" /usr/share/keyrings/debian-archive-keyring.gpg
done >"$root/etc/apt/sources.list.d/debian.sources"
# Copies proxy and retry settings; leaves out documentation, as Debian's own images do.
apt-config dump | grep -E '^Acquire::(https?|Retries)\b' >"$root/etc/apt/apt.conf.d/90machine" || true
cat >"$root/etc/dpkg/dpkg.cfg.d/image" <<END
force-unsafe-io
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
END
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{man,locale}/*

tar -C "$root" -c . | podman import --quiet --change CMD=bash - "$image" >/dev/null
