/* thread.c - subnormal numbers are taken as zero: they cost a hundred times as much as normal ones,
 * and their values are far below rounding. */
#include "simd/thread.h"

#if defined(__x86_64__)
#    include <xmmintrin.h>

enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

unsigned simd_thread_begin(void)
{
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    return before;
}

void simd_thread_end(unsigned before)
{
    _mm_setcsr(before);
}

#elif defined(__aarch64__)

enum { FLUSH_TO_ZERO = 1 << 24 };

unsigned simd_thread_begin(void)
{
    unsigned long before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH_TO_ZERO));
    return (unsigned)before;
}

void simd_thread_end(unsigned before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)before));
}

#else

unsigned simd_thread_begin(void)
{
    return 0;
}

void simd_thread_end(unsigned before)
{
    (void)before;
}

#endif
