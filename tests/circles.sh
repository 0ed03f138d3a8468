#!/usr/bin/env bash
# usage: tests/circles.sh
# tools/circles.py finds a call and an include of a room above and a circle, and accepts what is allowed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=$PWD/tools/circles.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# source_of FILE USES...: a file with a function named after it, which calls those named.
source_of() {
    local name calls='' other
    name=$(basename "$1" .c)
    mkdir -p "$(dirname "$1")" "objects/$(dirname "$1")"
    for other in "${@:2}"; do calls+="void $other(void); $other(); "; done
    echo "void $name(void); void $name(void) { $calls}" >"$1"
    gcc -c -o "objects/${1%.c}.o" "$1"
}

# finds WHAT EXPECTED: it prints that line, or with none expected nothing.
finds() {
    local found
    found=$("$tool" objects) || [ -n "$found" ]
    [ "$found" = "$2" ] || { echo "circles: $1: found \"$found\", expected \"$2\""; exit 1; }
}

source_of core/base/low.c
source_of core/engine/high.c low
source_of core/engine/near.c high
source_of server/main.c near
finds 'calls downward' ''

source_of core/base/low.c high
finds 'a call upward, which makes a circle' \
    'core/base/low.c:1: rooms: calls high of core/engine/high.c, a room above or next to it
core/base/low.c:1: circle of 2 files: core/base/low.c -> core/engine/high.c -> core/base/low.c, by high, low'
source_of core/base/low.c

source_of core/engine/high.c low near
finds 'a circle in a room' \
    'core/engine/high.c:1: circle of 2 files: core/engine/high.c -> core/engine/near.c -> core/engine/high.c, by near, high'
source_of core/engine/high.c low

source_of core/plan/next.c
source_of core/reference/literal.c next
finds 'a call next to it' \
    'core/reference/literal.c:1: rooms: calls next of core/plan/next.c, a room above or next to it'
source_of core/reference/literal.c

echo '#include "core/engine/high.h"' >core/base/low.h
finds 'an include upward' 'core/base/low.h:1: rooms: includes core/engine/high.h, a room above or next to it'
rm core/base/low.h

source_of core/attic/old.c
found=$("$tool" objects 2>&1) && { echo "circles: a room that nobody knows was accepted"; exit 1; }
[[ $found = core/attic/old.c:1:* ]] || { echo "circles: found \"$found\" for a room that nobody knows"; exit 1; }
echo 'circles: a circle, a call upward, one next to it and an include are found'
