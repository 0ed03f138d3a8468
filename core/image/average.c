/* average.c - see average.h. */
#include "core/image/average.h"
#include "core/base/threads.h"
#include "core/shape/resize_axis.h"

#include <string.h>

/* Pixels that a thread finishes at a time, as in core/engine/output.c. */
enum { PIXELS_TOGETHER = 64, LINE_FLOATS = 16 };

void average_place(struct fit *fit, struct room *room)
{
    struct average *average = &fit->average;
    const size_t w = fit->image_w;
    const size_t between = fit->is_stretched ? w : 0;
    average->rows = fit->rows.covered + 1;
    average->block_floats =
        size_round_up(size_times(average->channels, PIXELS_TOGETHER + between), LINE_FLOATS);
    average->band = room_take(room, size_times(average->channels, size_times(average->rows, w)),
                              sizeof *average->band);
    average->cover = room_take(room, w, sizeof *average->cover);
    average->blocks = room_take(room, size_times((size_t)fit->threads, average->block_floats),
                                sizeof *average->blocks);
    average->low = room_take(room, fit->is_stretched ? fit->output.w : 0, sizeof *average->low);
    average->weight =
        room_take(room, fit->is_stretched ? fit->output.w : 0, sizeof *average->weight);
}

static struct resize_axis axis_of(const struct fit *fit, enum axis axis)
{
    const bool is_h = axis == AXIS_H;
    return (struct resize_axis){.mode = fit->model->spec.output.resize,
                                .in = is_h ? fit->image_h : fit->image_w,
                                .out = is_h ? fit->output.h : fit->output.w};
}

void average_begin(const struct fit *fit, const struct run *run)
{
    const struct average *average = &fit->average;
    const struct resize_axis axis = axis_of(fit, AXIS_W);
    size_t done = 0;
    for (size_t i = 0; i < fit->image_w && run_goes_on(run, &done, 1); i++)
        average->cover[i] = (float)tile_cover(&fit->columns, i);
    for (size_t i = 0; fit->is_stretched && i < axis.out && run_goes_on(run, &done, 1); i++) {
        const struct resize_tap tap = resize_axis_tap(&axis, i);
        average->low[i] = (uint32_t)tap.low;
        average->weight[i] = (float)tap.weight;
    }
}

/* Row i of the image in the first channel of the band; channels are rows * W apart. */
static float *band_row(const struct fit *fit, size_t i)
{
    return fit->average.band + i % fit->average.rows * fit->image_w;
}

void average_add(const struct fit *fit, size_t i, size_t k, const struct run *run)
{
    const struct average *average = &fit->average;
    const struct ppm_shape tile = fit->sizes.inputs[0];
    const size_t y0 = tile_start(&fit->rows, i), x0 = tile_start(&fit->columns, k);
    const size_t rows = fit->rows.covered, w = fit->image_w;
    /* rows from here on are in no tile before this row of tiles */
    const size_t seen = i == 0 ? 0 : tile_start(&fit->rows, i - 1) + rows;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t task = 0; task < average->channels * rows; task++) {
        const size_t c = task / rows, row = task % rows;
        const float *from = fit->tile_y + (c * tile.h + row) * tile.w;
        float *sums = band_row(fit, y0 + row) + c * average->rows * w;
        if (!run_goes_on(run, &done, fit->columns.covered))
            continue;
        if (k == 0 && y0 + row >= seen)
            memset(sums, 0, w * sizeof *sums);
        for (size_t j = 0; j < fit->columns.covered; j++)
            sums[x0 + j] += from[j];
    }
}

/* Rows [from, to) of the band: sums to averages. */
static void divide_rows(const struct fit *fit, size_t from, size_t to, const struct run *run)
{
    const struct average *average = &fit->average;
    const size_t w = fit->image_w, rows = to - from;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t task = 0; task < average->channels * rows; task++) {
        const size_t c = task / rows, row = from + task % rows;
        const float down = (float)tile_cover(&fit->rows, row);
        float *sums = band_row(fit, row) + c * average->rows * w;
        if (!run_goes_on(run, &done, w))
            continue;
        for (size_t j = 0; j < w; j++)
            sums[j] /= down * average->cover[j];
    }
}

/* ---- the answer ---- */

/* The averages of some pixels of a row: channel c at data + c * stride. */
struct averages {
    const float *data;
    size_t stride, count;
};

static void write_labels(const struct fit *fit, const struct averages *x,
                         const struct ppm_tensor *y, size_t at)
{
    const struct output_spec *output = &fit->model->spec.output;
    int32_t *labels = (int32_t *)y->data;
    const size_t pixels = y->shape.h * y->shape.w, channels = y->shape.c;
    const bool is_planar = y->layout == PPM_NCHW;
    if (output->as == AS_ARGMAX) {
        fit->model->simd->argmax(x->data, fit->average.channels, x->stride, x->count, labels + at);
        return;
    }
    for (size_t c = 0; c < channels; c++)
        for (size_t j = 0; j < x->count; j++)
            labels[is_planar ? c * pixels + at + j : (at + j) * channels + c] =
                (double)x->data[c * x->stride + j] > output->threshold;
}

/* y at `at` pixels from its first one. */
static void write_pixels(const struct fit *fit, const struct averages *x,
                         const struct ppm_tensor *y, size_t at)
{
    const size_t pixels = y->shape.h * y->shape.w, channels = y->shape.c;
    float *values = (float *)y->data;
    if (y->dtype == PPM_INT32)
        write_labels(fit, x, y, at);
    else if (y->layout == PPM_NHWC)
        fit->model->simd->transpose(x->data, x->stride, channels, x->count, values + at * channels,
                                    channels);
    else
        for (size_t c = 0; c < channels; c++)
            memcpy(values + c * pixels + at, x->data + c * x->stride, x->count * sizeof *values);
}

/* Row i of the answer, a block of pixels at a time, from two rows of the band. */
static void stretch_row(const struct fit *fit, size_t i, const struct run *run,
                        const struct ppm_tensor *y)
{
    const struct average *average = &fit->average;
    const struct simd_ops *simd = fit->model->simd;
    const size_t w = fit->image_w, apart = average->rows * w;
    const struct resize_axis axis = axis_of(fit, AXIS_H);
    const struct resize_tap down = resize_axis_tap(&axis, i);
    float *block = average->blocks + (size_t)omp_get_thread_num() * average->block_floats;
    float *between = block + average->channels * PIXELS_TOGETHER;
    size_t done = 0;
    for (size_t c = 0; c < average->channels && run_goes_on(run, &done, w); c++)
        simd->lerp_rows(band_row(fit, down.low) + c * apart, band_row(fit, down.high) + c * apart,
                        (float)down.weight, between + c * w, w);
    for (size_t at = 0; at < y->shape.w; at += PIXELS_TOGETHER) {
        const struct simd_taps taps = {.low = average->low + at,
                                       .weight = average->weight + at,
                                       .count = size_min(y->shape.w - at, PIXELS_TOGETHER),
                                       .width = w};
        const struct averages x = {block, PIXELS_TOGETHER, taps.count};
        if (!run_goes_on(run, &done, average->channels * PIXELS_TOGETHER))
            return;
        simd->stretch_rows(between, w, average->channels, &taps, block, PIXELS_TOGETHER);
        write_pixels(fit, &x, y, i * y->shape.w + at);
    }
}

static void write_rows(const struct fit *fit, size_t from, size_t to, const struct run *run,
                       const struct ppm_tensor *y)
{
    const size_t w = fit->image_w;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = from; i < to; i++) {
        const struct averages x = {band_row(fit, i), fit->average.rows * w, w};
        if (!run_goes_on(run, &done, fit->average.channels * w))
            continue;
        if (fit->is_stretched)
            stretch_row(fit, i, run, y);
        else
            write_pixels(fit, &x, y, i * w);
    }
}

void average_finish_row(const struct fit *fit, size_t i, const struct run *run,
                        const struct ppm_tensor *y, size_t *next)
{
    const bool is_last = i + 1 == fit->rows.count;
    const size_t from = tile_start(&fit->rows, i);
    const size_t to = is_last ? fit->image_h : tile_start(&fit->rows, i + 1);
    const struct resize_axis axis = axis_of(fit, AXIS_H);
    size_t end = fit->is_stretched ? *next : to;
    divide_rows(fit, from, to, run);
    while (fit->is_stretched && end < fit->output.h && resize_axis_tap(&axis, end).high < to)
        end++;
    write_rows(fit, *next, end, run, y);
    *next = end;
}
