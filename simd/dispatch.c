/* dispatch.c - the only place that asks the CPU. */
#include "simd/dispatch.h"

#include <stdio.h>
#include <string.h>

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
/* The builtins also check that the operating system saves these registers. */
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
}

static bool has_avx512_bf16(void)
{
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

static bool has_avx2(void)
{
    /* every CPU with AVX2 has F16C, which clang's builtin does not know */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

/* Best first. */
static const struct {
    const struct simd_ops *ops;
    bool (*is_supported)(void);
    const struct simd_bfloat16 *bfloat16; /* NULL: none */
    bool (*has_bfloat16)(void);
} tables[] = {
#if defined(__x86_64__)
    {&simd_avx512, has_avx512, &simd_avx512_bfloat16, has_avx512_bf16},
    {&simd_avx2, has_avx2, NULL, NULL},
#elif defined(__aarch64__)
    {&simd_neon, always, NULL, NULL},
#endif
    {&simd_scalar, always, &simd_scalar_bfloat16, always},
};
enum { TABLE_COUNT = sizeof tables / sizeof *tables };

const struct simd_ops *simd_select(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if ((!name || strcmp(name, tables[i].ops->name) == 0) && tables[i].is_supported())
            return tables[i].ops;
    return NULL;
}

const struct simd_bfloat16 *simd_select_bfloat16(const struct simd_ops *ops)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (tables[i].ops == ops && tables[i].bfloat16 && tables[i].has_bfloat16())
            return tables[i].bfloat16;
    return NULL;
}

const char *simd_names(void)
{
    static char names[64];
    size_t at = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (tables[i].is_supported())
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "",
                                   tables[i].ops->name);
    return names;
}
