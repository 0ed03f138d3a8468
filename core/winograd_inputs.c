/* winograd_inputs.c - the inputs of Winograd's products: channels seen tile by tile, transformed.
 */
#include "core/winograd.h"

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

/* task->shares[W] = what the pixels of any row take from a column of a branch's grid */
static void share_columns(const struct task *task, size_t branch, size_t grid_column)
{
    const struct plan *plan = task->source.work->plan;
    for (size_t column = 0; column < plan->g.w; column++) {
        const struct resize_tap tap = plan_column_tap(plan, branch, column);
        task->shares[column] = share_of(&tap, grid_column);
    }
}

/* The first of the planes = what the task's pixels take from the point of a grid row whose column
 * is shared. */
static void spread_point(const struct task *task, size_t branch, size_t grid_row)
{
    const struct plan *plan = task->source.work->plan;
    const size_t first = TILE * task->first_row, row_floats = row_floats_of(plan);
    for (size_t i = first == 0 ? 1 : 0; i < task->rows && first + i <= plan->g.h; i++) {
        const struct resize_tap tap = plan_row_tap(plan, branch, first + i - 1);
        const float down = share_of(&tap, grid_row);
        float *ret = task->planes + i * row_floats + 1;
        for (size_t column = 0; column < plan->g.w; column++)
            ret[column] = down * task->shares[column];
    }
}

struct inputs transform_points(const struct task *task, size_t first, size_t steps)
{
    const struct plan *plan = task->source.work->plan;
    const struct inputs inputs = inputs_of(task, steps);
    size_t begin = 0; /* the branch's first point */
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const size_t grid_h = plan->g.branches[i].pooled_h, grid_w = plan->g.branches[i].pooled_w;
        if (!plan->is_folded[i])
            continue;
        for (size_t column = 0; column < grid_w; column++) {
            share_columns(task, i, column);
            for (size_t row = 0; row < grid_h; row++) {
                const size_t point = begin + row * grid_w + column;
                if (point < first || point >= first + steps)
                    continue;
                spread_point(task, i, row);
                transform_plane(plan->simd, task, task->planes, row_floats_of(plan), point - first,
                                &inputs, task->inputs);
            }
        }
        begin += grid_h * grid_w;
    }
    return inputs;
}
