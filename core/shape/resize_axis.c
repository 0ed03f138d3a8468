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

struct resize_axis resize_axis_of_output(const struct spec *spec, const struct geometry *geometry,
                                         enum axis axis)
{
    const struct ppm_sizes *sizes = &geometry->sizes;
    const bool is_h = axis == AXIS_H;
    return (struct resize_axis){.mode = spec->output.resize,
                                .in = is_h ? geometry->h : geometry->w,
                                .out = is_h ? geometry->output.h : geometry->output.w,
                                .covered = is_h ? sizes->image_h : sizes->image_w,
                                .whole = is_h ? sizes->inputs[0].h : sizes->inputs[0].w};
}

/* The point of the longer axis, then of in: one interpolation for both stretches. Past the last
 * pixel that is covered there is none to interpolate with. */
static double covered_source(const struct resize_axis *axis, size_t i)
{
    const double at = geometry_source(axis->mode, i, axis->covered, axis->out);
    return geometry_source_of(axis->mode, fmin(at, (double)(axis->covered - 1)), axis->in,
                              axis->whole);
}

double resize_axis_source(const struct resize_axis *axis, size_t i)
{
    const double at = (double)i;
    if (axis->covered > 0 && axis->covered != axis->whole)
        return covered_source(axis, i);
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
