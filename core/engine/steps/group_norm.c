/* group_norm.c - channels of a group, and all their pixels, have one mean and one variance. */
#include "core/engine/steps/step_rows.h"

#include <math.h>

/* Values that are added up in float32, before they are in double. */
enum { TOGETHER = 64 };

/* The sum of (x - mean)^power, power 1 or 2, over some values. */
static double sum_of(const float *x, size_t count, float mean, bool is_square)
{
    double sum = 0;
    for (size_t at = 0; at < count; at += TOGETHER) {
        const size_t some = size_min(count - at, TOGETHER);
        float part = 0;
        for (size_t i = 0; i < some; i++) {
            const float value = x[at + i] - mean;
            part += is_square ? value * value : value;
        }
        sum += (double)part;
    }
    return sum;
}

static double mean_of(const struct step_run *step, size_t *done, const float *x, size_t count,
                      float from, bool is_square)
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
                       float mean, double factor, size_t channel, float *ret)
{
    const float scale = (float)(factor * step->layer->scale[channel]);
    const float shift = step->layer->shift32[channel];
    for (size_t at = 0; at < pixels; at += RUN_VALUES) {
        const size_t some = size_min(pixels - at, RUN_VALUES);
        if (!run_goes_on(step->run, done, some))
            return;
        for (size_t i = 0; i < some; i++)
            ret[at + i] = (x[at + i] - mean) * scale + shift;
    }
}

/* unit->channel is the group's index. */
static void group_norm_run(const struct step_run *step, const struct unit *unit, size_t *done,
                           float *scratch)
{
    const struct layer *layer = step->layer;
    const size_t channels = layer->out_channels / layer->groups, pixels = step->ret.h * step->ret.w;
    const size_t first = unit->channel * channels;
    const float *x = map_at(step_read(step, 0), unit->n, first);
    float *ret = map_at(&step->ret, unit->n, first);
    (void)scratch;
    const float mean = (float)mean_of(step, done, x, channels * pixels, 0, false);
    const double variance = mean_of(step, done, x, channels * pixels, mean, true);
    const double factor = 1 / sqrt(variance + layer->eps);
    for (size_t c = 0; c < channels; c++)
        norm_plane(step, done, x + c * pixels, pixels, mean, factor, first + c, ret + c * pixels);
}

const struct step_row group_norm_step = {BY_GROUPS, group_norm_run};
