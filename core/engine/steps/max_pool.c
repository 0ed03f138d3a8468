/* max_pool.c - the largest value under each window. */
#include "core/engine/steps/step_rows.h"
#include "core/engine/steps/window_row.h"

#include <math.h>

static void fill(float *ret, size_t count, float value)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = value;
}

/* padded: room for a row with its padding, which is below all values */
static void max_pool_run(const struct step_run *step, const struct unit *unit, size_t *done,
                         float *padded)
{
    const struct window *window = &step->layer->window;
    const size_t w = step->ret.w, size = window->size[AXIS_W], stride = window->stride[AXIS_W];
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * w;
    for (size_t i = 0; i < unit->count; i++, ret += w) {
        const struct window_row row = window_row_of(step, unit, i);
        const size_t end = row.right.before + row.w, seen = (w - 1) * stride + size;
        if (!run_goes_on(step->run, done, row.count * row.w + w))
            return;
        fill(padded, row.right.before, -INFINITY);
        step->simd->max_rows(row.x, row.stride, row.count, row.w, padded + row.right.before);
        fill(padded + end, seen > end ? seen - end : 0, -INFINITY);
        step->simd->max_windows(padded, size, stride, w, ret);
    }
}

const struct step_row max_pool_step = {BY_ROWS, max_pool_run};
