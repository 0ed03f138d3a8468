/* direct_products.h - the products of a conv over a block, in the direct form. */
#ifndef PPM_CORE_ENGINE_DIRECT_PRODUCTS_H
#define PPM_CORE_ENGINE_DIRECT_PRODUCTS_H

#include "core/engine/gather.h"

enum { CHUNK_STEPS_MAX = 2304 }; /* of K, packed at a time; of pairs, words */

struct direct_block {
    struct block source;
    size_t first_panel, end_panel;

    /* where the results go: tiles of scratch, or their place in the pass's map */
    float *c;
    size_t c_stride, c_tile_stride; /* 0: a tile follows the pixels of the one before */

    /* scratch */
    float *packed;  /* a chunk of K of all tiles: [count][steps][gemm_columns] words */
    float *blended; /* row-wise: [folded_steps][gemm_rows] */
    float *columns; /* of U, otherwise: [count][folded_steps][gemm_columns] */
};

/* c = the conv that the pass begins with, and a clamp after it, over the block. */
void direct_multiply(const struct direct_block *block);

#endif
