/* avg_pool.c - the mean under each window. */
#include "core/engine/steps/step_rows.h"
#include "core/engine/steps/window_row.h"

#include <string.h>

/* What the sum of window i of an axis is divided by: the pixels under it, and its padding if that
 * counts, but not what a last window reads behind it. */
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

static void add_values(const float *x, size_t stride, size_t count, float *ret)
{
    for (size_t j = 0; j < count; j++)
        ret[j] += x[j * stride];
}

/* ret[w] = the sums along a row of the sums of its rows */
static bool sum_row(const struct step_run *step, const struct window_row *row, size_t *done,
                    float *column, float *ret)
{
    const struct window *window = &step->layer->window;
    const size_t w = step->ret.w;
    if (!run_goes_on(step->run, done, row->count * row->w))
        return false;
    step->simd->sum_rows(row->x, row->stride, row->count, row->w, column);
    memset(ret, 0, w * sizeof *ret);
    for (size_t tap = 0; tap < window->size[AXIS_W]; tap++) {
        const struct window_tap at = window_tap_of(window, row, tap, w);
        if (!run_goes_on(step->run, done, w))
            return false;
        add_values(column + at.x, window->stride[AXIS_W], at.count, ret + at.first);
    }
    return true;
}

static void avg_pool_run(const struct step_run *step, const struct unit *unit, size_t *done,
                         float *column)
{
    const struct layer *pool = step->layer;
    const struct map *x = step_read(step, 0);
    const struct window_axis down = window_axis_of(&pool->window, AXIS_H, x->h);
    const size_t w = step->ret.w;
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * w;
    for (size_t i = 0; i < unit->count; i++, ret += w) {
        const struct window_row row = window_row_of(step, unit, i);
        const float rows = counted_of(pool, AXIS_H, x->h, &down, unit->first + i);
        if (!sum_row(step, &row, done, column, ret))
            return;
        for (size_t j = 0; j < w; j++)
            ret[j] /= rows * counted_of(pool, AXIS_W, x->w, &row.right, j);
    }
}

const struct step_row avg_pool_step = {BY_ROWS, avg_pool_run};
