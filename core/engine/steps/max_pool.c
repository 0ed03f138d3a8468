/* max_pool.c - the largest value under each window. */
#include "core/engine/steps/step_rows.h"
#include "core/engine/steps/window_row.h"

#include <math.h>

/* padded: room for a row with its padding, which is below all values */
static void max_pool_run(const struct step_run *step, const struct unit *unit, size_t *done,
                         float *padded)
{
    const size_t w = step->ret.w;
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * w;
    for (size_t i = 0; i < unit->count; i++, ret += w) {
        const struct window_row row = window_row_of(step, unit, i);
        if (!window_row_fold(step, &row, step->simd->max_rows, -INFINITY, done, padded) ||
            !window_row_slide(step, step->simd->max_windows, padded, done, ret))
            return;
    }
}

const struct step_row max_pool_step = {BY_ROWS, max_pool_run};
