/* window_axis.c - see window_axis.h. */
#include "core/shape/window_axis.h"
#include "core/base/size.h"

static size_t reach_of(const struct window *window, enum axis axis)
{
    return (window->size[axis] - 1) * window->dilation[axis] + 1;
}

static struct window_axis same_axis(size_t reach, size_t stride, size_t extent)
{
    const size_t outputs = size_div_up(extent, stride);
    const size_t read = (outputs - 1) * stride + reach;
    const size_t padding = read > extent ? read - extent : 0;
    return (struct window_axis){
        .outputs = outputs, .before = padding / 2, .after = padding - padding / 2};
}

struct window_axis window_axis_of(const struct window *window, enum axis axis, size_t extent)
{
    const size_t reach = reach_of(window, axis), stride = window->stride[axis];
    if (window->is_same)
        return same_axis(reach, stride, extent);
    struct window_axis on = {.before = window->before[axis], .after = window->after[axis]};
    const size_t padded = on.before + extent + on.after;
    if (padded < reach) {
        on.outputs = window->is_ceil && reach - padded < stride ? 1 : 0;
        return on;
    }
    const size_t steps = padded - reach;
    on.outputs = (window->is_ceil ? size_div_up(steps, stride) : steps / stride) + 1;
    if (window->is_ceil && (on.outputs - 1) * stride >= extent + on.before)
        on.outputs--;
    return on;
}

void window_axis_taps(const struct window *window, enum axis axis, size_t extent,
                      const struct window_axis *on, size_t i, size_t *ret_from, size_t *ret_to)
{
    const size_t dilation = window->dilation[axis], at = i * window->stride[axis];
    const size_t from = at < on->before ? size_div_up(on->before - at, dilation) : 0;
    const size_t end = extent + on->before; /* in padded coordinates, as at is */
    const size_t to = at < end ? size_min(size_div_up(end - at, dilation), window->size[axis]) : 0;
    *ret_from = size_min(from, to);
    *ret_to = to;
}
