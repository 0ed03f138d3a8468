#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tests/metrics.sh
# Sends a live server several kinds of requests, parses its /metrics as Prometheus does, and looks for all
# metrics that the dashboard and the documentation name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=${PPM_SERVER:-build/ppm-server}
scratch=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$scratch"' EXIT

"$server" serve --host "unix:$scratch/socket" 2> "$scratch/log" &
pid=$!
for _ in $(seq 600); do
    [ ! -S "$scratch/socket" ] || break
    kill -0 "$pid" || { cat "$scratch/log"; exit 1; }
    sleep 0.05
done

# ask STATUS CURL-ARGUMENT...
ask() {
    local expected=$1 found
    shift
    found=$(curl -sS --max-time 20 --unix-socket "$scratch/socket" -o /dev/null -w '%{http_code}' "$@")
    [ "$found" = "$expected" ] || { echo "metrics: found $found, expected $expected: $*"; exit 1; }
}
json=(-H 'Content-Type: application/json')
ask 200 "${json[@]}" --data @configs/samples/tiny.json http://localhost/ppm
ask 422 "${json[@]}" --data @configs/samples/tiny.json http://localhost/ppm/listing2-pytorch-psp
ask 400 "${json[@]}" --data '{' http://localhost/ppm
ask 404 'http://localhost/nowhere"'
ask 200 http://localhost/metrics

curl -sS --max-time 20 --unix-socket "$scratch/socket" http://localhost/metrics > "$scratch/text"
tests/check_metrics.py deploy/grafana-dashboard.json docs/operating.md < "$scratch/text"
echo "metrics: $(grep -c '^# TYPE' "$scratch/text") metrics parse as Prometheus does"
