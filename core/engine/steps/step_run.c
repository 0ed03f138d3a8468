/* step_run.c - see step_run.h: the units of a step. */
#include "core/engine/steps/step_run.h"
#include "core/engine/steps/step_rows.h"
#include "core/shape/window_axis.h"

static const struct step_row *row_of(const struct step_run *step)
{
    static const struct step_row *const rows[LAYER_KIND_COUNT] = {
#define ROW(constant, name) [LAYER_##constant] = &name##_step,
        STEP_LAYERS(ROW)
#undef ROW
    };
    return rows[step->layer->kind];
}

/* Rows that are computed at a time: enough to be worth the call, few enough to stay in cache. */
static size_t rows_together(const struct step_run *step, size_t planes)
{
    enum { VALUES = 1 << 13 };
    const size_t values = size_times(planes, step->ret.w);
    return values < VALUES ? size_min(VALUES / values, step->ret.h) : 1;
}

/* Units of a map, and rows of one. */
static size_t units_of_map(const struct step_run *step, size_t *ret_rows)
{
    const size_t h = step->ret.h, channels = step->ret.channels;
    *ret_rows = h;
    switch (row_of(step)->units) {
    case BY_ROWS:
        *ret_rows = rows_together(step, 1);
        return channels * size_div_up(h, *ret_rows);
    case BY_PIXELS:
        *ret_rows = rows_together(step, step->layer->in_channels);
        return size_div_up(h, *ret_rows);
    case BY_PLANES:
        return channels;
    case BY_GROUPS:
        return step->layer->groups;
    }
    return 0;
}

size_t step_unit_count(const struct step_run *step)
{
    size_t rows;
    return step->n * units_of_map(step, &rows);
}

void step_run_unit(const struct step_run *step, size_t index, size_t *done, float *scratch)
{
    size_t rows;
    const size_t of_map = units_of_map(step, &rows), h = step->ret.h;
    const size_t bands = size_div_up(h, rows), planes = of_map / bands, at = index % of_map;
    const size_t first = at / planes * rows;
    const struct unit unit = {.n = index / of_map,
                              .channel = at % planes,
                              .first = first,
                              .count = size_min(rows, h - first)};
    row_of(step)->run(step, &unit, done, scratch);
}

size_t step_scratch_floats(const struct step_run *step)
{
    const struct window *window = &step->layer->window;
    const size_t w = step_read(step, 0)->w, size = window->size[AXIS_W];
    if (size == 0)
        return size_times(STEP_SCRATCH_ROWS, w);
    const struct window_axis right = window_axis_of(window, AXIS_W, w);
    return size_max(right.before + w, (right.outputs - 1) * window->stride[AXIS_W] + size);
}

size_t step_values(const struct step_run *step)
{
    const struct map *x = step_read(step, 0);
    const size_t read = size_times(size_times(step->n, x->channels), x->h * x->w);
    return size_max(read, step->n * step->ret.channels * step->ret.h * step->ret.w);
}
