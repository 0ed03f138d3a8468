#!/usr/bin/env bash
# usage: tools/check-image-lint.sh     by tools/check-image.sh
# Runs a linter from npm on the Dockerfile, and looks for what older builders do not accept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0 # from there on 1, when something failed
# shellcheck source=/dev/null
. tools/checks.sh

linter=dockerfile-utils@0.16.3
folder=build/image-lint
if [ ! -e "$folder/$linter" ] && command -v npm >/dev/null; then
    mkdir -p "$folder"
    npm install --ignore-scripts --no-audit --no-fund --loglevel=silent --fetch-retries=0 \
        --prefix "$folder" "$linter" >/dev/null 2>&1 && touch "$folder/$linter"
fi
if [ -e "$folder/$linter" ]; then
    # Its exit status is always 0.
    found=$("$folder/node_modules/.bin/dockerfile-utils" lint Dockerfile 2>&1) || found="$found (exit status $?)"
    expect "the Dockerfile by $linter" "${found:-nothing found}" "nothing found"
else
    left_out "not linted: no npm, or its registry cannot be reached"
fi

# Older builders support neither.
modern=$(grep -nE '^[^#]*(<<|COPY.*--link|ADD.*--checksum)' Dockerfile) || modern=none
expect "heredocs, COPY --link, ADD --checksum" "$modern" none
machines=$(grep -nE '(x86_64|aarch64)-linux-gnu|ld-linux' Dockerfile tools/image-root.sh) || machines=none
expect "paths of one architecture" "$machines" none
exit "$status"
