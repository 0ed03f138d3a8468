#!/usr/bin/env bash
# usage: PPM_SERVER=build/ppm-server tools/test-drd.sh build/release/ppm-tests [CRITERION-OPTION...]
# Runs live tests of the server under valgrind's DRD, by "make test-drd"; any report is a failure. One
# thread computes, since DRD does not understand the barriers of gcc's OpenMP; make test-tsan uses several.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

core=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/ppm-server" <<EOF
#!/bin/sh
case "\${1:-}" in run | label) one_core="taskset -c $core" ;; esac # they take a thread for each core
exec \${one_core:-} valgrind --tool=drd -q --suppressions=tests/drd.supp --log-file=$work/report.%p $PWD/$PPM_SERVER "\$@"
EOF
chmod +x "$work/ppm-server"

tests=$1
shift
[ $# -gt 0 ] || set -- --filter 'live_@(hostile|http|infer|refusals|reload|serve)/*'
status=0
# Scripts that send requests; the others would only start valgrind many times.
export TEST_SCRIPTS='tests/clients.sh tests/metrics.sh tests/openapi.sh tests/readme.sh tests/v2/clients.sh tests/v2/shared_memory.sh'
PPM_SERVER=$work/ppm-server PPM_THREADS=1 tools/test.sh "$tests" "$@" || status=$?
sessions=("$work"/report.*)
reports=0
for session in "${sessions[@]}"; do
    [ ! -s "$session" ] || { cat "$session"; reports=$((reports + 1)); }
done
echo "${#sessions[@]} programs under DRD, $reports with reports"
[ "$status" -eq 0 ] && [ "$reports" -eq 0 ]
