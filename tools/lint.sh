#!/usr/bin/env bash
# usage: tools/lint.sh [format]     by "make lint" and "make format"
# Prints each finding as "file:line: rule: what"; exit status 1 if there is any.
# CLANG_FLAGS: compiler flags for clang-tidy; FILE_FLAGS: "FILE FLAG...;" for files with additional ones.
# shellcheck disable=SC2016 # the $ in single quotes belong to awk and to bash -c
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

list=$(git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard | sort -u) || exit
mapfile -t all < <(while read -r file; do [ -f "$file" ] && echo "$file"; done <<<"$list")

# The files whose names match an extended regular expression.
files() { printf '%s\n' "${all[@]}" | grep -E "$1"; }

mapfile -t sources < <(files '\.(c|h|cc)$')
mapfile -t units < <(files '^(simd|core|server)/.*\.(c|cc)$')
mapfile -t scripts < <(printf '%s\n' "${all[@]}" | xargs -d '\n' awk \
    'FNR == 1 { if (/^#!.*[ \/](ba|da)?sh( |$)/) print FILENAME; nextfile }')

if [ "${1:-}" = format ]; then
    clang-format -i "${sources[@]}"
    exit
fi

status=0
step() { echo "  LINT $1"; }
fail() { status=1; }

# forbid RULE WHERE EXCEPT WHAT: no line of the files that match WHERE, but not EXCEPT, matches WHAT (PCRE).
forbid() {
    local found
    found=$(files "$2" | grep -vE "$3" | xargs -rd '\n' grep -InHP "$4" |
        awk -v rule="$1" '{ match($0, /:[0-9]+:/); at = RSTART + RLENGTH
                            print substr($0, 1, at - 1) " " rule ": " substr($0, at) }')
    [ -z "$found" ] || { echo "$found"; fail; }
}
include='^[[:space:]]*#[[:space:]]*include[[:space:]]*'
code='\.(c|h|cc)$'
none='^$'

step 'includes: arrows point down'
forbid 'simd/ knows nothing above it' "^simd/.*$code" $none "$include\"(core|server|tests|bench)/"
forbid 'core/ knows nothing above it' "^core/.*$code" $none "$include\"(server|tests|bench)/"
forbid 'the door of simd/ is simd/simd.h' "^core/.*$code" $none "$include\"simd/(?!simd\.h\")"
forbid 'the door of core/ is core/ppm.h' "^server/.*$code" $none "$include\"core/(?!ppm\.h\")"
forbid 'server/ knows nothing of simd/' "^server/.*$code" $none "$include\"simd/"
forbid 'server/ knows no tests' "^server/.*$code" $none "$include\"(tests|bench)/"
forbid 'paths start at the root' "^(simd|core|server)/.*$code" $none "$include\"[^\"]*\.\./"
forbid '<microhttpd.h> is for server/http/' "^(simd|core|server)/.*$code" \
    '^server/http/' "$include<microhttpd\.h>"
forbid '<gnutls/...> is for server/http/ and the health command' "^(simd|core|server)/.*$code" \
    '^server/(http/|commands/command_health\.c$)' "$include<gnutls/"
forbid '<nettle/...> is for server/codec/json/base64.c' "^(simd|core|server)/.*$code" \
    '^server/codec/json/base64\.c$' "$include<nettle/"
forbid '<zlib.h> is for server/http/ and what writes PNGs' "^(simd|core|server)/.*$code" \
    '^server/(http/|codec/png/png\.c$|image/png\.c$)' "$include<zlib\.h>"
forbid '<png.h> is for two files of server/: a map of labels, a picture' "^(simd|core|server)/.*$code" \
    '^server/(codec/png|image)/png\.c$' "$include<png\.h>"
forbid '<jpeglib.h> is for server/image/jpeg.c' "^(simd|core|server)/.*$code" \
    '^server/image/jpeg\.c$' "$include<j(peglib|error)\.h>"
forbid '<libexif/...> is for server/image/exif.c' "^(simd|core|server)/.*$code" \
    '^server/image/exif\.c$' "$include<libexif/"
forbid '<omp.h> is for core/base/threads.h' "^(simd|core|server)/.*$code" '^core/base/threads\.h$' "$include<omp\.h>"
forbid '<sleef.h> is for simd/' "^(core|server)/.*$code" $none "$include<sleef\.h>"

step 'rooms: no use of one above, no circle of files'
tools/circles.py build/lint || fail

step 'include guards'
files '^(simd|core|server|tests|bench)/.*\.h$' | xargs -rd '\n' awk '
    function check() { if (name && !ok) { print name ":1: include guard: starts with #ifndef and #define of one *_H"; bad = 1 } }
    FNR == 1 { check(); name = FILENAME; ok = 0; guard = ""; n = 0 }
    /^[[:space:]]*#/ { n++; if (n == 1 && $1 == "#ifndef" && $2 ~ /_H$/) guard = $2
                       if (n == 2) ok = $1 == "#define" && guard && $2 == guard }
    END { check(); exit bad }' || fail

step 'lengths'
printf '%s\n' "${sources[@]}" "${scripts[@]}" | grep -v '^tests/' | xargs -d '\n' awk '
    function check() { if (lines > 400) { print name ":" lines ": file length: over 400 lines"; bad = 1 } }
    FNR == 1 { check(); name = FILENAME; start = 0 }
    { lines = FNR }
    /^\{/ && previous !~ /^(namespace|class|struct)/ { start = FNR }
    /^\}/ && start { if (FNR - start - 1 > 80) { bad = 1
                         print name ":" start ": function length: " FNR - start - 1 " lines, over 80" }
                     start = 0 }
    { previous = $0 }
    END { check(); exit bad }' || fail

files '^server/page/' | xargs -rd '\n' awk '
    FNR == 401 { print FILENAME ":401: file length: over 400 lines"; bad = 1 }
    END { exit bad }' || fail

step 'calls that cannot be told right from wrong'
forbid 'checked and bounded calls instead' "^(simd|core|server)/.*$code" $none \
    '\b(atoi|atol|atof|strcpy|strcat|strtok|gets)[[:space:]]*\('

step 'nothing left to do'
forbid 'unfinished by its own words' . $none '\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b'

step shellcheck
shellcheck --format=gcc "${scripts[@]}" || fail

step clang-format
clang-format --dry-run -Werror "${sources[@]}" || fail

step clang-tidy
# Only findings: without the analyzer's notes (run clang-tidy on one file to see them) and without the
# counts of suppressed warnings.
export FILE_FLAGS CLANG_FLAGS=${CLANG_FLAGS:--std=c11 -I.}
printf '%s\n' "${units[@]}" | xargs -d '\n' -n 1 -P "$(nproc)" bash -o pipefail -c '
    flags=$CLANG_FLAGS
    [ "${0##*.}" != cc ] || flags=${flags/-std=c11/-std=c++17}
    own=$(grep -o "$0 [^;]*" <<<"${FILE_FLAGS:-}") && flags+=" ${own#* }"
    eval "clang-tidy --quiet \$0 -- $flags" 2>&1 |
        { grep -E "^[^ ].*: (error|warning): |^Error" | sed "s|^$PWD/||" || true; }' || fail

exit $status
