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

struct window_tap window_tap_of(const struct window *window, const struct window_row *row,
                                size_t tap, size_t outputs)
{
    const size_t stride = window->stride[AXIS_W], before = row->right.before;
    const size_t at = tap * window->dilation[AXIS_W]; /* of result 0, in padded pixels */
    const size_t end = before + row->w;
    const size_t first = at < before ? size_div_up(before - at, stride) : 0;
    const size_t last = at < end ? size_min(outputs, size_div_up(end - at, stride)) : 0;
    if (first >= last)
        return (struct window_tap){0, 0, 0};
    return (struct window_tap){first, last - first, first * stride + at - before};
}
