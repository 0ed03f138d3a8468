/* group_norm.c - channels of a group, and all their pixels, have one mean and one variance. */
#include "core/engine/steps/step_rows.h"

#include <math.h>

/* A number as the sum of two float32: x - m is (x - high) - low, which rounds little where x is
 * near m, however far both are from 0. */
struct number {
    float high, low;
};

static struct number number_of(double value)
{
    const float high = (float)value;
    return (struct number){high, (float)(value - (double)high)};
}

static float minus(float x, struct number m)
{
    return (x - m.high) - m.low;
}

/* The sum of x - from, or of its squares, over some values. */
static double sum_of(const float *x, size_t count, struct number from, bool is_square)
{
    enum { TOGETHER = 64 }; /* in float32, before they are in double */
    double sum = 0;
    for (size_t at = 0; at < count; at += TOGETHER) {
        const size_t some = size_min(count - at, TOGETHER);
        float part = 0;
        for (size_t i = 0; i < some; i++) {
            const float value = minus(x[at + i], from);
            part += is_square ? value * value : value;
        }
        sum += (double)part;
    }
    return sum;
}

static double mean_of(const struct step_run *step, size_t *done, const float *x, size_t count,
                      struct number from, bool is_square)
{
    double sum = 0;
    for (size_t at = 0; at < count; at += RUN_VALUES) {
        const size_t some = size_min(count - at, RUN_VALUES);
        if (!run_goes_on(step->run, done, some))
            break;
        sum += sum_of(x + at, some, from, is_square);
    }
    return sum / (double)count;
}

static void norm_plane(const struct step_run *step, size_t *done, const float *x, size_t pixels,
                       struct number mean, double factor, size_t channel, float *ret)
{
    const float scale = (float)(factor * step->layer->scale[channel]);
    const float shift = step->layer->shift32[channel];
    for (size_t at = 0; at < pixels; at += RUN_VALUES) {
        const size_t some = size_min(pixels - at, RUN_VALUES);
        if (!run_goes_on(step->run, done, some))
            return;
        for (size_t i = 0; i < some; i++)
            ret[at + i] = minus(x[at + i], mean) * scale + shift;
    }
}

/* unit->channel is the group's index. */
static void group_norm_run(const struct step_run *step, const struct unit *unit, size_t *done,
                           float *scratch)
{
    const struct layer *layer = step->layer;
    const size_t channels = layer->out_channels / layer->groups, pixels = step->ret.h * step->ret.w;
    const size_t first = unit->channel * channels, values = channels * pixels;
    const float *x = map_at(step_read(step, 0), unit->n, first);
    float *ret = map_at(&step->ret, unit->n, first);
    (void)scratch;
    const struct number pivot = {*x, 0};
    const struct number mean = number_of((double)*x + mean_of(step, done, x, values, pivot, false));
    const double variance = mean_of(step, done, x, values, mean, true);
    const double factor = 1 / sqrt(variance + layer->eps);
    for (size_t c = 0; c < channels; c++)
        norm_plane(step, done, x + c * pixels, pixels, mean, factor, first + c, ret + c * pixels);
}

const struct step_row group_norm_step = {BY_GROUPS, group_norm_run};
