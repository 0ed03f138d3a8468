/* micro_panels.h - matrices as the register tile reads them: [tile][channels][gemm_columns]. */
#ifndef PPM_CORE_ENGINE_MICRO_PANELS_H
#define PPM_CORE_ENGINE_MICRO_PANELS_H

#include <stddef.h>

struct micro_panels {
    float *data;
    size_t channels;
};

#endif
