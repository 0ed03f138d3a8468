/* resize_axis.c - see resize_axis.h. */
#include "core/shape/resize_axis.h"

#include <math.h>

size_t resize_axis_scaled(size_t in, double scale)
{
    const double scaled = floor((double)in * scale);
    return scaled < 0x1p53 ? (size_t)scaled : SIZE_MAX;
}

struct resize_axis resize_axis_of(const struct layer *resize, size_t in, size_t out)
{
    return (struct resize_axis){.mode = resize->mode,
                                .in = in,
                                .out = out,
                                .scale = resize->target == RESIZE_BY ? resize->times : 0};
}

double resize_axis_source(const struct resize_axis *axis, size_t i)
{
    const double at = (double)i;
    if (axis->scale > 0 && axis->mode == RESIZE_HALF_PIXEL)
        return fmax((at + 0.5) / axis->scale - 0.5, 0);
    if (axis->scale > 0 && axis->mode == RESIZE_ASYMMETRIC)
        return at / axis->scale;
    if (axis->scale > 0 && axis->mode == RESIZE_NEAREST)
        return (double)floorf((float)i * (float)(1 / axis->scale)); /* in float32, as PyTorch */
    return geometry_source(axis->mode, i, axis->in, axis->out);
}

struct resize_tap resize_axis_tap(const struct resize_axis *axis, size_t i)
{
    struct resize_tap tap = geometry_tap_at(resize_axis_source(axis, i), axis->in);
    if (axis->mode == RESIZE_NEAREST) /* the next one does not count: 0 * Inf is NaN */
        tap = (struct resize_tap){.low = tap.low, .high = tap.low};
    return tap;
}
