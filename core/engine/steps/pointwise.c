/* pointwise.c - layers that change each value by itself, or by its channel. */
#include "core/engine/steps/step_rows.h"

#include <math.h>

/* ret = f(x) for the rows of a unit, some pixels at a time, then the activation. */
static void each_value(const struct step_run *step, const struct unit *unit, size_t *done,
                       void (*f)(const struct layer *layer, size_t channel, const float *x,
                                 size_t count, float *ret))
{
    enum { TOGETHER = 2048 };
    const size_t first = unit->first * step->ret.w, end = first + unit->count * step->ret.w;
    const float *x = map_at(step_read(step, 0), unit->n, unit->channel);
    float *ret = map_at(&step->ret, unit->n, unit->channel);
    for (size_t at = first; at < end; at += TOGETHER) {
        const size_t count = size_min(end - at, TOGETHER);
        if (!run_goes_on(step->run, done, count))
            return;
        f(step->layer, unit->channel, x + at, count, ret + at);
        step_activate(step, ret + at, count);
    }
}

static void scale_and_shift(const struct layer *layer, size_t channel, const float *x, size_t count,
                            float *ret)
{
    layer->simd->affine(x, layer->scale32[channel], layer->shift32[channel], -INFINITY, INFINITY,
                        ret, count);
}

static void activate(const struct layer *layer, size_t channel, const float *x, size_t count,
                     float *ret)
{
    (void)channel;
    layer->simd->activate[layer->activation](x, ret, count, layer->slope);
}

static void activate_channel(const struct layer *layer, size_t channel, const float *x,
                             size_t count, float *ret)
{
    layer->simd->activate[SIMD_LEAKY_RELU](x, ret, count, layer->slopes[channel]);
}

static void affine_run(const struct step_run *step, const struct unit *unit, size_t *done,
                       float *scratch)
{
    (void)scratch;
    each_value(step, unit, done, scale_and_shift);
}

static void activation_run(const struct step_run *step, const struct unit *unit, size_t *done,
                           float *scratch)
{
    (void)scratch;
    each_value(step, unit, done, activate);
}

static void prelu_run(const struct step_run *step, const struct unit *unit, size_t *done,
                      float *scratch)
{
    (void)scratch;
    each_value(step, unit, done, activate_channel);
}

const struct step_row affine_step = {BY_ROWS, affine_run};
const struct step_row batch_norm_step = {BY_ROWS, affine_run};
const struct step_row activation_step = {BY_ROWS, activation_run};
const struct step_row prelu_step = {BY_ROWS, prelu_run};
