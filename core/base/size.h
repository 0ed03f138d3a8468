/* size.h - arithmetic of sizes; ppm.h includes it for server/ too. */
#ifndef PPM_CORE_BASE_SIZE_H
#define PPM_CORE_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* a * b and a + b; SIZE_MAX on overflow. */
static inline size_t size_times(size_t a, size_t b)
{
    size_t ret;
    return __builtin_mul_overflow(a, b, &ret) ? SIZE_MAX : ret;
}

static inline size_t size_plus(size_t a, size_t b)
{
    size_t ret;
    return __builtin_add_overflow(a, b, &ret) ? SIZE_MAX : ret;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* a / b rounded up, and a rounded up to a multiple of b. */
static inline size_t size_div_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t size_round_up(size_t a, size_t b)
{
    return size_div_up(a, b) * b;
}

#endif
