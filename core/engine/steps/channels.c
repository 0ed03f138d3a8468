/* channels.c - layers over the channels of each pixel, some pixels at a time. */
#include "core/engine/steps/step_rows.h"

#include <string.h>

enum { PIXELS_TOGETHER = 64 };

/* f for the pixels of a unit: x is channel 0 at the first of them, ret likewise. */
static void each_pixel(const struct step_run *step, const struct unit *unit, size_t *done,
                       void (*f)(const struct step_run *step, const float *x, size_t count,
                                 float *ret))
{
    const struct map *x = step_read(step, 0);
    const size_t first = unit->first * x->w, end = first + unit->count * x->w;
    for (size_t at = first; at < end; at += PIXELS_TOGETHER) {
        const size_t count = size_min(end - at, PIXELS_TOGETHER);
        if (!run_goes_on(step->run, done, x->channels * count))
            return;
        f(step, map_at(x, unit->n, 0) + at, count, map_at(&step->ret, unit->n, 0) + at);
    }
}

/* ---- softmax ---- */

static void softmax_pixels(const struct step_run *step, const float *x, size_t count, float *ret)
{
    const size_t channels = step->layer->out_channels, pixels = step->ret.h * step->ret.w;
    for (size_t c = 0; ret != x && c < channels; c++)
        memcpy(ret + c * pixels, x + c * pixels, count * sizeof *ret);
    step->simd->softmax(ret, channels, pixels, count);
}

static void softmax_run(const struct step_run *step, const struct unit *unit, size_t *done,
                        float *scratch)
{
    (void)scratch;
    each_pixel(step, unit, done, softmax_pixels);
}

/* ---- sums ---- */

/* sums[count] over channels; those of a few together are float32. */
static void sum_channels(const struct step_run *step, const float *x, size_t count, double *sums)
{
    enum { TOGETHER = 16 };
    const size_t channels = step->layer->in_channels, pixels = step->ret.h * step->ret.w;
    float some[PIXELS_TOGETHER];
    for (size_t j = 0; j < count; j++)
        sums[j] = 0;
    for (size_t c = 0; c < channels; c += TOGETHER) {
        step->simd->sum_rows(x + c * pixels, pixels, size_min(channels - c, TOGETHER), count, some);
        for (size_t j = 0; j < count; j++)
            sums[j] += (double)some[j];
    }
}

static void sum_pixels(const struct step_run *step, const float *x, size_t count, float *ret)
{
    double sums[PIXELS_TOGETHER];
    sum_channels(step, x, count, sums);
    for (size_t j = 0; j < count; j++)
        ret[j] = (float)sums[j];
}

static void mean_pixels(const struct step_run *step, const float *x, size_t count, float *ret)
{
    double sums[PIXELS_TOGETHER];
    sum_channels(step, x, count, sums);
    for (size_t j = 0; j < count; j++)
        ret[j] = (float)(sums[j] / (double)step->layer->in_channels);
}

static void channel_sum_run(const struct step_run *step, const struct unit *unit, size_t *done,
                            float *scratch)
{
    (void)scratch;
    each_pixel(step, unit, done, sum_pixels);
}

static void channel_mean_run(const struct step_run *step, const struct unit *unit, size_t *done,
                             float *scratch)
{
    (void)scratch;
    each_pixel(step, unit, done, mean_pixels);
}

/* ---- layer_norm ---- */

static void norm_pixels(const struct step_run *step, const float *x, size_t count, float *ret)
{
    const struct layer *layer = step->layer;
    const size_t pixels = step->ret.h * step->ret.w;
    const struct simd_layer_norm norm = {.channels = layer->in_channels,
                                         .eps = layer->eps,
                                         .scale = layer->scale32,
                                         .shift = layer->shift32};
    step->simd->layer_norm(&norm, x, pixels, count, ret, pixels);
}

static void layer_norm_run(const struct step_run *step, const struct unit *unit, size_t *done,
                           float *scratch)
{
    (void)scratch;
    each_pixel(step, unit, done, norm_pixels);
}

const struct step_row softmax_step = {BY_PIXELS, softmax_run};
const struct step_row channel_sum_step = {BY_PIXELS, channel_sum_run};
const struct step_row channel_mean_step = {BY_PIXELS, channel_mean_run};
const struct step_row layer_norm_step = {BY_PIXELS, layer_norm_run};
