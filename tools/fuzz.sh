#!/usr/bin/env bash
# usage: tools/fuzz.sh build/fuzz [NAME...]     by "make fuzz"
# Runs each fuzzer for FUZZ_SECONDS (30) with FUZZ_SEED (1; 0: a different one each time), one per core
# at a time. Keeps their corpus in build/fuzz/corpus/NAME and their output in build/fuzz/NAME.log. Stops
# at the first finding, with exit status 1; its input is in build/fuzz/findings/.
# shellcheck disable=SC2016 # the $ in single quotes belongs to bash -c
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export build=$1
shift
export seconds=${FUZZ_SECONDS:-30}
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

fuzz() {
    local name=$1 seeds=tests/fuzz/seeds/$1 words=tests/fuzz/$1.dict
    local log=$build/$name.log options=()
    [ ! -f "$words" ] || options+=("-dict=$words")
    mkdir -p "$build/corpus/$name" "$build/findings"
    if "$build/fuzz_$name" "${options[@]}" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 \
        -seed="${FUZZ_SEED:-1}" -print_final_stats=1 -artifact_prefix="$build/findings/$name-" \
        "$build/corpus/$name" "$seeds" >"$log" 2>&1; then
        printf '  FUZZ %-12s %s inputs\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
        return
    fi
    grep -av -e '^#[0-9]*[[:space:]]*\(NEW\|REDUCE\|pulse\)' "$log" | tail -n 60
    local found
    found=$(sed -n 's/^.*Test unit written to //p' "$log")
    echo "$name: found ${found:-a failure without an input}; reproduce it with $build/fuzz_$name $found"
    return 255 # xargs starts no other
}
export -f fuzz

[ $# -gt 0 ] || mapfile -t names < <(cd tests/fuzz && printf '%s\n' fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
printf '%s\n' "${@:-${names[@]}}" | xargs -n 1 -P "$(nproc)" bash -c 'fuzz "$1"' fuzz || exit 1
