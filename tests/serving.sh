# serving.sh - for scripts that need live servers: "start_server ARGUMENT..." starts $PPM_SERVER on a free
# port, unless an argument sets one, and sets url; stop_server ends the last one. At the end of the script
# all of them stop, and the directory $scratch is removed.
# shellcheck shell=bash
scratch=$(mktemp -d)
servers=()

stop_server() {
    local ended=${servers[-1]}
    unset 'servers[-1]'
    kill "$ended"
    wait "$ended"
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    while [ "${#servers[@]}" -gt 0 ]; do
        stop_server || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

start_server() {
    local log=$scratch/log-${#servers[@]}
    : > "$log"
    "${PPM_SERVER:-build/ppm-server}" serve --port 0 "$@" 2>> "$log" &
    servers+=($!)
    for _ in $(seq 600); do
        url=$(sed -n 's/^.*listening on \(http:[^ ]*\|unix:[^ ]*\)$/\1/p' "$log" | head -n 1)
        [ -z "$url" ] || return 0
        kill -0 "${servers[-1]}" || break
        sleep 0.05
    done
    cat "$log" >&2
    echo "$0: the server does not listen" >&2
    return 1
}
