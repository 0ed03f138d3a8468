/* upsample.h - branches at the size of the concat. */
#ifndef PPM_CORE_ENGINE_UPSAMPLE_H
#define PPM_CORE_ENGINE_UPSAMPLE_H

#include "core/engine/section_state.h"

/* Upsamples along rows the branches that are not planned to be folded. */
void stage_upsample(const struct section_state *state);

/* ret[count] = columns [left, left + count) of a row of channel c of a branch's upsampled map */
void upsample_row(const struct section_state *state, size_t branch, size_t n, size_t c, size_t row,
                  size_t left, size_t count, float *ret);

#endif
