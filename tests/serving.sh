# serving.sh - for scripts that need a live server: "start_server ARGUMENT..." starts $PPM_SERVER on a
# free port and sets pid and url, stop_server ends it; so does the script's end, and that of $scratch, a directory.
# shellcheck shell=bash
scratch=$(mktemp -d)
pid=

# It must end well: a sanitizer's report is an exit status.
stop_server() {
    local ended=$pid
    pid=
    kill "$ended"
    wait "$ended"
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "$pid" ] || kill "$pid" || true
    [ -z "$pid" ] || wait "$pid" || true
    rm -rf "$scratch"
}
trap clean_up EXIT

start_server() {
    "${PPM_SERVER:-build/ppm-server}" serve --port 0 "$@" 2> "$scratch/log" &
    pid=$!
    url=
    for _ in $(seq 600); do
        url=$(sed -n 's/^.*listening on \(http:[^ ]*\|unix:[^ ]*\)$/\1/p' "$scratch/log" | head -n 1)
        [ -z "$url" ] || return 0
        kill -0 "$pid" || break
        sleep 0.05
    done
    cat "$scratch/log" >&2
    echo "$0: the server does not listen" >&2
    return 1
}
