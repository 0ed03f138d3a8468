/* winograd_inputs.h - the inputs of Winograd's products. */
#ifndef PPM_CORE_ENGINE_WINOGRAD_INPUTS_H
#define PPM_CORE_ENGINE_WINOGRAD_INPUTS_H

#include "core/engine/winograd_block.h"

/* A chunk of K, its inputs transformed: data[place][micro][steps][gemm_columns]. */
struct winograd_chunk {
    const float *data;
    size_t place_stride, micro_stride, steps;
};

/* Channels [first, first + steps) of a part. The block's planes are zero, or were filled for the
 * same block. */
struct winograd_chunk transform_channels(const struct winograd_block *block, size_t part,
                                         size_t first, size_t steps);

/* Grid points of the folded branches: each is a channel more. */
size_t winograd_points(const struct section_plan *plan);

/* Points [first, first + steps): what the block's pixels take of them. That is a product of what
 * they take along both axes, and stays one when it is transformed. find_seen comes first, once for
 * all points; seen_floats is its scratch. */
struct winograd_chunk transform_points(const struct winograd_block *block, size_t first,
                                       size_t steps);
void find_seen(const struct winograd_block *block);
size_t seen_floats(const struct section_plan *plan);

#endif
