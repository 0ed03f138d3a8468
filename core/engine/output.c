/*
 * output.c - the output stage, a few pixels of a row at a time: resized, and made what y is,
 * while all their channels are in the first-level cache. Resized logits are never stored.
 */
#include "core/engine/output.h"
#include "core/base/team.h"
#include "core/shape/resize_axis.h"

#include <math.h>
#include <string.h>

/* Pixels whose channels a thread processes at a time: four vectors of AVX-512, which the kernels
 * interleave. */
enum { PIXELS_TOGETHER = 64 };

/* The values of some pixels: channel c at data + c * stride. */
struct pixels {
    float *data;
    size_t stride;
    size_t first, count; /* in their row */
};

/* between[channels][w] = all channels of a map, blended for an output row. */
static void blend_rows(const struct output_run *of, size_t *done, size_t n, size_t row,
                       float *between)
{
    const struct plan *plan = of->plan;
    const float *map = map_at(of->values, n, 0);
    const size_t w = plan->g.w, channels = of->values->channels;
    const struct resize_axis axis = resize_axis_of_output(plan->spec, &plan->g, AXIS_H);
    const struct resize_tap down = resize_axis_tap(&axis, row);
    for (size_t c = 0; c < channels && run_goes_on(of->run, done, w);
         c++, map += map_channel_stride(of->values), between += w)
        plan->simd->lerp_rows(map + down.low * w, map + down.high * w, (float)down.weight, between,
                              w);
}

static void resize_pixels(const struct plan *plan, const float *between, size_t channels,
                          const struct pixels *ret)
{
    const struct simd_taps taps = {.low = plan->output_low + ret->first,
                                   .weight = plan->output_weight + ret->first,
                                   .count = ret->count,
                                   .width = plan->g.w};
    plan->simd->stretch_rows(between, plan->g.w, channels, &taps, ret->data, ret->stride);
}

static void copy_pixels(const struct map *values, size_t n, size_t row, const struct pixels *ret)
{
    const float *map = map_at(values, n, 0) + row * values->w + ret->first;
    for (size_t c = 0; c < values->channels; c++)
        memcpy(ret->data + c * ret->stride, map + c * map_channel_stride(values),
               ret->count * sizeof *map);
}

/* ---- what y is: pixels [at, at + count) of map n ---- */

static void finish_values(const struct output_run *of, const struct pixels *pixels, size_t at,
                          size_t n)
{
    const struct ppm_tensor *y = of->y;
    const size_t all = y->shape.h * y->shape.w, channels = y->shape.c;
    float *ret = (float *)y->data + n * channels * all;
    if (y->layout == PPM_NHWC) {
        of->plan->simd->transpose(pixels->data, pixels->stride, channels, pixels->count,
                                  ret + at * channels, channels);
        return;
    }
    for (size_t c = 0; c < channels; c++)
        memcpy(ret + c * all + at, pixels->data + c * pixels->stride, pixels->count * sizeof *ret);
}

static void finish_softmax(const struct output_run *of, const struct pixels *pixels, size_t at,
                           size_t n)
{
    of->plan->simd->softmax(pixels->data, of->y->shape.c, pixels->stride, pixels->count);
    finish_values(of, pixels, at, n);
}

static void finish_argmax(const struct output_run *of, const struct pixels *pixels, size_t at,
                          size_t n)
{
    const struct ppm_tensor *y = of->y;
    of->plan->simd->argmax(pixels->data, of->values->channels, pixels->stride, pixels->count,
                           (int32_t *)y->data + n * y->shape.h * y->shape.w + at);
}

/* values = int32 labels in their place: whether x is above logit, as float32 has it. */
static void decide(float *values, size_t count, float logit)
{
    for (size_t i = 0; i < count; i++) {
        const int32_t label = values[i] > logit;
        memcpy(&values[i], &label, sizeof label);
    }
}

/* The largest float32 that is not above value: no float32 is between them. */
static float floor_of(double value)
{
    const float nearest = (float)value;
    return (double)nearest > value ? nextafterf(nearest, -INFINITY) : nearest;
}

static void finish_sigmoid(const struct output_run *of, const struct pixels *pixels, size_t at,
                           size_t n)
{
    const float logit = floor_of(of->plan->spec->output.logit);
    float *values = pixels->data;
    for (size_t c = 0; c < of->y->shape.c; c++, values += pixels->stride)
        if (of->plan->g.has_threshold)
            decide(values, pixels->count, logit);
        else
            of->plan->simd->activate[SIMD_SIGMOID](values, values, pixels->count, 0);
    finish_values(of, pixels, at, n);
}

#define ROW(constant, name) [AS_##constant] = finish_##name,
static void (*const finish[OUTPUT_AS_COUNT])(const struct output_run *of,
                                             const struct pixels *pixels, size_t at,
                                             size_t n) = {OUTPUTS(ROW)};
#undef ROW

/* ---- pixels ---- */

size_t output_block_floats(const struct plan *plan, size_t channels)
{
    enum { LINE_FLOATS = 16 };
    return size_round_up(channels * (PIXELS_TOGETHER + (plan->g.needs_resize ? plan->g.w : 0)),
                         LINE_FLOATS);
}

/* Pixels of a row, from the map, or from between if it is resized. */
static void output_pixels(const struct output_run *of, const float *between, size_t n, size_t row,
                          struct pixels *pixels)
{
    const struct plan *plan = of->plan;
    const size_t at = row * of->y->shape.w + pixels->first;
    if (plan->g.needs_resize)
        resize_pixels(plan, between, of->values->channels, pixels);
    else
        copy_pixels(of->values, n, row, pixels);
    finish[plan->g.as](of, pixels, at, n);
}

void stage_output(const struct output_run *of)
{
    const struct plan *plan = of->plan;
    const struct ppm_shape out = plan->g.output;
    const size_t channels = of->values->channels;
    float *values = of->blocks + (size_t)omp_get_thread_num() * output_block_floats(plan, channels);
    float *between = values + channels * PIXELS_TOGETHER;
    size_t done = 0;
    struct team_loop loop = team_begin(of->shares, of->n * out.h);
    for (size_t task; team_next(&loop, &task);) {
        const size_t n = task / out.h, row = task % out.h;
        if (plan->g.needs_resize)
            blend_rows(of, &done, n, row, between);
        for (size_t first = 0;
             first < out.w && run_goes_on(of->run, &done, channels * PIXELS_TOGETHER);
             first += PIXELS_TOGETHER) {
            const size_t left = out.w - first;
            struct pixels pixels = {.data = values,
                                    .stride = PIXELS_TOGETHER,
                                    .first = first,
                                    .count = size_min(left, PIXELS_TOGETHER)};
            output_pixels(of, between, n, row, &pixels);
        }
    }
    team_end(&loop);
}
