/* winograd_inputs.c - the inputs of Winograd's products: channels seen tile by tile, transformed.
 */
#include "core/winograd.h"

#include <stdlib.h>
#include <string.h>

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

struct inputs transform_inputs(const struct task *task, size_t part, size_t first, size_t steps)
{
    const struct block *source = &task->source;
    const struct simd_ops *ops = task->conv->simd;
    const size_t row_floats = row_floats_of(source->work->plan);
    const bool is_nhwc = !source->pass->map && source->work->x_layout == PPM_NHWC;
    const size_t together = is_nhwc ? PLANES_TOGETHER : 1;
    const size_t micro_stride = steps * ops->gemm_columns;
    const struct inputs inputs = {.data = task->inputs,
                                  .place_stride = task->micros * micro_stride + LINE_FLOATS,
                                  .micro_stride = micro_stride,
                                  .steps = steps};
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

/* plane [h + border][row_floats]: what pixels take from a point of a branch's grid */
static void spread_point(const struct plan *plan, size_t branch, size_t point, float *plane)
{
    const size_t grid_w = plan->g.branches[branch].pooled_w, row_floats = row_floats_of(plan);
    for (size_t row = 0; row < plan->g.h; row++) {
        const float down = share_of(&plan->row_taps[branch][row], point / grid_w);
        float *ret = plane + (row + 1) * row_floats + 1;
        for (size_t column = 0; column < plan->g.w; column++)
            ret[column] = down * share_of(&plan->column_taps[branch][column], point % grid_w);
    }
}

/* One point to its step of all micro-panels. */
static void transform_point(const struct plan *plan, const float *plane, size_t step, float *ret)
{
    const size_t width = plan->simd->gemm_columns, steps = folded_steps(plan);
    const size_t tiles = winograd_tiles(plan), row_floats = row_floats_of(plan);
    const struct inputs inputs = {.place_stride = steps * width};
    for (size_t first = 0; first < tiles; first += width, ret += PLACES * steps * width) {
        struct task task = {.first = first, .count = tiles - first < width ? tiles - first : width};
        find_runs(plan, &task);
        transform_plane(plan->simd, &task, plane + TILE * task.first_row * row_floats, row_floats,
                        step, &inputs, ret);
    }
}

float *winograd_plan_inputs(const struct plan *plan, struct ppm_error *error)
{
    const size_t width = plan->simd->gemm_columns, steps = folded_steps(plan);
    const size_t micros = (winograd_tiles(plan) + width - 1) / width;
    const size_t plane_bytes =
        (TILE * tiles_on(plan->g.h) + 2) * row_floats_of(plan) * sizeof(float);
    const size_t bytes = micros * PLACES * steps * width * sizeof(float);
    float *plane = core_allocate(plane_bytes, error);
    float *ret = plane ? core_allocate(bytes, error) : NULL;
    if (ret) {
        size_t step = 0;
        memset(plane, 0, plane_bytes);
        memset(ret, 0, bytes);
        for (size_t i = 0; i < plan->spec->branch_count; i++)
            for (size_t k = 0; plan->is_folded[i] && k < plan_points(&plan->g, i); k++) {
                spread_point(plan, i, k, plane);
                transform_point(plan, plane, step++, ret);
            }
    }
    free(plane);
    return ret;
}

struct inputs folded_inputs(const struct task *task)
{
    const struct plan *plan = task->source.work->plan;
    const size_t width = plan->simd->gemm_columns, steps = folded_steps(plan);
    return (struct inputs){.data =
                               plan->winograd_inputs + task->first / width * PLACES * steps * width,
                           .place_stride = steps * width,
                           .micro_stride = PLACES * steps * width,
                           .steps = steps};
}
