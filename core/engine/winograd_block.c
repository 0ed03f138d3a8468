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

size_t winograd_tiles_in_row(const struct pass *pass)
{
    return winograd_tiles_on(size_div_up(pass->tiles.map_w, pass->window.dilation[AXIS_W]));
}

size_t winograd_tiles_in_phase(const struct pass *pass)
{
    return winograd_phase_tiles(&pass->window, pass->in.h, pass->in.w);
}

size_t winograd_tiles_of(const struct pass *pass)
{
    return winograd_phases(&pass->window) * winograd_tiles_in_phase(pass);
}

size_t winograd_row_floats(const struct pass *pass)
{
    return TILE * (winograd_tiles_in_row(pass) + TOGETHER + 1);
}

/* A block begins and ends within a row of tiles; so does each phase that it touches. */
size_t winograd_rows_max(const struct simd_ops *ops, const struct pass *pass)
{
    const size_t columns = winograd_columns(ops), in_phase = winograd_tiles_in_phase(pass);
    const size_t phases =
        size_min(size_div_up(columns - 1, in_phase) + 1, winograd_phases(&pass->window));
    const size_t across = columns / winograd_tiles_in_row(pass) + 2 * phases,
                 all = phases * (in_phase / winograd_tiles_in_row(pass));
    return TILE * size_min(across, all) + 2 * phases;
}

/* The band of a tile, which is the block's first or its phase's. */
static struct band band_of(const struct winograd_block *block, size_t tile)
{
    const struct pass *pass = block->source.pass;
    const size_t in_phase = winograd_tiles_in_phase(pass), phase = tile / in_phase;
    return (struct band){
        .phase = {phase / pass->window.dilation[AXIS_W], phase % pass->window.dilation[AXIS_W]},
        .first_row = tile % in_phase / winograd_tiles_in_row(pass),
        .plane_row = block->rows};
}

void winograd_find_strips(struct winograd_block *block)
{
    const struct pass *pass = block->source.pass;
    const size_t width = block->conv->simd->gemm_columns, in_row = winograd_tiles_in_row(pass),
                 in_phase = winograd_tiles_in_phase(pass);
    block->micros = size_div_up(block->source.count, width);
    block->rows = block->band_count = block->strip_count = 0;
    for (size_t i = 0; i < block->source.count;) {
        const size_t tile = block->source.first + i, ahead = block->source.count - i;
        const size_t at = tile % in_phase;
        if (i == 0 || at == 0)
            block->bands[block->band_count++] = band_of(block, tile);
        struct band *band = &block->bands[block->band_count - 1];
        struct strip strip = {i / width, i % width, band, at / in_row, at % in_row, ahead};
        strip.count = size_min(strip.count, width - strip.column);
        strip.count = size_min(strip.count, in_row - strip.first);
        band->rows = TILE * (strip.row - band->first_row + 1) + 2;
        block->rows = band->plane_row + band->rows;
        block->strips[block->strip_count++] = strip;
        i += strip.count;
    }
}
