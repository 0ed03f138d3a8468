#!/usr/bin/env bash
# usage: tests/filter.sh
# With a filter, tools/test.sh runs only the Criterion tests that match, and fails if none does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Prints Criterion's last line for COUNT passing tests.
cat > "$scratch/tests" <<'EOF'
#!/bin/sh
echo "[====] Synthesis: Tested: $COUNT | Passing: $COUNT | Failing: 0 | Crashing: 0 "
EOF
chmod +x "$scratch/tests"

found=$(COUNT=3 tools/test.sh "$scratch/tests" --filter 'npy/*')
[ "${found##*$'\n'}" = "3 passed, 0 failed" ] || { echo "filter: found \"$found\", expected 3 tests and no more"; exit 1; }
if found=$(COUNT=0 tools/test.sh "$scratch/tests" --filter 'nothing/*'); then
    echo "filter: found \"$found\" where no test matches, expected a failure"
    exit 1
fi
echo "filter: runs those that match, fails for none"
