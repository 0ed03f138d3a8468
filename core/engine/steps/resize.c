/* resize.c - a map stretched or shrunk, row by row. */
#include "core/engine/steps/step_rows.h"
#include "core/shape/resize_axis.h"

#include <string.h>

/* Rows that are stretched together: they share what is found out about each vector of columns. */
static size_t rows_together(const struct step_run *step)
{
    const size_t values = step_read(step, 0)->w + step->ret.w;
    return size_max(1, size_min(STEP_SCRATCH_ROWS, RUN_VALUES / values));
}

/* between [count][width of x] = what rows [first, first + count) of the result are made from */
static void blend_rows(const struct step_run *step, const float *plane, size_t first, size_t count,
                       float *between)
{
    const struct resize_axis *down = &step->plan->down;
    const size_t w = step_read(step, 0)->w;
    for (size_t i = 0; i < count; i++, between += w) {
        const struct resize_tap tap = resize_axis_tap(down, first + i);
        if (down->mode == RESIZE_NEAREST)
            memcpy(between, plane + tap.low * w, w * sizeof *between);
        else
            step->simd->lerp_rows(plane + tap.low * w, plane + tap.high * w, (float)tap.weight,
                                  between, w);
    }
}

static void resize_run(const struct step_run *step, const struct unit *unit, size_t *done,
                       float *between)
{
    const struct map *x = step_read(step, 0);
    const size_t together = rows_together(step), w = step->ret.w;
    const struct simd_taps taps = {
        .low = step->plan->low, .weight = step->plan->weight, .count = w, .width = x->w};
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * w;
    for (size_t i = 0; i < unit->count; i += together, ret += together * w) {
        const size_t count = size_min(unit->count - i, together);
        if (!run_goes_on(step->run, done, count * (x->w + w)))
            return;
        blend_rows(step, map_at(x, unit->n, unit->channel), unit->first + i, count, between);
        step->simd->stretch_rows(between, x->w, count, &taps, ret, w);
    }
}

const struct step_row resize_step = {BY_ROWS, resize_run};
