/* geometry_resize.c - which pixels a resized axis reads: see geometry.h. */
#include "core/shape/geometry.h"

#include <math.h>

static double source_align_corners(double at, size_t in, size_t out)
{
    return out > 1 ? at * (double)(in - 1) / (double)(out - 1) : 0;
}

static double source_half_pixel(double at, size_t in, size_t out)
{
    return fmax((at + 0.5) * (double)in / (double)out - 0.5, 0);
}

static double source_asymmetric(double at, size_t in, size_t out)
{
    return at * (double)in / (double)out;
}

/* In float32, as PyTorch: exact arithmetic would take another pixel for one pair of sizes in fifty.
 */
static double source_nearest(double at, size_t in, size_t out)
{
    return (double)floorf((float)at * ((float)in / (float)out));
}

double geometry_source_of(enum resize mode, double at, size_t in, size_t out)
{
    static double (*const sources[])(double at, size_t in, size_t out) = {
#define ROW(constant, name) [RESIZE_##constant] = source_##name,
        RESIZES(ROW)};
    return sources[mode](at, in, out);
}

double geometry_source(enum resize mode, size_t i, size_t in, size_t out)
{
    return geometry_source_of(mode, (double)i, in, out);
}

struct resize_tap geometry_tap(enum resize mode, size_t i, size_t in, size_t out)
{
    struct resize_tap tap = geometry_tap_at(geometry_source(mode, i, in, out), in);
    if (mode == RESIZE_NEAREST)
        tap.high = tap.low; /* 0 * Inf is NaN */
    return tap;
}
