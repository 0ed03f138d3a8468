#!/usr/bin/env bash
# usage: [PPM_SERVER=build/ppm-server] tests/check_objects.sh
# No object of the release build but those of simd/ that are chosen by the CPU holds an instruction
# that not every x86-64 CPU has: one there, and the program dies on older CPUs before it can choose.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

objects=build/release

skip() {
    echo "check_objects.sh: skipped: $*"
    exit 0
}
[ "$(uname -m)" = x86_64 ] || skip "$(uname -m) has one kernel set that all of its CPUs run"
[ "${PPM_SERVER:-build/ppm-server}" = build/ppm-server ] || skip "$PPM_SERVER is not the release build"

# An instruction's first byte behind segment and address-size prefixes tells: c4 and c5 begin those
# of AVX, AVX2, FMA and BMI (VEX), 62 those of AVX-512 (EVEX).
prefixes='^((26|2e|36|3e|64|65|67) )*'

# first_beyond LEVEL OBJECT: the first instruction beyond baseline, avx2, or avx512; nothing when there
# is none. Of those beyond AVX-512 F only the ones that some file here is compiled with are known.
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

# plant LEVEL INSTRUCTION: it is found behind one that is allowed.
plant() {
    printf 'planted: xorps %%xmm0, %%xmm0\n%s\n' "$2" | as -o "$work/planted.o" -
    [ -n "$(first_beyond "$1" "$work/planted.o")" ] ||
        { echo "check_objects.sh: does not find \"$2\" beyond $1"; exit 1; }
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
[ "$count" -gt 0 ] || { echo "check_objects.sh: $objects holds no object"; status=1; }
exit $status
