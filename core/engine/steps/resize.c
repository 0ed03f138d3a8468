/* resize.c - a map stretched or shrunk, row by row. */
#include "core/engine/steps/step_rows.h"
#include "core/shape/resize_axis.h"

/* between: room for a row of x */
static void resize_run(const struct step_run *step, const struct unit *unit, size_t *done,
                       float *between)
{
    const struct map *x = step_read(step, 0);
    const struct simd_taps taps = {
        .low = step->plan->low, .weight = step->plan->weight, .count = step->ret.w, .width = x->w};
    const float *plane = map_at(x, unit->n, unit->channel);
    float *ret = map_at(&step->ret, unit->n, unit->channel) + unit->first * step->ret.w;
    for (size_t i = 0; i < unit->count; i++, ret += step->ret.w) {
        const struct resize_tap down = resize_axis_tap(&step->plan->down, unit->first + i);
        const float *above = plane + down.low * x->w;
        if (!run_goes_on(step->run, done, x->w + step->ret.w))
            return;
        if (step->plan->down.mode != RESIZE_NEAREST) {
            step->simd->lerp_rows(above, plane + down.high * x->w, (float)down.weight, between,
                                  x->w);
            above = between;
        }
        step->simd->stretch_rows(above, x->w, 1, &taps, ret, step->ret.w);
    }
}

const struct step_row resize_step = {BY_ROWS, resize_run};
