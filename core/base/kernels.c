/* kernels.c - see kernels.h. Also the conversions, which need nothing but a kernel. */
#include "core/base/kernels.h"
#include "core/ppm.h"

#include <stdatomic.h>

static const struct simd_ops *_Atomic selected;

const struct simd_ops *core_simd(void)
{
    const struct simd_ops *ops = atomic_load(&selected);
    return ops ? ops : simd_select(NULL);
}

const char *ppm_isa_name(void)
{
    return core_simd()->name;
}

enum ppm_status ppm_isa_select(const char *name, struct ppm_error *error)
{
    const struct simd_ops *table = simd_select(name && *name ? name : NULL);
    if (!table)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "PPM_ISA: found \"%.20s\", expected a kernel set that this build has and "
                        "this CPU runs: %s",
                        name, simd_names());
    atomic_store(&selected, table);
    return PPM_OK;
}

void ppm_float16_to_float32(const uint16_t *half, float *ret, size_t count)
{
    core_simd()->float16_to_float32(half, ret, count);
}

void ppm_bfloat16_to_float32(const uint16_t *half, float *ret, size_t count)
{
    core_simd()->bfloat16_to_float32(half, ret, count);
}

void ppm_float32_to_float16(const float *x, uint16_t *ret, size_t count)
{
    core_simd()->float32_to_float16(x, ret, count);
}

void ppm_float32_to_bfloat16(const float *x, uint16_t *ret, size_t count)
{
    core_simd()->float32_to_bfloat16(x, ret, count);
}
