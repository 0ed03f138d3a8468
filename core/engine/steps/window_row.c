/* window_row.c - see window_row.h. */
#include "core/engine/steps/window_row.h"

struct window_row window_row_of(const struct step_run *step, const struct unit *unit, size_t i)
{
    const struct window *window = &step->layer->window;
    const struct map *x = step_read(step, 0);
    const struct window_axis down = window_axis_of(window, AXIS_H, x->h);
    const size_t output = unit->first + i, dilation = window->dilation[AXIS_H];
    size_t from, to;
    window_axis_taps(window, AXIS_H, x->h, &down, output, &from, &to);
    const size_t top = output * window->stride[AXIS_H] + from * dilation - down.before;
    return (struct window_row){.x = map_at(x, unit->n, unit->channel) + top * x->w,
                               .count = to - from,
                               .stride = dilation * x->w,
                               .w = x->w,
                               .right = window_axis_of(window, AXIS_W, x->w)};
}

static void fill(float *ret, size_t count, float value)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = value;
}

/* Columns that take RUN_VALUES values in all, if each takes `values`. */
static size_t columns_together(size_t values)
{
    enum { COLUMNS_MIN = 64 };
    return size_max(RUN_VALUES / values, COLUMNS_MIN);
}

bool window_row_fold(const struct step_run *step, const struct window_row *row,
                     void (*kernel)(const float *x, size_t stride, size_t rows, size_t columns,
                                    float *ret),
                     float padding, size_t *done, float *padded)
{
    const struct window *window = &step->layer->window;
    const size_t end = row->right.before + row->w, together = columns_together(row->count);
    const size_t read = (step->ret.w - 1) * window->stride[AXIS_W] + window->size[AXIS_W];
    fill(padded, row->right.before, padding);
    for (size_t first = 0; first < row->w; first += together) {
        const size_t columns = size_min(row->w - first, together);
        if (!run_goes_on(step->run, done, row->count * columns))
            return false;
        kernel(row->x + first, row->stride, row->count, columns,
               padded + row->right.before + first);
    }
    fill(padded + end, read > end ? read - end : 0, padding);
    return true;
}

bool window_row_slide(const struct step_run *step,
                      void (*kernel)(const float *x, size_t window, size_t step, size_t count,
                                     float *ret),
                      const float *padded, size_t *done, float *ret)
{
    const struct window *window = &step->layer->window;
    const size_t size = window->size[AXIS_W], stride = window->stride[AXIS_W];
    const size_t together = columns_together(size);
    for (size_t first = 0; first < step->ret.w; first += together) {
        const size_t columns = size_min(step->ret.w - first, together);
        if (!run_goes_on(step->run, done, size * columns))
            return false;
        kernel(padded + first * stride, size, stride, columns, ret + first);
    }
    return true;
}
