/* group_norm.c - channels of a group, and all their pixels, have one mean and one variance. */
#include "core/engine/steps/step_rows.h"

#include <math.h>

struct norm {
    double mean, factor; /* 1 / sqrt(variance + eps) */
};

/* Around one of the values, as the kernel wants it. */
static struct norm norm_of(const struct step_run *step, size_t *done, const float *x, size_t count)
{
    struct simd_moments sums = {0, 0};
    for (size_t at = 0; at < count; at += RUN_VALUES) {
        const size_t some = size_min(count - at, RUN_VALUES);
        if (!run_goes_on(step->run, done, some))
            break;
        step->simd->moments(x + at, some, *x, &sums);
    }
    const double off = sums.sum / (double)count;
    const double variance = sums.squares / (double)count - off * off;
    return (struct norm){.mean = (double)*x + off, .factor = 1 / sqrt(variance + step->layer->eps)};
}

/* The mean is taken away in two parts, of float32 each: near it that rounds little, however far
 * from 0 it is. */
static void norm_plane(const struct step_run *step, size_t *done, const float *x, size_t pixels,
                       struct norm norm, size_t channel, float *ret)
{
    enum { TOGETHER = 2048 }; /* in the first-level cache */
    const float high = (float)norm.mean;
    const double low = norm.mean - (double)high;
    const double scale = norm.factor * step->layer->scale[channel];
    const float shift = (float)(step->layer->shift[channel] - low * scale);
    for (size_t at = 0; at < pixels; at += TOGETHER) {
        const size_t some = size_min(pixels - at, TOGETHER);
        if (!run_goes_on(step->run, done, some))
            return;
        step->simd->affine(x + at, 1, -high, -INFINITY, INFINITY, ret + at, some);
        step->simd->affine(ret + at, (float)scale, shift, -INFINITY, INFINITY, ret + at, some);
    }
}

/* unit->channel is the group's index. */
static void group_norm_run(const struct step_run *step, const struct unit *unit, size_t *done,
                           float *scratch)
{
    const size_t channels = step->layer->out_channels / step->layer->groups;
    const size_t first = unit->channel * channels, pixels = step->ret.h * step->ret.w;
    const float *x = map_at(step_read(step, 0), unit->n, first);
    float *ret = map_at(&step->ret, unit->n, first);
    const struct norm norm = norm_of(step, done, x, channels * pixels);
    (void)scratch;
    for (size_t c = 0; c < channels; c++)
        norm_plane(step, done, x + c * pixels, pixels, norm, first + c, ret + c * pixels);
}

const struct step_row group_norm_step = {BY_GROUPS, group_norm_run};
