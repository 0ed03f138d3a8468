#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tools/test.sh build/release/ppm-tests [CRITERION-OPTION...]
# Runs the Criterion tests, then every tests/*.sh and tests/*/*.sh. Repeats the failures at the end, before
# "N passed, N failed". With options for Criterion, such as --filter 'npy/*', runs only the scripts in
# TEST_SCRIPTS. EMULATOR runs the Criterion tests in an emulator, and no scripts.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

tests=$1
shift
scripts=(tests/*.sh tests/*/*.sh)
[ $# -eq 0 ] || read -ra scripts <<<"${TEST_SCRIPTS:-}"
[ -z "${EMULATOR:-}" ] || scripts=()
seconds=${TEST_SECONDS:-1200}
export PPM_SERVER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Criterion does not notice a leak or a report that does not change the exit status, nor a report from a
# program that a test runs.
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:log_path=$work/report
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:allocator_may_return_null=1:log_path=$work/report
# Several tests run at once, so waiting threads should sleep, not spin on another test's core.
export OMP_WAIT_POLICY=passive

passed=0 failed=0
log=$work/log
failures=$work/failures
: >"$failures"
note() {
    echo "$*" | tee -a "$failures"
}

# Criterion's --timeout does not stop anything; tests that may hang have their own .timeout.
timeout "$seconds" ${EMULATOR:+"$EMULATOR"} "$tests" --verbose --color=never --jobs "$(nproc)" "$@" 2>&1 | tee "$log" |
    grep -av --line-buffered -e '^\[RUN ]' -e '^\[PASS]' -e '^\[SKIP] .*: Test is disabled' -e '^\[----] Criterion v'
status=${PIPESTATUS[0]}
read -r tested passed < <(sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) .*/\1 \2/p' "$log" |
    tail -n 1)
passed=${passed:-0}
grep -a -e '^\[FAIL]' -e '^\[ERR ]' -e '^\[WARN]' -e '^\[----]' "$log" | grep -av '^\[----] Criterion v' >>"$failures"
failed=$((${tested:-0} - passed))
if [ "$status" -eq 124 ]; then
    note "$tests: stopped after $seconds s, while these were running:"
    awk '$1 == "[RUN" { running[$3] = 1 } $1 ~ /^\[(PASS|FAIL)]/ { sub(/:$/, "", $2); delete running[$2] }
        END { for (name in running) print "  " name }' "$log" | tee -a "$failures"
    failed=1
elif [ "${tested:-0}" -eq 0 ]; then # for which Criterion returns 0
    note "$tests: no test was run (exit status $status)"
    failed=1
elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then # a leak at a test's exit
    note "$tests: exit status $status although no test failed"
    failed=1
fi

for script in "${scripts[@]}"; do
    [ -x "$script" ] || continue
    timeout "$seconds" "$script"
    status=$?
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        note "$script: failed, exit status $status"
        failed=$((failed + 1))
    fi
done

for report in "$work"/report.*; do
    [ -f "$report" ] || continue
    tee -a "$failures" <"$report"
    failed=$((failed + 1))
done

if [ "$failed" -gt 0 ]; then
    echo "what failed:"
    cat "$failures"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
