/* avg_pool.c - the mean under each window. */
#include "core/engine/steps/step_rows.h"
#include "core/engine/steps/window_row.h"

#include <math.h>

/* What the sum of window i of an axis is divided by: the pixels under it, and its padding if that
 * counts, but not what a last window reads past it. */
static float counted_of(const struct layer *pool, enum axis axis, size_t extent,
                        const struct window_axis *on, size_t i)
{
    const size_t at = i * pool->window.stride[axis];
    size_t from, to;
    window_axis_taps(&pool->window, axis, extent, on, i, &from, &to);
    if (!pool->counts_padding)
        return (float)(to - from);
    return (float)(size_min(at + pool->window.size[axis], on->before + extent + on->after) - at);
}

/* A row of sums of `rows` rows, divided by the pixels that count. At the ends of a row, where
 * windows reach over the edge, these may be fewer. */
static void divide(const struct step_run *step, const struct window_row *row, float rows,
                   float *ret)
{
    const struct layer *pool = step->layer;
    const float whole = (float)pool->window.size[AXIS_W];
    size_t first = 0, end = step->ret.w;
    for (; first < end; first++) {
        const float counted = counted_of(pool, AXIS_W, row->w, &row->right, first);
        if (counted == whole)
            break;
        ret[first] /= rows * counted;
    }
    for (; end > first; end--) {
        const float counted = counted_of(pool, AXIS_W, row->w, &row->right, end - 1);
        if (counted == whole)
            break;
        ret[end - 1] /= rows * counted;
    }
    step->simd->affine(ret + first, 1 / (rows * whole), -0.0F, -INFINITY, INFINITY, ret + first,
                       end - first);
}

/* padded: room for a row with its padding */
static void avg_pool_run(const struct step_run *step, const struct unit *unit, size_t *done,
                         float *padded)
{
    const struct layer *pool = step->layer;
    const struct map *x = step_read(step, 0);
    const struct window_axis down = window_axis_of(&pool->window, AXIS_H, x->h);
    const size_t w = step->ret.w;
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * w;
    for (size_t i = 0; i < unit->count; i++, ret += w) {
        const struct window_row row = window_row_of(step, unit, i);
        if (!window_row_fold(step, &row, step->simd->sum_rows, 0, done, padded) ||
            !window_row_slide(step, step->simd->sum_windows, padded, done, ret))
            return;
        divide(step, &row, counted_of(pool, AXIS_H, x->h, &down, unit->first + i), ret);
    }
}

const struct step_row avg_pool_step = {BY_ROWS, avg_pool_run};
