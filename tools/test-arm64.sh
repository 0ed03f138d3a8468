#!/usr/bin/env bash
# usage: tools/test-arm64.sh build/arm64/ppm-tests [CRITERION-OPTION...]     by "make test-arm64"
# Runs the Criterion tests of an arm64 build under qemu, then compares the output of its program,
# PPM_SERVER, with that of the native one, PPM_NATIVE.
# QEMU_LD_PREFIX: the folder with the arm64 libraries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Otherwise the program sets how long threads spin and executes itself again, which qemu does not emulate.
export OMP_WAIT_POLICY=passive
export EMULATOR=qemu-aarch64-static TEST_SECONDS=${TEST_SECONDS:-2400}
tools/test.sh "$@"
[ -n "${PPM_NATIVE:-}" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The values of a float32 .npy, one per line, after 128 bytes of header.
values() { od -A n -v -t f4 -w4 -j 128 "$1"; }

compared=0
for model in configs/models/listing*.json; do
    channels=$(sed -n 's/.*"channels": *\([34]\)[^0-9].*/\1/p' "$model" | head -n 1)
    run=(run --model "$model" --input "configs/samples/features-${channels}x30x30.npy" --layout NCHW --output)
    "$PPM_NATIVE" "${run[@]}" "$work/native.npy"
    "$EMULATOR" "$PPM_SERVER" "${run[@]}" "$work/arm64.npy"
    paste <(values "$work/native.npy") <(values "$work/arm64.npy") | awk -v model="$model" '
        { difference = $1 > $2 ? $1 - $2 : $2 - $1; size = $1 < 0 ? -$1 : $1 }
        NF != 2 || $1 + 0 != $1 || difference != difference { bad = 1 }
        difference > largest { largest = difference }
        size > scale { scale = size }
        END { printf "%s: %d values, off by %.2g of the largest at most\n", model, NR, largest / scale
              exit bad || NR == 0 || largest > 1e-6 * scale }'
    compared=$((compared + 1))
done
[ "$compared" -gt 0 ]
echo "arm64 computes what this machine does"
