/* winograd_inputs.c - see winograd_inputs.h. */
#include "core/engine/winograd_inputs.h"

/* ---- channels ---- */

/* One channel: plane [rows][row_floats], with its border, to a step of every micro-panel. */
static void transform_plane(const struct simd_ops *ops, const struct winograd_block *block,
                            const float *plane, size_t row_floats, size_t step,
                            const struct winograd_chunk *chunk, float *ret)
{
    for (size_t i = 0; i < block->strip_count; i++) {
        const struct strip *strip = &block->strips[i];
        ops->winograd_input(
            plane +
                (strip->band->plane_row + TILE * (strip->row - strip->band->first_row)) *
                    row_floats +
                TILE * strip->first,
            row_floats, strip->count,
            ret + strip->micro * chunk->micro_stride + step * ops->gemm_columns + strip->column,
            chunk->place_stride);
    }
}

/* A chunk of that many steps, in the block's scratch. */
static struct winograd_chunk chunk_of(const struct winograd_block *block, size_t steps)
{
    const size_t micro_stride = steps * block->conv->simd->gemm_columns;
    return (struct winograd_chunk){.data = block->inputs,
                                   .place_stride = block->micros * micro_stride + LINE_FLOATS,
                                   .micro_stride = micro_stride,
                                   .steps = steps};
}

static void gather_bands(const struct winograd_block *block, const struct piece *piece)
{
    const struct pass *pass = block->source.pass;
    const size_t row_floats = winograd_row_floats(pass);
    for (size_t i = 0; i < block->band_count; i++) {
        const struct band *band = &block->bands[i];
        const struct planes planes = {
            .data = block->planes + band->plane_row * row_floats,
            .phase = {band->phase[AXIS_H], band->phase[AXIS_W]},
            .step = {pass->window.dilation[AXIS_H], pass->window.dilation[AXIS_W]},
            .first_row = TILE * band->first_row,
            .rows = band->rows,
            .row_stride = row_floats,
            .plane_stride = block->rows * row_floats};
        gather_planes(&block->source, piece, &planes);
    }
}

/* From NHWC, or stretched, where neighboring channels share work. */
static size_t planes_together(const struct source *source)
{
    const bool shares = source->kind == PART_STRETCHED ||
                        (source->kind == PART_MAP && source->map.layout == PPM_NHWC);
    return shares ? PLANES_TOGETHER : 1;
}

struct winograd_chunk transform_channels(const struct winograd_block *block, size_t part,
                                         size_t first, size_t steps)
{
    const struct block *source = &block->source;
    const struct simd_ops *ops = block->conv->simd;
    const size_t row_floats = winograd_row_floats(source->pass);
    const size_t together = planes_together(&source->pass->sources[part]);
    const struct winograd_chunk chunk = chunk_of(block, steps);
    for (size_t done = 0; done < steps; done += together) {
        const size_t count = size_min(steps - done, together);
        const struct piece piece = {.part = part, .first = first + done, .count = count};
        gather_bands(block, &piece);
        for (size_t i = 0; i < count; i++)
            transform_plane(ops, block, block->planes + i * block->rows * row_floats, row_floats,
                            done + i, &chunk, block->inputs);
    }
    return chunk;
}

/* ---- folded branches ---- */

size_t winograd_points(const struct section_plan *plan)
{
    return plan->pyramid->grid_steps / TAPS;
}

size_t seen_floats(const struct section_plan *plan)
{
    const struct pyramid_plan *pyramid = plan->pyramid;
    size_t lines = 0;
    for (size_t i = 0; pyramid && i < pyramid->pyramid->branch_count; i++)
        if (pyramid->is_folded[i])
            lines += pyramid->g.branches[i].pooled_h + pyramid->g.branches[i].pooled_w;
    return lines * ON_AXIS * winograd_columns(plan->simd);
}

/* ret[lines][columns] = for each tile of the block, the value of its row or column of tiles. */
static void find_lines(const struct winograd_block *block, const float *seen, size_t lines,
                       bool is_row, float *ret)
{
    const struct section_plan *plan = block->source.state->plan;
    const size_t width = plan->simd->gemm_columns, columns = winograd_columns(plan->simd);
    const size_t tiles = winograd_tiles_on(is_row ? plan->out.h : plan->out.w);
    for (size_t line = 0; line < lines; line++, seen += tiles, ret += columns)
        for (size_t i = 0; i < block->strip_count; i++) {
            const struct strip *strip = &block->strips[i];
            float *to = ret + strip->micro * width + strip->column;
            for (size_t t = 0; t < strip->count; t++)
                to[t] = is_row ? seen[strip->row] : seen[strip->first + t];
        }
}

void find_seen(const struct winograd_block *block)
{
    const struct pyramid_plan *plan = block->source.state->pyramid;
    const size_t columns = winograd_columns(plan->simd);
    float *ret = block->seen;
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        const size_t rows = ON_AXIS * plan->g.branches[i].pooled_h;
        const size_t across = ON_AXIS * plan->g.branches[i].pooled_w;
        find_lines(block, plan->rows_seen[i], rows, true, ret);
        find_lines(block, plan->columns_seen[i], across, false, ret + rows * columns);
        ret += (rows + across) * columns;
    }
}

/* A point on lines down and along, [ON_AXIS][columns] both, to its step of every micro-panel. */
static void transform_point(const struct winograd_block *block, const float *restrict down,
                            const float *restrict along, const struct winograd_chunk *chunk,
                            float *restrict ret)
{
    const struct simd_ops *ops = block->conv->simd;
    const size_t width = ops->gemm_columns, columns = winograd_columns(ops);
    for (size_t micro = 0; micro < block->micros; micro++, down += width, along += width) {
        float *to = ret + micro * chunk->micro_stride;
        for (size_t i = 0; i < ON_AXIS; i++)
            for (size_t j = 0; j < ON_AXIS; j++, to += chunk->place_stride)
                for (size_t column = 0; column < width; column++)
                    to[column] = down[i * columns + column] * along[j * columns + column];
    }
}

struct winograd_chunk transform_points(const struct winograd_block *block, size_t first,
                                       size_t steps)
{
    const struct pyramid_plan *plan = block->source.state->pyramid;
    const size_t line_floats = ON_AXIS * winograd_columns(plan->simd);
    const struct winograd_chunk chunk = chunk_of(block, steps);
    const float *seen = block->seen;
    size_t point = 0;
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        const size_t grid_h = plan->g.branches[i].pooled_h, grid_w = plan->g.branches[i].pooled_w;
        if (!plan->is_folded[i])
            continue;
        for (size_t k = 0; k < grid_h * grid_w; k++, point++)
            if (point >= first && point < first + steps)
                transform_point(block, seen + k / grid_w * line_floats,
                                seen + (grid_h + k % grid_w) * line_floats, &chunk,
                                block->inputs + (point - first) * plan->simd->gemm_columns);
        seen += (grid_h + grid_w) * line_floats;
    }
    return chunk;
}
