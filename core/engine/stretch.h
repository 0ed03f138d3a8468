/* stretch.h - maps that are stretched while they are read, a few pixels at a time. */
#ifndef PPM_CORE_ENGINE_STRETCH_H
#define PPM_CORE_ENGINE_STRETCH_H

#include "core/engine/pass.h"

/* Pixels left, left + step, ... of a row. */
struct span {
    size_t row, left, count, step;
};

/* ret[i * ret_stride + j] = channel first + i of a stretched source at pixel j of a span */
void stretch_pixels(const struct section_state *state, const struct source *source, size_t n,
                    size_t first, size_t channels, const struct span *span, float *ret,
                    size_t ret_stride);

#endif
