#!/usr/bin/env bash
# usage: [PPM_SERVER=build/ppm-server] tests/check_objects.sh
# Only the objects of simd/ that are selected at run time contain instructions that some x86-64 CPUs lack.
# Anywhere else, such an instruction would kill the program on older CPUs before it can select.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

objects=build/release

skip() {
    echo "check_objects.sh: skipped: $*"
    exit 0
}
[ "$(uname -m)" = x86_64 ] || skip "$(uname -m) has one kernel set that all of its CPUs run"
[ "${PPM_SERVER:-build/ppm-server}" = build/ppm-server ] || skip "$PPM_SERVER is not the release build"

# The first byte after segment and address-size prefixes tells: c4 and c5 begin AVX, AVX2, FMA and BMI
# (VEX), 62 begins AVX-512 (EVEX).
prefixes='^((26|2e|36|3e|64|65|67) )*'

# first_beyond LEVEL OBJECT: prints the first instruction beyond baseline, avx2, or avx512, if any. Knows
# only those extensions of AVX-512 F that some file here is compiled with.
first_beyond() {
    local bytes="${prefixes}(c4|c5|62) " names='%[yz]mm'
    case $1 in
    avx2) bytes="${prefixes}62 "; names='%zmm|%k[0-7]' ;;
    avx512) bytes='^$'; names='bf16|^vperm(w|i2w|t2w) |^vp(un)?pack|^kmov[dq] ' ;;
    esac
    objdump --disassemble --insn-width=15 "$2" | awk -F '\t' -v bytes="$bytes" -v names="$names" '
        /^[0-9a-f]+ <.*>:$/ { where = $0; sub(/^[^<]*/, "", where); sub(/:$/, "", where) }
        NF > 2 && ($2 ~ bytes || $3 ~ names) && !found++ { sub(/ +$/, "", $3); print where ": " $3 }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# plant LEVEL INSTRUCTION: the check finds it after an allowed one.
plant() {
    printf 'planted: xorps %%xmm0, %%xmm0\n%s\n' "$2" | as -o "$work/planted.o" -
    [ -n "$(first_beyond "$1" "$work/planted.o")" ] ||
        { echo "check_objects.sh: did not find \"$2\" beyond $1"; exit 1; }
}
plant baseline 'vxorps %xmm0, %xmm0, %xmm0'
plant baseline 'vmovups (%eax), %xmm0'
plant baseline 'vfmadd231ps %ymm0, %ymm1, %ymm2'
plant baseline 'vaddps %zmm0, %zmm1, %zmm2'
plant baseline 'shlx %rax, %rbx, %rcx'
plant baseline 'vzeroupper'
plant avx2 'vaddps %zmm0, %zmm1, %zmm2'
plant avx2 'vaddps %ymm16, %ymm1, %ymm2'
plant avx2 'kmovw %eax, %k1'
plant avx512 'vdpbf16ps %zmm0, %zmm1, %zmm2'
plant avx512 'vcvtne2ps2bf16 %zmm0, %zmm1, %zmm2'
plant avx512 'vpermw %zmm0, %zmm1, %zmm2'
plant avx512 'kmovd %eax, %k1'

status=0 count=0
for source in $(find simd core server -name "*.c" -o -name "*.cc" | sort); do
    object=$objects/${source%.*}.o
    case $source in
    simd/avx512_bf16.c) continue ;;
    simd/avx512.c) level=avx512 ;;
    simd/avx2.c) level=avx2 ;;
    *) level=baseline ;;
    esac
    [ -f "$object" ] || { echo "$object: not built"; status=1; continue; }
    found=$(first_beyond "$level" "$object")
    [ -z "$found" ] || { echo "$object: beyond $level in $found"; status=1; }
    count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "check_objects.sh: found no object in $objects"; status=1; }
exit $status
