/* channels.c - layers over the channels of each pixel, some pixels at a time. */
#include "core/engine/steps/step_rows.h"

#include <math.h>
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

/* Sums are of x - channel 0, and x - mean is (x - high) - low: values may be far from 0. */
static void find_means(const struct step_run *step, const float *x, size_t count, float *high,
                       float *low)
{
    const size_t channels = step->layer->in_channels, pixels = step->ret.h * step->ret.w;
    double sums[PIXELS_TOGETHER] = {0};
    for (size_t c = 1; c < channels; c++)
        for (size_t j = 0; j < count; j++)
            sums[j] += (double)(x[c * pixels + j] - x[j]);
    for (size_t j = 0; j < count; j++) {
        const double mean = (double)x[j] + sums[j] / (double)channels;
        high[j] = (float)mean;
        low[j] = (float)(mean - (double)high[j]);
    }
}

/* factors[j] = 1 / sqrt(variance + eps) of a pixel's channels */
static void find_factors(const struct step_run *step, const float *x, size_t count,
                         const float *high, const float *low, float *factors)
{
    const size_t channels = step->layer->in_channels, pixels = step->ret.h * step->ret.w;
    double squares[PIXELS_TOGETHER] = {0};
    for (size_t c = 0; c < channels; c++)
        for (size_t j = 0; j < count; j++) {
            const float from_mean = (x[c * pixels + j] - high[j]) - low[j];
            squares[j] += (double)(from_mean * from_mean);
        }
    for (size_t j = 0; j < count; j++)
        factors[j] = (float)(1 / sqrt(squares[j] / (double)channels + step->layer->eps));
}

static void norm_pixels(const struct step_run *step, const float *x, size_t count, float *ret)
{
    const struct layer *layer = step->layer;
    const size_t pixels = step->ret.h * step->ret.w;
    float high[PIXELS_TOGETHER], low[PIXELS_TOGETHER], factors[PIXELS_TOGETHER];
    find_means(step, x, count, high, low);
    find_factors(step, x, count, high, low, factors);
    for (size_t c = 0; c < layer->in_channels; c++, x += pixels, ret += pixels) {
        const float scale = layer->scale32[c], shift = layer->shift32[c];
        for (size_t j = 0; j < count; j++)
            ret[j] = ((x[j] - high[j]) - low[j]) * factors[j] * scale + shift;
    }
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
