/* winograd_inputs.c - the inputs of Winograd's products: channels seen tile by tile, transformed.
 */
#include "core/engine/winograd.h"

/* ---- sizes ---- */

size_t tiles_on(size_t extent)
{
    return (extent + TILE - 1) / TILE;
}

size_t columns_of_block(const struct simd_ops *ops)
{
    const size_t width = ops->gemm_columns;
    return width < BLOCK_COLUMNS / 2 ? BLOCK_COLUMNS / width * width : width;
}

size_t steps_of_chunk(const struct simd_ops *ops)
{
    return INPUTS_BYTES / (PLACES * columns_of_block(ops) * sizeof(float));
}

size_t row_floats_of(const struct plan *plan)
{
    return TILE * (tiles_on(plan->g.w) + TOGETHER + 1);
}

size_t rows_max(const struct plan *plan)
{
    const size_t columns = columns_of_block(plan->simd);
    const size_t across = columns / tiles_on(plan->g.w) + 2, all = tiles_on(plan->g.h);
    return TILE * (across < all ? across : all) + 2;
}

size_t winograd_tiles(const struct plan *plan)
{
    return tiles_on(plan->g.h) * tiles_on(plan->g.w);
}

bool winograd_fits(const struct spec *spec, const struct layer *conv)
{
    enum { CHANNELS_MIN = 24 };
    return conv->kind == LAYER_CONV && conv->kernel == 3 && !spec->is_exact &&
           conv->in_channels >= CHANNELS_MIN && conv->out_channels >= CHANNELS_MIN;
}

bool winograd_pays(const struct spec *spec, const struct layer *conv, size_t h, size_t w)
{
    enum { TILES_MIN = 12 };
    return winograd_fits(spec, conv) && tiles_on(h) * tiles_on(w) >= TILES_MIN;
}

size_t folded_steps(const struct plan *plan)
{
    return plan->is_winograd ? plan->grid_steps / TAPS : 0;
}

/* ---- inputs ---- */

void find_runs(const struct plan *plan, struct task *task)
{
    const size_t width = plan->simd->gemm_columns, in_row = tiles_on(plan->g.w);
    task->micros = (task->count + width - 1) / width;
    task->first_row = task->first / in_row;
    task->rows = TILE * ((task->first + task->count - 1) / in_row - task->first_row + 1) + 2;
    task->run_count = 0;
    for (size_t i = 0; i < task->count;) {
        const size_t tile = task->first + i, ahead = task->count - i;
        struct tile_run run = {i / width, i % width, tile / in_row, tile % in_row, ahead};
        run.count = run.count < width - run.column ? run.count : width - run.column;
        run.count = run.count < in_row - run.first ? run.count : in_row - run.first;
        task->runs[task->run_count++] = run;
        i += run.count;
    }
}

/* One channel: plane [rows][row_floats], with its border, to a step of every micro-panel. */
static void transform_plane(const struct simd_ops *ops, const struct task *task, const float *plane,
                            size_t row_floats, size_t step, const struct inputs *inputs, float *ret)
{
    for (size_t i = 0; i < task->run_count; i++) {
        const struct tile_run *run = &task->runs[i];
        ops->winograd_input(plane + TILE * ((run->row - task->first_row) * row_floats + run->first),
                            row_floats, run->count,
                            ret + run->micro * inputs->micro_stride + step * ops->gemm_columns +
                                run->column,
                            inputs->place_stride);
    }
}

/* A chunk of that many steps, in the task's scratch. */
static struct inputs inputs_of(const struct task *task, size_t steps)
{
    const size_t micro_stride = steps * task->source.work->plan->simd->gemm_columns;
    return (struct inputs){.data = task->inputs,
                           .place_stride = task->micros * micro_stride + LINE_FLOATS,
                           .micro_stride = micro_stride,
                           .steps = steps};
}

struct inputs transform_inputs(const struct task *task, size_t part, size_t first, size_t steps)
{
    const struct block *source = &task->source;
    const struct simd_ops *ops = task->conv->simd;
    const size_t row_floats = row_floats_of(source->work->plan);
    const bool is_nhwc = !source->pass->map && source->work->x_layout == PPM_NHWC;
    const size_t together = is_nhwc ? PLANES_TOGETHER : 1;
    const struct inputs inputs = inputs_of(task, steps);
    for (size_t done = 0; done < steps; done += together) {
        const size_t left = steps - done, count = left < together ? left : together;
        const struct piece piece = {.part = part, .first = first + done, .count = count};
        const struct rows rows = {.first = TILE * task->first_row,
                                  .count = task->rows,
                                  .stride = row_floats,
                                  .plane_stride = task->rows * row_floats};
        gather_rows(source, &piece, &rows, task->planes);
        for (size_t i = 0; i < count; i++)
            transform_plane(ops, task, task->planes + i * rows.plane_stride, row_floats, done + i,
                            &inputs, task->inputs);
    }
    return inputs;
}

/* ---- folded branches ---- */

/* How much of grid line k a pixel takes on an axis. */
static float share_of(const struct resize_tap *tap, size_t k)
{
    return (float)((tap->low == k ? 1 - tap->weight : 0) + (tap->high == k ? tap->weight : 0));
}

/* ret[ON_AXIS][tiles] = what tiles on an axis of `extent` pixels see of grid line k, transformed.
 * from: where each pixel is taken from. */
static void transform_line(const double *from, size_t extent, size_t grid, size_t k, float *ret)
{
    const size_t tiles = tiles_on(extent);
    for (size_t tile = 0; tile < tiles; tile++) {
        float shares[ON_AXIS] = {0}; /* of pixels [TILE * tile - 1, ...), none beyond the map */
        for (size_t j = tile == 0 ? 1 : 0; j < ON_AXIS && TILE * tile + j <= extent; j++) {
            const struct resize_tap tap = geometry_tap_at(from[TILE * tile + j - 1], grid);
            shares[j] = share_of(&tap, k);
        }
        for (size_t i = 0; i < ON_AXIS; i++) {
            float sum = 0;
            for (size_t j = 0; j < ON_AXIS; j++)
                sum += simd_winograd_input_matrix[i][j] * shares[j];
            ret[i * tiles + tile] = sum;
        }
    }
}

static bool sees_folded(const struct plan *plan, size_t branch)
{
    return plan->is_winograd && plan->is_folded[branch];
}

void winograd_place_seen(struct plan *plan, struct room *room)
{
    const size_t rows = ON_AXIS * tiles_on(plan->g.h), columns = ON_AXIS * tiles_on(plan->g.w);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!sees_folded(plan, i))
            continue;
        const struct branch_geometry *branch = &plan->g.branches[i];
        plan->rows_seen[i] = room_take(room, branch->pooled_h, rows * sizeof(float));
        plan->columns_seen[i] = room_take(room, branch->pooled_w, columns * sizeof(float));
    }
}

void winograd_fill_seen(struct plan *plan, const struct run *run)
{
    const size_t h = plan->g.h, w = plan->g.w;
    const size_t rows = ON_AXIS * tiles_on(h), columns = ON_AXIS * tiles_on(w);
    size_t done = 0;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!sees_folded(plan, i))
            continue;
        const size_t grid_h = plan->g.branches[i].pooled_h, grid_w = plan->g.branches[i].pooled_w;
        for (size_t k = 0; k < grid_h && run_goes_on(run, &done, rows * ON_AXIS); k++)
            transform_line(plan->rows_from[i], h, grid_h, k, plan->rows_seen[i] + k * rows);
        for (size_t k = 0; k < grid_w && run_goes_on(run, &done, columns * ON_AXIS); k++)
            transform_line(plan->columns_from[i], w, grid_w, k,
                           plan->columns_seen[i] + k * columns);
    }
}

size_t seen_floats(const struct plan *plan)
{
    size_t lines = 0;
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        if (sees_folded(plan, i))
            lines += plan->g.branches[i].pooled_h + plan->g.branches[i].pooled_w;
    return lines * ON_AXIS * columns_of_block(plan->simd);
}

/* From each tile on an axis to each of the block: `lines` times [columns]. */
static void find_lines(const struct task *task, const float *seen, size_t lines, bool is_row,
                       float *ret)
{
    const struct plan *plan = task->source.work->plan;
    const size_t width = plan->simd->gemm_columns, columns = columns_of_block(plan->simd);
    const size_t tiles = tiles_on(is_row ? plan->g.h : plan->g.w);
    for (size_t line = 0; line < lines; line++, seen += tiles, ret += columns)
        for (size_t i = 0; i < task->run_count; i++) {
            const struct tile_run *run = &task->runs[i];
            float *to = ret + run->micro * width + run->column;
            for (size_t t = 0; t < run->count; t++)
                to[t] = is_row ? seen[run->row] : seen[run->first + t];
        }
}

void find_seen(const struct task *task)
{
    const struct plan *plan = task->source.work->plan;
    const size_t columns = columns_of_block(plan->simd);
    float *ret = task->seen;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!sees_folded(plan, i))
            continue;
        const size_t rows = ON_AXIS * plan->g.branches[i].pooled_h;
        const size_t across = ON_AXIS * plan->g.branches[i].pooled_w;
        find_lines(task, plan->rows_seen[i], rows, true, ret);
        find_lines(task, plan->columns_seen[i], across, false, ret + rows * columns);
        ret += (rows + across) * columns;
    }
}

/* A point on lines down and along, [ON_AXIS][columns] both, to its step of every micro-panel. */
static void transform_point(const struct task *task, const float *restrict down,
                            const float *restrict along, const struct inputs *inputs,
                            float *restrict ret)
{
    const struct simd_ops *ops = task->conv->simd;
    const size_t width = ops->gemm_columns, columns = columns_of_block(ops);
    for (size_t micro = 0; micro < task->micros; micro++, down += width, along += width) {
        float *to = ret + micro * inputs->micro_stride;
        for (size_t i = 0; i < ON_AXIS; i++)
            for (size_t j = 0; j < ON_AXIS; j++, to += inputs->place_stride)
                for (size_t column = 0; column < width; column++)
                    to[column] = down[i * columns + column] * along[j * columns + column];
    }
}

struct inputs transform_points(const struct task *task, size_t first, size_t steps)
{
    const struct plan *plan = task->source.work->plan;
    const size_t line_floats = ON_AXIS * columns_of_block(plan->simd);
    const struct inputs inputs = inputs_of(task, steps);
    const float *seen = task->seen;
    size_t point = 0;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const size_t grid_h = plan->g.branches[i].pooled_h, grid_w = plan->g.branches[i].pooled_w;
        if (!plan->is_folded[i])
            continue;
        for (size_t k = 0; k < grid_h * grid_w; k++, point++)
            if (point >= first && point < first + steps)
                transform_point(task, seen + k / grid_w * line_floats,
                                seen + (grid_h + k % grid_w) * line_floats, &inputs,
                                task->inputs + (point - first) * plan->simd->gemm_columns);
        seen += (grid_h + grid_w) * line_floats;
    }
    return inputs;
}
