#!/usr/bin/env bash
# usage: ENGINE=docker IMAGE=NAME PPM_SERVER=PROGRAM tools/check-image-run.sh     by tools/check-image.sh
# Runs the image as it should be run: as its user, with a read-only root, no capabilities and limited
# memory. PROGRAM computes the expected answers.
# shellcheck disable=SC2317 # functions that others are told to call
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0 # from there on 1, when something failed
# shellcheck source=/dev/null
. tools/checks.sh

program=${PPM_SERVER:-build/ppm-server}
work=$(mktemp -d)
containers=()
clean_up() {
    [ "${#containers[@]}" = 0 ] || "$ENGINE" rm --force "${containers[@]}" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

fence=(--read-only --cap-drop ALL --security-opt no-new-privileges --memory 256m --pids-limit 64)
case $ENGINE in
docker) place=(--publish 127.0.0.1::8080 --health-interval 1s) ;;
podman) place=(--network host --health-interval disable) ;;
esac

# start OPTION... IMAGE [ARGUMENT...]: sets container and url once it is ready
start() {
    container=$("$ENGINE" run --detach "${fence[@]}" "${place[@]}" "$@" 2>>"$work/engine.log") ||
        { cat "$work/engine.log" >&2; give_up "$ENGINE cannot run containers here"; }
    containers+=("$container")
    url=${scheme:-http}://127.0.0.1:8080
    [ "$ENGINE" != docker ] || url=${scheme:-http}://$(docker port "$container" 8080/tcp | head -n 1)
    for _ in $(seq 150); do
        [ "$(curl -sk --max-time 5 "$url/readyz")" != ready ] || return 0
        sleep 0.2
    done
    "$ENGINE" logs "$container" >&2
    give_up "not ready within 30 s"
}

of_container() { "$ENGINE" inspect --format "$1" "$container" 2>>"$work/engine.log"; }
stop() { "$ENGINE" stop --time 30 "$container" >/dev/null 2>>"$work/engine.log"; }
answers() { [ "$1" = "$(curl -sS -o /dev/null -w '%{http_code}' --max-time 5 "$url/$2" 2>/dev/null)" ]; }
# until_is COMMAND...: waits at most 20 s until it succeeds
until_is() {
    for _ in $(seq 200); do
        ! "$@" || return 0
        sleep 0.1
    done
    return 1
}

# The values of a float32 .npy, one per line, after 128 bytes of header.
values() { od -A n -v -t f4 -w4 -j 128 "$1"; }
# same_values FILE FILE: another compiler may round the last bits differently
same_values() {
    paste <(values "$1") <(values "$2") | awk '
        { difference = $1 > $2 ? $1 - $2 : $2 - $1; size = $1 < 0 ? -$1 : $1 }
        NF != 2 || difference != difference { bad = 1 }
        difference > largest { largest = difference }
        size > scale { scale = size }
        END { exit bad || NR < 100 || largest > 1e-6 * scale }'
}
sample_of() { echo "configs/samples/features-$(sed -n 's/.*"channels": *\([34]\)[^0-9].*/\1/p' "$1" | head -n 1)x30x30.npy"; }
# right_answer MODEL.json FILE
right_answer() {
    "$program" run --model "$1" --input "$(sample_of "$1")" --layout NCHW --output "$2"
}
npy='Content-Type: application/x-npy'
ask() {
    curl -skS --fail --max-time 30 -o "$3" -H "$npy" --data-binary "@$2" "$url/ppm/$1?layout=NCHW"
}

check_fence() {
    local pid state
    pid=$(of_container '{{.State.Pid}}')
    state=$(cat "/proc/$pid/status") || { failed "nothing in /proc of its process"; return; }
    of() { awk -v key="$1:" '$1 == key { print $2 }' <<<"$state"; }
    expect "its process's user and group" "$(of Uid):$(of Gid)" 10001:10001
    expect "capabilities it has, and could get" "$(of CapEff) $(of CapBnd)" "0000000000000000 0000000000000000"
    expect "no new privileges" "$(of NoNewPrivs)" 1
    expect "root" "$(awk '$5 == "/" { print substr($6, 1, 2) }' "/proc/$pid/mountinfo")" ro
    local memory
    memory=$(awk -F: '$2 == "memory" || $1 == 0 && $3 != "/" { print $2 "/" $3; exit }' "/proc/$pid/cgroup")
    memory=$(cat "/sys/fs/cgroup/$memory/memory.max" "/sys/fs/cgroup/$memory/memory.limit_in_bytes" 2>/dev/null) || true
    expect "memory its group may have" "$memory" 268435456
}

check_models() {
    local name model names
    mapfile -t names < <(sed -n 's|.*"models/\(.*\)\.json".*|\1|p' configs/server.json)
    expect "models it serves" "${#names[@]}" 6
    for name in "${names[@]}"; do
        model=configs/models/$name.json
        right_answer "$model" "$work/right.npy"
        ask "$name" "$(sample_of "$model")" "$work/answer.npy" || true
        holds "POST /ppm/$name with curl answers as ${program##*/} run" same_values "$work/right.npy" "$work/answer.npy"
    done
}

check_health() {
    if [ "$ENGINE" = docker ]; then
        is_healthy() { [ "$(of_container '{{.State.Health.Status}}')" = healthy ]; }
        holds "its health check passes" until_is is_healthy
    else
        holds "its health check passes" podman healthcheck run "$container"
    fi
    local code=0
    "$ENGINE" run --rm "${fence[@]}" --network none --no-healthcheck "$IMAGE" health >/dev/null 2>&1 || code=$?
    holds "the same command without a server: exit status $code" [ "$code" -gt 0 -a "$code" -lt 125 ]
}

check_no_shell() {
    local code=0
    "$ENGINE" run --rm "${fence[@]}" --network none --no-healthcheck --entrypoint /bin/sh "$IMAGE" -c : >/dev/null 2>&1 || code=$?
    expect "exit status of /bin/sh in it (127: there is none)" "$code" 127
}

# Sends half of a body, SIGTERM, and the other half.
check_drain() {
    local name=listing1-pytorch-ppm sample=configs/samples/features-4x30x30.npy client stopping
    right_answer "configs/models/$name.json" "$work/right.npy"
    mkfifo "$work/body"
    curl -sS --max-time 60 -o "$work/late.npy" -w '%{http_code}' -H "$npy" -H Expect: -X POST -T - "$url/ppm/$name" \
        <"$work/body" >"$work/late.code" &
    client=$!
    exec 7>"$work/body"
    head -c 7000 "$sample" >&7
    being_read() { curl -sS --max-time 5 "$url/metrics" | grep -q '^ppm_bytes_in_flight [1-9]'; }
    holds "half of a request's body has arrived" until_is being_read
    stop 7>&- & # or it would hold the body open
    stopping=$!
    # the container is gone once it has stopped
    turns_away() { ! answers 200 readyz; }
    holds "SIGTERM: /readyz no longer answers 200" until_is turns_away
    tail -c +7001 "$sample" >&7
    exec 7>&-
    wait "$client" || true
    expect "the other half, then: status" "$(cat "$work/late.code")" 200
    holds "and the right answer" same_values "$work/right.npy" "$work/late.npy"
    wait "$stopping" || failed "$ENGINE stop failed"
    expect "exit status after the drain" "$(of_container '{{.State.ExitCode}}')" 0
    "$ENGINE" logs "$container" >"$work/log" 2>&1
    holds "its log says that a request was in flight" grep -q 'stopping; requests in flight: [1-9]' "$work/log"
}

check_mounted() {
    local name=listing1-pytorch-ppm
    mkdir "$work/models"
    cp "configs/models/$name.safetensors" "$work/models/"
    sed 's/"name": *"[^"]*"/"name": "mine"/' "configs/models/$name.json" >"$work/models/mine.json"
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \
        -keyout "$work/models/key.pem" -out "$work/models/certificate.pem" 2>/dev/null
    chmod 755 "$work" "$work/models"
    chmod 644 "$work"/models/*
    right_answer "configs/models/$name.json" "$work/right.npy"
    scheme=https
    start --volume "$work/models:/models:ro" --env PPM_TLS_KEY=/models/key.pem \
        --env PPM_TLS_CERTIFICATE=/models/certificate.pem "$IMAGE" serve --model mine.json
    ask mine configs/samples/features-4x30x30.npy "$work/answer.npy" || true
    holds "a model and a certificate mounted at /models, by HTTPS: the right answer" \
        same_values "$work/right.npy" "$work/answer.npy"
    stop
    expect "exit status after SIGTERM" "$(of_container '{{.State.ExitCode}}')" 0
}

start "$IMAGE"
passed "plain \"run\": /readyz answers 200, with ${fence[*]}"
check_fence
check_models
check_health
check_no_shell
check_drain
check_mounted
exit "$status"
