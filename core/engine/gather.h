/* gather.h - channels that a pass reads, as the register tile reads them. */
#ifndef PPM_CORE_ENGINE_GATHER_H
#define PPM_CORE_ENGINE_GATHER_H

#include "core/engine/stretch.h"

/* Channels [first, first + count) of a source, seen through a tap of the kernel. */
struct piece {
    size_t part, tap, first, count;
};

/* Tiles [first, first + count) of map n. */
struct block {
    const struct section_state *state;
    const struct pass *pass;
    size_t n, first, count;
};

/* A piece at the pixels of a block: ret[tile * tile_stride][i][gemm_columns], i < piece->count,
 * with zeros where the tap is outside the map. After the last pixel, ret is undefined. */
void gather(const struct block *block, const struct piece *piece, float *ret, size_t tile_stride);

/* The same as pairs of bfloat16: i < (piece->count + 1) / 2. */
void gather_pairs(const struct block *block, const struct piece *piece, float *ret,
                  size_t tile_stride);

/* The channels of a piece at pixels of a row: ret[i * ret_stride + j], i < piece->count. */
void gather_span(const struct block *block, const struct piece *piece, const struct span *span,
                 size_t ret_stride, float *ret);

/* If a piece needs no gathering: its rows at the first pixel of the block, *ret_stride apart. Else
 * NULL. */
const float *gather_in_place(const struct block *block, const struct piece *piece,
                             size_t *ret_stride);

/* Room for rows of channels with a border of one pixel, of a phase of the map: rows and columns
 * phase, phase + step, ... Its row `first_row` - 1 comes first, rows are row_stride apart, channels
 * plane_stride. */
struct planes {
    float *data;
    size_t phase[WINDOW_AXES], step[WINDOW_AXES];
    size_t first_row, rows;
    size_t row_stride, plane_stride;
};

/* Fills planes with the channels of a piece, whatever its tap. The border is left as it is. */
void gather_planes(const struct block *block, const struct piece *piece,
                   const struct planes *planes);

#endif
