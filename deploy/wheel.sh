#!/usr/bin/env bash
# usage: deploy/wheel.sh FOLDER WHEELS     by "make wheel", which has linked FOLDER/ppm/libppm.so.0
# Packs clients/python with libppm and the libraries that it needs into a wheel in WHEELS, without network. The
# wheel is for systems whose C library is at least as new as these files ask for (manylinux, PEP 600).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$1 wheels=${2%/}
package=$folder/ppm

strip --strip-unneeded "$package/libppm.so.0"
cp clients/python/{pyproject.toml,setup.py} VERSION LICENSE "$folder"
cp clients/python/ppm/*.py "$package"
cp docs/library.md "$folder/README.md"

# Its libraries, except the C library's: libppm has them sought in its own folder.
c_library='^(libc|libm|libpthread|ld-linux.*)\.so'
while read -r name path; do
    [[ $name =~ $c_library ]] && continue
    install -m 644 "$path" "$package/$name"
    owner=$(dpkg-query -S "$path" "$(realpath "$path")" "/usr$path" 2>/dev/null | sed -n '1s/:.*//p') || true
    [ -n "$owner" ] || { echo "wheel.sh: $path: found no Debian package with it, whose license the wheel needs" >&2; exit 1; }
    cp "/usr/share/doc/$owner/copyright" "$folder/LICENSE.${name%%.so*}"
done < <(LD_LIBRARY_PATH='' ldd "$package/libppm.so.0" | awk '$2 == "=>" { print $1, $3 }')

glibc=$(objdump --dynamic-syms "$package"/*.so.* | grep -oE '\bGLIBC_[0-9]+\.[0-9]+' | sort -uV | tail -n 1)
[ -n "$glibc" ] || { echo "wheel.sh: found no version of the C library in $package" >&2; exit 1; }
version=${glibc#GLIBC_}
rm -f "$wheels"/libppm-*.whl
date_s=$(git -c safe.directory="$PWD" log -1 --format=%ct 2>/dev/null || stat -c %Y VERSION)
SOURCE_DATE_EPOCH=$date_s /usr/bin/python3 -m pip --quiet wheel --no-index --no-deps --no-build-isolation --wheel-dir "$wheels" \
    --config-settings=--build-option="--plat-name=manylinux_${version/./_}_$(uname -m)" "$folder"
echo "$wheels"/libppm-*.whl
