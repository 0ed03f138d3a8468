#!/usr/bin/env bash
# usage: deploy/deb.sh build/ppm-server-VERSION.tar.xz     by "make deb"
# Builds the Debian packages build/{ppm-server,libppm0,libppm-dev}_VERSION_ARCHITECTURE.deb from the tarball, in build/deb/, with
# deploy/debian/ and a changelog made from CHANGELOG.md. DEB_BUILD_OPTIONS="" also runs the tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tarball=$1
version=$(<VERSION)
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck noautodbgsym} DEB_BUILD_PROFILES=${DEB_BUILD_PROFILES-nocheck}

# CHANGELOG.md in Debian's format: the items of each release, without Markdown, with author and date.
changelog() {
    local maintainer line item='' date=''
    maintainer=$(sed -n 's/^Maintainer: //p' deploy/debian/control)
    end_item() {
        [ -z "$item" ] || fold --spaces --width=74 <<<"$item" | sed -e '1s/^/  * /; 2,$s/^/    /; s/ *$//'
        item=''
    }
    end_release() {
        end_item
        [ -z "$date" ] || printf '\n -- %s  %s\n\n' "$maintainer" "$(LC_ALL=C date --utc -R --date="$date 12:00")"
    }
    sed -e '1,/^## \[[0-9]/{/^## \[[0-9]/!d}' -e 's/\*\*//g; s/`//g; s/\[\([^]]*\)\]([^)]*)/\1/g' CHANGELOG.md |
        {
            while IFS= read -r line; do
                case $line in
                '## ['*)
                    end_release
                    date=${line##* - }
                    line=${line#*[}
                    printf 'ppm-server (%s) unstable; urgency=medium\n\n' "${line%%]*}"
                    ;;
                '- '*)
                    end_item
                    item=${line#- }
                    ;;
                '  '*) item+=" ${line#  }" ;;
                esac
            done
            end_release
        }
}

rm -rf build/deb
mkdir -p build/deb
tar --extract --file="$tarball" --directory=build/deb
cd "build/deb/ppm-server-$version"
cp -r deploy/debian debian
changelog >debian/changelog
dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes >../log 2>&1 || { cat ../log >&2; exit 1; }
mv ../{ppm-server,libppm0,libppm-dev}_"${version}_$(dpkg-architecture -qDEB_HOST_ARCH).deb" ../..
