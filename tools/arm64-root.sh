#!/usr/bin/env bash
# usage: tools/arm64-root.sh FOLDER
# Unpacks the Debian arm64 packages that the program and its tests need into FOLDER, for the compiler and
# for qemu: the libraries of [build] and [test] in tools/packages.txt, and libgomp1.
# Installs nothing and does not change this machine's packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$1
mapfile -t packages < <(tools/install-packages.sh --list build test | grep -E '^(lib|zlib).*-dev$')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Uses the machine's sources and keys, with separate lists, archives and an empty status.
mkdir -p "$work/lists/partial" "$work/archives/partial"
: >"$work/status"
cat >"$work/apt.conf" <<EOF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
Dir::State::status "$work/status";
Dir::State::lists "$work/lists";
Dir::Cache "$work";
EOF
export APT_CONFIG=$work/apt.conf DEBIAN_FRONTEND=noninteractive
{
    apt-get update
    apt-get install -y --download-only "${packages[@]}" libgomp1
} >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

rm -rf "$root"
mkdir -p "$root"
for package in "$work"/archives/*.deb; do dpkg-deb --extract "$package" "$root"; done

# Absolute links (such as libm.so) would lead to this machine's files.
find "$root" -type l -lname '/*' -printf '%l\t%p\n' | while IFS=$'\t' read -r target link; do
    ln -sfnr "$root$target" "$link"
done
