/*
 * winograd_results.c - Winograd's sums to pixels, and through the layers behind the conv.
 *
 * A channel's pixels go to their places in the map as they are. Where more layers follow, which
 * want all channels of a pixel, the pixels of a micro-panel of tiles are gathered first: each row
 * of them is as many micro-panels of pixels as a tile is wide.
 */
#include "core/engine/winograd.h"

#include <string.h>

enum { PANELS = TILE * TILE }; /* of pixels, in a micro-panel of tiles */

static size_t first_channel(const struct task *task)
{
    return task->first_panel * task->conv->simd->gemm_rows;
}

static size_t end_channel(const struct task *task)
{
    const size_t end = task->end_panel * task->conv->simd->gemm_rows;
    return end < task->conv->out_channels ? end : task->conv->out_channels;
}

/* One channel of a run of tiles as pixels: ret[TILE][stride]. False: something was not finite. */
static bool transform_run(const struct task *task, const struct tile_run *run, size_t channel,
                          float *ret, size_t stride)
{
    const struct layer *conv = task->conv;
    const struct simd_ops *ops = conv->simd;
    const size_t at = channel - first_channel(task), width = ops->gemm_columns;
    const size_t tile_floats = ops->gemm_rows * width, place_floats = task->micros * tile_floats;
    struct simd_winograd_sums from = {
        .sums = task->sums + at / ops->gemm_rows * PLACES * place_floats +
                run->micro * tile_floats + at % ops->gemm_rows * width + run->column,
        .stride = place_floats,
        .count = run->count,
        .scale = conv->scale32[channel],
        .shift = conv->shift32[channel]};
    fused_clamp(task->source.pass->fused == 2 ? conv + 1 : NULL, &from.low, &from.high);
    return ops->winograd_output(&from, ret, stride);
}

/* Pixels of the map in a row of a run: its last tile may stand beyond the edge. */
static size_t pixels_in_row(const struct task *task, const struct tile_run *run)
{
    const size_t all = TILE * run->count, left = task->source.work->plan->g.w - TILE * run->first;
    return all < left ? all : left;
}

/* ---- the conv alone ---- */

/* One channel of a run of tiles, as pixels, into its place of the pass's result. */
static void store_pixels(const struct task *task, const struct tile_run *run, size_t channel,
                         size_t stride)
{
    const struct pass *pass = task->source.pass;
    const struct plan *plan = task->source.work->plan;
    const size_t channels = pass->ret_channels, count = pixels_in_row(task, run);
    float *map = pass->ret + task->source.n * channels * plan->pixels;
    for (size_t i = 0; i < TILE && TILE * run->row + i < plan->g.h; i++) {
        const size_t pixel = (TILE * run->row + i) * plan->g.w + TILE * run->first;
        const float *from = task->pixels + i * stride;
        if (pass->ret_layout == PPM_NCHW)
            memcpy(map + channel * plan->pixels + pixel, from, count * sizeof *map);
        for (size_t j = 0; pass->ret_layout == PPM_NHWC && j < count; j++)
            map[(pixel + j) * channels + channel] = from[j];
    }
}

static bool store_by_channels(const struct task *task)
{
    const size_t stride = TILE * (task->micros * task->conv->simd->gemm_columns + TOGETHER);
    bool are_finite = true;
    for (size_t channel = first_channel(task); channel < end_channel(task); channel++)
        for (size_t i = 0; i < task->run_count; i++) {
            const struct tile_run *run = &task->runs[i];
            are_finite = transform_run(task, run, channel, task->pixels, stride) && are_finite;
            store_pixels(task, run, channel, stride);
        }
    return are_finite;
}

/* ---- with more layers ---- */

/* From panel to panel: one line more, for not all of them to share a line of the cache. */
static size_t panel_stride(const struct plan *plan, const struct pass *pass)
{
    return (pass_widest(plan->spec, pass) + 1) * plan->simd->gemm_columns;
}

size_t winograd_results_floats(const struct plan *plan, const struct pass *pass)
{
    if (pass->count == pass->fused)
        return 0;
    return (PANELS + 1) * panel_stride(plan, pass);
}

/* All channels of a micro-panel of tiles into the micro-panels of its pixels. */
static bool gather_results(const struct task *task, size_t micro, size_t panel_floats)
{
    const size_t width = task->conv->simd->gemm_columns, stride = TILE * (width + TOGETHER);
    bool are_finite = true;
    memset(task->pixels, 0, TILE * stride * sizeof *task->pixels); /* behind the last tile */
    for (size_t channel = 0; channel < task->conv->out_channels; channel++) {
        for (size_t i = 0; i < task->run_count; i++) {
            const struct tile_run *run = &task->runs[i];
            if (run->micro == micro)
                are_finite =
                    transform_run(task, run, channel, task->pixels + TILE * run->column, stride) &&
                    are_finite;
        }
        for (size_t panel = 0; panel < PANELS; panel++)
            memcpy(task->results + panel * panel_floats + channel * width,
                   task->pixels + panel / TILE * stride + panel % TILE * width,
                   width * sizeof *task->results);
    }
    return are_finite;
}

/* What a run of tiles has in a micro-panel of pixels, to its place of the pass's result. */
static void store_panel(const struct task *task, const struct tile_run *run, size_t panel,
                        const float *x)
{
    const struct work *work = task->source.work;
    const size_t width = work->plan->simd->gemm_columns, row = TILE * run->row + panel / TILE;
    const size_t panel_first = panel % TILE * width, panel_end = panel_first + width;
    const size_t run_first = TILE * run->column, run_end = run_first + pixels_in_row(task, run);
    const size_t first = panel_first > run_first ? panel_first : run_first;
    const size_t end = panel_end < run_end ? panel_end : run_end;
    if (row < work->plan->g.h && first < end)
        store_columns(work, task->source.pass, task->source.n, x + (first - panel_first),
                      row * work->plan->g.w + TILE * run->first + (first - run_first), end - first);
}

/* The layers that follow, over what a micro-panel of tiles has in a micro-panel of pixels. */
static void finish_panel(const struct task *task, size_t micro, size_t panel, float *x,
                         float *other)
{
    const size_t width = task->conv->simd->gemm_columns;
    if (panel % TILE * width >= TILE * (task->count - micro * width))
        return; /* behind the last tile */
    const float *result = run_layers(task->source.work->run, task->source.pass, x, other);
    for (size_t i = 0; i < task->run_count; i++)
        if (task->runs[i].micro == micro)
            store_panel(task, &task->runs[i], panel, result);
}

static bool store_by_panels(const struct task *task)
{
    const size_t panel_floats = panel_stride(task->source.work->plan, task->source.pass);
    bool are_finite = true;
    for (size_t micro = 0; micro < task->micros; micro++) {
        are_finite = gather_results(task, micro, panel_floats) && are_finite;
        for (size_t panel = 0; panel < PANELS; panel++)
            finish_panel(task, micro, panel, task->results + panel * panel_floats,
                         task->results + PANELS * panel_floats);
    }
    return are_finite;
}

bool store_results(const struct task *task)
{
    const struct pass *pass = task->source.pass;
    return pass->count == pass->fused ? store_by_channels(task) : store_by_panels(task);
}
