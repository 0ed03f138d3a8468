/* winograd_results.h - Winograd's sums to pixels, and through the layers after the conv. */
#ifndef PPM_CORE_ENGINE_WINOGRAD_RESULTS_H
#define PPM_CORE_ENGINE_WINOGRAD_RESULTS_H

#include "core/engine/winograd_block.h"

/* Transforms the block's sums and stores the results, after all layers of the pass. False:
 * something was not finite. */
bool store_results(const struct winograd_block *block);
size_t winograd_results_floats(const struct simd_ops *ops, const struct pass *pass);

#endif
