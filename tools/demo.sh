#!/usr/bin/env bash
# usage: tools/demo.sh     by "make demo": one request to a new server, step by step
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=${PPM_SERVER:-build/ppm-server}
sample=configs/samples/features-4x30x30.npy
work=$(mktemp -d)
pid=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

fail() {
    echo "demo: $*" >&2
    [ ! -s "$work/log" ] || sed 's/^/    /' "$work/log" >&2
    exit 1
}

# show FILE COMMAND...: prints the command so that it can be pasted, then runs it with output to FILE.
show() {
    local file=$1 word
    shift
    printf '$'
    for word; do
        case $word in
        *[!a-zA-Z0-9_@%+=:,./-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    echo
    "$@" >"$file" || fail "curl failed with status $?; the server said:"
}

: >"$work/log"
"$server" serve --port 0 2>>"$work/log" &
pid=$!
url=
for _ in $(seq 150); do
    url=$(sed -n '/listening on http/{s|.*listening on \([^ ]*\).*|\1|p;q}' "$work/log")
    [ -z "$url" ] || break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
[ -n "$url" ] || fail "no 'listening on' from $server within 15 s:"
echo "$server serves on $url"
echo

# With -i the head comes first, up to an empty line, then the body.
answer=$work/answer
show "$answer" curl -sS -i --max-time 30 -H 'Content-Type: application/x-npy' -H 'Accept: application/json' \
    --data-binary "@$sample" "$url/ppm"
sed 's/\r$//; /^$/q' "$answer"
head -n 1 "$answer" | grep -q ' 200' || fail "expected status 200, got: $(tail -n 1 "$answer")"
shape=$(grep -ao '"shape": *\[[0-9, ]*\]' "$answer") || fail "no shape in the answer"
values=$(grep -ao '"data": *\[.\{0,90\}' "$answer" | cut -d, -f1-6) || fail "no data in the answer"
echo "$shape, $values, ... ($(wc -c <"$answer") bytes)"
echo

show "$work/description" curl -sS --fail --max-time 10 "$url/ppm"
head -c 400 "$work/description"
echo " ..."
echo

status=0
kill -TERM "$pid"
timeout 15 tail --pid="$pid" -f /dev/null || fail "still there 15 s after SIGTERM:"
wait "$pid" || status=$?
pid=
[ "$status" -eq 0 ] || fail "the server's exit status after SIGTERM is $status:"
echo "SIGTERM: the server drained, exit status 0"
