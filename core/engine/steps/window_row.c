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

void window_row_fold(const struct step_run *step, const struct window_row *row,
                     void (*kernel)(const float *x, size_t stride, size_t rows, size_t columns,
                                    float *ret),
                     float padding, float *padded)
{
    const struct window *window = &step->layer->window;
    const size_t end = row->right.before + row->w;
    const size_t read = (step->ret.w - 1) * window->stride[AXIS_W] + window->size[AXIS_W];
    fill(padded, row->right.before, padding);
    kernel(row->x, row->stride, row->count, row->w, padded + row->right.before);
    fill(padded + end, read > end ? read - end : 0, padding);
}
