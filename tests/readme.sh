#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/readme.sh [FILE.md]...
# Runs every ```sh block with curl, python3, make run or ppm-server label in README.md and the pages of docs/ named
# below, as written, against a live server. curl fails on HTTP errors here; the line "<!-- expect: 4xx -->" before a
# block asks for one instead. An indented "make run ARGS=..." before a block starts a server for it; in a block, it checks
# the configuration. The indented text after "<!-- the file NAME -->" must be that file's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

blocks_min=1
if [ $# -eq 0 ]; then
    set -- README.md docs/http.md docs/models.md docs/v1.md
    blocks_min=15
fi
server=$(realpath "${PPM_SERVER:-build/ppm-server}")
url='' scratch='' # from there
# shellcheck source=/dev/null
. tests/serving.sh

# Writes a file for each block: 01, 02, ..., with the expected status in 01.expect, and the server's
# arguments in 01.serve.
awk -v dir="$scratch" '
    /^[ \t]*<!-- expect: [1-5]xx -->/ { expect = $3; next }
    !inside && /^    make run ARGS="[^"]*"$/ { serve = $0; gsub(/^[^"]*"|"$/, "", serve); next }
    !inside && /^[ \t]*```sh[ \t]*$/  { inside = 1; text = ""; next }
    inside && /^[ \t]*```[ \t]*$/ {
        inside = 0
        if (text ~ /curl|python3|make run|ppm-server label/) {
            name = sprintf("%s/block-%02d", dir, ++count)
            printf "%s", text > name
            if (expect != "") print expect > (name ".expect")
            if (serve != "") print serve > (name ".serve")
        }
        expect = serve = ""
        next
    }
    inside { text = text $0 "\n"; next }
    NF { expect = serve = "" }
' "$@"

failed=0
check_file() { # FILE.md NAME
    awk -v marker="<!-- the file $2 -->" '
        $0 == marker { inside = 1; next }
        inside && /^    / { print substr($0, 5); seen = 1; next }
        inside && seen { exit }
    ' "$1" | diff "$2" - && return
    echo "readme: $1 shows another text than $2 has"
    failed=$((failed + 1))
}
for page in "$@"; do
    while read -r name; do check_file "$page" "$name"; done \
        < <(sed -n 's/^<!-- the file \(.*\) -->$/\1/p' "$page")
done

# The blocks run in a folder with links to the project's files, and write nothing into the project.
mkdir "$scratch/here" "$scratch/bin"
for entry in *; do ln -s "$PWD/$entry" "$scratch/here/$entry"; done
cat > "$scratch/bin/curl" <<'EOF'
#!/usr/bin/env bash
# curl that fails on HTTP errors or, with EXPECT=4xx, on anything else
status=0
"$REAL_CURL" -sS --fail-with-body --max-time 20 "$@" 2> "$CURL_LOG.$$" || status=$?
[ "$status" -eq 0 ] || cat "$CURL_LOG.$$" >&2
[ -n "$EXPECT" ] || exit "$status"
[ "$status" -eq 22 ] && grep -q "error: ${EXPECT%xx}[0-9][0-9]" "$CURL_LOG.$$"
EOF
cat > "$scratch/bin/make" <<'EOF'
#!/usr/bin/env bash
# make run ARGS="...": only checks the configuration
read -ra arguments <<< "${2#ARGS=}"
exec "$SERVER" serve --check-config "${arguments[@]}"
EOF
chmod +x "$scratch/bin/curl" "$scratch/bin/make"
ln -s /usr/bin/python3 "$scratch/bin/python3"
REAL_CURL=$(command -v curl)
export REAL_CURL CURL_LOG="$scratch/curl-log" SERVER="$server" PYTHONDONTWRITEBYTECODE=1

start_server
first=$url

count=0
for block in "$scratch"/block-[0-9][0-9]; do
    [ -e "$block" ] || break
    count=$((count + 1))
    EXPECT=$(cat "$block.expect" 2> /dev/null || true)
    export EXPECT
    url=$first
    if [ -e "$block.serve" ]; then
        read -ra arguments < "$block.serve"
        start_server "${arguments[@]}"
    fi
    sed -i -E "s/(127\.0\.0\.1|localhost):8080/127.0.0.1:${url##*:}/g; s|build/ppm-server|$server|g" "$block"
    if ! (cd "$scratch/here" && PATH="$scratch/bin:$PATH" timeout 60 bash -euo pipefail "$block") \
        > "$scratch/out" 2>&1 < /dev/null || { [ -z "$EXPECT" ] && grep '^curl: (' "$scratch/out"; }; then
        failed=$((failed + 1))
        echo "readme: this block failed${EXPECT:+ (expected $EXPECT)}:"
        cat "$block"
        head -c 2000 "$scratch/out"
    fi
done
if [ "$count" -lt "$blocks_min" ]; then
    echo "readme: found $count blocks of commands, expected at least $blocks_min"
    exit 1
fi
echo "readme: $count blocks of commands, $failed failed"
[ "$failed" -eq 0 ]
