/* geometry_resize.c - which pixels a resized axis reads: see geometry.h. */
#include "core/shape/geometry.h"

#include <math.h>

static double source_align_corners(size_t i, size_t in, size_t out)
{
    return out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
}

static double source_half_pixel(size_t i, size_t in, size_t out)
{
    return fmax(((double)i + 0.5) * (double)in / (double)out - 0.5, 0);
}

static double source_asymmetric(size_t i, size_t in, size_t out)
{
    return (double)i * (double)in / (double)out;
}

/* In float32, as PyTorch: exact arithmetic would take another pixel for one pair of sizes in fifty.
 */
static double source_nearest(size_t i, size_t in, size_t out)
{
    return (double)floorf((float)i * ((float)in / (float)out));
}

double geometry_source(enum resize mode, size_t i, size_t in, size_t out)
{
    static double (*const sources[])(size_t i, size_t in, size_t out) = {
#define ROW(constant, name) [RESIZE_##constant] = source_##name,
        RESIZES(ROW)};
    return sources[mode](i, in, out);
}

struct resize_tap geometry_tap(enum resize mode, size_t i, size_t in, size_t out)
{
    struct resize_tap tap = geometry_tap_at(geometry_source(mode, i, in, out), in);
    if (mode == RESIZE_NEAREST)
        tap.high = tap.low; /* 0 * Inf is NaN */
    return tap;
}
