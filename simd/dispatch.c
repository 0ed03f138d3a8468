/* dispatch.c - the only place that chooses among the kernel tables. */
#include "simd/simd.h"

#include <string.h>

/* Best first. A table joins this list together with the CPU check that guards it. */
static const struct simd_ops *const tables[] = {&simd_scalar};

const struct simd_ops *simd_select(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!name || strcmp(name, tables[i]->name) == 0)
            return tables[i];
    return NULL;
}

const char *simd_names(void)
{
    return simd_scalar.name;
}
