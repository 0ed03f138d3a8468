/* winograd_block.c - see winograd_block.h. */
#include "core/engine/winograd_block.h"

size_t winograd_columns(const struct simd_ops *ops)
{
    const size_t width = ops->gemm_columns;
    return width < BLOCK_COLUMNS / 2 ? BLOCK_COLUMNS / width * width : width;
}

size_t winograd_steps(const struct simd_ops *ops)
{
    return INPUTS_BYTES / (PLACES * winograd_columns(ops) * sizeof(float));
}

size_t winograd_row_floats(const struct plan *plan)
{
    return TILE * (winograd_tiles_on(plan->g.w) + TOGETHER + 1);
}

size_t winograd_rows_max(const struct plan *plan)
{
    const size_t columns = winograd_columns(plan->simd);
    const size_t across = columns / winograd_tiles_on(plan->g.w) + 2,
                 all = winograd_tiles_on(plan->g.h);
    return TILE * size_min(across, all) + 2;
}

void winograd_find_strips(struct winograd_block *block)
{
    const struct plan *plan = block->source.state->plan;
    const size_t width = plan->simd->gemm_columns, in_row = winograd_tiles_on(plan->g.w);
    block->micros = size_div_up(block->source.count, width);
    block->first_row = block->source.first / in_row;
    block->rows =
        TILE * ((block->source.first + block->source.count - 1) / in_row - block->first_row + 1) +
        2;
    block->strip_count = 0;
    for (size_t i = 0; i < block->source.count;) {
        const size_t tile = block->source.first + i, ahead = block->source.count - i;
        struct strip strip = {i / width, i % width, tile / in_row, tile % in_row, ahead};
        strip.count = size_min(strip.count, width - strip.column);
        strip.count = size_min(strip.count, in_row - strip.first);
        block->strips[block->strip_count++] = strip;
        i += strip.count;
    }
}
