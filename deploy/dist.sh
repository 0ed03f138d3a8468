#!/usr/bin/env bash
# usage: deploy/dist.sh > build/ppm-server-VERSION.tar.xz     by "make dist"
# Packs the last commit or, without git, the files as they are here. The same sources make the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=ppm-server-$(<VERSION)

git() { command git -c safe.directory="$PWD" -c tar.umask=0022 -c core.autocrlf=false "$@"; }

archive() {
    if [ -e .git ]; then
        [ -z "$(git status --porcelain)" ] ||
            echo "dist: uncommitted changes are left out: $(git status --porcelain | wc -l) files" >&2
        git archive --format=tar --prefix="$name/" HEAD
    else
        tar --create --sort=name --format=posix --pax-option=delete=atime,delete=ctime --owner=0 --group=0 \
            --numeric-owner --mode=u=rwX,go=rX --mtime="@$(stat -c %Y VERSION)" \
            --exclude=./build --exclude=__pycache__ --transform="flags=r;s|^\.|$name|" .
    fi
}
archive | xz --threads=1
